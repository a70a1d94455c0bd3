/* The SIPp processes of a test: part after part; in each the UASs first, and the UACs when every UAS is
 * bound. */
#pragma once

#include "src/base/log.h"
#include "src/report/results.h"
#include "src/run/pod.h"
#include "src/run/sipp.h"

#define PART_SECONDS 180 /* the cap of a part */

struct parts;

struct parts_config {
    struct pod *pod;
    struct loop *loop;
    struct log *log;        /* the test's */
    struct log *launch_log; /* SIPp's command lines and what it prints */
    const struct test *test;
    const struct sipp_options *sipp;
    const char *dut;    /* whom UACs call */
    const char *folder; /* the run folder */
    int folder_fd;
    struct environment_message *envs;
    size_t env_count;
    uint64_t descriptor_limit, descriptor_most; /* RLIMIT_NOFILE of SIPp, soft and hard */
    struct ua_result *results;                  /* one for each scenario, in their order; filled in */
};

/* done(user, failure) is called once, when no SIPp runs any more: failure is NULL if all went well, else the
 * reason. The object is freed. The configuration's pointers must stay valid until then. */
struct parts *parts_start(const struct parts_config *config, void (*done)(void *user, const char *failure),
                          void *user);

/* Ends all of it with this reason: SIGTERM, SIGKILL after a second. done() follows. */
void parts_stop(struct parts *parts, const char *reason);

/* The same, without patience: SIGKILL. */
void parts_hurry(struct parts *parts);
