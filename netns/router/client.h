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
 * called once, from the loop, when the router has ended (`why` then has its last words, if there were any) or
 * talks nonsense; `why` is valid during the call. What was not answered by then is never answered. NULL on
 * failure. */
struct router_client *router_client_new(struct loop *loop, int fd,
                                        void (*closed)(void *user, const struct error *why), void *user,
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

/* Claims an IPv4 address (text) for the pod, and routes it there; wire.h tells who reaches it, and by which
 * errno values it is refused. It is free again once the pod is removed. */
void router_client_address_add(struct router_client *client, const char *run_id, const char *address,
                               bool shared, void (*done)(void *user, const struct error *error), void *user);

/* It was not needed after all. */
void router_client_address_remove(struct router_client *client, const char *run_id, const char *address,
                                  void (*done)(void *user, const struct error *error), void *user);

/* Has pods reach a device under test outside, the IP address `dut` (text), over the network that the router
 * is in. Before the first pod. `prefix` is the length of the network part that their addresses have in common
 * with it, 0: the router's choice; `network` (NULL on failure) is the network that they have to be in,
 * `device` the one that leads there, "": none. */
void router_client_open(struct router_client *client, const char *dut, unsigned prefix,
                        void (*done)(void *user, const struct error *error, const struct network *network,
                                     const char *device),
                        void *user);

/* Has pods reach `network`, too. After that, before the first pod. */
void router_client_allow(struct router_client *client, const struct network *network,
                         void (*done)(void *user, const struct error *error), void *user);
