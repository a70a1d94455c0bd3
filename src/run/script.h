/* before.sh and after.sh: `sh NAME` in the run folder, in a session of its own, for at most 60 seconds. */
#pragma once

#include "src/base/log.h"
#include "src/run/pod.h"

#define SCRIPT_SECONDS 60

struct script;

struct script_config {
    struct pod *pod;
    struct loop *loop;
    struct log *log; /* its output: standard output at DEBUG, errors at ERROR */
    const char *name, *folder;
    struct environment_message *envs; /* stay the caller's */
    size_t env_count;
    const struct strings *capabilities; /* that it gets; NULL: none */
    struct limit_message descriptors;   /* sippod's own are raised */
};

/* done(user, error) is called once, when it has ended: error is NULL if it succeeded. The script is freed. */
struct script *script_start(const struct script_config *config,
                            void (*done)(void *user, const struct error *error), void *user);
/* Kills it and what it started; done() follows. */
void script_kill(struct script *script);
