/* Two network namespaces of the test's own with a veth pair between them, made with no capability but those
 * of a user namespace, and raw frames through it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netns/netlink.h"

#define OUTER "sipp-abcdef" /* here */
#define INNER "eth0"        /* over there */
#define ALIAS "sippod 0 1"
#define MTU   1400

struct pair {
    int here, there;    /* network namespaces; the process is in the first */
    struct netlink *nl; /* here */
    uint8_t outer_mac[6], inner_mac[6];
};

/* The user namespace; false, after saying so, if this host does not let us. Once, before all else. */
bool pair_enter(void);

void pair_make(struct pair *pair);  /* the outer end is down, the inner one up */
void pair_raise(struct pair *pair); /* and waits until both take packets */
void pair_free(struct pair *pair);

/* A packet socket on the end `device` in the namespace, for frames of this kind (in host byte order). */
int pair_socket(const struct pair *pair, int netns, const char *device, uint16_t protocol);
