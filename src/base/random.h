/* Random names. */
#pragma once

#include <stddef.h>

#include "src/base/error.h"

/* `count` characters out of `alphabet`, each as likely as any other, and a NUL. */
int random_text(char *text, size_t count, const char *alphabet, struct error **ret);

/* A run id: six lower-case letters. */
int random_run_id(char ret_id[7], struct error **ret);
