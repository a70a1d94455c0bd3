/* Text: formatting that cannot overflow, growing lists of strings, growing buffers of bytes. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
char *text_copy(const char *text);                 /* NULL stays NULL */
char *text_slice(const char *text, size_t length); /* a copy of the first `length` bytes */
bool text_equal(const char *a, const char *b);     /* NULL equals only NULL */

/* A copy in which every byte that a terminal or a log line should not see (control characters, DEL, and
 * bytes that are not UTF-8) reads \xNN; newlines and tabs too. */
char *text_printable(const char *bytes, size_t length);

/* The same of at most the first `most` bytes; "..." follows if there are more. */
char *text_start(const char *bytes, size_t length, size_t most);

bool text_is_utf8(const char *text); /* RFC 3629 */

/* Parses all of `text` as a decimal number in [low, high]; false if it is anything else. */
bool text_number(const char *text, long low, long high, long *ret);

/* A NULL-terminated list of strings that it owns; start with {0}. */
struct strings {
    char **list; /* NULL while empty */
    size_t count;
};
void strings_add(struct strings *strings, const char *text);
void strings_addf(struct strings *strings, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strings_free(struct strings *strings);
#define cleanup_strings __attribute__((cleanup(strings_free)))

/* A growing buffer of bytes; start with {0}. */
struct buffer {
    uint8_t *data;
    size_t length, size;
};
void buffer_add(struct buffer *buffer, const void *data, size_t length);
void buffer_addf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_drop(struct buffer *buffer, size_t length); /* drops the first `length` bytes */
void buffer_free(struct buffer *buffer);
#define cleanup_buffer __attribute__((cleanup(buffer_free)))
