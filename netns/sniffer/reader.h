/* Reads the captures of all interfaces as frames come, and on demand all that was sent up to a moment, at
 * once. reader.c has the theory of operation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/loop.h"
#include "src/packet/pcapng.h"

struct reader;

struct reader_callbacks {
    void (*before)(void *user, size_t interface); /* it is about to be read; NULL: nobody has to know */
    void (*packet)(void *user, const struct pcapng_packet *packet);
    void (*after)(void *user); /* what was handed over has been read */
};

/* Starts capturing on the interfaces, which must be up: nothing that passes them from then on is missed.
 * Needs CAP_NET_RAW; nothing after it does. Callbacks come from the loop. NULL on failure. */
struct reader *reader_open(struct loop *loop, const char *const *interfaces, size_t count,
                           const struct reader_callbacks *callbacks, void *user, struct error **ret);

/* Calls done(user, complete) when all that has been sent up to now was read; that may be at once, in here. It
 * takes a second at most: `complete` is false if that was too short. Capturing goes on. A drain that is under
 * way is given up for this one: its done() is not called. */
void reader_drain(struct reader *reader, void (*done)(void *user, bool complete));

void reader_describe(const struct reader *reader, size_t interface, struct pcapng_interface *ret);

/* Frames that passed the interface, and how many of them were lost for want of room. */
void reader_statistics(const struct reader *reader, size_t interface, uint64_t *ret_received,
                       uint64_t *ret_dropped);

/* Whether the interface that is captured on is there no more. */
bool reader_has_lost(const struct reader *reader, size_t interface);

void reader_close(struct reader *reader); /* before the loop is freed; NULL is fine */
