/* Waiting for devices: the kernel tells of every change, and then it is looked whether that was it. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <time.h>

#include "netns/link.h"
#include "src/base/text.h"

/* What is waited for: 1 it is so, 0 not yet, -1 it will never be. */
struct wish {
    int (*holds)(struct netlink *nl, const char *name, struct error **ret);
    const char *name;
};

static int ignore(struct nl_msg *message, void *user)
{
    (void)message;
    (void)user;
    return NL_OK;
}

/* A socket that becomes readable when any device changes; NULL on failure. */
static struct nl_sock *open_events(struct error **ret)
{
    struct nl_sock *events = netlink_socket_new();
    int result = events ? nl_connect(events, NETLINK_ROUTE) : -NLE_NOMEM;

    if (result == 0)
        result = nl_socket_add_memberships(events, RTNLGRP_LINK, 0);
    if (result == 0)
        result = nl_socket_set_nonblocking(events);
    if (result == 0) {
        nl_socket_disable_seq_check(events);
        result = nl_socket_modify_cb(events, NL_CB_VALID, NL_CB_CUSTOM, ignore, NULL);
    }
    if (result == 0)
        return events;
    nl_socket_free(events);
    netlink_failed(NULL, result, ret, "cannot wait for a device");
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int await_events(struct netlink *nl, struct nl_sock *events, const struct wish *wish, int timeout_ms,
                        struct error **ret)
{
    int64_t end = now_ms() + timeout_ms, left;
    int holds;

    while ((holds = wish->holds(nl, wish->name, ret)) == 0) {
        struct pollfd readable = {.fd = nl_socket_get_fd(events), .events = POLLIN};

        left = end - now_ms();
        if (left <= 0 || poll(&readable, 1, (int)left) <= 0)
            return error_sys(ret, ERROR_FAILED, ETIMEDOUT, "device %s", wish->name);
        (void)nl_recvmsgs_default(events); /* too many for the socket are as good as one */
    }
    return holds < 0 ? -1 : 0;
}

static int await(struct netlink *nl, const struct wish *wish, int timeout_ms, struct error **ret)
{
    int holds = wish->holds(nl, wish->name, ret), result;
    struct nl_sock *events;

    if (holds)
        return holds < 0 ? -1 : 0;
    events = open_events(ret);
    if (!events)
        return -1;
    result = await_events(nl, events, wish, timeout_ms, ret);
    nl_socket_free(events);
    return result;
}

/* Mostly it is by now, and this question alone makes it so. */
static int is_running(struct netlink *nl, const char *device, struct error **ret)
{
    struct link_facts facts;

    return link_facts(nl, device, &facts, ret) < 0 ? -1 : facts.running;
}

int link_await_up(struct netlink *nl, const char *device, int timeout_ms, struct error **ret)
{
    const struct wish wish = {.holds = is_running, .name = device};

    return await(nl, &wish, timeout_ms, ret);
}

struct search {
    const char *alias;
    bool found;
};

static void compare(void *user, const char *name, const char *alias)
{
    struct search *search = user;

    (void)name;
    if (text_equal(alias, search->alias))
        search->found = true;
}

static int is_gone(struct netlink *nl, const char *alias, struct error **ret)
{
    struct search search = {.alias = alias};

    return link_each_alias(nl, compare, &search, ret) < 0 ? -1 : !search.found;
}

int link_await_none(struct netlink *nl, const char *alias, int timeout_ms, struct error **ret)
{
    const struct wish wish = {.holds = is_gone, .name = alias};

    return await(nl, &wish, timeout_ms, ret);
}
