/* Inside of a run, shared by run.c (the tests and their end) and run_setup.c (what comes before) only. */
#pragma once

#include "src/run/dns_server.h"
#include "src/run/environment.h"
#include "src/run/global.h"
#include "src/run/groups.h"
#include "src/run/pauses.h"
#include "src/run/run.h"
#include "src/run/schedule.h"
#include "src/run/signals.h"
#include "src/run/visit.h"

struct run {
    const struct run_options *options;
    struct suite suite;
    struct results_folder folder;
    struct run_folder shared; /* SIPPOD_SHARED: between all pods */
    struct loop *loop;
    struct host host;
    struct progress progress;
    struct sipp_options sipp;
    struct mounts_plan mounts;
    struct strings reach; /* networks that tests reach beside the device outside */
    struct test_context context;
    struct results results;
    struct signals *signals;
    struct environment environment;
    int signal;         /* that ended the run, 0: none */
    struct error *lost; /* the router or the resolver ended: no more tests can be run */
    struct keywords_replacements replacements;
    struct turns turns;
    struct addresses addresses;
    struct global *global;     /* from before the first test to after the last, NULL: none */
    struct schedule *schedule; /* one of these three while tests run */
    struct groups *groups;
    struct visit *visit;
    struct pauses *pauses;       /* NULL: a test that fails does not pause */
    int visit_code;              /* what came of it, as an exit code */
    struct authority *authority; /* of the UAs' certificates, NULL: no test talks TLS */
    char *keylog;                /* the library that SIPp logs session keys with, NULL: it does not */
    int dns_sockets[2];          /* for it, -1: none */
    struct dns_server *dns;      /* NULL: names are served in pods only */
    struct log *log;             /* of the whole run, NULL: none */
    int64_t started_ns;
};

/* The suite; what is wrong with it is told on standard error. */
int run_setup_suite(struct run *run);

/* Everything else that can be wrong before a test is started, and then the results folder. *ret_sipp is the
 * program, to be freed after the last test. */
int run_setup(struct run *run, char **ret_sipp, struct error **ret);

/* A part of it: what tests over TLS need. */
int run_setup_tls(struct run *run, struct error **ret);

/* What run_setup() has made for the time of the run. */
void run_setup_undo(struct run *run);
