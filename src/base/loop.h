/* One thread, one epoll loop. Everything that can happen is a descriptor that becomes ready or a point in
 * time that is reached; nothing else in the program waits.
 *
 * A callback may stop any watch or timer, its own included: what was stopped is never called again, even if
 * it was ready in the same round, and its memory is freed when the round is over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "src/base/error.h"

struct loop;
struct watch;
struct timer;

struct loop *loop_new(struct error **ret);
void loop_free(struct loop *loop); /* frees what is still watched; closes no descriptor of others */

/* Runs until loop_quit(). Returns 0, or -1 when epoll itself fails. */
int loop_run(struct loop *loop, struct error **ret);
void loop_quit(struct loop *loop);

/* Calls fn(user, events) whenever one of `events` (EPOLLIN, EPOLLOUT, …; EPOLLHUP and EPOLLERR always) is
 * there. The descriptor stays the caller's and must outlive the watch. NULL on failure. */
struct watch *loop_watch(struct loop *loop, int fd, uint32_t events, void (*fn)(void *user, uint32_t events),
                         void *user, struct error **ret);
void watch_events(struct watch *watch, uint32_t events);
void watch_stop(struct watch **watch); /* *watch becomes NULL; NULL is fine */

/* Calls fn(user) once, `ms` milliseconds from now (0: as soon as the current round is over). */
struct timer *loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);
void timer_stop(struct timer **timer); /* *timer becomes NULL; NULL is fine. A timer that fired has to be
                                          forgotten by its owner in fn. */

int64_t loop_now_ns(void); /* CLOCK_MONOTONIC */
