/* Addresses of tests that share a network, which they do where one DUT, GLOBAL's, is there for all of them:
 * each test that runs has blocks of 16 addresses to itself, in which uaN is the Nth.
 *
 * An address comes back as late as can be: in a pod of its own every SIPp has the same process ids as the one
 * before it, so that Call-IDs and branches differ by the address only, and a DUT takes a new call for one
 * that it has just had. The first 511 tests have uaN at 198.18.1.N, 198.18.2.N, 198.18.3.N and so on, the
 * next at 198.18.1.(16+N): 8,176 tests until it begins again. With IPv6 these are 2001:2::1:N and so on; a
 * block is one test's in both families. */
#pragma once

#include "src/suite/suite.h"

#define ADDRESS_BLOCKS 8176 /* from SUITE_FIRST_UA to the end of the network */

struct addresses {
    bool taken[ADDRESS_BLOCKS];
    size_t next; /* turn */
};

struct address_blocks {
    size_t first, count; /* count 0: none */
};

/* Moves the UAs of `test`, whose addresses are those of suite_assign_addresses(), into blocks that are free;
 * all that it needs are in a row. Without any it changes nothing, and *ret_blocks is none. */
void addresses_take(struct addresses *addresses, struct test *test, struct address_blocks *ret_blocks);
void addresses_give_back(struct addresses *addresses, const struct address_blocks *blocks);
