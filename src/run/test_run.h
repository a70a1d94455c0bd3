/* Inside of a test's run, shared by test.c (states, the way through them) and test_files.c,
 * test_tls.c, test_pod.c, test_dns.c and test_scripts.c (what is prepared, and its undo), test_expectations.c
 * (what is expected of packets) and test_shell.c only. */
#pragma once

#include "src/base/log.h"
#include "src/base/rollback.h"
#include "src/run/dns_server.h"
#include "src/run/dut.h"
#include "src/run/environment.h"
#include "src/run/parts.h"
#include "src/run/pod.h"
#include "src/run/pod_capture.h"
#include "src/run/pod_dns.h"
#include "src/run/rendering.h"
#include "src/run/script.h"
#include "src/run/shell.h"
#include "src/run/state.h"
#include "src/run/test.h"
#include "src/suite/third_party.h"

/* Where programs of a test log their TLS keys; Sipplauncher's documents call it so. */
#define KEY_LOG "tls_premaster_keys.txt"

struct test_run {
    const struct test_context *context;
    struct test *test; /* its own copy: addresses and configuration may be this run's only */
    enum state state;
    struct test_result *result;
    struct rollback *rollback;
    struct address_blocks addresses; /* that its UAs are in, where tests share a network */
    struct run_folder folder;
    struct third_party third_party;      /* from 3pcc.txt */
    struct environment sipp_environment; /* where it is not that of scripts: under TLS */
    struct zone *zone;                   /* from dns.txt, NULL: there is none */
    char *zone_text;                     /* which is this */
    struct log *log, *launch_log;
    struct rendering *rendering; /* goes on */
    struct pod *pod;
    struct pod_capture *capture;
    struct pod_dns *dns;
    struct dns_names *names;     /* served for those outside */
    struct questions *questions; /* to either */
    struct dut *dut;
    struct script *script; /* running */
    struct parts *parts;   /* running */
    struct shell *shell;   /* open, and what it has */
    struct environment shell_environment;
    struct strings shell_capabilities;
    struct timer *timer;    /* of the whole test */
    int64_t deadline_ns;    /* its end, 0: none; while the test is held, what is left of it */
    bool waits_for_sniffer; /* before the scenario, to begin; behind it, for verdicts on its packets */
    char *failure;          /* of the scenario, NULL: none */
    bool interrupted;       /* by a signal */
    bool hurry, dirty, pod_lost;
    bool namespaces_up; /* the pod's; now or never packets are captured */
    bool pod_up;        /* and waits for the rendering */
    bool capture_waits; /* for the names of dns.txt, which is rendered */
    bool no_room;       /* beside the tests that run */
    char *why;          /* it was cut off early, NULL: it was not */
    int64_t entered_ns; /* when the present phase began */
    bool held;          /* waits for test_run_go() or test_run_clean() */
    void (*left)(void *user, int exit_code, const struct error *error); /* of its shell */
    void *left_user;
    const struct test_callbacks *callbacks;
    void *user;
};

/* test.c */
struct ua_config test_ua_config(const struct test_run *run);
void test_undone(struct test_run *run,
                 const struct error *error); /* an undo is over; error NULL: it succeeded */
void test_not_ready(struct test_run *run, const struct error *error); /* PREPARING is over without READY */
void test_ready(struct test_run *run);                                /* and with it */

void test_cut_off(struct test_run *run, const char *why); /* ends it, whatever it does */
void test_describe_addresses(struct test_run *run);       /* in the results */
const char *test_dut(const struct test_run *run);         /* whom UACs call; NULL: nobody */
void test_start_parts(struct test_run *run);              /* SIPp */
void test_judged(struct test_run *run); /* nothing has to be waited for any more: SUCCESS or FAIL */

/* Its time limit does not count while it waits for others. */
void test_clock_off(struct test_run *run);
void test_clock_on(struct test_run *run);

/* The steps, in this order; each pushes its undo. The pod is made while files are rendered; from there on
 * each step goes on by itself to the next, and the last ends in one of the two above. */
int test_prepare_folder(struct test_run *run, struct error **ret); /* test_files.c */
int test_prepare_logs(struct test_run *run, struct error **ret);
int test_prepare_files(struct test_run *run, struct error **ret);
int test_prepare_tls(struct test_run *run, struct error **ret); /* test_tls.c */
bool test_has_file(const struct test_run *run, const char *name);
int test_prepare_pod(struct test_run *run, struct error **ret); /* test_pod.c */
void test_open_capture(struct test_run *run);
void test_prepare_dns(struct test_run *run); /* test_dns.c */
void test_prepare_dut(struct test_run *run); /* test_scripts.c */
void test_prepare_scripts(struct test_run *run);

/* test_expectations.c */
bool test_expects(const struct test_run *run);                               /* anything of its packets */
int test_check_expectations(const struct test_run *run, struct error **ret); /* when test.conf is rendered */
void test_describe_expectations(struct test_run *run);                       /* in the results */
void test_begin_expectations(struct test_run *run);         /* their clock; test_start_parts() follows */
void test_settle(struct test_run *run);                     /* asks for the verdicts; test_judged() follows */
char *test_failed_expectations(const struct test_run *run); /* a sentence to be freed, NULL: none failed */
void test_log_expectations(const struct test_run *run);
