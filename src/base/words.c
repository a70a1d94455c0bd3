#include "src/base/words.h"

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
