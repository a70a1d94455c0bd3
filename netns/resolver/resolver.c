/* Theory of operation. Every socket is on one loop. UDP: datagrams are read and answered until there are no
 * more, but no more than a burst at a time, so that connections get their turn. TCP: one query at a time is
 * taken from a connection, and the next not before the answer has been written; a connection that is idle is
 * closed, and so is the oldest one when there are too many. What a pod sends can therefore neither fill the
 * memory nor keep others waiting for long. */
#include "netns/resolver/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/loop.h"
#include "src/base/memory.h"

#define PORT             53
#define BURST            32
#define CONNECTIONS_MOST 64
#define IDLE_MS          10000
#define PREFIX           2 /* the length in front of each message over TCP */

struct listener {
    struct resolver *resolver;
    int socket;
    struct watch *watch;
    bool udp;
};

struct connection {
    struct resolver *resolver;
    struct connection *next;
    int socket;
    struct watch *watch;
    struct timer *idle;
    struct sockaddr_storage from;
    uint8_t query[PREFIX + ANSWER_MOST];
    size_t received;
    uint8_t answer[PREFIX + ANSWER_MOST];
    size_t length, sent;
};

struct resolver {
    const struct zones *zones;
    const struct resolver_callbacks *callbacks;
    void *user;
    struct loop *loop;
    struct listener listeners[4];
    size_t listener_count;
    struct connection *connections; /* the newest first */
    size_t count;
    struct watch *control;
};

static size_t answer_and_tell(struct resolver *resolver, const struct sockaddr_storage *from, bool udp,
                              const uint8_t *query, size_t length, uint8_t *bytes)
{
    struct answer_note note;
    size_t result = answer(resolver->zones, query, length, udp, bytes, &note);

    if (result)
        resolver->callbacks->answered(resolver->user, from, udp, &note);
    else
        resolver->callbacks->dropped(resolver->user);
    return result;
}

static bool is_allowed(const struct resolver *resolver, const struct sockaddr_storage *from)
{
    return !resolver->callbacks->allowed || resolver->callbacks->allowed(resolver->user, from);
}

/* ---- UDP ---- */

/* As many as one system call takes; memory that is not needed is never touched. */
static struct datagrams {
    uint8_t bytes[BURST][ANSWER_MOST];
    struct sockaddr_storage from[BURST];
    struct iovec parts[BURST];
    struct mmsghdr messages[BURST];
} queries, answers;

/* Sets a message up; its address is that of the query. */
static void set_message(struct datagrams *datagrams, unsigned at, size_t length,
                        struct sockaddr_storage *from, socklen_t from_length)
{
    datagrams->parts[at] = (struct iovec){.iov_base = datagrams->bytes[at], .iov_len = length};
    datagrams->messages[at] = (struct mmsghdr){
        .msg_hdr = {
            .msg_name = from, .msg_namelen = from_length, .msg_iov = &datagrams->parts[at], .msg_iovlen = 1}};
}

/* What cannot be sent is lost, as in any network. */
static void send_answers(int socket, unsigned count)
{
    unsigned sent = 0;

    while (sent < count) {
        int result = sendmmsg(socket, answers.messages + sent, count - sent, 0);

        sent += result > 0 ? (unsigned)result : 1;
    }
}

static void on_datagrams(void *user, uint32_t events)
{
    struct listener *listener = user;
    struct resolver *resolver = listener->resolver;
    unsigned count = 0;
    int received;

    (void)events;
    for (unsigned i = 0; i < BURST; i++)
        set_message(&queries, i, sizeof queries.bytes[i], &queries.from[i], sizeof queries.from[i]);
    received =
        recvmmsg(listener->socket, queries.messages, BURST, 0, NULL); /* or an ICMP says what was lost */
    for (int i = 0; i < received; i++) {
        size_t length = 0;

        if (is_allowed(resolver, &queries.from[i]))
            length = answer_and_tell(resolver, &queries.from[i], true, queries.bytes[i],
                                     queries.messages[i].msg_len, answers.bytes[count]);
        if (length)
            set_message(&answers, count++, length, &queries.from[i], queries.messages[i].msg_hdr.msg_namelen);
    }
    send_answers(listener->socket, count);
    resolver->callbacks->pause(resolver->user);
}

/* ---- TCP ---- */

