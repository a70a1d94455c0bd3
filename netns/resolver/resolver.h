/* The DNS server of one pod: port 53 of 127.0.0.1 and ::1, UDP and TCP. It runs in a helper process that has
 * joined the pod's network namespace. */
#pragma once

#include <sys/socket.h>

#include "netns/resolver/answer.h"

#define RESOLVER_ADDRESS "127.0.0.1"

struct resolver;

struct resolver_callbacks {
    /* A question was answered. */
    void (*answered)(void *user, const struct sockaddr_storage *from, bool udp,
                     const struct answer_note *note);
    void (*dropped)(void *user); /* something malformed was not */
    void (*pause)(void *user);   /* all that had come has been answered */
};

/* Binds; the loopback must be up, and the port be one that the process may bind. Nothing is answered yet. The
 * zone and the callbacks stay the caller's. Pods without IPv6 are served over IPv4. NULL on failure. */
struct resolver *resolver_open(const struct zone *zone, const struct resolver_callbacks *callbacks,
                               void *user, struct error **ret);

/* Answers until `control` (a socket) has a message, which is left in it, or is at its end. */
int resolver_run(struct resolver *resolver, int control, struct error **ret);
void resolver_close(struct resolver *resolver); /* NULL is fine */
