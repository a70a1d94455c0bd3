#include "netns/router/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/base/socket.h"

/* A request that was not answered yet. */
struct pending {
    struct pending *next;
    uint32_t type, serial;
    void (*done)(void *user, const struct error *error);
    void (*pod_done)(void *user, const struct error *error, const uint8_t mac[ROUTER_MAC_LENGTH]);
    void (*open_done)(void *user, const struct error *error, const struct network *network,
                      const char *device);
    void *user;
    bool sent;
    int failed; /* errno: it could not be sent, and waits to be told so from the loop */
    int fd;     /* to go with it; -1 if there is none, or once it has gone */
    size_t length;
    uint8_t bytes[ROUTER_REQUEST_MOST];
};

struct router_client {
    struct loop *loop;
    int fd;
    struct watch *watch; /* NULL once closed */
    struct timer *failing;
    uint32_t serial;
    struct pending *pending; /* in the order in which they were made and are sent */
    void (*closed)(void *user, const struct error *why);
    void *user;
};

static void pending_free(struct pending *pending)
{
    close_fd(&pending->fd);
    free(pending);
}

/* Nothing of the client is touched after this: the callback may have freed it. */
static void close_client(struct router_client *client, const struct error *why)
{
    watch_stop(&client->watch);
    client->closed(client->user, why);
}

/* The same goes for this one. `reply` is NULL if there is none. */
static void answer(struct pending *pending, const struct error *error, const struct router_reply *reply)
{
    if (pending->pod_done)
        pending->pod_done(pending->user, error, error ? NULL : reply->mac);
    else if (pending->open_done)
        pending->open_done(pending->user, error, error ? NULL : &reply->network,
                           error ? NULL : reply->device);
    else
        pending->done(pending->user, error);
    pending_free(pending);
}

/* A request that cannot be sent (too many open files, …) fails alone; its callback is called from the loop
 * like all others, not out of the function that made the request. One a round. */
static void tell_failed(void *user)
{
    struct router_client *client = user;
    struct pending **place = &client->pending, *pending;
    cleanup_error struct error *error = NULL;

    client->failing = NULL;
    while (*place && !(*place)->failed)
        place = &(*place)->next;
    pending = *place;
    if (!pending)
        return;
    *place = pending->next;
    client->failing = loop_after(client->loop, 0, tell_failed, client); /* perhaps there are more */
    error_sys(&error, ERROR_FAILED, pending->failed, "cannot send a request to sippod-router");
    answer(pending, error, NULL);
}

static void fail(struct router_client *client, struct pending *pending, int sys)
{
    pending->failed = sys;
    close_fd(&pending->fd);
    if (!client->failing)
        client->failing = loop_after(client->loop, 0, tell_failed, client);
}

/* Sends what waits, as far as the socket takes it. */
static void flush(struct router_client *client)
{
    bool full = false;

    for (struct pending *pending = client->pending; pending; pending = pending->next) {
        if (pending->sent || pending->failed)
            continue;
        if (socket_send(client->fd, pending->bytes, pending->length, pending->fd) == 0) {
            pending->sent = true;
            close_fd(&pending->fd);
            continue;
        }
        full = errno == EAGAIN;
        if (full || errno == EPIPE || errno == ECONNRESET) /* that it has ended is noticed by reading */
            break;
        fail(client, pending, errno);
    }
    watch_events(client->watch, EPOLLIN | (full ? (uint32_t)EPOLLOUT : 0));
}

/* Takes the request that this reply answers off the list; NULL if there is none. */
static struct pending *take_answered(struct router_client *client, const struct router_reply *reply)
{
    for (struct pending **place = &client->pending; *place; place = &(*place)->next) {
        struct pending *pending = *place;

        if (pending->serial != reply->serial)
            continue;
        if (pending->type != reply->type || !pending->sent)
            return NULL;
        *place = pending->next;
        return pending;
    }
    return NULL;
}

static void answer_with(struct pending *pending, const struct router_reply *reply)
{
    cleanup_error struct error *error = NULL;

    if (reply->status) {
        error_set(&error, (enum error_code)reply->status, "%s", reply->text);
        error->sys = (int)reply->sys;
    }
    answer(pending, error, reply);
}

