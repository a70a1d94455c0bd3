#include "src/run/output.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define LONGEST 8192 /* bytes in a line; what is longer is logged in pieces */
#define KEPT    3
#define TOLD    300 /* bytes of a line in a reason */

static void take_line(struct output *output, const uint8_t *data, size_t length)
{
    cleanup_free char *line = NULL;

    while (length && (data[length - 1] == '\r' || data[length - 1] == '\n'))
        length--;
    line = text_printable((const char *)data, length);
    log_output(output->log, output->level, "%s%s%s", output->prefix ? output->prefix : "",
               output->prefix ? ": " : "", line);
    if (!line[strspn(line, " ")])
        return;
    free(output->last[0]);
    memmove(output->last, output->last + 1, (KEPT - 1) * sizeof *output->last);
    output->last[KEPT - 1] = text_start((const char *)data, length, TOLD);
}

void output_add(struct output *output, const uint8_t *data, size_t length)
{
    buffer_add(&output->partial, data, length);
    for (;;) {
        const uint8_t *start = output->partial.data;
        const uint8_t *end = output->partial.length ? memchr(start, '\n', output->partial.length) : NULL;
        size_t used = end ? (size_t)(end - start) + 1 : output->partial.length;

        if (used >= LONGEST)
            used = LONGEST;
        else if (!end)
            return;
        take_line(output, start, used);
        buffer_drop(&output->partial, used);
    }
}

void output_end(struct output *output)
{
    if (output->partial.length)
        take_line(output, output->partial.data, output->partial.length);
    buffer_free(&output->partial);
}

char *output_last(const struct output *output)
{
    struct buffer text = {0};

    for (int i = 0; i < KEPT; i++)
        if (output->last[i])
            buffer_addf(&text, "%s%s", text.length ? " / " : "", output->last[i]);
    if (!text.length)
        return NULL;
    buffer_add(&text, "", 1);
    return (char *)text.data;
}

void output_free(struct output *output)
{
    buffer_free(&output->partial);
    for (int i = 0; i < KEPT; i++)
        free(output->last[i]);
}
