#include "src/wire/client.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/channel.h"
#include "src/base/memory.h"

#define INPUT_PIECE ((size_t)64 * 1024)

struct pending {
    uint32_t code;
    void (*reply)(void *user, const struct error *error, const uint8_t *payload, size_t length);
    void *user;
    struct pending *next;
};

struct stream {
    uint64_t sequence;
    void (*data)(void *user, const uint8_t *data, size_t length);
    void (*ended)(void *user, int status);
    void *user;
    bool finished; /* its end has come: the next message is the exit status */
    struct stream *next;
};

struct wire_client {
    struct loop *loop;
    struct channel *ctl, *io;
    const struct wire_client_callbacks *callbacks;
    void *user;
    struct pending *first, **last; /* commands without an answer yet, oldest first */
    struct stream *streams;
    uint64_t sequence;
    bool ready, closed;
    int64_t limit_ms;    /* for what is waited for, 0: none */
    struct timer *clock; /* runs while something is */
    char *last_words;    /* an ERROR that answered nothing: why the agent is about to end */
    bool *freed;         /* set when the client is freed while one of its callbacks runs */
};

static void on_late(void *user);

/* READY or the oldest command, whose turn it is, is waited for from now on. */
static void restart_clock(struct wire_client *client)
{
    timer_stop(&client->clock);
    if (client->limit_ms && !client->closed && (client->first || !client->ready))
        client->clock = loop_after(client->loop, client->limit_ms, on_late, client);
}

static void answer(struct wire_client *client, const struct error *error, const uint8_t *payload,
                   size_t length)
{
    struct pending *pending = client->first;

    if (!pending)
        return; /* an answer to nothing: harmless */
    client->first = pending->next;
    if (!client->first)
        client->last = &client->first;
    restart_clock(client);
    if (pending->reply)
        pending->reply(pending->user, error, payload, length);
    free(pending);
}

static int take_event(struct wire_client *client, const struct ctl_frame *frame, struct error **ret)
{
    struct event_message event = {0};
    int result = event_message_decode(frame->payload, frame->length, &event, ret);

    if (result == 0)
        client->callbacks->event(client->user, &event);
    event_message_free(&event);
    return result < 0 ? error_prefix(ret, "the agent sent a wrong event") : 0;
}

static void take_error(struct wire_client *client, const struct ctl_frame *frame)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *text = text_printable((const char *)frame->payload, frame->length);

    if (!client->first) {
        free(client->last_words);
        client->last_words = steal_pointer(&text);
        return;
    }
    error_set(&error, ERROR_FAILED, "%s", *text ? text : "the agent refused a command");
    answer(client, error, NULL, 0);
}

static int take_frame(struct wire_client *client, const struct ctl_frame *frame, struct error **ret)
{
    switch (frame->code) {
    case CTL_NEXT: /* an acknowledgement of bytes, for clients that send piecemeal */
        return 0;
    case CTL_READY:
        client->ready = true;
        restart_clock(client);
        client->callbacks->ready(client->user);
        return 0;
    case CTL_ACK:
        answer(client, NULL, frame->payload, frame->length);
        return 0;
    case CTL_ERROR:
        take_error(client, frame);
        return 0;
    case CTL_PROCESSASYNCEVENT:
        return take_event(client, frame, ret);
    default:
        return error_set(ret, ERROR_FAILED, "the agent sent a %s (%u)", ctl_name(frame->code), frame->code);
    }
}

static ptrdiff_t ctl_received(void *user, const uint8_t *data, size_t length, size_t fresh,
                              struct error **ret)
{
    struct wire_client *client = user;
    struct ctl_frame frame;
    size_t used;
    int result = ctl_decode(data, length, &frame, &used, ret);

    (void)fresh;
    if (result <= 0)
        return result;
    return take_frame(client, &frame, ret) < 0 ? -1 : (ptrdiff_t)used;
}

static struct stream **find_stream(struct wire_client *client, uint64_t sequence)
{
    struct stream **place = &client->streams;

    while (*place && (*place)->sequence != sequence)
        place = &(*place)->next;
    return place;
}

static void take_output(struct wire_client *client, const struct io_frame *frame)
{
    struct stream **place = find_stream(client, frame->sequence);
    struct stream *stream = *place;

    if (!stream)
        return;
    if (!stream->finished && frame->length) {
        stream->data(stream->user, frame->payload, frame->length);
        return;
    }
    if (!stream->finished && stream->ended) {
        stream->finished = true;
        return;
    }
    *place = stream->next;
    if (stream->ended)
        stream->ended(stream->user, frame->length == 1 ? frame->payload[0] : 255);
    free(stream);
}

static ptrdiff_t io_received(void *user, const uint8_t *data, size_t length, size_t fresh, struct error **ret)
{
    struct io_frame frame;
    size_t used;
    int result = io_decode(data, length, &frame, &used, ret);

    (void)fresh;
    if (result <= 0)
        return result;
    take_output(user, &frame);
    return (ptrdiff_t)used;
}

/* False if one of those who are told frees the client, which sets `freed`. */
static bool answer_all(struct wire_client *client, const struct error *why, const bool *freed)
{
    timer_stop(&client->clock);
    while (!*freed && client->first)
        answer(client, why, NULL, 0);
    if (*freed)
        return false;
    client->freed = NULL;
    return true;
}

/* Tells everybody, the owner at last. `freed` is set when one of them frees the client. */
static void end(struct wire_client *client, const struct error *why, const bool *freed)
{
    free(client->last_words);
    client->last_words = text_copy(error_text(why));
    if (answer_all(client, why, freed))
        client->callbacks->closed(client->user, why);
}

