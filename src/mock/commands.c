/* Commands: received, noted down, answered. A command that is held or answered late stops the channel:
 * answers come in the order of the commands. */
#include <string.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

static struct side *ctl_of(struct hyperstart_mock *mock)
{
    return &mock->sides[HYPERSTART_MOCK_CTL];
}

static void tell_next(struct hyperstart_mock *mock, size_t bytes)
{
    cleanup_buffer struct buffer next = {0};

    ctl_encode_next(&next, (uint32_t)bytes);
    side_send(ctl_of(mock), &next);
}

static void log_command(const struct hyperstart_mock *mock, const struct ctl_frame *frame)
{
    if (ctl_is_known(frame->code))
        mock_log(mock, "ctl: --> command %s, payload_len=%zu", ctl_name(frame->code), frame->length);
    else
        mock_log(mock, "ctl: --> unknown command %u, payload_len=%zu", frame->code, frame->length);
    mock_log_bytes(mock, frame->payload, frame->length);
}

static void log_answer(const struct hyperstart_mock *mock, uint32_t code, const struct answer *answer)
{
    const char *name = ctl_name(code);
    cleanup_free char *words = NULL;

    switch (answer->reply) {
    case HYPERSTART_MOCK_ERROR:
        words = text_printable((const char *)answer->payload.data, answer->payload.length);
        mock_log(mock, "ctl: <-- command %s failed: %s", name, words);
        break;
    case HYPERSTART_MOCK_NEVER:
        mock_log(mock, "ctl: command %s is not answered", name);
        break;
    case HYPERSTART_MOCK_CLOSE:
        mock_log(mock, "ctl: command %s is answered by closing", name);
        break;
    default:
        mock_log(mock, "ctl: <-- command %s executed successfully", name);
    }
}

/* Beyond the bound the oldest are forgotten, but for the one that came last. */
static void keep(struct hyperstart_mock *mock, struct item *item)
{
    size_t most = mock->options.kept ? mock->options.kept : HYPERSTART_MOCK_KEPT;

    queue_add(&mock->messages, item);
    while (mock->messages.bytes > most && mock->messages.count > 1) {
        free(queue_take(&mock->messages));
        mock->forgotten++;
    }
}

/* Notes the command down (unless that was done already: NULL) and answers it, in one: whoever sees the one
 * sees the other. Takes both. */
static void settle(struct hyperstart_mock *mock, struct item *item, uint32_t code, struct answer *answer)
{
    bool ack = answer->reply == HYPERSTART_MOCK_ACK, error = answer->reply == HYPERSTART_MOCK_ERROR;
    cleanup_buffer struct buffer frame = {0};

    log_answer(mock, code, answer);
    if (ack || error)
        ctl_encode(&frame, ack ? CTL_ACK : CTL_ERROR, answer->payload.data, answer->payload.length);
    pthread_mutex_lock(&mock->lock);
    if (item)
        keep(mock, item);
    side_send_locked(ctl_of(mock), &frame);
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
    if (answer->reply == HYPERSTART_MOCK_CLOSE)
        for (size_t i = 0; i < SIDES; i++)
            side_close(&mock->sides[i]);
    answer_free(answer);
}

static void on_delay(void *user)
{
    struct hyperstart_mock *mock = user;

    mock->delay = NULL;
    mock->waiting = false;
    settle(mock, NULL, mock->due_code, steal_pointer(&mock->due));
    side_work(ctl_of(mock));
}

static void delay(struct hyperstart_mock *mock, struct answer *answer)
{
    mock->due = answer;
    mock->delay = loop_after(mock->loop, answer->delay_ms, on_delay, mock);
}

/* Notes it down, to be answered later. Takes both. */
static void put_off(struct hyperstart_mock *mock, struct item *item, struct answer *answer)
{
    bool hold = answer->reply == HYPERSTART_MOCK_HOLD;

    mock->waiting = true;
    mock->due_code = item->message.code;
    if (hold)
        answer_free(answer);
    else
        delay(mock, answer);
    pthread_mutex_lock(&mock->lock);
    mock->held = hold;
    keep(mock, item);
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
}

/* Who has left gets no answers, however many commands are still there. */
static struct answer *choose_answer(struct hyperstart_mock *mock, uint32_t code)
{
    static const struct hyperstart_mock_answer none = {.reply = HYPERSTART_MOCK_NEVER};

    return ctl_of(mock)->ended ? answer_copy(&none) : rules_apply(mock, code);
}

static void take_command(struct hyperstart_mock *mock, const struct ctl_frame *frame)
{
    struct item *item = item_new(frame->payload, frame->length);
    struct answer *answer = choose_answer(mock, frame->code);

    item->message = (struct hyperstart_mock_message){
        .number = ++mock->number,
        .code = frame->code,
        .length = frame->length,
        .payload = item->bytes,
    };
    log_command(mock, frame);
    if (answer->reply == HYPERSTART_MOCK_HOLD || answer->delay_ms)
        put_off(mock, item, answer);
    else
        settle(mock, item, frame->code, answer);
}

/* As much as one frame from what has arrived: the bytes that it took, 0 if it is not whole, -1 if it is none.
 * The header is acknowledged as soon as it is there, as by an agent that reads it on its own. */
static ptrdiff_t take_frame(struct hyperstart_mock *mock, const uint8_t *data, size_t length)
{
    cleanup_error struct error *error = NULL;
    struct ctl_frame frame;
    size_t used = 0;
    int result = ctl_decode(data, length, &frame, &used, &error);

    if (result < 0) {
        sides_broken(ctl_of(mock), error);
        return -1;
    }
    if (length >= CTL_HEADER && !mock->header_told) {
        mock->header_told = true;
        tell_next(mock, CTL_HEADER);
    }
    if (!result)
        return 0;
    mock->header_told = false;
    if (frame.length)
        tell_next(mock, frame.length);
    take_command(mock, &frame);
    return (ptrdiff_t)used;
}

static bool must_stop(const struct hyperstart_mock *mock, const struct side *ctl)
{
    return !ctl->closing && (mock->waiting || channel_pending(ctl->channel) >= SEND_MOST);
}

bool commands_work(struct hyperstart_mock *mock)
{
    struct side *ctl = ctl_of(mock);
    size_t done = 0;

    while (!ctl->closing && !must_stop(mock, ctl)) {
        ptrdiff_t used = take_frame(mock, ctl->in.data + done, ctl->in.length - done);

        if (used <= 0)
            break;
        done += (size_t)used;
    }
    buffer_drop(&ctl->in, ctl->closing ? ctl->in.length : done);
    return must_stop(mock, ctl);
}

void commands_answer(struct hyperstart_mock *mock, struct answer *answer)
{
    if (!mock->waiting || mock->due) { /* the channel was closed meanwhile */
        answer_free(answer);
        return;
    }
    if (!answer)
        answer = answer_default(mock->due_code);
    if (answer->delay_ms) {
        delay(mock, answer);
        return;
    }
    mock->waiting = false;
    settle(mock, NULL, mock->due_code, answer);
    side_work(ctl_of(mock));
}

void commands_forget(struct hyperstart_mock *mock)
{
    timer_stop(&mock->delay);
    answer_free(steal_pointer(&mock->due));
    mock->waiting = false;
}
