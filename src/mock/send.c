/* What is sent to the client: orders for the worker. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"
#include "src/wire/message.h"

void order_free(struct order *order)
{
    buffer_free(&order->frame);
    free(order->log);
    answer_free(order->answer);
    free(order);
}

void order_leave(struct hyperstart_mock *mock, struct order *order)
{
    mock->ordered[order->side] += order->frame.length;
    *mock->last_order = order;
    mock->last_order = &order->next;
    (void)eventfd_write(mock->wake, 1); /* fails only once it is at 2^64 */
}

static bool must_wait(const struct hyperstart_mock *mock, enum hyperstart_mock_channel side)
{
    return !mock->connected ||
           (!mock->closed[side] && mock->ordered[side] + mock->pending[side] >= SEND_MOST);
}

/* Takes the order. */
static int submit(struct hyperstart_mock *mock, struct order *order)
{
    struct wait wait = wait_for(mock->options.send_wait_ms ? mock->options.send_wait_ms : -1);
    int error = 0;

    pthread_mutex_lock(&mock->lock);
    if (mock->phase != RUNNING)
        error = ESHUTDOWN;
    while (!error && must_wait(mock, order->side))
        error = wait_change(mock, &wait);
    if (!error && mock->closed[order->side])
        error = EPIPE;
    if (error)
        order_free(order);
    else
        order_leave(mock, order);
    return mock_unlock(mock, error);
}

static int too_long(void)
{
    errno = EMSGSIZE;
    return -1;
}

int hyperstart_mock_send_message(struct hyperstart_mock *mock, uint32_t code, const void *payload,
                                 size_t length)
{
    struct order *order;

    if (length > FRAME_MOST - CTL_HEADER)
        return too_long();
    order = memory_new(sizeof *order);
    *order = (struct order){.kind = ORDER_SEND, .side = HYPERSTART_MOCK_CTL};
    order->log = text_format("ctl: <-- message %s, payload_len=%zu", ctl_name(code), length);
    ctl_encode(&order->frame, code, payload, length);
    return submit(mock, order);
}

int hyperstart_mock_send_event(struct hyperstart_mock *mock, const char *container, const char *process,
                               const char *event, const char *info, int status)
{
    const struct event_message message = {
        .container = (char *)container,
        .process = (char *)process,
        .event = (char *)event,
        .info = (char *)info,
        .status = status,
    };
    cleanup_free char *json = event_message_encode(&message);

    return hyperstart_mock_send_message(mock, CTL_PROCESSASYNCEVENT, json, strlen(json));
}

int hyperstart_mock_send_io(struct hyperstart_mock *mock, uint64_t sequence, const void *data, size_t length)
{
    struct order *order;

    if (length > FRAME_MOST - IO_HEADER)
        return too_long();
    order = memory_new(sizeof *order);
    *order = (struct order){.kind = ORDER_SEND, .side = HYPERSTART_MOCK_IO};
    order->log = text_format("io: <-- writing %zu bytes for seq %" PRIu64, length, sequence);
    io_encode(&order->frame, sequence, data, length);
    return submit(mock, order);
}

int hyperstart_mock_send_io_string(struct hyperstart_mock *mock, uint64_t sequence, const char *text)
{
    return hyperstart_mock_send_io(mock, sequence, text, strlen(text));
}

int hyperstart_mock_close_io(struct hyperstart_mock *mock, uint64_t sequence)
{
    return hyperstart_mock_send_io(mock, sequence, NULL, 0);
}

int hyperstart_mock_send_exit_status(struct hyperstart_mock *mock, uint64_t sequence, uint8_t status)
{
    return hyperstart_mock_send_io(mock, sequence, &status, sizeof status);
}

int hyperstart_mock_close(struct hyperstart_mock *mock, enum hyperstart_mock_channel channel)
{
    struct order *order = memory_new(sizeof *order);

    *order = (struct order){.kind = ORDER_CLOSE, .side = channel};
    return submit(mock, order);
}
