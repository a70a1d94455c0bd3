/* Templates that take Jinja2. One python3 renders them for the whole run, in a pod of its own without network
 * and without a place to write; it is started when the first such file comes. */
#pragma once

#include "src/run/host.h"
#include "src/suite/keywords.h"

#define RENDER_SECONDS 10 /* that one file may take */

struct renderer;

struct renderer_config {
    struct host *host;
    const char *results;            /* folder that the run folders lie in */
    const char *templates;          /* where else templates are looked for, NULL: nowhere */
    const struct strings *readable; /* what the pod shows beside these two; used in renderer_new() only */
};

struct renderer *renderer_new(const struct renderer_config *config);

/* Ends the python3, without a word to who waits for a file. The loop must not be running. */
void renderer_close(struct renderer *renderer);

struct render;

/* Has `file` ("name", or "folder/name") of the run folder `folder` (below the results) rendered.
 * done(user, text, length, error) is called once, never from in here; error NULL: this is the text. Else the
 * error names the file, and the line where that is known, or it is ERROR_HOST and no file's. NULL, with *ret
 * set, if that cannot be asked for. */
struct render *renderer_render(struct renderer *renderer, const char *folder, const char *file,
                               const struct keywords *keywords,
                               void (*done)(void *user, const uint8_t *text, size_t length,
                                            const struct error *error),
                               void *user, struct error **ret);

/* Nobody wants to hear of it any more. */
void render_cancel(struct render *render);
