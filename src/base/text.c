#include "src/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

char *text_vformat(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

char *text_format(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    return text;
}

char *text_copy(const char *text)
{
    return text ? text_slice(text, strlen(text)) : NULL;
}

char *text_slice(const char *text, size_t length)
{
    char *copy = memory_new(length + 1);

    if (length)
        memcpy(copy, text, length);
    return copy;
}

bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Length of the well-formed UTF-8 sequence at `p` (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xc2 ? 0
                    : p[0] < 0xe0 ? 2
                    : p[0] < 0xf0 ? 3
                    : p[0] < 0xf5 ? 4
                                  : 0;

    if (!length || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

/* By hand: whoever pours binary data into a log must not keep all of sippod busy. */
static void add_hex(struct buffer *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char text[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

    buffer_add(out, text, sizeof text);
}

char *text_printable(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;
    struct buffer out = {0};

    for (size_t i = 0; i < length;) {
        size_t n = utf8_length(p + i, length - i);
        bool c1 = n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;

        if (n && !c1 && p[i] >= 0x20 && p[i] != 0x7f) {
            buffer_add(&out, p + i, n);
            i += n;
        } else {
            add_hex(&out, p[i++]);
        }
    }
    buffer_add(&out, "", 1);
    return (char *)out.data;
}

char *text_start(const char *bytes, size_t length, size_t most)
{
    cleanup_free char *start = NULL;

    if (length <= most)
        return text_printable(bytes, length);
    for (int i = 0; i < 3 && most && ((unsigned char)bytes[most] & 0xc0) == 0x80; i++)
        most--; /* not within a character */
    start = text_printable(bytes, most);
    return text_format("%s...", start);
}

bool text_is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text), length;

    for (; left; p += length, left -= length)
        if (!(length = utf8_length(p, left)))
            return false;
    return true;
}

bool text_number(const char *text, long low, long high, long *ret)
{
    char *end;
    long value;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || *end || value < low || value > high)
        return false;
    *ret = value;
    return true;
}

static void strings_take(struct strings *strings, char *text)
{
    strings->list = memory_array(strings->list, strings->count + 2, sizeof *strings->list);
    strings->list[strings->count++] = text;
    strings->list[strings->count] = NULL;
}

void strings_add(struct strings *strings, const char *text)
{
    strings_take(strings, text_copy(text));
}

void strings_addf(struct strings *strings, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    strings_take(strings, text_vformat(format, args));
    va_end(args);
}

void strings_free(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->list[i]);
    free(strings->list);
    *strings = (struct strings){0};
}

void buffer_add(struct buffer *buffer, const void *data, size_t length)
{
    if (length > buffer->size - buffer->length) {
        size_t size = buffer->size ? buffer->size : 256;

        while (length > size - buffer->length)
            size *= 2;
        buffer->data = memory_array(buffer->data, size, 1);
        buffer->size = size;
    }
    if (length)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

void buffer_addf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    buffer_add(buffer, text, strlen(text));
    free(text);
}

void buffer_drop(struct buffer *buffer, size_t length)
{
    buffer->length -= length;
    if (buffer->length)
        memmove(buffer->data, buffer->data + length, buffer->length);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
