/* How many tests fit on this host at once. */
#pragma once

#include <stddef.h>
#include <sys/resource.h>

#include "src/base/error.h"
#include "src/suite/suite.h"

/* What --jobs auto is: eight times the cores, as far as there are 64 MiB of free memory for each; at least 1.
 */
size_t limits_auto_jobs(void);

/* Raises this process's limit of descriptors as far as it goes; *ret_before is what children get. */
int limits_raise_descriptors(struct rlimit *ret_before, struct error **ret);

/* `jobs`, or less where the limits of processes (RLIMIT_NPROC) or descriptors do not allow as many; then
 * *ret_why says so in one sentence (the caller frees it), else it is NULL. At least 1. */
size_t limits_allowed_jobs(const struct suite *suite, size_t jobs, char **ret_why);
