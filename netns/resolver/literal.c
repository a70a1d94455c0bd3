#include "netns/resolver/literal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/text.h"

#define DEPTH_MOST 8

void literals_add(struct literals *literals, bool text, const char *bytes, size_t length)
{
    literals->list = memory_array(literals->list, literals->count + 1, sizeof *literals->list);
    literals->list[literals->count++] =
        (struct literal){.text = text, .bytes = text_slice(bytes, length), .length = length};
}

void literals_free(struct literals *literals)
{
    for (size_t i = 0; i < literals->count; i++)
        free(literals->list[i].bytes);
    free(literals->list);
    *literals = (struct literals){0};
}

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static int bad(const char *at, struct error **ret)
{
    cleanup_free char *rest = text_start(at, strlen(at), 40);

    return *at ? error_set(ret, ERROR_INPUT, "not a list of integers and strings at: %s", rest)
               : error_set(ret, ERROR_INPUT, "the list has no end");
}

static unsigned digit(char c)
{
    return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a') + 10;
}

/* What stands behind a backslash; returns what follows it. Escapes that Python does not know stay as they
 * are.
 */
static const char *take_escape(const char *at, struct buffer *out)
{
    static const char names[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
    const char *name = *at ? strchr(names, *at) : NULL;
    unsigned value = 0;
    int digits = 0;

    if (name) {
        buffer_add(out, &values[name - names], 1);
        return at + 1;
    }
    if (at[0] == 'x' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2])) {
        buffer_add(out, &(uint8_t){(uint8_t)(digit(at[1]) * 16 + digit(at[2]))}, 1);
        return at + 3;
    }
    for (; digits < 3 && *at >= '0' && *at <= '7'; digits++)
        value = value * 8 + digit(*at++);
    if (digits)
        buffer_add(out, &(uint8_t){(uint8_t)value}, 1);
    else
        buffer_add(out, "\\", 1);
    return at;
}

/* A string from its first quote on; NULL: it has no end. */
static const char *take_string(const char *at, bool raw, struct literals *literals)
{
    cleanup_buffer struct buffer out = {0};
    char quote = *at++;

    while (*at && *at != quote) {
        if (*at == '\\' && !raw) {
            at = take_escape(at + 1, &out);
        } else {
            if (*at == '\\' && at[1]) /* in a raw string it keeps the quote from ending it, and stays */
                buffer_add(&out, at++, 1);
            buffer_add(&out, at++, 1);
        }
    }
    if (!*at)
        return NULL;
    literals_add(literals, true, out.data ? (const char *)out.data : "", out.length);
    return at + 1;
}

/* One integer or string; NULL: it is neither. */
static const char *take_literal(const char *at, struct literals *literals)
{
    const char *begin = at;
    bool raw = false;

    if (isdigit((unsigned char)*at)) {
        while (isdigit((unsigned char)*at))
            at++;
        literals_add(literals, false, begin, (size_t)(at - begin));
        return at;
    }
    while (*at && at - begin < 2 && strchr("bBrRuU", *at)) {
        raw = raw || *at == 'r' || *at == 'R';
        at++;
    }
    return *at == '"' || *at == '\'' ? take_string(at, raw, literals) : NULL;
}

int literals_parse(const char *text, struct literals *ret_literals, struct error **ret)
{
    char closing[DEPTH_MOST];
    size_t depth = 0;
    bool comma = true; /* a literal or a list may begin here */
    const char *at = text;

    do {
        const char *next;

        at = skip_blanks(at);
        if (comma && (*at == '[' || *at == '(') && depth < DEPTH_MOST) {
            closing[depth++] = *at++ == '[' ? ']' : ')';
        } else if (*at && depth > 0 && *at == closing[depth - 1]) {
            depth--;
            at++;
            comma = false;
        } else if (*at == ',' && !comma) {
            at++;
            comma = true;
        } else if (comma && (next = take_literal(at, ret_literals))) {
            at = next;
            comma = false;
        } else {
            return bad(at, ret);
        }
    } while (depth > 0);
    at = skip_blanks(at);
    return *at && *at != '#' ? bad(at, ret) : 0;
}
