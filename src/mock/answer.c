/* How commands are answered: what was set, and what is the default. */
#include <endian.h>
#include <errno.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

bool answer_fits(const struct hyperstart_mock_answer *answer)
{
    return !answer || answer->length <= FRAME_MOST - CTL_HEADER;
}

struct answer *answer_copy(const struct hyperstart_mock_answer *answer)
{
    struct answer *copy = memory_new(sizeof *copy);

    *copy = (struct answer){.reply = answer->reply, .delay_ms = answer->delay_ms};
    buffer_add(&copy->payload, answer->payload, answer->length);
    return copy;
}

struct answer *answer_default(uint32_t code)
{
    struct answer *answer = memory_new(sizeof *answer);
    uint32_t version = htobe32(API_VERSION);

    if (code == CTL_GETVERSION)
        buffer_add(&answer->payload, &version, sizeof version);
    if (!ctl_is_known(code)) {
        answer->reply = HYPERSTART_MOCK_ERROR;
        buffer_addf(&answer->payload, "unknown command %u", code);
    }
    return answer;
}

void answer_free(struct answer *answer)
{
    if (!answer)
        return;
    buffer_free(&answer->payload);
    free(answer);
}

/* ---- rules ---- */

static void rule_remove(struct rule **place)
{
    struct rule *rule = *place;

    *place = rule->next;
    answer_free(rule->answer);
    free(rule);
}

static struct answer *again(const struct answer *answer)
{
    return answer_copy(&(struct hyperstart_mock_answer){
        .reply = answer->reply,
        .delay_ms = answer->delay_ms,
        .payload = answer->payload.data,
        .length = answer->payload.length,
    });
}

/* Counts a command of that code; NULL if nothing is said of it. */
static struct answer *apply(struct rule **place, uint32_t code)
{
    struct answer *every = NULL, *this_one = NULL;

    while (*place) {
        struct rule *rule = *place;

        if (rule->code == code && !rule->nth)
            every = rule->answer;
        if (rule->code == code && rule->nth && --rule->nth == 0) {
            this_one = steal_pointer(&rule->answer);
            rule_remove(place);
        } else
            place = &rule->next;
    }
    if (this_one)
        return this_one;
    return every ? again(every) : NULL;
}

struct answer *rules_apply(struct hyperstart_mock *mock, uint32_t code)
{
    struct answer *answer;

    pthread_mutex_lock(&mock->lock);
    answer = apply(&mock->rules, code);
    if (!answer)
        answer = apply(&mock->rules, HYPERSTART_MOCK_EVERY_CODE);
    pthread_mutex_unlock(&mock->lock);
    return answer ? answer : answer_default(code);
}

void rules_free(struct rule *rules)
{
    while (rules)
        rule_remove(&rules);
}

int hyperstart_mock_set_answer(struct hyperstart_mock *mock, uint32_t code, unsigned nth,
                               const struct hyperstart_mock_answer *answer)
{
    if (!answer_fits(answer)) {
        errno = EMSGSIZE;
        return -1;
    }
    pthread_mutex_lock(&mock->lock);
    for (struct rule **place = &mock->rules; *place;) {
        if ((*place)->code == code && (!answer || (*place)->nth == nth))
            rule_remove(place);
        else
            place = &(*place)->next;
    }
    if (answer) {
        struct rule *rule = memory_new(sizeof *rule);

        *rule = (struct rule){.code = code, .nth = nth, .answer = answer_copy(answer), .next = mock->rules};
        mock->rules = rule;
    }
    return mock_unlock(mock, 0);
}

int hyperstart_mock_answer(struct hyperstart_mock *mock, const struct hyperstart_mock_answer *answer)
{
    struct order *order;

    if (!answer_fits(answer) || (answer && answer->reply == HYPERSTART_MOCK_HOLD)) {
        errno = answer_fits(answer) ? EINVAL : EMSGSIZE;
        return -1;
    }
    pthread_mutex_lock(&mock->lock);
    if (!mock->held)
        return mock_unlock(mock, mock->phase == RUNNING ? EAGAIN : ESHUTDOWN);
    mock->held = false;
    order = memory_new(sizeof *order);
    *order = (struct order){.kind = ORDER_ANSWER, .answer = answer ? answer_copy(answer) : NULL};
    order_leave(mock, order);
    return mock_unlock(mock, 0);
}
