/* test.conf: what is accepted is in range, what is refused says where. */
#include <stdlib.h>
#include <string.h>

#include "src/suite/suite.h"
#include "tests/fuzz/fuzz.h"

/* "test.conf:<line>: …" with a line that the file has, or the one behind its end. */
static bool names_a_line(const struct error *error, const char *text)
{
    const char *words = error_text(error);
    long line, last = 2;
    char *end;

    for (const char *p = text; (p = strchr(p, '\n')); p++)
        last++;
    if (strcmp(words, "test.conf: not a configuration") == 0)
        return true; /* where libconfuse itself has no words */
    if (strncmp(words, "test.conf:", 10) != 0)
        return false;
    line = strtol(words + 10, &end, 10);
    return line >= 1 && line <= last && end[0] == ':' && end[1] == ' ';
}

/* Each has what a judge needs. */
static bool are_whole(const struct expectations *expectations)
{
    struct buffer bytes = {0};
    bool small;

    for (size_t i = 0; i < expectations->count; i++) {
        const struct expectation *expectation = &expectations->list[i];

        if (!expectation->title || !*expectation->title || !expectation->predicate ||
            expectation->settle_ns > 3600000000000 || (expectation->limit && !expectation->interface))
            return false;
    }
    expectations_encode(expectations, &bytes);
    small = bytes.length <= EXPECTATIONS_MOST;
    buffer_free(&bytes);
    return small;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_config config = {0};
    struct error *error = NULL;
    char *text;

    if (memchr(data, '\0', size))
        return 0; /* is refused before */
    text = text_slice((const char *)data, size);
    if (test_config_parse("test.conf", text, NULL, &config, &error) == 0) {
        if (error || (config.transport && strlen(config.transport) != 2) || config.timeout_s < 0 ||
            config.timeout_s > 86400 || !are_whole(&config.expectations))
            abort();
    } else if (!error || error->code != ERROR_INPUT || !names_a_line(error, text) || config.transport) {
        abort();
    }
    test_config_free(&config);
    error_free(error);
    free(text);
    return 0;
}
