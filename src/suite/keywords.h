/* What templates may name: {"dut": {"host": "198.18.0.1", …}, "test": {…}, "ua1": {"host": …}}, a JSON
 * object; and what the command line puts in its place. */
#pragma once

#include <stddef.h>

#include "src/base/error.h"
#include "src/suite/suite.h"

struct json_t; /* jansson's */

struct keywords {
    struct json_t *object; /* NULL: none yet; start with {0} */
};

/* Sets "test.name" and the like; what is missing above it is made. The value is UTF-8. */
void keywords_set(struct keywords *keywords, const char *name, const char *value);

/* What a run of a test is called, and how its device under test is reached. */
struct keywords_run {
    const char *run_id, *number;
    const char *dut; /* NULL: there is nobody to call */
};

/* All that templates of a test may name, less what the command line replaces. */
void keywords_of_test(struct keywords *keywords, const struct test *test, const struct keywords_run *run);

/* The string behind the first `length` bytes of a dotted name; NULL if there is none, or it is no string. */
const char *keywords_find(const struct keywords *keywords, const char *name, size_t length);

char *keywords_json(const struct keywords *keywords); /* one line, to be freed */
void keywords_free(struct keywords *keywords);

/* Replacements in the order of the command line: of two for the same name the later one wins. Start with {0}.
 */
struct keywords_replacements {
    struct keywords_replacement {
        struct strings path;  /* names from the top */
        struct json_t *value; /* of any kind */
    } * list;
    size_t count;
};

/* The value of --keyword-replacement-values: an object, each of whose keys replaces the whole keyword of that
 * name. */
int keywords_replacements_parse(const char *json, struct keywords_replacements *replacements,
                                struct error **ret);
/* The value of --set: "name=text", or "a.b=text" for what is in `a`. */
int keywords_replacements_set(const char *assignment, struct keywords_replacements *replacements,
                              struct error **ret);
void keywords_replacements_free(struct keywords_replacements *replacements);

/* An error if one would hide a UA of one of the tests: its address is not for the caller to choose. */
int keywords_replacements_check(const struct keywords_replacements *replacements, const struct test *tests,
                                size_t count, struct error **ret);

void keywords_replace(struct keywords *keywords, const struct keywords_replacements *replacements);
