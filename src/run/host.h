/* What all pods of a run share: sippod's own user namespace, the router, the programs that are started in
 * pods, and the loop that everything happens on. */
#pragma once

#include <sys/types.h>

#include "netns/router/client.h"
#include "src/base/loop.h"
#include "src/base/text.h"
#include "src/run/claims.h"

/* The network outside, where a device under test stands. */
struct host_outside {
    const char *dut;             /* its IP address */
    unsigned mask;               /* length of the network that addresses of UAs are in, 0: not said */
    const struct strings *allow; /* networks that pods reach, too, as ADDRESS/LENGTH */
};

struct host {
    struct loop *loop;
    struct router_client *router;
    struct claims *claims;         /* addresses outside, NULL: pods are among themselves */
    char *program_folder;          /* where sippod itself lies */
    int pod_filter, helper_filter; /* system call filters, compiled */
    int agent;                     /* the program sippod-agent, opened */
    int router_pidfd;
    size_t due;            /* answers of the router that host_open() waits for */
    struct error *refused; /* what is outside */
    size_t ending;         /* children that have done their work and are still on their way out */
    struct timer *bound;   /* runs while host_close() waits for those */
    /* The router has ended while it was needed: nothing can be started any more. */
    void (*lost)(void *user, const struct error *why);
    void *user;
};

struct host_config {
    struct loop *loop;                                 /* must not be running */
    const struct host_outside *outside;                /* NULL: pods are among themselves */
    void (*lost)(void *user, const struct error *why); /* see above; during host_open() it is not called */
    void *user;
};

/* Enters the own user namespace, starts the router in a network namespace of its own or in the present one,
 * and gives up every capability that is not needed any more. ERROR_HOST, with what to do, where this host
 * does not let us. host_close() has to follow, whatever came of it. */
int host_open(struct host *host, const struct host_config *config, struct error **ret);

/* Ends the router, waits for it and for children on their way out; the loop must not be running. */
void host_close(struct host *host);

/* Takes the pidfd of a child that has nothing to say any more, and reaps it when it ends. */
void host_reap_later(struct host *host, int pidfd);
