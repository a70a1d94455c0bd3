/* The two channels, and how fast they are read. What the client does not read waits here, and so do the
 * commands of a client that does not read: memory stays bounded, and nothing is lost. */
#include <string.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"

#define OUTPUT_HIGH  ((size_t)1024 * 1024) /* bytes of output that may wait: above it, pipes fill up */
#define ANSWERS_HIGH ((size_t)1024 * 1024) /* bytes of answers */

bool channels_output_full(const struct agent *agent)
{
    return channel_pending(agent->io) > OUTPUT_HIGH;
}

/* Ends and statuses of processes, and answers to data for nobody, come on top of their output. */
static bool is_client_deaf(const struct agent *agent)
{
    return channel_pending(agent->io) > 2 * OUTPUT_HIGH || channel_pending(agent->ctl) > ANSWERS_HIGH;
}

void channels_update(struct agent *agent)
{
    channel_pause(agent->io, agent->input_full || is_client_deaf(agent));
    channel_pause(agent->ctl, agent->busy || is_client_deaf(agent));
}

/* A frame is taken off the wire when it is whole; what has been read is acknowledged at once with NEXT, which
 * is how a client that sends piecemeal knows when to go on. */
static ptrdiff_t ctl_received(void *user, const uint8_t *data, size_t length, size_t fresh,
                              struct error **ret)
{
    struct agent *agent = user;
    struct ctl_frame frame;
    cleanup_buffer struct buffer next = {0};
    size_t used;
    int result;

    if (fresh) {
        ctl_encode_next(&next, (uint32_t)fresh);
        channel_send(agent->ctl, next.data, next.length);
    }
    result = ctl_decode(data, length, &frame, &used, ret);
    if (result < 0 && ret && *ret)
        agent_send(agent, CTL_ERROR, error_text(*ret), strlen(error_text(*ret)));
    if (result <= 0)
        return result;
    agent->callbacks->command(agent, &frame);
    return (ptrdiff_t)used;
}

static ptrdiff_t io_received(void *user, const uint8_t *data, size_t length, size_t fresh, struct error **ret)
{
    struct agent *agent = user;
    struct io_frame frame;
    size_t used;
    int result = io_decode(data, length, &frame, &used, ret);

    (void)fresh;
    if (result <= 0)
        return result;
    agent->callbacks->input(agent, frame.sequence, frame.payload, frame.length);
    return (ptrdiff_t)used;
}

/* Without its client the pod has no purpose: the agent ends, and every process of the pod with it. */
static void on_closed(void *user, const struct error *why)
{
    struct agent *agent = user;

    (void)why;
    loop_quit(agent->loop);
}

static void ctl_drained(void *user)
{
    channels_update(user);
}

static void io_drained(void *user)
{
    struct agent *agent = user;

    agent->callbacks->drained(agent);
    channels_update(agent);
}

static const struct channel_callbacks ctl_callbacks = {
    .received = ctl_received,
    .closed = on_closed,
    .drained = ctl_drained,
};
static const struct channel_callbacks io_callbacks = {
    .received = io_received,
    .closed = on_closed,
    .drained = io_drained,
};

int channels_open(struct agent *agent, int ctl, int io, const struct channels_callbacks *callbacks,
                  struct error **ret)
{
    agent->callbacks = callbacks;
    agent->ctl = channel_new(agent->loop, ctl, &ctl_callbacks, agent, ret);
    if (!agent->ctl)
        return -1;
    agent->io = channel_new(agent->loop, io, &io_callbacks, agent, ret);
    return agent->io ? 0 : -1;
}

void channels_close(struct agent *agent)
{
    channel_free(agent->ctl);
    channel_free(agent->io);
}

void agent_send(struct agent *agent, uint32_t code, const void *payload, size_t length)
{
    cleanup_buffer struct buffer frame = {0};

    ctl_encode(&frame, code, payload, length);
    channel_send(agent->ctl, frame.data, frame.length);
    if (is_client_deaf(agent))
        channels_update(agent);
}

void agent_event(struct agent *agent, const struct event_message *event)
{
    cleanup_free char *json = agent->events ? event_message_encode(event) : NULL;

    if (json)
        agent_send(agent, CTL_PROCESSASYNCEVENT, json, strlen(json));
}

void agent_output(struct agent *agent, uint64_t sequence, const void *data, size_t length)
{
    cleanup_buffer struct buffer frame = {0};

    io_encode(&frame, sequence, data, length);
    channel_send(agent->io, frame.data, frame.length);
    if (is_client_deaf(agent))
        channels_update(agent);
}
