/* Plain keywords, {{ dotted.name }}, substituted with the very bytes that Jinja2 would give: line ends become
 * LF and one at the end is dropped. A file without any of {{ {% {# is left alone. */
#pragma once

#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"

struct keyword {
    char *name, *value;
};

struct keywords {
    struct keyword *list;
    size_t count;
};

void keywords_add(struct keywords *keywords, const char *name, const char *value);
const char *keywords_find(const struct keywords *keywords, const char *name, size_t length); /* NULL: none */
void keywords_free(struct keywords *keywords);

enum template_kind {
    TEMPLATE_NONE,  /* no template syntax: leave it alone */
    TEMPLATE_PLAIN, /* only keywords, all known: *ret_out holds the result */
    TEMPLATE_OTHER, /* anything else: *ret_error says "file:line: …" about the first of it */
};
enum template_kind template_render(const char *file, const char *text, size_t length,
                                   const struct keywords *keywords, struct buffer *ret_out,
                                   struct error **ret_error);

/* Renders the file `name` in `folder` where it lies, keeping its mode; a missing file is no error. */
int template_render_file(int folder, const char *name, const struct keywords *keywords, struct error **ret);

/* The same for every text file (without a NUL byte) in `folder` and below. `path` is put before names in
 * errors. */
int template_render_tree(int folder, const char *path, const struct keywords *keywords, struct error **ret);
