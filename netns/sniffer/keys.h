/* TLS session keys for a capture: a key log (the format of SSLKEYLOGFILE), which programs of the test have
 * written and which nobody has to believe. */
#pragma once

#include <sys/types.h>

#include "src/base/error.h"
#include "src/base/text.h"

/* Adds the lines of `name` in `folder` that are keys: a label and two numbers in hexadecimal. No such file:
 * no keys. -1 if keys are missing, or what cannot be one was there; *ret_lines has the rest all the same.
 * *ret_mode is who may read the file, if lines were added.
 * Comments are left out without a word. */
int keys_read(int folder, const char *name, struct buffer *ret_lines, mode_t *ret_mode, struct error **ret);
