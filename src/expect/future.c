/* Futures, as their users see them. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/expect/context.h"

/* A packet is read so long after its time stamp, at most: blocks of the ring are handed over late. */
#define GRACE_NS (uint64_t)30000000

static void lock(struct sippod_future *future)
{
    pthread_mutex_lock(&future->context->lock);
}

static void unlock(struct sippod_future *future)
{
    pthread_mutex_unlock(&future->context->lock);
}

void future_tell(struct sippod_future *future)
{
    if (future->told || future->evaluation.verdict.state == SIPPOD_PENDING)
        return;
    future->told = true;
    listener_remove(future);
    if (future->fd >= 0)
        (void)eventfd_write(future->fd, 1);
    pthread_cond_broadcast(&future->context->ended);
}

void future_destroy(struct sippod_future *future)
{
    evaluation_free(&future->evaluation);
    if (future->fd >= 0)
        close(future->fd);
    free(future);
}

struct sippod_future *sippod_expect(struct sippod_context *context, const char *interface,
                                    struct sippod_predicate predicate, const struct sippod_options *options)
{
    struct sippod_future *future = calloc(1, sizeof *future);
    char error[MATCH_ERROR] = "";
    struct listener *listener;

    if (!future) {
        sippod_predicate_free(&predicate);
        return NULL;
    }
    future->context = context;
    future->fd = -1;
    lock(future);
    listener = listener_get(context, interface, options ? options->direction : SIPPOD_BOTH, error);
    evaluation_begin(&future->evaluation, predicate, options, clock_ns(CLOCK_REALTIME), interface);
    if (listener)
        listener_add(listener, future);
    else
        evaluation_fail(&future->evaluation, error);
    future->due_ns = future->evaluation.end_ns;
    if (future->due_ns != UINT64_MAX)
        future->due_ns =
            clock_ns(CLOCK_MONOTONIC) + future->evaluation.end_ns - future->evaluation.begin_ns + GRACE_NS;
    future->next = context->futures;
    context->futures = future;
    future_tell(future);
    (void)eventfd_write(context->wake, 1); /* the next time may be this one's */
    unlock(future);
    return future;
}

bool sippod_future_ready(struct sippod_future *future)
{
    bool ready;

    lock(future);
    ready = future->told;
    unlock(future);
    return ready;
}

int sippod_future_fd(struct sippod_future *future)
{
    int fd;

    lock(future);
    if (future->fd < 0)
        future->fd = eventfd(future->told ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
    fd = future->fd;
    unlock(future);
    return fd;
}

enum sippod_state sippod_future_wait(struct sippod_future *future, struct sippod_verdict *ret)
{
    enum sippod_state state;

    lock(future);
    while (!future->told && !pthread_equal(pthread_self(), future->context->worker))
        pthread_cond_wait(&future->context->ended, &future->context->lock);
    if (ret)
        *ret = future->evaluation.verdict;
    state = future->evaluation.verdict.state;
    unlock(future);
    return state;
}

/* Whether there is a value of that kind. */
static bool has(struct sippod_future *future, enum sippod_kind kind, struct sippod_value *ret)
{
    struct sippod_verdict verdict;

    if (sippod_future_wait(future, &verdict) != SIPPOD_DECIDED || verdict.value.kind != kind)
        return false;
    *ret = verdict.value;
    return true;
}

int sippod_future_bool(struct sippod_future *future, bool *ret)
{
    struct sippod_value value;

    if (!has(future, SIPPOD_BOOL, &value))
        return -1;
    *ret = value.integer != 0;
    return 0;
}

int sippod_future_integer(struct sippod_future *future, int64_t *ret)
{
    struct sippod_value value;

    if (!has(future, SIPPOD_INTEGER, &value))
        return -1;
    *ret = value.integer;
    return 0;
}

int sippod_future_pointer(struct sippod_future *future, void **ret)
{
    struct sippod_value value;

    if (!has(future, SIPPOD_POINTER, &value))
        return -1;
    *ret = value.pointer;
    return 0;
}

static bool check(struct sippod_future *future, bool expected)
{
    struct sippod_verdict verdict;

    (void)sippod_future_wait(future, &verdict);
    return sippod_verdict_is(&verdict, expected);
}

bool sippod_check_true(struct sippod_future *future)
{
    return check(future, true);
}

bool sippod_check_false(struct sippod_future *future)
{
    return check(future, false);
}

bool sippod_check_value(struct sippod_future *future, int64_t expected)
{
    int64_t value;

    return sippod_future_integer(future, &value) == 0 && value == expected;
}

const char *sippod_future_detail(struct sippod_future *future)
{
    (void)sippod_future_wait(future, NULL);
    return future->evaluation.verdict.detail; /* which does not change any more */
}

void sippod_future_finish(struct sippod_future *future)
{
    struct evaluation *evaluation = &future->evaluation;
    uint64_t now = clock_ns(CLOCK_REALTIME);

    lock(future);
    if (!future->told && now < evaluation->end_ns) {
        evaluation->end_ns = now;
        future->due_ns = clock_ns(CLOCK_MONOTONIC) + GRACE_NS;
        (void)eventfd_write(future->context->wake, 1);
    }
    unlock(future);
}

void sippod_future_cancel(struct sippod_future *future)
{
    lock(future);
    evaluation_cancel(&future->evaluation);
    future_tell(future);
    unlock(future);
}

/* On the worker one of its functions may be running: it is freed after the round. */
void sippod_future_free(struct sippod_future *future)
{
    struct sippod_context *context;

    if (!future)
        return;
    context = future->context;
    lock(future);
    sippod_future_cancel(future);
    future->doomed = pthread_equal(pthread_self(), context->worker);
    if (!future->doomed) {
        for (struct sippod_future **at = &context->futures; *at; at = &(*at)->next)
            if (*at == future) {
                *at = future->next;
                break;
            }
        future_destroy(future);
    }
    pthread_mutex_unlock(&context->lock);
}

/* ---- monitors ---- */

struct monitor {
    int (*fn)(void *user, const struct sippod_packet *packet);
    void *user;
};

static int monitor_packet(void *state, const struct sippod_packet *packet)
{
    const struct monitor *monitor = state;

    return monitor->fn(monitor->user, packet);
}

static struct sippod_value monitor_finish(void *state, bool timed_out)
{
    (void)state;
    (void)timed_out;
    return (struct sippod_value){.kind = SIPPOD_BOOL};
}

struct sippod_future *sippod_monitor(struct sippod_context *context, const char *interface,
                                     const char *filter,
                                     int (*fn)(void *user, const struct sippod_packet *packet), void *user)
{
    struct monitor *monitor = malloc(sizeof *monitor);
    struct sippod_predicate predicate = {
        .on_packet = monitor_packet, .on_finish = monitor_finish, .free = free, .state = monitor};

    if (!monitor)
        return NULL;
    *monitor = (struct monitor){fn, user};
    return sippod_expect(context, interface, predicate,
                         &(struct sippod_options){.timeout_ms = SIPPOD_NO_TIMEOUT, .filter = filter});
}
