/* What a test.conf expects of the packets of its test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/text.h"

#define EXPECTATION_SETTLE_NS 100000000 /* if it is not said */

/* Bytes that expectations_encode() makes of a test's, at most: they have to pass in one message. */
#define EXPECTATIONS_MOST ((size_t)60 * 1024)

/* expect "title" { … } */
struct expectation {
    char *title;
    char *predicate;     /* as src/expect/parse.h reads it */
    char *filter;        /* of libpcap; NULL: every packet counts */
    char *interface;     /* NULL: each of the pod */
    uint64_t timeout_ns; /* from the start of the UAs on; 0: as long as the scenario takes */
    uint64_t settle_ns;  /* after the scenario */
    uint64_t limit;      /* packets that count, 0: all */
    bool negated;        /* the predicate has to turn out false */
};

struct expectations {
    struct expectation *list;
    size_t count;
};

void expectations_copy(struct expectations *copy, const struct expectations *expectations);
void expectations_free(struct expectations *expectations);

/* As text and back, for a helper. */
void expectations_encode(const struct expectations *expectations, struct buffer *out);
int expectations_decode(const void *data, size_t length, struct expectations *ret_expectations,
                        struct error **ret);
