/* test.conf: what is accepted is in range, what is refused says where. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/suite/suite.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_config config = {0};
    struct error *error = NULL;
    char *text;

    if (memchr(data, '\0', size))
        return 0; /* is refused before */
    text = text_slice((const char *)data, size);
    if (test_config_parse("test.conf", text, &config, &error) == 0) {
        if (error || (config.transport && strlen(config.transport) != 2) || config.timeout_s < 0 ||
            config.timeout_s > 86400)
            abort();
    } else if (!error || error->code != ERROR_INPUT || !*error_text(error) || config.transport) {
        abort();
    }
    free(config.transport);
    error_free(error);
    free(text);
    return 0;
}
