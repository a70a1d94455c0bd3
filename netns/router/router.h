/* The parts of sippod-router. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "netns/netlink.h"
#include "netns/router/wire.h"
#include "src/base/error.h"

enum mode {
    MODE_PRIVATE, /* in a network namespace that it and its pods have for themselves */
};

struct pod {
    char run_id[ROUTER_RUN_ID_LENGTH + 1];
    char veth[16]; /* its name here */
    uint8_t inner_mac[ROUTER_MAC_LENGTH];
    bool routed; /* addresses are */
    bool shared; /* one of those is */
    struct address {
        char text[16]; /* "198.18.1.0" */
        bool shared;
    } * addresses;
    size_t address_count;
};

struct router {
    enum mode mode;
    int socket;         /* to sippod; its end is the end */
    struct netlink *nl; /* in the router's own network namespace */
    bool greeted;       /* HELLO has been answered with success */
    struct pod *pods;   /* those that are connected */
    size_t pod_count;
};

/* requests.c: serves until sippod closes the socket; returns 0 then, -1 if it sent what it must not. */
int requests_serve(struct router *router, struct error **ret);

/* The capability is held between these two only. A failure to lower it ends the router. */
int router_raise(struct error **ret);
void router_lower(void);

/* links.c */
struct pod *links_find_pod(const struct router *router, const char *run_id, struct error **ret);
int links_add_pod(struct router *router, const char *run_id, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                  struct error **ret);
int links_remove_pod(struct router *router, const char *run_id, struct error **ret);
int links_await_pod(struct router *router, const char *run_id, struct error **ret);
void links_undo_all(struct router *router);

/* addresses.c */
int addresses_claim(struct router *router, const struct router_request *request, struct error **ret);
void addresses_release(struct router *router, struct pod *pod);
