/* Configuration files as libconfuse reads them, with errors that name the right line. Inside of src/suite,
 * and for the router's policy. */
#pragma once

#include <confuse.h>

#include "src/base/error.h"

/* Called with each value of an option as it is read; complains with cfg_error() and returns -1. */
struct confuse_check {
    const char *name; /* NULL ends the list; "section|option" for those of a section */
    cfg_validate_callback_t check;
};

/* Parses `text`, in which `options` says what can be; NULL on failure, with an error that says `name`:line.
 * The caller frees it with cfg_free(). */
cfg_t *confuse_parse(const char *name, const char *text, cfg_opt_t *options,
                     const struct confuse_check *checks, struct error **ret);

/* The text of the file; *ret_text is NULL if there is no such file. */
int confuse_load(const char *path, char **ret_text, struct error **ret);