static void free_connection(struct connection *connection)
{
    watch_stop(&connection->watch);
    timer_stop(&connection->idle);
    close(connection->socket);
    free(connection);
}

static void close_connection(struct connection *connection)
{
    struct connection **link = &connection->resolver->connections;

    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    connection->resolver->count--;
    free_connection(connection);
}

static void on_idle(void *user)
{
    struct connection *connection = user;

    connection->idle = NULL;
    close_connection(connection);
}

/* Writes what can be written; -1: the connection is of no use any more. */
static int write_answer(struct connection *connection)
{
    ssize_t sent = send(connection->socket, connection->answer + connection->sent,
                        connection->length - connection->sent, MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    connection->sent += (size_t)sent;
    if (connection->sent == connection->length)
        connection->sent = connection->length = 0;
    return 0;
}

/* The first message of what was received, if it is whole: 1 if it was answered. -1: it is malformed. */
static int answer_next(struct connection *connection)
{
    size_t length, result;

    if (connection->received < PREFIX)
        return 0;
    length = (size_t)connection->query[0] << 8 | connection->query[1];
    if (connection->received < PREFIX + length)
        return 0;
    result = answer_and_tell(connection->resolver, &connection->from, false, connection->query + PREFIX,
                             length, connection->answer + PREFIX);
    if (!result)
        return -1;
    connection->answer[0] = (uint8_t)(result >> 8);
    connection->answer[1] = (uint8_t)result;
    connection->length = PREFIX + result;
    connection->received -= PREFIX + length;
    memmove(connection->query, connection->query + PREFIX + length, connection->received);
    return 1;
}

/* -1: it is to be closed. */
static int serve(struct connection *connection, uint32_t events)
{
    size_t room = sizeof connection->query - connection->received;

    if (events & EPOLLIN && room) {
        ssize_t length = recv(connection->socket, connection->query + connection->received, room, 0);

        if (length == 0 || (length < 0 && errno != EAGAIN))
            return -1;
        if (length > 0)
            connection->received += (size_t)length;
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        return -1;
    }
    for (;;) {
        int next = connection->length ? 1 : answer_next(connection);

        if (next <= 0)
            return next;
        if (write_answer(connection) < 0)
            return -1;
        if (connection->length)
            return 0; /* the rest when there is room for it */
    }
}

static void on_connection(void *user, uint32_t events)
{
    struct connection *connection = user;
    struct resolver *resolver = connection->resolver;

    if (serve(connection, events) < 0) {
        close_connection(connection);
    } else {
        watch_events(connection->watch, connection->length ? EPOLLOUT : EPOLLIN);
        timer_stop(&connection->idle);
        connection->idle = loop_after(resolver->loop, IDLE_MS, on_idle, connection);
    }
    resolver->callbacks->pause(resolver->user);
}

static void close_oldest(struct resolver *resolver)
{
    struct connection *connection = resolver->connections;

    while (connection->next)
        connection = connection->next;
    close_connection(connection);
}

static void on_accept(void *user, uint32_t events)
{
    struct listener *listener = user;
    struct resolver *resolver = listener->resolver;
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof from;
    int fd = accept4(listener->socket, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection;

    (void)events;
    if (fd < 0)
        return; /* it has gone again */
    if (!is_allowed(resolver, &from)) {
        close(fd);
        resolver->callbacks->pause(resolver->user);
        return;
    }
    if (resolver->count == CONNECTIONS_MOST)
        close_oldest(resolver);
    connection = memory_new(sizeof *connection);
    connection->resolver = resolver;
    connection->socket = fd;
    connection->from = from;
    connection->next = resolver->connections;
    resolver->connections = connection;
    resolver->count++;
    connection->watch = loop_watch(resolver->loop, fd, EPOLLIN, on_connection, connection, NULL);
    connection->idle = loop_after(resolver->loop, IDLE_MS, on_idle, connection);
    if (!connection->watch)
        close_connection(connection);
}

/* ---- the whole ---- */

int resolver_bind(const struct sockaddr *address, int type)
{
    bool six = address->sa_family == AF_INET6;
    socklen_t length = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    cleanup_fd int fd = socket(address->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){type == SOCK_STREAM}, sizeof(int)) < 0 ||
        (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int)) < 0) ||
        bind(fd, address, length) < 0 || (type == SOCK_STREAM && listen(fd, CONNECTIONS_MOST) < 0))
        return -1;
    return steal_fd(&fd);
}

