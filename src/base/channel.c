#include "src/base/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"

#define READ_SIZE   65536
#define DRAIN_READS 256 /* more than any socket holds; whoever goes on sending is not waited for */

struct channel {
    int fd;
    struct watch *watch;
    const struct channel_callbacks *callbacks;
    void *user;
    struct buffer in, out;
    bool closed, paused;
    bool *freed; /* set when the channel is freed while one of its callbacks runs */
};

static void update_events(struct channel *channel)
{
    watch_events(channel->watch, (channel->paused ? 0 : EPOLLIN) | (channel->out.length ? EPOLLOUT : 0));
}

static void channel_end(struct channel *channel, const struct error *why)
{
    if (channel->closed)
        return;
    channel->closed = true;
    watch_stop(&channel->watch);
    buffer_free(&channel->out);
    channel->callbacks->closed(channel->user, why);
}

/* Sends what the socket takes; -1 if it is broken. */
static int flush(struct channel *channel)
{
    while (channel->out.length) {
        ssize_t sent = send(channel->fd, channel->out.data, channel->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        buffer_drop(&channel->out, (size_t)sent);
    }
    return 0;
}

static void writable(struct channel *channel)
{
    if (!channel->out.length)
        return;
    /* A peer that has gone is noticed by reading: what it sent before is still to be read. */
    if (flush(channel) < 0)
        buffer_free(&channel->out);
    if (!channel->out.length) {
        update_events(channel);
        if (channel->callbacks->drained)
            channel->callbacks->drained(channel->user);
    }
}

/* Offers what has arrived until the owner wants more. False if the owner has freed the channel. */
static bool offer(struct channel *channel, size_t fresh)
{
    cleanup_error struct error *error = NULL;
    size_t offset = 0;
    bool freed = false;

    channel->freed = &freed;
    while (offset < channel->in.length && !channel->paused) {
        ptrdiff_t used = channel->callbacks->received(channel->user, channel->in.data + offset,
                                                      channel->in.length - offset, fresh, &error);

        if (freed)
            return false;
        if (used < 0) {
            channel->freed = &freed;
            channel_end(channel, error);
            if (!freed)
                channel->freed = NULL;
            return !freed;
        }
        if (used == 0)
            break;
        offset += (size_t)used;
        fresh = 0;
    }
    channel->freed = NULL;
    buffer_drop(&channel->in, offset);
    return true;
}

/* Reads once. False if there was nothing to read, or the channel has ended, or was freed. */
static bool readable(struct channel *channel)
{
    uint8_t data[READ_SIZE];
    ssize_t length = recv(channel->fd, data, sizeof data, MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0) {
        cleanup_error struct error *error = NULL;

        if (length < 0 && errno != ECONNRESET)
            error_sys(&error, ERROR_FAILED, errno, "cannot read from a channel");
        channel_end(channel, error);
        return false;
    }
    buffer_add(&channel->in, data, (size_t)length);
    return offer(channel, (size_t)length) && !channel->closed;
}

void channel_drain(struct channel *channel)
{
    for (int i = 0; i < DRAIN_READS && !channel->closed && readable(channel); i++)
        ;
}

static void on_event(void *user, uint32_t events)
{
    struct channel *channel = user;
    bool freed = false;

    if (events & EPOLLOUT) {
        channel->freed = &freed;
        writable(channel);
        if (freed)
            return;
        channel->freed = NULL;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        (void)readable(channel);
}

struct channel *channel_new(struct loop *loop, int fd, const struct channel_callbacks *callbacks, void *user,
                            struct error **ret)
{
    struct channel *channel = memory_new(sizeof *channel);

    *channel = (struct channel){.fd = fd, .callbacks = callbacks, .user = user};
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        error_sys(ret, ERROR_FAILED, errno, "cannot use a channel");
    else
        channel->watch = loop_watch(loop, fd, EPOLLIN, on_event, channel, ret);
    if (!channel->watch) {
        channel_free(channel);
        return NULL;
    }
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    if (channel->freed)
        *channel->freed = true;
    watch_stop(&channel->watch);
    close(channel->fd);
    buffer_free(&channel->in);
    buffer_free(&channel->out);
    free(channel);
}

void channel_send(struct channel *channel, const void *data, size_t length)
{
    bool idle = channel->out.length == 0;

    if (channel->closed)
        return;
    buffer_add(&channel->out, data, length);
    if (!idle)
        return;
    if (flush(channel) < 0)
        buffer_free(&channel->out);
    if (channel->out.length)
        update_events(channel);
}

void channel_pause(struct channel *channel, bool paused)
{
    if (channel->closed || channel->paused == paused)
        return;
    channel->paused = paused;
    update_events(channel);
    if (!paused)
        (void)offer(channel, 0);
}

const struct buffer *channel_rest(const struct channel *channel)
{
    return &channel->in;
}

size_t channel_pending(const struct channel *channel)
{
    return channel->out.length;
}
