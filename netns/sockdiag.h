/* Whether somebody listens: sock_diag(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "src/base/error.h"

struct sockdiag;

/* Asks in the network namespace in which it was opened; needs no capability. NULL on failure, also
 * (ERROR_HOST) when the kernel was built without that service. */
struct sockdiag *sockdiag_open(struct error **ret);
void sockdiag_close(struct sockdiag *diag); /* NULL is fine */

static inline void sockdiag_closep(struct sockdiag **diag)
{
    sockdiag_close(*diag);
}
#define cleanup_sockdiag __attribute__((cleanup(sockdiag_closep)))

/* 1 if a packet from anywhere to `address` (text, IPv4 or IPv6) and `port` would find a UDP socket, or with
 * `tcp` a TCP socket that listens: one bound to that address, or to the wildcard address (of IPv6 too, for
 * IPv4, unless it is IPV6_V6ONLY). 0 if not; -1 on error. */
int sockdiag_bound(struct sockdiag *diag, const char *address, uint16_t port, bool tcp, struct error **ret);
