/* Addresses for UAs in the network of a device under test outside: free ones, drawn at random. The router
 * claims each and asks on the network whether somebody has it (netns/router/wire.h); what is refused is
 * replaced. */
#pragma once

#include "netns/router/client.h"
#include "src/base/text.h"

struct claims; /* of a run */
struct claim;  /* of a pod */

struct claims *claims_new(const struct network *network, struct error **ret);
void claims_free(struct claims *claims); /* NULL is fine; after the router's client */

/* Claims `count` addresses for the pod `run_id`, which the router knows. `done` is called from the loop,
 * once: with the addresses, or with an error whose errno is EAGAIN if the pods that there are now have what
 * was wanted. What was claimed stays the pod's, and is released with it. */
struct claim *
claim_start(struct claims *claims, struct router_client *router, const char *run_id, size_t count,
            void (*done)(void *user, const struct strings *addresses, const struct error *error), void *user);
/* `done` is not called any more. */
void claim_cancel(struct claim *claim);
