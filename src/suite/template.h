/* Plain keywords, {{ dotted.name }}, substituted with the very bytes that Jinja2 would give: line ends become
 * LF and one at the end is dropped. A file without any of {{ {% {# is left alone. Everything else is
 * Jinja2's.
 */
#pragma once

#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"
#include "src/suite/keywords.h"

enum template_kind {
    TEMPLATE_NONE,  /* no template syntax: leave it alone */
    TEMPLATE_PLAIN, /* only keywords, all known: *ret_out holds the result */
    TEMPLATE_OTHER, /* anything else: *ret_line is where its first piece starts */
};
enum template_kind template_render(const char *text, size_t length, const struct keywords *keywords,
                                   struct buffer *ret_out, size_t *ret_line);

/* Renders the file `name` (or "folder/name") in `folder` where it lies, keeping its mode; a missing file is
 * no error. *ret_line is 0 if that is all; else it takes Jinja2, and this is the first line that does. */
int template_render_file(int folder, const char *name, const struct keywords *keywords, size_t *ret_line,
                         struct error **ret);

/* Puts what was rendered in the file's place, if it differs. */
int template_replace_file(int folder, const char *name, const void *text, size_t length, struct error **ret);

/* Adds the text files (without a NUL byte) in "folder/path" and below, as "path/name". */
int template_find_texts(int folder, const char *path, struct strings *names, struct error **ret);
