/* The one thread of a mock: it accepts a client on each socket, moves what goes over the channels, and does
 * what it is ordered to.
 *
 * A channel hands over all that has arrived at once; what of it can be taken only later waits in the side, so
 * that nothing is lost when the client leaves meanwhile. A channel is closed by shutting its socket down: its
 * end then comes as an event, like that of the client. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

static const char *const names[SIDES] = {"ctl", "io"};

/* ---- sides ---- */

static void told(struct side *side)
{
    side->mock->pending[side->which] = channel_pending(side->channel);
    mock_changed(side->mock);
}

void side_send_locked(struct side *side, const struct buffer *frame)
{
    if (side->closing || !frame->length)
        return;
    channel_send(side->channel, frame->data, frame->length);
    told(side);
}

void side_send(struct side *side, const struct buffer *frame)
{
    pthread_mutex_lock(&side->mock->lock);
    side_send_locked(side, frame);
    pthread_mutex_unlock(&side->mock->lock);
}

/* Takes what can be taken now. The client has to wait while that is not all. */
void side_work(struct side *side)
{
    struct hyperstart_mock *mock = side->mock;
    bool stop = side->which == HYPERSTART_MOCK_CTL ? commands_work(mock) : packets_work(mock);

    channel_pause(side->channel, stop || side->closing);
    if (!side->ended || stop)
        return;
    pthread_mutex_lock(&mock->lock);
    mock->finished[side->which] = true;
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
}

void side_close(struct side *side)
{
    struct hyperstart_mock *mock = side->mock;

    if (side->closing || side->ended)
        return;
    mock_log(mock, "%s: closing", names[side->which]);
    side->closing = true;
    if (side->which == HYPERSTART_MOCK_CTL)
        commands_forget(mock);
    pthread_mutex_lock(&mock->lock);
    mock->closed[side->which] = true;
    if (side->which == HYPERSTART_MOCK_CTL)
        mock->held = false;
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
    if (!channel_pending(side->channel))
        (void)shutdown(side->fd, SHUT_RDWR);
}

void sides_broken(struct side *side, const struct error *why)
{
    struct hyperstart_mock *mock = side->mock;
    cleanup_buffer struct buffer frame = {0};

    mock_log(mock, "%s: --> %s", names[side->which], error_text(why));
    if (side->which == HYPERSTART_MOCK_CTL) {
        ctl_encode(&frame, CTL_ERROR, error_text(why), strlen(error_text(why)));
        side_send(side, &frame);
    }
    for (size_t i = 0; i < SIDES; i++)
        side_close(&mock->sides[i]);
}

/* The client has closed one channel: of the other one, what is on its way is still taken. */
static void client_left(struct side *side)
{
    struct hyperstart_mock *mock = side->mock;
    struct side *other = &mock->sides[!side->which];

    mock_log(mock, "%s: closed by the client", names[side->which]);
    pthread_mutex_lock(&mock->lock);
    memset(mock->closed, true, sizeof mock->closed);
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
    if (!other->closing && !other->ended)
        (void)shutdown(other->fd, SHUT_RD);
}

static ptrdiff_t on_received(void *user, const uint8_t *data, size_t length, size_t fresh, struct error **ret)
{
    struct side *side = user;

    (void)fresh;
    (void)ret;
    if (!side->closing) {
        buffer_add(&side->in, data, length);
        side_work(side);
    }
    return (ptrdiff_t)length;
}

static void on_closed(void *user, const struct error *why)
{
    struct side *side = user;

    (void)why; /* whatever it is, the client is gone */
    side->ended = true;
    if (!side->closing) {
        const struct buffer *rest = channel_rest(side->channel);

        buffer_add(&side->in, rest->data, rest->length);
        if (!side->mock->over)
            client_left(side);
    }
    (void)shutdown(side->fd, SHUT_RDWR); /* so that the client sees it, if it is not gone */
    side_work(side);
}

static void on_drained(void *user)
{
    struct side *side = user;

    pthread_mutex_lock(&side->mock->lock);
    told(side);
    pthread_mutex_unlock(&side->mock->lock);
    if (side->closing)
        (void)shutdown(side->fd, SHUT_RDWR);
    else
        side_work(side);
}

static const struct channel_callbacks callbacks = {
    .received = on_received,
    .closed = on_closed,
    .drained = on_drained,
};

/* ---- the client comes ---- */

static int open_channels(struct hyperstart_mock *mock)
{
    struct side *ctl = &mock->sides[HYPERSTART_MOCK_CTL], *io = &mock->sides[HYPERSTART_MOCK_IO];
    cleanup_error struct error *error = NULL;

    ctl->channel = channel_new(mock->loop, ctl->fd, &callbacks, ctl, &error);
    io->channel = channel_new(mock->loop, io->fd, &callbacks, io, error ? NULL : &error);
    if (ctl->channel && io->channel)
        return 0;
    mock_log(mock, "%s", error_text(error));
    for (size_t i = 0; i < SIDES; i++) {
        channel_free(steal_pointer(&mock->sides[i].channel));
        mock->sides[i].fd = -1;
    }
    return -1;
}

static void connected(struct hyperstart_mock *mock)
{
    cleanup_buffer struct buffer ready = {0};

    if (open_channels(mock) < 0)
        return;
    if (mock->options.ready) {
        ctl_encode(&ready, CTL_READY, NULL, 0);
        side_send(&mock->sides[HYPERSTART_MOCK_CTL], &ready);
    }
    pthread_mutex_lock(&mock->lock);
    mock->connected = true;
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
}

