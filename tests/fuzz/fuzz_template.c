/* Templates: every file is one of the three kinds, and what is left over of its kind holds. */
#include <stdlib.h>
#include <string.h>

#include "src/suite/template.h"
#include "tests/fuzz/fuzz.h"

static bool has_syntax(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (data[i] == '{' && (data[i + 1] == '{' || data[i + 1] == '%' || data[i + 1] == '#'))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keywords keywords;
    struct buffer out = {0};
    enum template_kind kind;
    size_t line = 0;

    if (!keywords.object) {
        keywords_set(&keywords, "a", "");
        keywords_set(&keywords, "dut.host", "198.18.0.1");
    }
    kind = template_render((const char *)data, size, &keywords, &out, &line);
    if ((kind == TEMPLATE_NONE) == has_syntax(data, size) || (kind == TEMPLATE_OTHER) != (line != 0))
        abort();
    if (kind == TEMPLATE_PLAIN && out.length && memchr(out.data, '\r', out.length))
        abort(); /* no value has one, and no line end is left */
    if (kind == TEMPLATE_NONE && out.length)
        abort();
    buffer_free(&out);
    return 0;
}
