/* sippod's side of the router: requests that are answered later, in a callback from the loop. Nothing blocks;
 * a request that the socket does not take at once waits and is sent in its turn. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netns/router/wire.h"
#include "src/base/error.h"
#include "src/base/loop.h"

struct router_client;

/* Takes `fd`, one end of a SOCK_SEQPACKET pair whose other end the router has, on failure too. `closed` is
 * called once, from the loop, when the router has ended or talks nonsense; `why` is a sentence, valid during
 * the call. What was not answered by then is never answered. NULL on failure. */
struct router_client *router_client_new(struct loop *loop, int fd,
                                        void (*closed)(void *user, const char *why), void *user,
                                        struct error **ret);

/* Closes the socket, which makes the router undo everything and end. Callbacks that are still due are
 * dropped. May be called from any callback; NULL is fine. */
void router_client_free(struct router_client *client);

/* In all callbacks `error` is NULL for success, and is valid during the call only. */

/* Has to come first. Fails if the router is of another version. */
void router_client_hello(struct router_client *client, void (*done)(void *user, const struct error *error),
                         void *user);

/* Connects a pod with the router: "sipp-<run_id>" there, "eth0" (down) in the network namespace behind
 * `netns`, which stays the caller's. `run_id` is six lower-case letters; `mac` (NULL on failure) is the
 * router's end. */
void router_client_pod_add(struct router_client *client, const char *run_id, int netns,
                           void (*done)(void *user, const struct error *error,
                                        const uint8_t mac[ROUTER_MAC_LENGTH]),
                           void *user);

/* Forgets a pod whose network namespace has ended or is about to. */
void router_client_pod_remove(struct router_client *client, const char *run_id,
                              void (*done)(void *user, const struct error *error), void *user);

/* Tells, once the pod's end is up, when the router's takes packets for it, too. */
void router_client_pod_up(struct router_client *client, const char *run_id,
                          void (*done)(void *user, const struct error *error), void *user);

/* Claims an IPv4 address (text) for the pod, and routes it there; wire.h tells who reaches it. It is free
 * again once the pod is removed. */
void router_client_address_add(struct router_client *client, const char *run_id, const char *address,
                               bool shared, void (*done)(void *user, const struct error *error), void *user);
