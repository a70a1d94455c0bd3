#include "src/base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "src/base/memory.h"

struct watch {
    struct loop *loop;
    int fd;
    void (*fn)(void *user, uint32_t events); /* NULL once stopped */
    void *user;
    struct watch *previous, *next;
};

struct timer {
    struct loop *loop;
    int64_t due_ns;
    void (*fn)(void *user);
    void *user;
    struct timer *next;
};

struct loop {
    int epoll;
    bool quit;
    struct watch *watches;
    struct watch *stopped; /* to be freed when the round is over */
    struct timer *timers;  /* sorted by due time */
};

int64_t loop_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct loop *loop_new(struct error **ret)
{
    struct loop *loop;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0) {
        error_sys(ret, ERROR_HOST, errno, "cannot create an epoll descriptor");
        return NULL;
    }
    loop = memory_new(sizeof *loop);
    loop->epoll = epoll;
    return loop;
}

static void free_stopped(struct loop *loop)
{
    while (loop->stopped) {
        struct watch *watch = loop->stopped;

        loop->stopped = watch->next;
        free(watch);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->watches) {
        struct watch *watch = loop->watches;

        watch_stop(&watch);
    }
    free_stopped(loop);
    while (loop->timers) {
        struct timer *timer = loop->timers;

        loop->timers = timer->next;
        free(timer);
    }
    close(loop->epoll);
    free(loop);
}

static void run_due_timers(struct loop *loop)
{
    int64_t now = loop_now_ns();

    while (loop->timers && loop->timers->due_ns <= now && !loop->quit) {
        struct timer *timer = loop->timers;

        loop->timers = timer->next;
        timer->fn(timer->user);
        free(timer);
    }
}

static int wait_ms(const struct loop *loop)
{
    int64_t left;

    if (!loop->timers)
        return -1;
    left = loop->timers->due_ns - loop_now_ns();
    if (left <= 0)
        return 0;
    left = (left + 999999) / 1000000;
    return left > 1000000 ? 1000000 : (int)left;
}

int loop_run(struct loop *loop, struct error **ret)
{
    struct epoll_event events[64];

    while (!loop->quit) {
        int count = epoll_wait(loop->epoll, events, 64, wait_ms(loop));

        if (count < 0 && errno != EINTR)
            return error_sys(ret, ERROR_FAILED, errno, "waiting for events failed");
        for (int i = 0; i < count && !loop->quit; i++) {
            struct watch *watch = events[i].data.ptr;

            if (watch->fn)
                watch->fn(watch->user, events[i].events);
        }
        run_due_timers(loop);
        free_stopped(loop);
    }
    loop->quit = false;
    return 0;
}

void loop_quit(struct loop *loop)
{
    loop->quit = true;
}

struct watch *loop_watch(struct loop *loop, int fd, uint32_t events, void (*fn)(void *user, uint32_t events),
                         void *user, struct error **ret)
{
    struct watch *watch = memory_new(sizeof *watch);
    struct epoll_event event = {.events = events, .data.ptr = watch};

    *watch = (struct watch){.loop = loop, .fd = fd, .fn = fn, .user = user};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        error_sys(ret, ERROR_FAILED, errno, "cannot watch descriptor %d", fd);
        free(watch);
        return NULL;
    }
    watch->next = loop->watches;
    if (loop->watches)
        loop->watches->previous = watch;
    loop->watches = watch;
    return watch;
}

void watch_events(struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    /* Cannot fail for a descriptor that is being watched. */
    (void)epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void watch_stop(struct watch **pointer)
{
    struct watch *watch = steal_pointer(pointer);

    if (!watch || !watch->fn)
        return;
    (void)epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fn = NULL;
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        watch->loop->watches = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    watch->next = watch->loop->stopped;
    watch->loop->stopped = watch;
}

struct timer *loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user)
{
    struct timer *timer = memory_new(sizeof *timer);
    struct timer **place = &loop->timers;

    *timer = (struct timer){.loop = loop, .due_ns = loop_now_ns() + ms * 1000000, .fn = fn, .user = user};
    while (*place && (*place)->due_ns <= timer->due_ns)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
    return timer;
}

void timer_stop(struct timer **pointer)
{
    struct timer *timer = steal_pointer(pointer);

    if (!timer)
        return;
    for (struct timer **place = &timer->loop->timers; *place; place = &(*place)->next) {
        if (*place != timer)
            continue;
        *place = timer->next;
        free(timer);
        return;
    }
}
