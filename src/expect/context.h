/* A context and what it consists of. Everything is under its lock, which is recursive: the functions of
 * predicates run under it, and may call the library. */
#pragma once

#include <pthread.h>

#include "include/sippod/expect.h"
#include "src/expect/evaluation.h"

struct listener; /* a capture of one interface in one direction */

struct sippod_future {
    struct sippod_context *context;
    struct sippod_future *next; /* of the context */
    struct listener *listener;  /* NULL: there is none, or not any more */
    struct evaluation evaluation;
    uint64_t due_ns; /* on the monotonic clock: when its time is over; UINT64_MAX: never */
    int fd;          /* an eventfd, if somebody asked for one, else -1 */
    bool told;       /* that it has ended */
    bool doomed;     /* freed from the worker, which does it at the end of its round */
};

struct sippod_context {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* some future has */
    pthread_t worker;
    bool stop;
    int epoll, wake, sender; /* sender: -1 until something is sent */
    struct listener *listeners;
    struct sippod_future *futures;
};

uint64_t clock_ns(clockid_t clock);

/* Lets waiting threads know if it has ended. */
void future_tell(struct sippod_future *future);
void future_destroy(struct sippod_future *future); /* after it was taken off its list */

/* The one of that interface and direction; it is opened if there is none. NULL with a sentence. */
struct listener *listener_get(struct sippod_context *context, const char *interface,
                              enum sippod_direction direction, char error[MATCH_ERROR]);

/* Hands packets that are there to the futures, some hundred at most, or all. If the interface is gone, its
 * futures have failed and the listener is freed. */
void listener_read(struct listener *listener, bool all);
void listeners_free(struct sippod_context *context);

void *context_work(void *context); /* the worker */
