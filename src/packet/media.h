/* What UDP and TCP carry in tests of telephony: SIP (RFC 3261) and RTP (RFC 3550). Pure, and bounded by what
 * was captured. Pointers are into the payload. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sip_start {
    const char *method; /* of a request, not ended by a NUL; NULL: a response */
    size_t method_length;
    unsigned status; /* of a response, 100 to 699; 0: a request */
    const char
        *headers; /* the lines behind the first, up to the empty line or the end of what was captured */
    size_t headers_length;
};

/* False unless the payload begins with a whole start line of SIP/2.0. */
bool sip_parse(const void *payload, size_t length, struct sip_start *ret);

struct rtp_header {
    uint8_t payload_type; /* 0 to 127 */
    uint16_t sequence;
    uint32_t timestamp, ssrc;
    size_t length; /* bytes of the header, with sources and extension */
};

/* False for all that cannot be RTP of version 2, and for RTCP. That a payload passes is no proof. */
bool rtp_parse(const void *payload, size_t length, struct rtp_header *ret);
