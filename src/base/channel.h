/* A stream socket on the loop: what arrives is collected and offered, what is sent is buffered until the
 * other end takes it. Neither side ever blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "src/base/loop.h"
#include "src/base/text.h"

struct channel;

struct channel_callbacks {
    /* `data` is all that has arrived and was not consumed yet; returns how many bytes of it are done with (0:
     * more is needed), or -1 with *ret set, which closes the channel. `fresh`: how many bytes are new. */
    ptrdiff_t (*received)(void *user, const uint8_t *data, size_t length, size_t fresh, struct error **ret);
    /* The other end has closed (why is NULL), or the channel broke. Called once; the channel is still to be
     * freed by its owner, which may be done right here. */
    void (*closed)(void *user, const struct error *why);
    /* Everything that was sent is on its way; may be NULL. */
    void (*drained)(void *user);
};

/* Takes `fd` (made non-blocking), on failure too. NULL on failure. */
struct channel *channel_new(struct loop *loop, int fd, const struct channel_callbacks *callbacks, void *user,
                            struct error **ret);
void channel_free(struct channel *channel); /* closes; nothing is called any more; NULL is fine */

void channel_send(struct channel *channel, const void *data, size_t length);
size_t channel_pending(const struct channel *channel); /* bytes sent that are not on their way yet */

/* While it is paused nothing is read, so that the other end has to wait, and nothing is offered: what is
 * there already is offered in here when it goes on. Not to be called from `received` to go on. */
void channel_pause(struct channel *channel, bool paused);

/* In `closed` and after it: what had arrived and was not offered any more, as the channel was paused. */
const struct buffer *channel_rest(const struct channel *channel);

/* Reads, and offers, what has arrived by now. The owner may free the channel in its callbacks. */
void channel_drain(struct channel *channel);
