/* A DNS server, UDP and TCP, which runs in a helper process: that of one pod, on port 53 of 127.0.0.1 and ::1
 * in the pod's network namespace; or one for a run, on sockets that the helper was given. */
#pragma once

#include <sys/socket.h>

#include "netns/resolver/answer.h"

#define RESOLVER_ADDRESS "127.0.0.1"

struct resolver;

struct resolver_callbacks {
    /* Who asks may have an answer. NULL: everybody may. */
    bool (*allowed)(void *user, const struct sockaddr_storage *from);
    /* A question was answered. */
    void (*answered)(void *user, const struct sockaddr_storage *from, bool udp,
                     const struct answer_note *note);
    void (*dropped)(void *user); /* something malformed was not */
    void (*pause)(void *user);   /* all that had come has been answered */
};

/* Binds; the loopback must be up, and the port be one that the process may bind. Nothing is answered yet. The
 * zones and the callbacks stay the caller's. Pods without IPv6 are served over IPv4. NULL on failure. */
struct resolver *resolver_open(const struct zones *zones, const struct resolver_callbacks *callbacks,
                               void *user, struct error **ret);

/* The same with sockets of resolver_bind(), UDP and TCP, which it takes, on failure too. */
struct resolver *resolver_open_on(const int sockets[2], const struct zones *zones,
                                  const struct resolver_callbacks *callbacks, void *user, struct error **ret);

/* A socket for questions at that address and no other, non-blocking, close-on-exec; `type` is SOCK_DGRAM, or
 * SOCK_STREAM, which listens. -1 with errno. */
int resolver_bind(const struct sockaddr *address, int type);

/* Answers until `control` (a socket) has a message, which is left in it, or is at its end. May be called
 * again; meanwhile zones may be added and removed. */
int resolver_run(struct resolver *resolver, int control, struct error **ret);
void resolver_close(struct resolver *resolver); /* NULL is fine */
