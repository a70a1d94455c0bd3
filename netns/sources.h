/* What rp_filter is for IPv4, for the IPv6 of devices whose names begin alike: the kernel takes only such
 * packets from them whose source it would send over that very device itself (RFC 3704 2.2). */
#pragma once

#include "netns/netlink.h"
#include "src/base/error.h"

/* Holds for as long as what is returned is not closed by netlink_close(), or the process ends, in whatever
 * way. The caller has CAP_NET_ADMIN raised. NULL on failure; a kernel that lacks what it needs is an
 * ERROR_HOST that says what. */
struct netlink *sources_check_ipv6(const char *devices, struct error **ret);
