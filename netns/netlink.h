/* A routing netlink socket, and what the kernel said when it refused a request. rtnetlink(7), netlink(7).
 *
 * The socket belongs to the network namespace in which it was opened, wherever the caller goes later. Nothing
 * here raises a capability: opening needs none, most requests need CAP_NET_ADMIN. */
#pragma once

#include "src/base/error.h"

struct netlink;
struct nl_sock;

/* NULL on failure. */
struct netlink *netlink_open(struct error **ret);
struct netlink *netlink_open_netfilter(struct error **ret); /* the same for nftables, instead of routing */
void netlink_close(struct netlink *nl);                     /* NULL is fine */

static inline void netlink_closep(struct netlink **nl)
{
    netlink_close(*nl);
}
#define cleanup_netlink __attribute__((cleanup(netlink_closep)))

/* For the files of this folder: libnl's socket, ready for a new request (what the kernel said about the last
 * one is forgotten). */
struct nl_sock *netlink_socket(struct netlink *nl);

/* A socket that is not open yet, which no environment has a say in; NULL if there is no memory. */
struct nl_sock *netlink_socket_new(void);

/* The errno value behind the negative result of a libnl call: the kernel's own if it refused, else the one
 * that libnl's code stands for, EIO if for none. `nl` may be NULL. */
int netlink_errno(const struct netlink *nl, int result);

/* Sets *ret to "<format>: <the kernel's or libnl's words, if any>: <the words for the errno value>"; returns
 * -1. */
int netlink_failed(const struct netlink *nl, int result, struct error **ret, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
