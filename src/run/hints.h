/* Scripts that were written for a whole machine, and fail in a pod: what they printed tells what they missed.
 */
#pragma once

#include "src/base/text.h"

/* What the user of a script that failed with these words may do about it, NULL: nothing that is known.
 * `capabilities` are those that it had; NULL: none. `words` may be NULL. */
const char *script_hint(const char *words, const struct strings *capabilities);
