/* What programs in a pod find in their environment: the caller's, less what would change how programs are
 * loaded (LD_*) or make them write keys elsewhere (SSLKEYLOGFILE). */
#pragma once

#include <stddef.h>

#include "src/wire/message.h"

struct environment {
    struct environment_message *list;
    size_t count;
};

/* Variables that are not UTF-8 cannot be passed on (the channel is JSON), and are left out. */
void environment_copy(struct environment *ret_environment);
/* In the place of one that is there. */
void environment_set(struct environment *environment, const char *name, const char *value);
void environment_free(struct environment *environment);
