#include "src/run/questions.h"

#include <arpa/inet.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define COUNTED_MOST 10000 /* different questions in the results */

struct counted {
    char *name;
    uint16_t type, rcode;
    uint64_t count;
};

struct questions {
    struct log *log;
    void *counted; /* a tree, tsearch(3) */
    size_t counted_count;
    uint64_t dropped;
};

/* ---- the helper's side ---- */

void question_batch_send(void *user)
{
    struct question_batch *batch = user;

    if (batch->count)
        helper_say(batch->list, batch->count * sizeof *batch->list);
    batch->count = 0;
}

static void tell(struct question_batch *batch, const struct question *question)
{
    batch->list[batch->count++] = *question;
    if (batch->count == QUESTIONS_MOST)
        question_batch_send(batch);
}

static void set_from(struct question *question, const struct sockaddr_storage *from)
{
    question->six = from->ss_family == AF_INET6;
    if (question->six)
        memcpy(question->from, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(struct in6_addr));
    else
        memcpy(question->from, &((const struct sockaddr_in *)from)->sin_addr, sizeof(struct in_addr));
}

void question_answered(void *user, const struct sockaddr_storage *from, bool udp,
                       const struct answer_note *note)
{
    struct question question = {.kind = QUESTION_ANSWERED, .note = *note, .udp = udp};

    set_from(&question, from);
    tell(user, &question);
}

void question_dropped(void *user)
{
    tell(user, &(struct question){.kind = QUESTION_DROPPED});
}

void question_refused(struct question_batch *batch, const struct sockaddr_storage *from)
{
    struct question question = {.kind = QUESTION_REFUSED};

    set_from(&question, from);
    tell(batch, &question);
}

/* ---- sippod's side ---- */

struct questions *questions_new(struct log *log)
{
    struct questions *questions = memory_new(sizeof *questions);

    *questions = (struct questions){.log = log};
    return questions;
}

static int compare(const void *a, const void *b)
{
    const struct counted *left = a, *right = b;
    int names = strcmp(left->name, right->name);

    if (names)
        return names;
    if (left->type != right->type)
        return left->type < right->type ? -1 : 1;
    return (int)left->rcode - (int)right->rcode;
}

/* Takes the name. What is new when there are too many is not counted: a test may ask for anything. */
static void count(struct questions *questions, char *name, const struct answer_note *note)
{
    struct counted key = {.name = name, .type = note->type, .rcode = note->rcode}, *entry;
    struct counted **found = tfind(&key, &questions->counted, compare);

    if (found) {
        (*found)->count++;
        free(name);
        return;
    }
    if (questions->counted_count == COUNTED_MOST) {
        free(name);
        return;
    }
    entry = memory_new(sizeof *entry);
    *entry = key;
    entry->count = 1;
    if (!tsearch(entry, &questions->counted, compare))
        abort(); /* out of memory, as memory_new() ends too */
    if (++questions->counted_count == COUNTED_MOST)
        log_line(questions->log, LOG_LEVEL_WARNING, "dns: from here on new questions are not counted");
}

void questions_take(struct questions *questions, const struct question *question)
{
    struct answer_note note = question->note;
    cleanup_free char *asked = NULL, *type = NULL;
    char from[INET6_ADDRSTRLEN];

    if (question->kind != QUESTION_ANSWERED) {
        questions->dropped++;
        return;
    }
    asked = zone_name_text(note.name, note.name_length);
    type = zone_type_text(note.type);
    (void)inet_ntop(question->six ? AF_INET6 : AF_INET, question->from, from, sizeof from);
    log_output(questions->log, LOG_LEVEL_INFO, "dns: %s %s from %s (%s): %s, %u answer%s%s", type, asked,
               from, question->udp ? "UDP" : "TCP", answer_rcode_text(note.rcode), note.records,
               note.records == 1 ? "" : "s", note.truncated ? ", truncated" : "");
    zone_fold(note.name, note.name_length);
    count(questions, zone_name_text(note.name, note.name_length), &note);
}

void questions_each(const unsigned char *data, size_t length,
                    void (*fn)(void *user, const struct question *question), void *user)
{
    struct question question;

    for (; length >= sizeof question; data += sizeof question, length -= sizeof question) {
        memcpy(&question, data, sizeof question);
        fn(user, &question);
    }
}

static void add_result(const void *node, VISIT which, void *user)
{
    const struct counted *counted = *(struct counted *const *)node;
    struct test_result *result = user;

    if (which == postorder || which == leaf)
        result->dns[result->dns_count++] = (struct dns_result){
            .name = text_copy(counted->name),
            .type = zone_type_text(counted->type),
            .rcode = text_copy(answer_rcode_text(counted->rcode)),
            .count = counted->count,
        };
}

static void free_counted(void *user)
{
    struct counted *counted = user;

    free(counted->name);
    free(counted);
}

void questions_end(struct questions *questions, struct test_result *result)
{
    if (!questions)
        return;
    if (questions->dropped)
        log_line(questions->log, LOG_LEVEL_WARNING, "dns: %llu malformed packet%s dropped",
                 (unsigned long long)questions->dropped, questions->dropped == 1 ? " was" : "s were");
    result->dns = memory_array(result->dns, questions->counted_count, sizeof *result->dns);
    twalk_r(questions->counted, add_result, result);
    tdestroy(questions->counted, free_counted);
    free(questions);
}
