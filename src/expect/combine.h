/* "and", "or" and "not" of any number of predicates. */
#pragma once

#include "include/sippod/predicate.h"

/* Takes the predicates. `settles`: what one of them has to be for all to be settled. One alone is negated. */
struct sippod_predicate predicate_group(const char *name, bool settles, struct sippod_predicate *list,
                                        size_t count);
