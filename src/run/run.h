/* A run: a suite's tests on one event loop, signals, results. */
#pragma once

#include "src/run/test.h"

struct run_options {
    struct strings paths; /* suite, or tests of one suite */
    struct suite_filter filter;
    char *results, *sipp;
    char *junit; /* file to write, NULL: none */
    enum keep keep;
    enum mounts_mode mounts;
    enum progress_level progress;
    bool pcap, fail_fast;
    size_t jobs;      /* tests at once, 0: as many as the host can well take */
    double timeout_s; /* of a test, 0: none */
};

/* Does all of it: problems of the suite and of the host are told on standard error. Returns the exit code. */
int run_suite(const struct run_options *options);
