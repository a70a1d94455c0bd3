/* What a resolver helper was asked: its side tells it in batches, sippod's side logs and counts it. */
#pragma once

#include "netns/resolver/resolver.h"
#include "src/base/log.h"
#include "src/report/results.h"
#include "src/run/helper.h"

struct question {
    enum {
        QUESTION_ANSWERED,
        QUESTION_DROPPED, /* it was malformed */
        QUESTION_REFUSED, /* by whoever decides who may ask; only the address means something */
    } kind;
    struct answer_note note;
    uint8_t from[sizeof(struct in6_addr)]; /* address */
    bool six, udp;
};

/* ---- the helper's side ---- */

#define QUESTIONS_MOST 50 /* in one message, which is an array of them */
_Static_assert(QUESTIONS_MOST * sizeof(struct question) <= HELPER_MOST, "a message holds it");

struct question_batch {
    struct question list[QUESTIONS_MOST];
    size_t count;
};

/* Callbacks of a resolver, whose user is the batch. */
void question_answered(void *user, const struct sockaddr_storage *from, bool udp,
                       const struct answer_note *note);
void question_dropped(void *user);
void question_batch_send(void *user);

void question_refused(struct question_batch *batch, const struct sockaddr_storage *from);

/* ---- sippod's side ---- */

struct questions; /* of a test */

/* The log stays the caller's, and has to live longer. */
struct questions *questions_new(struct log *log);
void questions_take(struct questions *questions, const struct question *question);

/* Calls fn for each question of a message. */
void questions_each(const unsigned char *data, size_t length,
                    void (*fn)(void *user, const struct question *question), void *user);

/* Puts what was asked into the result; frees. NULL is fine. */
void questions_end(struct questions *questions, struct test_result *result);