/* One client only: whoever comes later is refused. */
static void on_client(void *user, uint32_t events)
{
    struct side *side = user;
    struct hyperstart_mock *mock = side->mock;

    (void)events;
    side->fd = accept4(side->listener, NULL, NULL, SOCK_CLOEXEC);
    if (side->fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    if (side->fd < 0)
        mock_log(mock, "%s: cannot accept: %s", mock->paths[side->which], strerror(errno));
    else
        mock_log(mock, "%s: accepted connection", mock->paths[side->which]);
    watch_stop(&side->watch);
    close_fd(&side->listener);
    if (mock->sides[0].fd >= 0 && mock->sides[1].fd >= 0)
        connected(mock);
}

/* ---- orders ---- */

static void execute(struct hyperstart_mock *mock, struct order *order)
{
    struct side *side = &mock->sides[order->side];

    switch (order->kind) {
    case ORDER_SEND:
        mock_log(mock, "%s", order->log);
        side_send(side, &order->frame);
        break;
    case ORDER_CLOSE:
        side_close(side);
        break;
    case ORDER_ANSWER:
        commands_answer(mock, steal_pointer(&order->answer));
        break;
    }
}

static struct order *take_orders(struct hyperstart_mock *mock)
{
    struct order *orders;

    pthread_mutex_lock(&mock->lock);
    orders = steal_pointer(&mock->orders);
    mock->last_order = &mock->orders;
    for (size_t i = 0; i < SIDES; i++) { /* on their way until they have been sent */
        mock->pending[i] += mock->ordered[i];
        mock->ordered[i] = 0;
    }
    pthread_mutex_unlock(&mock->lock);
    return orders;
}

static void on_wake(void *user, uint32_t events)
{
    struct hyperstart_mock *mock = user;
    struct order *orders;
    eventfd_t count;

    (void)events;
    (void)eventfd_read(mock->wake, &count); /* first: an order that comes behind it wakes again */
    orders = take_orders(mock);
    while (orders) {
        struct order *order = orders;

        orders = order->next;
        execute(mock, order);
        order_free(order);
    }
    if (mock->sides[0].channel) {
        pthread_mutex_lock(&mock->lock);
        told(&mock->sides[0]);
        told(&mock->sides[1]);
        pthread_mutex_unlock(&mock->lock);
        side_work(&mock->sides[HYPERSTART_MOCK_IO]); /* somebody may have made room for packets */
    }
    pthread_mutex_lock(&mock->lock);
    if (mock->phase == STOPPING)
        loop_quit(mock->loop);
    pthread_mutex_unlock(&mock->lock);
}

/* ---- the thread ---- */

/* What the client has sent until now. That it can send no more bounds it. */
static void take_the_rest(struct hyperstart_mock *mock)
{
    mock->over = true;
    for (size_t i = 0; i < SIDES; i++) {
        struct side *side = &mock->sides[i];

        if (!side->channel || side->closing || side->ended)
            continue;
        (void)shutdown(side->fd, SHUT_RD);
        channel_drain(side->channel);
    }
}

void *worker_run(void *user)
{
    struct hyperstart_mock *mock = user;
    cleanup_error struct error *error = NULL;

    pthread_mutex_lock(&mock->lock);
    mock->self = pthread_self();
    mock->working = true;
    pthread_mutex_unlock(&mock->lock);
    mock_log(mock, "start");
    for (size_t i = 0; i < SIDES; i++)
        mock_log(mock, "%s: waiting for connection", mock->paths[i]);
    if (loop_run(mock->loop, &error) < 0)
        mock_log(mock, "%s", error_text(error));
    take_the_rest(mock);
    pthread_mutex_lock(&mock->lock);
    mock->working = false;
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
    return NULL;
}

static int prepare_side(struct side *side, struct error **ret)
{
    struct hyperstart_mock *mock = side->mock;

    side->listener = socket_listen(mock->paths[side->which], &side->file, ret);
    if (side->listener < 0)
        return -1;
    side->watch = loop_watch(mock->loop, side->listener, EPOLLIN, on_client, side, ret);
    return side->watch ? 0 : -1;
}

int worker_prepare(struct hyperstart_mock *mock, struct error **ret)
{
    mock->over = false;
    mock->number = 0;
    mock->header_told = false;
    mock->last_order = &mock->orders;
    for (size_t i = 0; i < SIDES; i++)
        mock->sides[i] =
            (struct side){.mock = mock, .which = (enum hyperstart_mock_channel)i, .listener = -1, .fd = -1};
    mock->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mock->wake < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make an eventfd");
    mock->loop = loop_new(ret);
    if (!mock->loop)
        return -1;
    mock->wake_watch = loop_watch(mock->loop, mock->wake, EPOLLIN, on_wake, mock, ret);
    if (!mock->wake_watch || prepare_side(&mock->sides[0], ret) < 0)
        return -1;
    return prepare_side(&mock->sides[1], ret);
}

static void clean_up_side(struct side *side)
{
    watch_stop(&side->watch);
    if (side->channel)
        channel_free(side->channel); /* it closes fd */
    else
        close_fd(&side->fd);
    side->channel = NULL;
    side->fd = -1;
    close_fd(&side->listener);
    buffer_free(&side->in);
    socket_file_remove(&side->file);
}

void worker_clean_up(struct hyperstart_mock *mock)
{
    while (mock->orders) {
        struct order *order = mock->orders;

        mock->orders = order->next;
        order_free(order);
    }
    commands_forget(mock);
    mock->held = false;
    for (size_t i = 0; i < SIDES; i++)
        clean_up_side(&mock->sides[i]);
    watch_stop(&mock->wake_watch);
    loop_free(mock->loop);
    mock->loop = NULL;
    close_fd(&mock->wake);
}
