/* The router serves one client, in order: it receives, does and answers; only what has to wait for others on
 * the network is answered later. A request that is refused or fails gets an answer that says so; one that
 * sippod cannot have meant (malformed, unknown, out of order, with a descriptor too many or too few) means
 * that the other end is not to be trusted, and ends the router. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "netns/router/router.h"
#include "src/base/memory.h"
#include "src/base/socket.h"

enum phase { PHASE_START, PHASE_GREETED };

struct entry {
    enum phase phase; /* when it is allowed */
    bool descriptor;  /* whether one comes with it */
    /* Returns 0, 1 (it will be answered later) or -1. */
    int (*handle)(struct router *router, const struct router_request *request, int fd,
                  struct router_reply *reply, struct error **ret);
};

static int handle_hello(struct router *router, const struct router_request *request, int fd,
                        struct router_reply *reply, struct error **ret)
{
    (void)fd;
    (void)reply;
    if (request->version != ROUTER_PROTOCOL)
        return error_set(ret, ERROR_HOST, "it speaks protocol %d, sippod speaks %u: not of one installation",
                         ROUTER_PROTOCOL, request->version);
    router->greeted = true;
    return 0;
}

static int handle_pod_add(struct router *router, const struct router_request *request, int fd,
                          struct router_reply *reply, struct error **ret)
{
    return links_add_pod(router, request->run_id, fd, reply->mac, ret);
}

static int handle_pod_remove(struct router *router, const struct router_request *request, int fd,
                             struct router_reply *reply, struct error **ret)
{
    struct pod *pod = links_find_pod(router, request->run_id, ret);

    (void)fd;
    (void)reply;
    if (pod)
        links_remove_pod(router, pod);
    return pod ? 0 : -1;
}

static int handle_pod_up(struct router *router, const struct router_request *request, int fd,
                         struct router_reply *reply, struct error **ret)
{
    struct pod *pod = links_find_pod(router, request->run_id, ret);

    (void)fd;
    (void)reply;
    return pod ? links_await_pod(router, pod, ret) : -1;
}

static int handle_address_add(struct router *router, const struct router_request *request, int fd,
                              struct router_reply *reply, struct error **ret)
{
    struct pod *pod = links_find_pod(router, request->run_id, ret);

    (void)fd;
    (void)reply;
    return pod ? addresses_claim(router, pod, request, ret) : -1;
}

static int handle_address_remove(struct router *router, const struct router_request *request, int fd,
                                 struct router_reply *reply, struct error **ret)
{
    struct pod *pod = links_find_pod(router, request->run_id, ret);

    (void)fd;
    (void)reply;
    return pod ? addresses_remove(router, pod, request, ret) : -1;
}

static int handle_open(struct router *router, const struct router_request *request, int fd,
                       struct router_reply *reply, struct error **ret)
{
    (void)fd;
    return outside_open(router, request, reply, ret);
}

static int handle_allow(struct router *router, const struct router_request *request, int fd,
                        struct router_reply *reply, struct error **ret)
{
    (void)fd;
    (void)reply;
    return outside_allow(router, &request->network, ret);
}

static const struct entry table[ROUTER_TYPES] = {
    [ROUTER_HELLO] = {.phase = PHASE_START, .descriptor = false, .handle = handle_hello},
    [ROUTER_POD_ADD] = {.phase = PHASE_GREETED, .descriptor = true, .handle = handle_pod_add},
    [ROUTER_POD_REMOVE] = {.phase = PHASE_GREETED, .descriptor = false, .handle = handle_pod_remove},
    [ROUTER_POD_UP] = {.phase = PHASE_GREETED, .descriptor = false, .handle = handle_pod_up},
    [ROUTER_ADDRESS_ADD] = {.phase = PHASE_GREETED, .descriptor = false, .handle = handle_address_add},
    [ROUTER_ADDRESS_REMOVE] = {.phase = PHASE_GREETED, .descriptor = false, .handle = handle_address_remove},
    [ROUTER_OPEN] = {.phase = PHASE_GREETED, .descriptor = false, .handle = handle_open},
    [ROUTER_ALLOW] = {.phase = PHASE_GREETED, .descriptor = false, .handle = handle_allow},
};

/* What sippod must not send is an error here; the decoder let only types of the table pass. */
static int check(const struct router *router, const struct router_request *request, bool descriptor,
                 struct error **ret)
{
    const struct entry *entry = &table[request->type];
    const char *name = router_type_name(request->type);

    if (entry->phase != (router->greeted ? PHASE_GREETED : PHASE_START))
        return error_set(ret, ERROR_INPUT, "a request \"%s\" out of order", name);
    if (entry->descriptor != descriptor)
        return error_set(ret, ERROR_INPUT, "a request \"%s\" %s a descriptor", name,
                         descriptor ? "with" : "without");
    return 0;
}

static int serve(struct router *router, const struct router_request *request, int fd, struct error **ret)
{
    struct router_reply reply = {.type = request->type, .serial = request->serial};
    cleanup_error struct error *error = NULL;

    if (check(router, request, fd >= 0, ret) < 0)
        return -1;
    if (table[request->type].handle(router, request, fd, &reply, &error) <= 0)
        reply_send(router, &reply, error);
    return 0;
}

/* Returns 1, 0 if the client is gone, -1 on error. */
static int receive(struct router *router, struct error **ret)
{
    uint8_t bytes[ROUTER_REQUEST_MOST];
    struct router_request request;
    cleanup_fd int fd = -1;
    ssize_t length = socket_receive(router->socket, bytes, sizeof bytes, &fd);

    if (length < 0 && errno == EAGAIN)
        return 1;
    if (length == 0 || (length < 0 && errno == ECONNRESET)) /* it closed without having read our answers */
        return 0;
    if (length < 0)
        return errno == EMSGSIZE ? error_set(ret, ERROR_INPUT, "a request that is too long")
                                 : error_sys(ret, ERROR_FAILED, errno, "cannot hear sippod");
    if (router_request_decode(bytes, (size_t)length, &request, ret) < 0 ||
        serve(router, &request, fd, ret) < 0)
        return -1;
    return 1;
}

static void on_request(void *user, uint32_t events)
{
    struct router *router = user;
    struct error *failure = NULL;

    (void)events;
    if (receive(router, &failure) <= 0)
        reply_failed(router, failure);
}

int requests_serve(struct router *router, struct error **ret)
{
    struct watch *watch = loop_watch(router->loop, router->socket, EPOLLIN, on_request, router, ret);
    int result;

    if (!watch)
        return -1;
    result = loop_run(router->loop, ret);
    watch_stop(&watch);
    if (result == 0 && router->failure) {
        *ret = steal_pointer(&router->failure);
        return -1;
    }
    return result;
}
