/* The parts of sippod-router. */
#pragma once

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "netns/netlink.h"
#include "netns/router/wire.h"
#include "sandbox/capabilities.h"
#include "src/base/error.h"
#include "src/base/loop.h"

#define ROUTER_PROTOCOL_NUMBER 198     /* says whose routes these are */
#define ROUTER_DEVICES         "sipp-" /* and then the run id: the outer ends of pods' links */

/* Whom the router works for; main.c tells how it knows. */
enum trust {
    TRUST_PRIVATE, /* a user in a network namespace that is his own anyway */
    TRUST_ROOT,    /* root of the network that it is in */
    TRUST_POLICY,  /* a user who may do what the policy says */
};

/* An address of a pod, claimed. */
struct address {
    struct address *next;
    struct pod *pod;
    struct network network;  /* that is it alone */
    char text[NETWORK_TEXT]; /* "198.18.1.0" */
    bool shared;
    bool probed; /* others are being asked for it: it is not the pod's yet */
    void (*claimed)(void *user, const struct error *error); /* tells that it is, or whose it is */
    uint32_t serial;                                        /* of the request that is answered after that */
};

struct pod {
    struct pod *next;
    struct router *router;
    char run_id[ROUTER_RUN_ID_LENGTH + 1];
    char veth[16]; /* its name here */
    int index;     /* of the device with that name, outside */
    uint8_t inner_mac[ROUTER_MAC_LENGTH];
    bool routed[2]; /* addresses are: IPv4, IPv6 */
    struct address *addresses;
    size_t address_count;
};

struct router {
    enum trust trust;
    struct loop *loop;
    int socket;              /* to sippod; its end is the end */
    struct netlink *nl;      /* in the router's own network namespace */
    bool greeted;            /* HELLO has been answered with success */
    struct pod *pods;        /* those that are connected */
    struct outside *outside; /* NULL: pods reach each other at most */
    struct error *failure;   /* why it ends, NULL: because sippod has closed the socket */
};

/* requests.c: serves until sippod closes the socket; returns 0 then, -1 if it sent what it must not. */
int requests_serve(struct router *router, struct error **ret);

/* replies.c. With an error the reply tells that. */
void reply_send(struct router *router, struct router_reply *reply, const struct error *error);
/* To a request whose handler said that it would be answered later. */
void reply_later(struct router *router, uint32_t type, uint32_t serial, const struct error *error);
/* Says why the router ends, unasked. */
void reply_farewell(struct router *router, const struct error *why);
/* Ends the router; `failure` is taken, NULL: sippod has gone. */
void reply_failed(struct router *router, struct error *failure);

/* power.c: the capability is held between these two only. A failure to lower it ends the router. */
int router_raise(uint64_t capability, struct error **ret);
void router_lower(void);

/* links.c */
struct pod *links_find_pod(struct router *router, const char *run_id, struct error **ret);
int links_add_pod(struct router *router, const char *run_id, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                  struct error **ret);
void links_remove_pod(struct router *router, struct pod *pod);
int links_await_pod(struct router *router, struct pod *pod, struct error **ret);
void links_undo_all(struct router *router);

/* addresses.c: what all addresses have in common, and those of pods that reach each other. Handlers return 0,
 * 1 if the request will be answered by reply_later(), or -1. */
int addresses_claim(struct router *router, struct pod *pod, const struct router_request *request,
                    struct error **ret);
int addresses_remove(struct router *router, struct pod *pod, const struct router_request *request,
                     struct error **ret);
void addresses_release(struct router *router, struct pod *pod); /* all of them */

/* outside.c: what is outside, and how it is reached. */
int outside_open(struct router *router, const struct router_request *request, struct router_reply *reply,
                 struct error **ret);
int outside_allow(struct router *router, const struct network *network, struct error **ret);
void outside_close(struct router *router);

/* outside_pods.c: pods in the network outside. */
unsigned outside_mtu(const struct router *router); /* of their links */
char *outside_alias(size_t addresses);             /* of the link, says whose it is; to be freed */
int outside_check_pods(struct router *router, struct error **ret); /* whether that many may be connected */
/* Whether the pod still has its link, and not another pod one of that name. */
int outside_check_link(struct router *router, const struct pod *pod, struct error **ret);
int outside_check(struct router *router, const struct address *address, struct error **ret);
/* Counts one address more than the pod has, unless that is too many; outside_count() what it has. */
int outside_reserve(struct router *router, const struct pod *pod, struct error **ret);
void outside_count(struct router *router, const struct pod *pod);
/* 0: the address is the pod's, 1: claimed(address, error) will tell, unless it is released before. */
int outside_claim(struct router *router, struct address *address,
                  void (*claimed)(void *user, const struct error *error));
/* Of one that was probed and is routed: answers to it come to the pod, not back to the LAN. */
void outside_announce(const struct router *router, const struct address *address);
void outside_release(struct router *router, struct address *address);
int outside_commit(struct router *router, struct pod *pod, struct error **ret); /* from here on it sends */
void outside_forget(struct router *router, struct pod *pod);
void outside_await_links(struct router *router); /* of pods that were forgotten */
