/* Files of a run folder, rendered where they lie: those with plain keywords at once, the others by the
 * renderer, one after the other. */
#pragma once

#include "src/run/renderer.h"

struct rendering;

struct rendering_config {
    struct renderer *renderer;
    int folder_fd;
    const char *folder;          /* the same, below the results */
    const struct strings *names; /* its files, "name" or "folder/name" */
};

/* Takes the keywords. 0 with *ret_rendering NULL: all is done. 0 with a rendering: it goes on, and
 * done(user, error) is called once at its end (the object is freed), unless it is cancelled before. */
int rendering_start(const struct rendering_config *config, struct keywords *keywords,
                    struct rendering **ret_rendering, void (*done)(void *user, const struct error *error),
                    void *user, struct error **ret);
void rendering_cancel(struct rendering *rendering);
