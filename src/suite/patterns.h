/* Regular expressions by which tests are chosen. Inside of src/suite. */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/base/text.h"

struct patterns {
    pcre2_code **codes;
    size_t count;
};

/* What is no expression goes into `problems`, with the option's name. */
void patterns_compile(const struct strings *expressions, const char *option, struct patterns *ret_patterns,
                      struct strings *ret_problems);
void patterns_free(struct patterns *patterns);

/* Whether one of them matches the name, from its first character on. */
bool patterns_match(const struct patterns *patterns, const char *name);
