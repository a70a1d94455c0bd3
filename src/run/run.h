/* A run: a suite's tests on one event loop, signals, results. */
#pragma once

#include "src/run/test.h"

/* What the command line and the configuration files say. Strings are its own, NULL: not said. */
struct run_options {
    struct strings paths; /* suite, or tests of one suite */
    struct strings only, exclude, tags;
    char *templates, *global; /* folders, else those of the suite */
    char *results;
    char *sipp; /* program */
    char *junit, *log_file;
    enum keep keep;
    enum mounts_mode mounts;
    enum progress_level progress;
    struct log_style log;
    bool no_pcap, classic_pcap;

    size_t jobs;          /* tests at once, 0: as many as the host can well take */
    unsigned group;       /* tests prepared, run and cleaned together, 0: a sliding window of jobs */
    double group_pause_s; /* between groups */
    bool group_stop_first_fail, fail_fast;
    unsigned total;  /* tests to run, 0: all */
    unsigned repeat; /* how often all of them are run */
    bool random, loop, dry_run, fail_expected;
    unsigned long seed; /* of the random choice */
    bool seeded;
    double timeout_s; /* of a test, 0: none */
    unsigned dut_port;

    char *keywords;                                      /* JSON: values of keywords */
    struct strings sets;                                 /* key=value, the same */
    struct strings script_capabilities, writable, allow; /* `allow`: networks, with a DUT outside */

    char *transport, *info_file, *default_behaviors;
    struct strings sipp_arguments;
    double call_rate; /* 0: not said */
    unsigned calls, recv_timeout_ms, concurrent;
    unsigned network_mask;
    enum family family; /* of tests that do not say, FAMILY_ANY: not said */
    char *dut, *ca_certificate, *ca_key, *tls_version;
    char *dns_listen;     /* where names of all tests are served, NULL: nowhere */
    bool dns_wait;        /* tests wait for names that another one has */
    bool pause_on_fail;   /* standard input and output are a terminal */
    bool shell;           /* the only test is not run: its user gets a shell in it */
    bool as_sipplauncher; /* names and places of files are Sipplauncher's */
};

/* Does all of it: problems of the suite and of the host are told on standard error. Returns the exit code. */
int run_suite(const struct run_options *options);
