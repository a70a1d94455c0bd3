/* A mock and what it consists of. One thread, the worker, runs the loop and both channels; what is its own is
 * touched by no other. Others leave orders for it, and take what came in, under the lock, which nobody holds
 * while a function of the user runs. */
#pragma once

#include <pthread.h>
#include <time.h>

#include "include/sippod/hyperstart_mock.h"
#include "src/base/channel.h"
#include "src/base/loop.h"
#include "src/base/socket.h"
#include "src/wire/frame.h"

#define SIDES 2 /* HYPERSTART_MOCK_CTL and HYPERSTART_MOCK_IO */

#define SEND_MOST ((size_t)1024 * 1024)     /* bytes on their way in a channel before senders wait */
#define READ_MOST ((size_t)2 * 1024 * 1024) /* bytes of packets that nobody has taken */

/* How a command is answered: a copy of what the user said. */
struct answer {
    enum hyperstart_mock_reply reply;
    uint32_t delay_ms;
    struct buffer payload;
};

struct rule {
    uint32_t code;
    unsigned nth; /* 0: every time; else how many commands from now, counted down */
    struct answer *answer;
    struct rule *next;
};

/* What somebody wants the worker to do. */
struct order {
    enum { ORDER_SEND, ORDER_CLOSE, ORDER_ANSWER } kind;
    enum hyperstart_mock_channel side;
    struct buffer frame;   /* of ORDER_SEND */
    char *log;             /* a line before it is sent */
    struct answer *answer; /* of ORDER_ANSWER; NULL: as by default */
    struct order *next;
};

/* A command or packet that was received. It begins with what the user gets, and frees. */
struct item {
    union {
        struct hyperstart_mock_message message;
        struct hyperstart_mock_packet packet;
    };
    struct item *next;
    size_t size;
    uint8_t bytes[]; /* the payload, or the whole packet; a NUL follows */
};

struct queue {
    struct item *first, *last;
    size_t count, bytes;
};

/* One of the two sockets. It is the worker's. */
struct side {
    struct hyperstart_mock *mock;
    enum hyperstart_mock_channel which;
    struct socket_file file;
    int listener, fd; /* -1: none; the channel owns fd once there is one */
    struct watch *watch;
    struct channel *channel;
    struct buffer in; /* what has arrived and was not decoded yet */
    bool closing;     /* by the mock: nothing more is read */
    bool ended;       /* nothing more arrives */
};

struct hyperstart_mock {
    /* Fixed. */
    struct hyperstart_mock_options options;
    char *paths[SIDES];
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* Under the lock. */
    enum { IDLE, RUNNING, STOPPING } phase;
    bool connected;
    bool closed[SIDES];    /* nothing more is sent on it */
    bool finished[SIDES];  /* nothing more comes from it */
    size_t ordered[SIDES]; /* bytes in orders */
    size_t pending[SIDES]; /* bytes in the channel that are not on their way yet */
    struct order *orders, **last_order;
    struct rule *rules;
    struct queue messages, packets;
    uint64_t forgotten; /* commands since messages were taken for the last time */
    bool held;          /* a command waits for hyperstart_mock_answer() */
    bool working;       /* `self` is the worker */
    pthread_t self;
    int wake; /* an eventfd */

    /* The worker's. */
    pthread_t thread;
    struct loop *loop;
    struct watch *wake_watch;
    struct side sides[SIDES];
    bool over;          /* what is closed now is not closed by the client */
    uint64_t number;    /* commands received */
    bool header_told;   /* NEXT was sent for the header of the frame that is coming */
    bool waiting;       /* a command is not answered yet; no other is looked at before */
    uint32_t due_code;  /* its code */
    struct answer *due; /* its answer, if only its time has not come */
    struct timer *delay;
};

/* ---- log.c ---- */
void mock_log(const struct hyperstart_mock *mock, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mock_log_bytes(const struct hyperstart_mock *mock, const uint8_t *bytes, size_t length);

/* ---- wait.c: under the lock ---- */
struct wait {
    int timeout_ms;
    struct timespec end;
};
struct wait wait_for(int timeout_ms);
/* Waits until something has changed. 0, or an errno: ETIMEDOUT, EDEADLK (the worker cannot wait for itself),
 * ESHUTDOWN. */
int wait_change(struct hyperstart_mock *mock, const struct wait *wait);
/* The same for what is to come from that side; EPIPE if nothing more does. */
int wait_more(struct hyperstart_mock *mock, enum hyperstart_mock_channel side, const struct wait *wait);
void mock_changed(struct hyperstart_mock *mock);
/* 0 for 0; else -1 with that errno. Gives the lock back. */
int mock_unlock(struct hyperstart_mock *mock, int error);

/* ---- queue.c ---- */
struct item *item_new(const uint8_t *bytes, size_t length);
void queue_add(struct queue *queue, struct item *item);
struct item *queue_take(struct queue *queue); /* NULL if it is empty */
void queue_free(struct queue *queue);

/* ---- answer.c ---- */
bool answer_fits(const struct hyperstart_mock_answer *answer);
struct answer *answer_copy(const struct hyperstart_mock_answer *answer);
struct answer *answer_default(uint32_t code);
void answer_free(struct answer *answer);
/* What is to be answered to the command that has come. Takes the lock. */
struct answer *rules_apply(struct hyperstart_mock *mock, uint32_t code);
void rules_free(struct rule *rules);

/* ---- send.c ---- */
/* Leaves it for the worker; under the lock. */
void order_leave(struct hyperstart_mock *mock, struct order *order);
void order_free(struct order *order);

/* ---- commands.c, packets.c: the worker's. Take what has arrived, as far as it may go on; true if it may
 * not, for now. ---- */
bool commands_work(struct hyperstart_mock *mock);
bool packets_work(struct hyperstart_mock *mock);
/* The answer that a command was held for. */
void commands_answer(struct hyperstart_mock *mock, struct answer *answer);
void commands_forget(struct hyperstart_mock *mock); /* the one that was not answered yet */

/* ---- worker.c ---- */
void *worker_run(void *mock);
int worker_prepare(struct hyperstart_mock *mock, struct error **ret); /* what the thread needs */
void worker_clean_up(struct hyperstart_mock *mock);
/* From the worker only: */
void side_send(struct side *side, const struct buffer *frame); /* takes the lock */
void side_send_locked(struct side *side, const struct buffer *frame);
void side_close(struct side *side);
void side_work(struct side *side);
void sides_broken(struct side *side, const struct error *why); /* what came is no frame */
