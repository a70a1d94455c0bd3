/* One run of one test, from CREATED to CLEAN: the state machine, and the rollback stack behind it. */
#pragma once

#include "sandbox/mounts.h"
#include "src/report/progress.h"
#include "src/report/results.h"
#include "src/run/folder.h"
#include "src/run/host.h"
#include "src/run/sipp.h"
#include "src/wire/message.h"

enum keep { KEEP_FAILED, KEEP_ALL, KEEP_NONE };

/* What all tests of a run share. */
struct test_context {
    struct host *host;
    const struct suite *suite;
    const struct results_folder *results;
    const struct progress *progress;
    const struct sipp_options *sipp;
    const struct mounts_plan *mounts; /* without the run folder */
    struct environment_message *envs; /* of scripts and SIPp */
    size_t env_count;
    uint64_t descriptor_limit, descriptor_most; /* RLIMIT_NOFILE of SIPp */
    enum keep keep;
    bool pcap, verbose;
    double timeout_s; /* of a whole test, 0: none */
};

struct test_run;

/* Starts the test. ended(user, result) is called once, never from in here, when it is CLEAN, DIRTY or NOT
 * READY and nothing of it is left but its results, which the callee takes. `no_room`: it is NOT READY only
 * because the host had no room for another pod. The object is freed. */
struct test_run *test_run_start(const struct test_context *context, const struct test *test, unsigned index,
                                void (*ended)(void *user, struct test_result *result, bool no_room),
                                void *user);

/* Ends it early, with its rollback; after.sh is run where before.sh was started. */
void test_run_interrupt(struct test_run *run, const char *why);

/* What runs is killed, and no other script is started. */
void test_run_hurry(struct test_run *run);
