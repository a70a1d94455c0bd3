/* SIPp's command lines, exit codes and files. Pure, but for the files that it leaves behind. */
#pragma once

#include <stdint.h>

#include "src/suite/suite.h"
#include "src/suite/third_party.h"

/* What a run says for all its tests; what a test says for itself is in its configuration. */
struct sipp_options {
    const char *program;           /* absolute */
    const char *transport;         /* -t, NULL: u1 */
    const char *info_file;         /* -inf, absolute; NULL: none */
    const char *tls_version;       /* -tls_version, NULL: what both sides know */
    const char *default_behaviors; /* -default_behaviors, NULL: SIPp's own */
    unsigned recv_timeout_ms;      /* -recv_timeout, 0: 5000 */
    unsigned calls;                /* of a test, 0: 1 */
    unsigned concurrent;           /* -l, 0: 1 */
    double rate;                   /* -r; 0: 1, but for a single call, which starts at once */
    uint64_t descriptors;          /* RLIMIT_NOFILE of SIPp */
    struct strings extra;          /* what the user adds to every command line */
};

/* What one start of SIPp has of its own. */
struct sipp_call {
    const char *dut;         /* whom it calls */
    unsigned calls;          /* -m */
    const struct twin *twin; /* its part in third party call control, NULL: none */
};

/* Whether the test's SIPps talk TLS. */
bool sipp_uses_tls(const struct sipp_options *options, const struct test *test);

/* The arguments for one scenario, in Sipplauncher's order; what the run and the test add comes last, and so
 * prevails. */
void sipp_arguments(const struct sipp_options *options, const struct test *test,
                    const struct scenario *scenario, const struct sipp_call *call,
                    struct strings *ret_arguments);

/* Where a SIPp with these arguments takes SIP; the texts are the arguments' and constants. */
struct sipp_socket {
    const char *address;
    const char *protocol; /* "udp" or "tcp" */
    uint16_t port;
};
struct sipp_socket sipp_bound_to(const struct strings *arguments);

/* "a call failed" and the like for an exit code. */
const char *sipp_exit_text(int exit_code);

/* Whether the scenario in `folder` plays a pcap or DTMF, for which SIPp opens a raw socket. */
bool sipp_needs_raw_socket(int folder, const struct scenario *scenario);

/* The name without .xml, from which SIPp's files are named; the caller frees it. */
char *sipp_stem(const struct scenario *scenario);

/* Calls a second: the mean, over the scenarios of the first UAC, of what the last row of its *_trace.csv
 * says; negative if there is none. */
double sipp_call_rate(int folder, const struct test *test);

/* The program `name` (a path, or found in PATH), absolute; NULL with ERROR_HOST and what to do. */
char *sipp_find(const char *name, struct error **ret);
