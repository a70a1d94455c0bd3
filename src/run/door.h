/* Where a hyperstart client comes in: two listening sockets, and one client, which has a connection on each.
 */
#pragma once

#include "src/base/loop.h"

struct door;

/* Listens at both paths. A client is there once it is connected on both; then `came` is called, once, from
 * the loop. One that leaves before that is forgotten, and the next may come. NULL on failure, with nothing
 * left behind. */
struct door *door_new(struct loop *loop, const char *ctl, const char *io, void (*came)(void *user),
                      void *user, struct error **ret);

/* The client's two connections; they are the caller's from now on. After `came`, once. */
void door_take(struct door *door, int *ret_ctl, int *ret_io);

/* Nobody comes in any more; the sockets are removed, unless others have taken their places. NULL is fine. */
void door_free(struct door *door);
