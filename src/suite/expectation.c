#include "src/suite/expectation.h"

#include <string.h>

#include "src/base/memory.h"

void expectations_copy(struct expectations *copy, const struct expectations *expectations)
{
    *copy = (struct expectations){.list = memory_array(NULL, expectations->count, sizeof *copy->list)};
    for (size_t i = 0; i < expectations->count; i++) {
        struct expectation *expectation = &copy->list[copy->count++];

        *expectation = expectations->list[i];
        expectation->title = text_copy(expectation->title);
        expectation->predicate = text_copy(expectation->predicate);
        expectation->filter = text_copy(expectation->filter);
        expectation->interface = text_copy(expectation->interface);
    }
}

void expectations_free(struct expectations *expectations)
{
    for (size_t i = 0; i < expectations->count; i++) {
        free(expectations->list[i].title);
        free(expectations->list[i].predicate);
        free(expectations->list[i].filter);
        free(expectations->list[i].interface);
    }
    free(expectations->list);
    *expectations = (struct expectations){0};
}

/* ---- as bytes: for each its numbers, then its texts, each with its NUL ---- */

struct numbers {
    uint64_t timeout_ns, settle_ns, limit, negated;
};

static void add_text(struct buffer *out, const char *text)
{
    if (!text)
        text = "";
    buffer_add(out, text, strlen(text) + 1);
}

void expectations_encode(const struct expectations *expectations, struct buffer *out)
{
    for (size_t i = 0; i < expectations->count; i++) {
        const struct expectation *expectation = &expectations->list[i];
        struct numbers numbers = {expectation->timeout_ns, expectation->settle_ns, expectation->limit,
                                  expectation->negated};

        buffer_add(out, &numbers, sizeof numbers);
        add_text(out, expectation->title);
        add_text(out, expectation->predicate);
        add_text(out, expectation->filter);
        add_text(out, expectation->interface);
    }
}

/* The text at *at, which moves behind it; NULL if it does not end. */
static char *take_text(const char **at, const char *end)
{
    size_t length = strnlen(*at, (size_t)(end - *at));
    const char *text = *at;

    if (text + length == end)
        return NULL;
    *at += length + 1;
    return text_slice(text, length);
}

static bool decode(const char **at, const char *end, struct expectation *expectation)
{
    struct numbers numbers;

    if ((size_t)(end - *at) < sizeof numbers)
        return false;
    memcpy(&numbers, *at, sizeof numbers);
    *at += sizeof numbers;
    expectation->timeout_ns = numbers.timeout_ns;
    expectation->settle_ns = numbers.settle_ns;
    expectation->limit = numbers.limit;
    expectation->negated = numbers.negated;
    expectation->title = take_text(at, end);
    expectation->predicate = take_text(at, end);
    expectation->filter = take_text(at, end);
    expectation->interface = take_text(at, end);
    if (!expectation->interface)
        return false;
    if (!*expectation->filter)
        free(steal_pointer(&expectation->filter));
    if (!*expectation->interface)
        free(steal_pointer(&expectation->interface));
    return true;
}

int expectations_decode(const void *data, size_t length, struct expectations *expectations,
                        struct error **ret)
{
    const char *at = data, *end = at + length;

    *expectations = (struct expectations){0};
    while (at < end) {
        expectations->list =
            memory_array(expectations->list, expectations->count + 1, sizeof *expectations->list);
        expectations->list[expectations->count] = (struct expectation){0};
        if (!decode(&at, end, &expectations->list[expectations->count++])) {
            expectations_free(expectations);
            return error_set(ret, ERROR_FAILED, "expectations that are cut off");
        }
    }
    return 0;
}
