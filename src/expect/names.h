/* The predicates by name: one table, from which they are parsed and listed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "include/sippod/predicate.h"
#include "src/expect/argument.h"

struct name {
    struct sippod_predicate_name shown;
    size_t least, most;          /* arguments */
    enum argument_kind kinds[2]; /* the last goes for all that follow */
    struct sippod_predicate (*make)(struct argument *arguments, size_t count, bool check);
};

const struct name *name_find(const char *text, size_t length); /* NULL: there is none */

/* The one that was meant if there are few slips in it, else NULL. */
const struct name *name_nearest(const char *text, size_t length);

enum argument_kind name_kind(const struct name *name, size_t argument);
