/* One SIPp in a pod, playing one scenario: its command line, what it prints, and its end in words. */
#pragma once

#include <time.h>

#include "src/base/log.h"
#include "src/run/output.h"
#include "src/run/pod.h"
#include "src/run/sipp.h"

/* What those of a test have in common. */
struct ua_config {
    struct pod *pod;
    struct log *log;        /* the test's */
    struct log *launch_log; /* SIPp's command lines and what it prints */
    const struct test *test;
    const struct sipp_options *sipp;
    const char *dut; /* whom UACs call */
    const struct third_party *third_party;
    const char *folder; /* the run folder */
    int folder_fd;
    struct environment_message *envs;
    size_t env_count;
    uint64_t descriptor_limit, descriptor_most; /* RLIMIT_NOFILE of SIPp, soft and hard */
};

struct ua_process;

struct ua_callbacks {
    void (*bound)(void *user); /* the socket that others wait for is there */
    /* It is over. `end` is NULL if it could not be run; `problem` tells what was wrong, NULL: nothing. */
    void (*ended)(void *user, const struct process_end *end, const char *problem);
};

struct ua_process {
    const struct ua_config *config;
    const struct scenario *scenario;
    const struct twin *twin; /* NULL: no part in third party call control */
    const struct ua_callbacks *callbacks;
    void *user;
    struct pod_process *process; /* NULL: not started, or over */
    struct timespec since;       /* when it was started, as the times of files are told */
    bool bound;                  /* nobody has to wait for it any more */
    struct output out, errors;
    struct buffer said; /* the end of its standard error */
};

void ua_process_init(struct ua_process *ua, const struct ua_config *config, const struct scenario *scenario,
                     const struct ua_callbacks *callbacks, void *user);
void ua_process_free(struct ua_process *ua); /* what it holds, not itself; it is not running */

/* The command line for so many calls. */
void ua_process_arguments(const struct ua_process *ua, unsigned calls, struct strings *ret_arguments);

/* Starts it, for so many calls; again when it is over. */
void ua_process_start(struct ua_process *ua, unsigned calls);
void ua_process_kill(struct ua_process *ua, int signal); /* nothing if it is not running */

/* Whether it is the one that has to find all others of its 3PCC in place. */
bool ua_process_is_master(const struct ua_process *ua);