/* Commands have been sent to an agent that was gone already: not in wire_client_send(), whose caller is not
 * done yet, but here they are answered with why it is gone. */
static void on_sent_after_end(void *user)
{
    struct wire_client *client = user;
    cleanup_error struct error *error = NULL;
    bool freed = false;

    client->clock = NULL;
    error_set(&error, ERROR_FAILED, "%s", client->last_words);
    client->freed = &freed;
    (void)answer_all(client, error, &freed);
}

/* Either channel's end is the end of both, once what the other one still holds has been told. */
static void on_closed(void *user, const struct error *why)
{
    struct wire_client *client = user;
    cleanup_error struct error *error = NULL;
    bool freed = false;

    if (client->closed)
        return; /* the other channel's end was told already */
    client->closed = true;
    client->freed = &freed;
    channel_drain(client->ctl);
    if (!freed)
        channel_drain(client->io);
    if (freed)
        return;
    error_set(&error, ERROR_FAILED, "%s",
              client->last_words ? client->last_words
              : why              ? error_text(why)
                                 : "the agent has ended");
    end(client, error, &freed);
}

/* Whatever it may say later comes too late. */
static void on_late(void *user)
{
    struct wire_client *client = user;
    cleanup_error struct error *error = NULL;
    double seconds = (double)client->limit_ms / 1000;
    bool freed = false;

    client->clock = NULL;
    client->closed = true;
    client->freed = &freed;
    channel_pause(client->ctl, true);
    channel_pause(client->io, true);
    if (client->ready)
        error_set(&error, ERROR_FAILED, "the agent did not answer %s within %g s",
                  ctl_name(client->first->code), seconds);
    else
        error_set(&error, ERROR_FAILED, "the agent did not say READY within %g s", seconds);
    end(client, error, &freed);
}

static void on_io_drained(void *user)
{
    struct wire_client *client = user;

    if (client->callbacks->input_sent)
        client->callbacks->input_sent(client->user);
}

static const struct channel_callbacks ctl_callbacks = {.received = ctl_received, .closed = on_closed};
static const struct channel_callbacks io_callbacks = {
    .received = io_received,
    .closed = on_closed,
    .drained = on_io_drained,
};

struct wire_client *wire_client_new(struct loop *loop, int ctl, int io,
                                    const struct wire_client_callbacks *callbacks, void *user,
                                    struct error **ret)
{
    struct wire_client *client = memory_new(sizeof *client);

    *client =
        (struct wire_client){.loop = loop, .callbacks = callbacks, .user = user, .last = &client->first};
    client->ctl = channel_new(loop, ctl, &ctl_callbacks, client, ret);
    client->io = channel_new(loop, io, &io_callbacks, client, client->ctl ? ret : NULL);
    if (!client->ctl || !client->io) {
        wire_client_free(client);
        return NULL;
    }
    return client;
}

void wire_client_free(struct wire_client *client)
{
    if (!client)
        return;
    if (client->freed)
        *client->freed = true;
    timer_stop(&client->clock);
    channel_free(client->ctl);
    channel_free(client->io);
    free(client->last_words);
    while (client->first) {
        struct pending *pending = client->first;

        client->first = pending->next;
        free(pending);
    }
    while (client->streams) {
        struct stream *stream = client->streams;

        client->streams = stream->next;
        free(stream);
    }
    free(client);
}

void wire_client_limit(struct wire_client *client, int64_t ms)
{
    client->limit_ms = ms;
    restart_clock(client);
}

void wire_client_send(struct wire_client *client, uint32_t code, const void *payload, size_t length,
                      void (*reply)(void *user, const struct error *error, const uint8_t *payload,
                                    size_t length),
                      void *user)
{
    struct pending *pending = memory_new(sizeof *pending);
    cleanup_buffer struct buffer frame = {0};

    *pending = (struct pending){.code = code, .reply = reply, .user = user};
    *client->last = pending;
    client->last = &pending->next;
    if (client->closed) {
        if (!client->clock)
            client->clock = loop_after(client->loop, 0, on_sent_after_end, client);
        return;
    }
    if (client->first == pending)
        restart_clock(client);
    ctl_encode(&frame, code, payload, length);
    channel_send(client->ctl, frame.data, frame.length);
}

void wire_client_ignore(struct wire_client *client, const void *user)
{
    for (struct pending *pending = client->first; pending; pending = pending->next)
        if (pending->user == user)
            pending->reply = NULL;
}

uint64_t wire_client_stream(struct wire_client *client,
                            void (*data)(void *user, const uint8_t *data, size_t length),
                            void (*ended)(void *user, int status), void *user)
{
    struct stream *stream = memory_new(sizeof *stream);

    *stream = (struct stream){
        .sequence = ++client->sequence,
        .data = data,
        .ended = ended,
        .user = user,
        .next = client->streams,
    };
    client->streams = stream;
    return stream->sequence;
}

void wire_client_input(struct wire_client *client, uint64_t sequence, const void *data, size_t length)
{
    do {
        size_t piece = length < INPUT_PIECE ? length : INPUT_PIECE;
        cleanup_buffer struct buffer frame = {0};

        io_encode(&frame, sequence, data, piece);
        channel_send(client->io, frame.data, frame.length);
        data = (const uint8_t *)data + piece;
        length -= piece;
    } while (length);
}

size_t wire_client_input_waiting(const struct wire_client *client)
{
    return channel_pending(client->io);
}

void wire_client_hold_output(struct wire_client *client, bool hold)
{
    channel_pause(client->io, hold);
}

void wire_client_forget(struct wire_client *client, uint64_t sequence)
{
    struct stream **place = find_stream(client, sequence);
    struct stream *stream = *place;

    if (!stream)
        return;
    *place = stream->next;
    free(stream);
}
