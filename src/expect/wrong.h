/* A predicate that was wrong from the beginning: it fails at once, and says why. */
#pragma once

#include "include/sippod/predicate.h"

/* "<name>: <text>", or the text alone if name is NULL. */
struct sippod_predicate predicate_wrong(const char *name, const char *text);
