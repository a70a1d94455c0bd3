/* What is asked of an expectation beside its predicate, and what is told of it in the end; and expectations
 * of a file, which need no interface and no right to capture. */
#ifndef SIPPOD_VERDICT_H
#define SIPPOD_VERDICT_H

#include "predicate.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SIPPOD_TIMEOUT_MS 5000       /* what 0 stands for */
#define SIPPOD_NO_TIMEOUT UINT32_MAX /* waits until the predicate or the limit of packets decides */
#define SIPPOD_DETAIL     512        /* bytes of a detail, with its NUL */

enum sippod_direction { SIPPOD_BOTH, SIPPOD_IN, SIPPOD_OUT };

/* All 0 is the default. */
struct sippod_options {
    uint32_t timeout_ms;   /* milliseconds; 0: SIPPOD_TIMEOUT_MS */
    uint64_t packet_limit; /* packets, after which it ends without a time-out; 0: no limit */
    const char *filter;    /* only packets that this filter of libpcap lets through count; NULL: all */
    enum sippod_direction direction; /* seen from the host; of no meaning in a file */
};

enum sippod_state {
    SIPPOD_PENDING,
    SIPPOD_DECIDED,
    SIPPOD_FAILED, /* an error: it is not known whether what was expected happened */
    SIPPOD_CANCELLED
};

struct sippod_verdict {
    enum sippod_state state;
    struct sippod_value value;  /* of SIPPOD_DECIDED */
    uint64_t seen;              /* packets that counted */
    uint64_t lost;              /* packets that the capture had no room for meanwhile */
    uint64_t elapsed_ns;        /* from the beginning to the decision */
    char detail[SIPPOD_DETAIL]; /* "packet_count_was(42): saw 17 of 42 in 5.0 s on eth0"; why it failed */
};

/* Whether that verdict is one, and true or false; an integer that is not 0 and a pointer that is not NULL are
 * true. Both are false for an error. */
bool sippod_verdict_is(const struct sippod_verdict *verdict, bool expected);

/* Evaluates a capture file (pcap or pcapng) by its own timestamps: the clock starts with its first packet,
 * and the end of the file is the end of the time. Takes the predicate. `options` may be NULL. */
void sippod_evaluate_file(const char *path, struct sippod_predicate predicate,
                          const struct sippod_options *options, struct sippod_verdict *ret);

/* Evaluates the file for `count` predicates at once, as far as the last of them needs it: fills in
 * ret[0] to ret[count - 1]. Takes all predicates. One that fails does not concern the others. `options` are
 * one for each, or NULL. */
void sippod_evaluate_file_each(const char *path, const struct sippod_predicate *predicates,
                               const struct sippod_options *options, size_t count,
                               struct sippod_verdict *ret);

#ifdef __cplusplus
}
#endif

#endif
