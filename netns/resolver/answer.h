/* Bytes of a DNS query in, bytes of the answer out (RFC 1035, 2308, 4592, 6891). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netns/resolver/zones.h"

#define ANSWER_MOST 65535 /* bytes */

/* What was asked and answered. */
struct answer_note {
    uint8_t name[ZONE_NAME_MOST]; /* as it was asked; name_length 0: no question could be read */
    uint8_t name_length;
    uint16_t type;
    uint16_t rcode;   /* with the bits that are in the OPT record */
    uint16_t records; /* in the answer section */
    bool truncated;
    unsigned zone; /* that had the answer, 0: none */
};

const char *answer_rcode_text(uint16_t rcode); /* "NXDOMAIN" */

/* Answers `query`; over UDP with no more than 512 bytes, or what the query's EDNS says. Returns the length of
 * the answer, or 0: it was malformed, and is not answered. Never fails otherwise, and keeps no state. */
size_t answer(const struct zones *zones, const uint8_t *query, size_t length, bool udp,
              uint8_t ret_answer[ANSWER_MOST], struct answer_note *ret_note);
