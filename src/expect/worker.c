/* The one thread of a context: it waits for packets and for times that are over, and makes futures end. */
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "src/expect/context.h"

#define EVENTS 16

/* When the first of its futures is, or it fails as a whole. */
static uint64_t due_of(const struct listener *listener)
{
    uint64_t due = listener->down_ns;

    for (const struct sippod_future *future = listener->pending; future; future = future->next_pending)
        if (future->due_ns < due)
            due = future->due_ns;
    return due;
}

/* Milliseconds until a future is due; -1: none is. */
static int next_due(const struct sippod_context *context)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC), due = UINT64_MAX;

    for (const struct listener *listener = context->listeners; listener; listener = listener->next)
        if (due_of(listener) < due)
            due = due_of(listener);
    if (due == UINT64_MAX)
        return -1;
    due = due > now ? (due - now) / 1000000 + 1 : 0;
    return due > INT_MAX ? INT_MAX : (int)due;
}

/* What was captured in time counts, even if it is read only now; a packet of later ends a future, too, so
 * that this comes to its end however many there are. */
static void end_due_of(struct listener *listener, uint64_t now)
{
    while (due_of(listener) <= now) {
        if (listener_read(listener) > 0)
            continue;
        if (listener->down_ns <= now) {
            listener_fail(listener);
            return;
        }
        for (struct sippod_future *future = listener->pending; future; future = future->next_pending) {
            if (future->due_ns > now)
                continue;
            evaluation_time_out(&future->evaluation, future->evaluation.end_ns);
            future_tell(future);
        }
    }
}

static void end_due(struct sippod_context *context)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    struct listener *next;

    for (struct listener *listener = context->listeners; listener; listener = next) {
        next = listener->next;
        end_due_of(listener, now);
    }
}

static void free_doomed(struct sippod_context *context)
{
    for (struct sippod_future **at = &context->futures; *at;) {
        struct sippod_future *future = *at;

        if (future->doomed) {
            *at = future->next;
            future_destroy(future);
        } else
            at = &future->next;
    }
}

void *context_work(void *user)
{
    struct sippod_context *context = user;
    struct epoll_event events[EVENTS];
    uint64_t count;

    pthread_mutex_lock(&context->lock);
    while (!context->stop) {
        int timeout = next_due(context), ready;

        pthread_mutex_unlock(&context->lock);
        ready = epoll_wait(context->epoll, events, EVENTS, timeout);
        pthread_mutex_lock(&context->lock);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                listener_event(events[i].data.ptr, events[i].events);
            else if (read(context->wake, &count, sizeof count) < 0 && errno != EAGAIN)
                context->stop = true; /* an eventfd has no other errors */
        }
        end_due(context);
        free_doomed(context);
    }
    pthread_mutex_unlock(&context->lock);
    return NULL;
}
