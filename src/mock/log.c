#include <stdio.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

#define DUMP_LINE 16

void mock_log(const struct hyperstart_mock *mock, const char *format, ...)
{
    cleanup_free char *line = NULL;
    va_list args;

    if (!mock->options.log)
        return;
    va_start(args, format);
    line = text_vformat(format, args);
    va_end(args);
    mock->options.log(mock->options.user, line);
}

static void dump_line(const struct hyperstart_mock *mock, size_t offset, const uint8_t *bytes, size_t count)
{
    char hex[3 * DUMP_LINE + 2] = "", text[DUMP_LINE + 1] = "";
    size_t at = 0;

    for (size_t i = 0; i < DUMP_LINE; i++) {
        if (i == DUMP_LINE / 2)
            hex[at++] = ' ';
        if (i < count)
            (void)snprintf(hex + at, sizeof hex - at, " %02x", bytes[i]);
        else
            (void)snprintf(hex + at, sizeof hex - at, "   ");
        at += 3;
    }
    for (size_t i = 0; i < count; i++)
        text[i] = '.';
    for (size_t i = 0; i < count; i++)
        if (bytes[i] >= ' ' && bytes[i] <= '~')
            text[i] = (char)bytes[i];
    mock_log(mock, "%08zx %s  |%s|", offset, hex, text);
}

/* As `hexdump -C` does. */
void mock_log_bytes(const struct hyperstart_mock *mock, const uint8_t *bytes, size_t length)
{
    if (!mock->options.log)
        return;
    for (size_t offset = 0; offset < length; offset += DUMP_LINE) {
        size_t left = length - offset;

        dump_line(mock, offset, bytes + offset, left < DUMP_LINE ? left : DUMP_LINE);
    }
}
