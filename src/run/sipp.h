/* SIPp's command lines, exit codes and files. Pure, but for the files that it leaves behind. */
#pragma once

#include <stdint.h>

#include "src/suite/suite.h"

/* What a run says for all its tests; what a test says for itself is in its configuration. */
struct sipp_options {
    const char *program;      /* absolute */
    const char *transport;    /* -t */
    unsigned recv_timeout_ms; /* -recv_timeout */
    unsigned calls;           /* -m */
    unsigned concurrent;      /* -l */
    double rate;              /* -r; 0: not said: one call starts at once */
    uint64_t descriptors;     /* RLIMIT_NOFILE of SIPp */
};

/* The arguments for one scenario, in Sipplauncher's order. `dut`: whom it calls. */
void sipp_arguments(const struct sipp_options *options, const struct test *test,
                    const struct scenario *scenario, const char *dut, struct strings *ret_arguments);

/* "udp" or "tcp" for a -t value. */
const char *sipp_protocol(const char *transport);

/* "a call failed" and the like for an exit code. */
const char *sipp_exit_text(int exit_code);

/* Whether the scenario in `folder` plays a pcap or DTMF, for which SIPp opens a raw socket. */
bool sipp_needs_raw_socket(int folder, const struct scenario *scenario);

/* The name without .xml, from which SIPp's files are named; the caller frees it. */
char *sipp_stem(const struct scenario *scenario);

/* The first complaint in the error log that SIPp left in `folder` for this scenario, one line; NULL: none. */
char *sipp_complaint(int folder, const struct scenario *scenario);

/* The call rate in the last row of a *_trace.csv; negative if there is none. */
double sipp_call_rate(int folder, const struct scenario *scenario);

/* The program `name` (a path, or found in PATH), absolute; NULL with ERROR_HOST and what to do. */
char *sipp_find(const char *name, struct error **ret);
