/* One run of one test, from CREATED to CLEAN: the state machine, and the rollback stack behind it. */
#pragma once

#include "sandbox/mounts.h"
#include "src/base/log.h"
#include "src/report/progress.h"
#include "src/report/results.h"
#include "src/run/addresses.h"
#include "src/run/folder.h"
#include "src/run/host.h"
#include "src/run/sipp.h"
#include "src/suite/keywords.h"
#include "src/tls/authority.h"
#include "src/wire/message.h"

enum keep { KEEP_FAILED, KEEP_ALL, KEEP_NONE };

/* What all tests of a run share. */
struct test_context {
    struct host *host;
    const struct suite *suite;
    const struct results_folder *results;
    const struct progress *progress;
    const struct sipp_options *sipp;
    const struct mounts_plan *mounts;                 /* without the run folder */
    const struct keywords_replacements *replacements; /* NULL: none */
    struct renderer *renderer;
    struct authority *authority;      /* NULL: no test was known to talk TLS */
    const char *keylog;               /* preloaded into a SIPp that does, NULL: nothing is */
    const char *dut;                  /* the address of the DUT outside, NULL: the suite or the test says */
    enum family family;               /* GLOBAL's */
    const struct strings *allow;      /* networks that tests reach beside it; NULL: it is not outside */
    struct dns_server *dns;           /* for those outside, NULL: there is none */
    struct environment_message *envs; /* of scripts and SIPp */
    size_t env_count;
    const struct strings *script_capabilities;  /* of scripts and DUT, in the pod only; NULL: none */
    uint64_t descriptor_limit, descriptor_most; /* RLIMIT_NOFILE of SIPp */
    enum keep keep;
    const struct log_style *log_style; /* of the tests' logs */
    struct log *general_log;           /* of the whole run, NULL: none */
    bool as_sipplauncher;              /* files have Sipplauncher's names */
    unsigned dut_port;                 /* where the suite's DUT answers */
    bool pcap, classic_pcap;           /* capture packets; in the classic format */
    bool verbose, dry_run;
    double timeout_s; /* of a whole test, 0: none */
    bool is_global;   /* it is no test, but GLOBAL */
    struct addresses
        *addresses;        /* tests share a network with GLOBAL, where their DUT is; NULL: they do not */
    struct pauses *pauses; /* for those that fail; NULL: they do not pause */
};

struct test_run;

struct test_callbacks {
    /* It is READY, and waits for test_run_go() or test_run_clean(). NULL: it does not wait. */
    void (*ready)(void *user);
    /* It is SUCCESS or FAIL, and waits for test_run_clean(). NULL: it does not wait. */
    void (*ran)(void *user);
    /* Its pod has ended while it waited; it goes on waiting, to be cleaned. NULL: nobody has to know. */
    void (*lost)(void *user, const char *why);
    /* Called once: it is CLEAN, DIRTY or NOT READY and nothing of it is left but its results, which the
     * callee takes. `no_room`: it is NOT READY only because of tests that run: the host had no room for
     * another pod, or a name of it is theirs. The object is freed. */
    void (*ended)(void *user, struct test_result *result, bool no_room);
};

/* Starts the test. No callback is called from in here. */
struct test_run *test_run_start(const struct test_context *context, const struct test *test, unsigned index,
                                const struct test_callbacks *callbacks, void *user);

/* Starts SIPp in a test that waits READY; one that was cut off meanwhile is cleaned instead. */
void test_run_go(struct test_run *run);
/* Rolls back a test that waits, READY (SIPp is not started) or after SUCCESS or FAIL. */
void test_run_clean(struct test_run *run);

/* Sends on a test that paused because it failed: it is rolled back, or waits for test_run_clean(). */
void test_run_go_on(struct test_run *run);

/* Opens a shell in the pod of a test that waits, once it is told what is where. left(user, exit_code, error)
 * is called once, never from in here: error is NULL unless there was no shell, or it was lost with its pod.
 * The test goes on waiting. */
void test_run_shell(struct test_run *run, void (*left)(void *user, int exit_code, const struct error *error),
                    void *user);

/* Ends it early, with its rollback; after.sh is run where before.sh was started. A test that waits goes on
 * waiting, to be cleaned, and its shell is ended. */
void test_run_interrupt(struct test_run *run, const char *why);

/* The same, but it is this test's failure: not INTERRUPTED. */
void test_run_fail(struct test_run *run, const char *why);

/* What runs is killed, and no other script is started. */
void test_run_hurry(struct test_run *run);
