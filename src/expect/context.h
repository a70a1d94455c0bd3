/* A context and what it consists of. Everything is under its lock, which is recursive: the functions of
 * predicates run under it, and may call the library. */
#pragma once

#include <pthread.h>

#include "include/sippod/expect.h"
#include "src/expect/evaluation.h"

struct sippod_future {
    struct sippod_context *context;
    struct sippod_future *next;                       /* of the context */
    struct listener *listener;                        /* NULL: it has ended, or there never was one */
    struct sippod_future *next_pending, **pending_at; /* of the listener */
    struct evaluation evaluation;
    uint32_t lost_before; /* what its listener had lost before it began */
    uint64_t due_ns;      /* on the monotonic clock: when its time is over; UINT64_MAX: never */
    int fd;               /* an eventfd, if somebody asked for one, else -1 */
    bool told;            /* that it has ended */
    bool doomed;          /* freed from the worker, which does it at the end of its round */
};

/* A capture of one interface in one direction, and the futures that wait for its packets. A future that ends,
 * by whatever, leaves the list at once; its next_pending still leads on, for who is walking along the list.
 */
struct listener {
    struct sippod_context *context;
    struct listener *next;
    struct sippod_future *pending;
    char *interface;
    enum sippod_direction direction;
    struct pcap *handle;
    int state_fd;     /* has an error once the interface has gone down; -1: not watched */
    uint64_t down_ns; /* on the monotonic clock: when that makes it fail; UINT64_MAX: it is up */
    uint32_t lost;    /* packets, since it began; may wrap */
    bool broken;      /* libpcap has said why it captures no more */
    uint64_t unit;    /* nanoseconds in the smaller part of libpcap's time stamps */
    uint32_t linktype;
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

void listener_add(struct listener *listener, struct sippod_future *future);
void listener_remove(struct sippod_future *future);

/* What the epoll of the context reports: packets, or that the interface has gone down. */
void listener_event(struct listener *listener, uint32_t events);

/* Hands packets that are there to the futures, some hundred at most. Returns how many they were. */
int listener_read(struct listener *listener);

/* Makes its futures fail and frees it. */
void listener_fail(struct listener *listener);
void listeners_free(struct sippod_context *context);

void *context_work(void *context); /* the worker */
