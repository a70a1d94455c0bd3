#include "src/suite/patterns.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

/* As Python matches text: from its start, by characters and not bytes, \w being letters of any language. */
#define OPTIONS (PCRE2_ANCHORED | PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF)

void patterns_compile(const struct strings *expressions, const char *option, struct patterns *patterns,
                      struct strings *problems)
{
    patterns->codes = memory_array(NULL, expressions->count, sizeof *patterns->codes);
    for (size_t i = 0; i < expressions->count; i++) {
        PCRE2_UCHAR text[256];
        PCRE2_SIZE offset;
        int number;
        pcre2_code *code = pcre2_compile((PCRE2_SPTR)expressions->list[i], PCRE2_ZERO_TERMINATED, OPTIONS,
                                         &number, &offset, NULL);

        if (code) {
            patterns->codes[patterns->count++] = code;
            continue;
        }
        pcre2_get_error_message(number, text, sizeof text);
        strings_addf(problems, "%s \"%s\": %s at character %zu", option, expressions->list[i],
                     (const char *)text, offset + 1);
    }
}

void patterns_free(struct patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        pcre2_code_free(patterns->codes[i]);
    free(patterns->codes);
}

bool patterns_match(const struct patterns *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        pcre2_match_data *match = pcre2_match_data_create_from_pattern(patterns->codes[i], NULL);
        bool found =
            match && pcre2_match(patterns->codes[i], (PCRE2_SPTR)name, strlen(name), 0, 0, match, NULL) > 0;

        pcre2_match_data_free(match);
        if (found)
            return true;
    }
    return false;
}
