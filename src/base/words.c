#include "src/base/words.h"

#include <ctype.h>
#include <string.h>

/* Adds what one word holds up to its end, and returns that place; NULL if a quote is not closed. */
static const char *split_word(const char *p, struct buffer *word)
{
    char quote = '\0';

    for (; *p && (quote || !strchr(" \t\r\n", *p)); p++) {
        if (!quote && (*p == '"' || *p == '\'')) {
            quote = *p;
            continue;
        }
        if (*p == quote) {
            quote = '\0';
            continue;
        }
        if (*p == '\\' && quote != '\'' && p[1])
            p++;
        buffer_add(word, p, 1);
    }
    return quote ? NULL : p;
}

int words_split(const char *text, struct strings *words, struct error **ret)
{
    for (const char *p = text + strspn(text, " \t\r\n"); *p; p += strspn(p, " \t\r\n")) {
        cleanup_buffer struct buffer word = {0};

        p = split_word(p, &word);
        if (!p)
            return error_set(ret, ERROR_INPUT, "a quote in %s is not closed", text);
        buffer_add(&word, "", 1);
        strings_add(words, (const char *)word.data);
    }
    return 0;
}

static bool is_plain(const char *word)
{
    for (const char *p = word; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("%+,-./:=@_", *p))
            return false;
    return *word != '\0';
}

static bool has_control(const char *word)
{
    for (const char *p = word; *p; p++)
        if (iscntrl((unsigned char)*p))
            return true;
    return !text_is_utf8(word);
}

/* $'...', which POSIX has since 2024, and bash since ever. */
static void quote_bytes(struct buffer *text, const char *word)
{
    buffer_addf(text, "$'");
    for (const char *p = word; *p; p++)
        if (!isprint((unsigned char)*p))
            buffer_addf(text, "\\%03o", (unsigned char)*p);
        else
            buffer_addf(text, "%s%c", strchr("\\'", *p) ? "\\" : "", *p);
    buffer_addf(text, "'");
}

void words_quote(struct buffer *text, const char *word)
{
    if (is_plain(word)) {
        buffer_addf(text, "%s", word);
    } else if (has_control(word)) {
        quote_bytes(text, word);
    } else {
        buffer_addf(text, "'");
        for (const char *p = word; *p; p++)
            buffer_addf(text, *p == '\'' ? "'\\''" : "%c", *p);
        buffer_addf(text, "'");
    }
}
