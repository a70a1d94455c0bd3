/* What a run has to tell: filled in as tests end, written by the reporters. The contract for results.json is
 * in docs/results.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/text.h"

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_FLAKY, VERDICT_SKIP };

/* How the test itself ended; whether it could be cleaned up is told apart. */
enum outcome {
    OUTCOME_SUCCESS,
    OUTCOME_FAIL,
    OUTCOME_NOT_READY,
    OUTCOME_INTERRUPTED,
    OUTCOME_SKIPPED, /* test.conf says so */
};

const char *verdict_name(enum verdict verdict); /* "pass" … */
const char *outcome_name(enum outcome outcome); /* "SUCCESS" … */

struct ua_result {
    char *name, *role, *part, *address; /* "ua1", "uac", "02", "198.18.1.1" */
    bool started;                       /* else it has no exit code */
    int exit_code;
    int signal; /* 0: it exited */
};

/* What the test's DNS was asked. */
struct dns_result {
    char *name, *type, *rcode; /* "www.example.com.", "A", "NOERROR" */
    uint64_t count;
};

/* What came of something that test.conf expects of the packets. */
enum expectation_outcome {
    EXPECTATION_NOT_EVALUATED, /* the test did not come so far */
    EXPECTATION_PASS,
    EXPECTATION_FAIL,
    EXPECTATION_ERROR, /* it cannot be known */
};

const char *expectation_outcome_name(enum expectation_outcome outcome); /* "not evaluated", "pass" … */

struct expectation_result {
    char *name;
    enum expectation_outcome outcome;
    char *detail;     /* a sentence; NULL: not evaluated */
    uint64_t seen;    /* packets that counted */
    double elapsed_s; /* until it was decided; less than 0: it was not */
};

struct test_result {
    char *name, *run_id;
    unsigned index; /* from 1 */
    enum verdict verdict;
    enum outcome outcome;
    bool clean;
    bool expected;         /* it failed, as test.conf says that it does */
    struct strings states; /* in the order in which they were entered */
    char *reason;          /* NULL: none */
    double prepare_s, run_s, clean_s;
    char *folder; /* below the results folder; NULL: not kept */
    char *pcap;   /* the capture's name in it; NULL: none */
    uint64_t packets, dropped;
    struct ua_result *uas;
    size_t ua_count;
    struct dns_result *dns;
    size_t dns_count;
    struct expectation_result *expectations;
    size_t expectation_count;
};

struct results {
    char *suite;     /* absolute folder */
    int64_t started; /* seconds since the epoch */
    double duration_s;
    int exit_code;
    bool partial; /* cut short */
    bool dry_run;
    bool random;            /* with this … */
    unsigned long seed;     /* … */
    unsigned pass;          /* of --loop, from 1: the tests are those of this one */
    struct strings earlier; /* run folders that earlier passes, and turns that did not count, have left */
    size_t planned;
    struct test_result **tests;
    size_t count;
    struct test_result *global; /* GLOBAL, NULL: there is none */
};

/* Takes the test. */
void results_add(struct results *results, struct test_result *test);
size_t results_count(const struct results *results, enum verdict verdict);
void results_free(struct results *results);
/* Forgets the tests, but for their run folders: the next pass begins. */
void results_next_pass(struct results *results);
void test_result_free(struct test_result *test);
void test_result_forget_expectations(struct test_result *test);

/* `expectation "one INVITE": pass: packet_count_was(1): saw 1 of 1 in 0.2 s`; the caller frees it. */
char *expectation_line(const struct expectation_result *expectation);

/* Writes results.json into the folder `dir`. */
int results_write_json(const struct results *results, int dir, struct error **ret);

/* The run folders ("<test>/<run_id>") that the results.json in `dir` lists; none if there is no such file.
 * What is not a plain path of two components is left out: the file may come from anywhere. */
bool results_is_run_folder(const char *path);
void results_listed_folders(int dir, struct strings *ret_folders);
