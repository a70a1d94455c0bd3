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

/* links.c */
int links_add_pod(struct router *router, const char *run_id, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                  struct error **ret);
int links_remove_pod(struct router *router, const char *run_id, struct error **ret);
void links_undo_all(struct router *router);
