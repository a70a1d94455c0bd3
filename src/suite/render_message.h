/* What sippod and the renderer (src/run/renderer.py) say to each other: a line of JSON for each request; for
 * each reply one, and the text behind it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/suite/keywords.h"

#define RENDER_MOST_BYTES ((size_t)64 * 1024 * 1024) /* of a rendered file */

struct render_request {
    const char *folder;    /* where the file lies, and what it includes first of all */
    const char *file;      /* in it, by its name or by "folder/name" */
    const char *templates; /* where else to look, NULL: nowhere */
    const struct keywords *keywords;
};

/* The line with its end, to be freed; NULL if a name is no UTF-8. */
char *render_request_encode(const struct render_request *request, struct error **ret);

struct render_reply {
    bool ready;          /* it can be asked now */
    char *error;         /* why a file, or nothing at all, can be rendered; fit to be shown; NULL: it was */
    const uint8_t *text; /* points into what was decoded */
    size_t length;
};

/* One reply from the start of `data`: 1, with the bytes that it took in *ret_used and the caller to free
 * `error`; 0 if more has to arrive first; -1 if this is no reply. */
int render_reply_decode(const uint8_t *data, size_t length, struct render_reply *ret_reply, size_t *ret_used,
                        struct error **ret);
