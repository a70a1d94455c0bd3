#define PCRE2_CODE_UNIT_WIDTH 8
#include "src/suite/suite.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

/* Sipplauncher's own expressions (the last dot is any character there, too). */
static const char *const expressions[] = {
    "^(?<role>ua[cs])_(?<ua>ua[0-9]+).xml$",
    "^(?<part>[a-zA-Z0-9]+)_(?<role>ua[cs])_(?<ua>ua[0-9]+).xml$",
};

static pcre2_code *compiled(size_t i)
{
    static pcre2_code *codes[2]; /* kept for the whole run */
    PCRE2_SIZE offset;
    int code;

    if (!codes[i])
        codes[i] = pcre2_compile((PCRE2_SPTR)expressions[i], PCRE2_ZERO_TERMINATED, PCRE2_DOLLAR_ENDONLY,
                                 &code, &offset, NULL);
    if (!codes[i])
        abort(); /* out of memory: the expressions are constants */
    return codes[i];
}

static char *group(pcre2_match_data *match, const char *name)
{
    PCRE2_UCHAR *text = NULL;
    PCRE2_SIZE length = 0;
    char *copy;

    if (pcre2_substring_get_byname(match, (PCRE2_SPTR)name, &text, &length) < 0)
        return text_copy("");
    copy = text_slice((const char *)text, length);
    pcre2_substring_free(text);
    return copy;
}

bool scenario_parse(const char *file, struct scenario *ret_scenario)
{
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        pcre2_match_data *match = pcre2_match_data_create_from_pattern(compiled(i), NULL);
        bool found = match && pcre2_match(compiled(i), (PCRE2_SPTR)file, strlen(file), 0, 0, match, NULL) > 0;

        if (found) {
            cleanup_free char *role = group(match, "role");

            *ret_scenario = (struct scenario){
                .file = text_copy(file),
                .part = group(match, "part"),
                .ua = group(match, "ua"),
                .server = strcmp(role, "uas") == 0,
            };
        }
        pcre2_match_data_free(match);
        if (found)
            return true;
    }
    return false;
}

void scenario_free(struct scenario *scenario)
{
    free(scenario->file);
    free(scenario->part);
    free(scenario->ua);
}
