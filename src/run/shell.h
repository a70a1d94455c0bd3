/* A shell in a pod whose standard streams are sippod's. Where those are a terminal it has one in the pod, and
 * every key is its own; else it reads commands, and its output passes through. Neither a slow reader nor a
 * flood makes memory grow: each side waits for the other. */
#pragma once

#include "src/run/pod.h"

struct shell;

struct shell_config {
    struct loop *loop;
    struct pod *pod;
    const char *program;              /* for a terminal; if it cannot be run, bash is, or sh. NULL: these */
    const char *folder;               /* it starts there */
    struct environment_message *envs; /* stay the caller's, until it is over, with all that is here */
    size_t env_count;
    const struct strings *capabilities;
    struct limit_message descriptors;
};

/* over(user, exit_code, error) is called once, never from in here, and the shell is freed: error is NULL
 * unless there was no shell, or it was lost with its pod. */
struct shell *shell_start(const struct shell_config *config,
                          void (*over)(void *user, int exit_code, const struct error *error), void *user);

/* As when its terminal goes: SIGHUP, and SIGKILL to what does not heed it. over() follows. */
void shell_end(struct shell *shell);
void shell_kill(struct shell *shell); /* SIGKILL at once */
