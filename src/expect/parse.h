/* Predicates that are written as text; predicate.h tells the grammar. */
#pragma once

#include "include/sippod/predicate.h"

/* `folder`: where files have to lie, and their names start; NULL: names start from the current one. `check`:
 * it is only asked whether it is right, and a writer makes no file. Wrong text makes a predicate that says
 * why, as the constructors do. */
struct sippod_predicate predicate_parse(const char *text, const char *folder, bool check);
