/* Third party call control (SIPp's 3PCC, extended mode): who is who, and where its twin socket is. */
#pragma once

#include <stdint.h>

#include "src/suite/suite.h"

#define THIRD_PARTY_FILE "3pcc.txt" /* in a test's folder: lines "id;address:port" */

struct twin {
    char *id; /* "m": the master; "s1" … */
    char *address;
    uint16_t port;
    bool master;
};

struct third_party {
    struct twin *twins;
    size_t count;
};

/* Reads it in the run folder `folder`, after keywords were replaced; no such file: nobody takes part. Errors
 * say file:line. To be freed after failure too. */
int third_party_read(int folder, const struct test *test, struct third_party *ret_third_party,
                     struct error **ret);
void third_party_free(struct third_party *third_party);

/* What `address` is in it; NULL: nothing. */
const struct twin *third_party_twin(const struct third_party *third_party, const char *address);
