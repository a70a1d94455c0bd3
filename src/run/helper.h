/* A helper: a fork of sippod without exec that joins a pod's network namespace, does one thing there and
 * tells sippod about it. It belongs to sippod's process tree, not to the pod's: a test can neither see nor
 * kill it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/text.h"
#include "src/run/host.h"

#define HELPER_CONTROL  3 /* descriptors in the helper: the socket to sippod, … */
#define HELPER_FILTER   6 /* … its system call filter … */
#define HELPER_FIRST    7 /* … and those that the configuration hands on */
#define HELPER_FDS_MOST 4
#define HELPER_MOST     ((size_t)64 * 1024) /* bytes of helper_open() and of helper_say() */

struct helper;

struct helper_config {
    struct host *host;
    const char *name;                      /* of the process, at most 15 bytes */
    const char *title;                     /* for errors: "the sniffer" */
    int user_namespace, network_namespace; /* the pod's, */
    bool stays;     /* or none: it works for all pods, in the network that sippod is in */
    const int *fds; /* handed on */
    size_t fd_count;
    /* In the helper, when the pod's interfaces are up: opens what it works on, calls helper_running() and
     * works until HELPER_CONTROL is readable. `opening` is what helper_open() gave. -1 on failure. */
    int (*work)(void *data, const struct buffer *opening, struct error **ret);
    /* In the helper, after its last word, that is, when done() may already be called: what nobody has to wait
     * for. NULL: nothing. */
    void (*close)(void *data);
    void *data;
};

struct helper_callbacks {
    void (*running)(void *user, const struct error *error);             /* once, after helper_open() */
    void (*said)(void *user, const unsigned char *data, size_t length); /* helper_say() */
    void (*lost)(void *user, const struct error *error); /* it ended by itself; NULL: helper_stop() tells */
    void (*done)(void *user, const struct error *error); /* after helper_stop() */
};

/* It joins the namespaces and waits. NULL on failure, with nothing left behind; else it is to be ended with
 * helper_stop(). */
struct helper *helper_start(const struct helper_config *config, const struct helper_callbacks *callbacks,
                            void *user, struct error **ret);
void helper_open(struct helper *helper, const struct buffer *opening); /* the pod's interfaces are up */

/* A message for helper_hear(). */
void helper_tell(struct helper *helper, const void *data, size_t length);

/* Why it has ended before helper_stop(); NULL: it has not. */
const struct error *helper_error(const struct helper *helper);

/* Lets it finish, then done(user, error): error not NULL when it failed. The helper is freed. */
void helper_stop(struct helper *helper);

/* In the helper. All is open: gives up every capability, and takes the system call filter. */
int helper_running(struct error **ret);
/* A message for said(); waits if sippod is behind. */
void helper_say(const void *data, size_t length);
/* Takes a message of helper_tell(), which fits into `size` bytes. Does not wait. Its length; -1: there is
 * none; 0: helper_stop(). */
ptrdiff_t helper_hear(void *data, size_t size);