static int bind_loopback(int family, int type, struct error **ret)
{
    const struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr *address =
        family == AF_INET ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
    const char *words = family == AF_INET ? RESOLVER_ADDRESS : "[::1]";
    int fd = resolver_bind(address, type);

    if (fd < 0)
        return error_sys(ret, ERROR_HOST, errno, "the test's DNS cannot listen on %s:%d (%s)", words, PORT,
                         type == SOCK_DGRAM ? "UDP" : "TCP");
    return fd;
}

/* Takes the socket, on failure too. */
static int add_listener(struct resolver *resolver, int socket, bool udp, struct error **ret)
{
    struct listener *listener = &resolver->listeners[resolver->listener_count++];

    *listener = (struct listener){.resolver = resolver, .socket = socket, .udp = udp};
    listener->watch =
        loop_watch(resolver->loop, socket, EPOLLIN, udp ? on_datagrams : on_accept, listener, ret);
    return listener->watch ? 0 : -1;
}

static int open_loopback(struct resolver *resolver, int family, int type, struct error **ret)
{
    cleanup_error struct error *error = NULL;
    int socket = bind_loopback(family, type, &error);

    if (socket >= 0)
        return add_listener(resolver, socket, type == SOCK_DGRAM, ret);
    if (family == AF_INET6 && (error->sys == EAFNOSUPPORT || error->sys == EADDRNOTAVAIL))
        return 0; /* there is no IPv6 */
    if (ret)
        *ret = steal_pointer(&error);
    return -1;
}

static struct resolver *make(const struct zones *zones, const struct resolver_callbacks *callbacks,
                             void *user, struct error **ret)
{
    struct resolver *resolver = memory_new(sizeof *resolver);

    *resolver = (struct resolver){.zones = zones, .callbacks = callbacks, .user = user};
    resolver->loop = loop_new(ret);
    if (resolver->loop)
        return resolver;
    free(resolver);
    return NULL;
}

struct resolver *resolver_open(const struct zones *zones, const struct resolver_callbacks *callbacks,
                               void *user, struct error **ret)
{
    struct resolver *resolver = make(zones, callbacks, user, ret);

    if (resolver && open_loopback(resolver, AF_INET, SOCK_DGRAM, ret) == 0 &&
        open_loopback(resolver, AF_INET, SOCK_STREAM, ret) == 0 &&
        open_loopback(resolver, AF_INET6, SOCK_DGRAM, ret) == 0 &&
        open_loopback(resolver, AF_INET6, SOCK_STREAM, ret) == 0)
        return resolver;
    resolver_close(resolver);
    return NULL;
}

struct resolver *resolver_open_on(const int sockets[2], const struct zones *zones,
                                  const struct resolver_callbacks *callbacks, void *user, struct error **ret)
{
    struct resolver *resolver = make(zones, callbacks, user, ret);
    int first, second;

    if (!resolver) {
        close(sockets[0]);
        close(sockets[1]);
        return NULL;
    }
    first = add_listener(resolver, sockets[0], true, ret);
    second = add_listener(resolver, sockets[1], false, first < 0 ? NULL : ret);
    if (first == 0 && second == 0)
        return resolver;
    resolver_close(resolver);
    return NULL;
}

static void on_control(void *user, uint32_t events)
{
    struct resolver *resolver = user;

    (void)events;
    loop_quit(resolver->loop);
}

int resolver_run(struct resolver *resolver, int control, struct error **ret)
{
    int result;

    resolver->control = loop_watch(resolver->loop, control, EPOLLIN, on_control, resolver, ret);
    if (!resolver->control)
        return -1;
    result = loop_run(resolver->loop, ret);
    watch_stop(&resolver->control);
    return result;
}

void resolver_close(struct resolver *resolver)
{
    if (!resolver)
        return;
    for (struct connection *next, *connection = resolver->connections; connection; connection = next) {
        next = connection->next;
        free_connection(connection);
    }
    for (size_t i = 0; i < resolver->listener_count; i++) {
        watch_stop(&resolver->listeners[i].watch);
        close_fd(&resolver->listeners[i].socket);
    }
    loop_free(resolver->loop);
    free(resolver);
}