/* 1: a reply; 0: none is there; -1: there will be no more, and why. */
static int read_reply(struct router_client *client, struct router_reply *reply, struct error **ret)
{
    uint8_t bytes[ROUTER_REPLY_LENGTH];
    ssize_t length = socket_receive(client->fd, bytes, sizeof bytes, NULL);

    if (length < 0 &&
        errno == ECONNRESET) /* it left requests unread; its last words are there all the same */
        length = socket_receive(client->fd, bytes, sizeof bytes, NULL);
    if (length < 0 && errno == EAGAIN)
        return 0;
    if (length == 0 || (length < 0 && errno == ECONNRESET))
        return error_set(ret, ERROR_FAILED, "sippod-router has ended");
    if (length < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot hear sippod-router");
    if (router_reply_decode(bytes, (size_t)length, reply, ret) < 0)
        return error_prefix(ret, "sippod-router sent");
    if (!reply->type && !reply->serial && reply->status) /* its last words */
        return error_set(ret, (enum error_code)reply->status, "sippod-router: %s", reply->text);
    return 1;
}

/* One reply a round, as its callback may free the client; the loop calls again if there are more. */
static void receive(struct router_client *client)
{
    cleanup_error struct error *error = NULL;
    struct router_reply reply = {0};
    struct pending *pending = NULL;
    int result = read_reply(client, &reply, &error);

    if (result == 0)
        return;
    if (result > 0)
        pending = take_answered(client, &reply);
    if (pending) {
        answer_with(pending, &reply);
        return;
    }
    if (!error)
        error_set(&error, ERROR_FAILED, "sippod-router answered what it was not asked");
    close_client(client, error);
}

static void on_event(void *user, uint32_t events)
{
    struct router_client *client = user;

    if (events & EPOLLOUT)
        flush(client);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(client);
}

struct router_client *router_client_new(struct loop *loop, int fd,
                                        void (*closed)(void *user, const struct error *why), void *user,
                                        struct error **ret)
{
    struct router_client *client = memory_new(sizeof *client);
    int flags = fcntl(fd, F_GETFL);

    *client = (struct router_client){.loop = loop, .fd = fd, .closed = closed, .user = user};
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        error_sys(ret, ERROR_FAILED, errno, "cannot use the socket to sippod-router");
    else
        client->watch = loop_watch(loop, fd, EPOLLIN, on_event, client, ret);
    if (client->watch)
        return client;
    router_client_free(client);
    return NULL;
}

void router_client_free(struct router_client *client)
{
    if (!client)
        return;
    watch_stop(&client->watch);
    timer_stop(&client->failing);
    while (client->pending) {
        struct pending *pending = client->pending;

        client->pending = pending->next;
        pending_free(pending);
    }
    close_fd(&client->fd);
    free(client);
}

/* Queues `request`, whose callback `pending` holds, and sends it if its turn has come. `failed`: an errno
 * value, it cannot be sent. */
static void ask(struct router_client *client, struct router_request request, int fd, int failed,
                struct pending pending)
{
    struct pending *added = memory_new(sizeof *added), **end = &client->pending;

    request.serial = ++client->serial;
    *added = pending;
    added->type = request.type;
    added->serial = request.serial;
    added->length = router_request_encode(&request, added->bytes);
    added->fd = fd;
    while (*end)
        end = &(*end)->next;
    *end = added;
    if (failed)
        fail(client, added, failed);
    else if (client->watch)
        flush(client);
}

static struct router_request pod_request(uint32_t type, const char *run_id)
{
    struct router_request request = {.type = type};

    memcpy(request.run_id, run_id, strnlen(run_id, ROUTER_RUN_ID_LENGTH));
    return request;
}

void router_client_hello(struct router_client *client, void (*done)(void *user, const struct error *error),
                         void *user)
{
    struct router_request request = {.type = ROUTER_HELLO, .version = ROUTER_PROTOCOL};

    ask(client, request, -1, 0, (struct pending){.done = done, .user = user});
}

void router_client_pod_add(struct router_client *client, const char *run_id, int netns,
                           void (*done)(void *user, const struct error *error,
                                        const uint8_t mac[ROUTER_MAC_LENGTH]),
                           void *user)
{
    int fd = fcntl(netns, F_DUPFD_CLOEXEC, 0); /* a copy, as the request may have to wait */

    ask(client, pod_request(ROUTER_POD_ADD, run_id), fd, fd < 0 ? errno : 0,
        (struct pending){.pod_done = done, .user = user});
}

void router_client_pod_remove(struct router_client *client, const char *run_id,
                              void (*done)(void *user, const struct error *error), void *user)
{
    ask(client, pod_request(ROUTER_POD_REMOVE, run_id), -1, 0, (struct pending){.done = done, .user = user});
}

void router_client_pod_up(struct router_client *client, const char *run_id,
                          void (*done)(void *user, const struct error *error), void *user)
{
    ask(client, pod_request(ROUTER_POD_UP, run_id), -1, 0, (struct pending){.done = done, .user = user});
}

/* Whether `text` is an IP address. */
static bool parse_address(const char *text, struct network *network)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    uint8_t bytes[16];

    if (inet_pton(family, text, bytes) != 1)
        return false;
    *network = network_of(family, bytes);
    return true;
}

void router_client_address_add(struct router_client *client, const char *run_id, const char *address,
                               bool shared, void (*done)(void *user, const struct error *error), void *user)
{
    struct router_request request = pod_request(ROUTER_ADDRESS_ADD, run_id);
    bool valid = parse_address(address, &request.network);

    request.shared = shared;
    ask(client, request, -1, valid ? 0 : EINVAL, (struct pending){.done = done, .user = user});
}

void router_client_address_remove(struct router_client *client, const char *run_id, const char *address,
                                  void (*done)(void *user, const struct error *error), void *user)
{
    struct router_request request = pod_request(ROUTER_ADDRESS_REMOVE, run_id);
    bool valid = parse_address(address, &request.network);

    ask(client, request, -1, valid ? 0 : EINVAL, (struct pending){.done = done, .user = user});
}

void router_client_open(struct router_client *client, const char *dut, unsigned prefix,
                        void (*done)(void *user, const struct error *error, const struct network *network,
                                     const char *device),
                        void *user)
{
    struct router_request request = {.type = ROUTER_OPEN};
    bool valid = parse_address(dut, &request.network);

    request.network.prefix = prefix;
    ask(client, request, -1, valid ? 0 : EINVAL, (struct pending){.open_done = done, .user = user});
}

void router_client_allow(struct router_client *client, const struct network *network,
                         void (*done)(void *user, const struct error *error), void *user)
{
    struct router_request request = {.type = ROUTER_ALLOW, .network = *network};

    ask(client, request, -1, 0, (struct pending){.done = done, .user = user});
}
