/* The kernel can list its sockets, which takes it the longer the larger its tables are (65,536 slots on a big
 * host, some of them of other namespaces), or look up one as it would for a packet that has arrived. That
 * lookup is what is asked for here: it takes the same few microseconds on every host, and it knows by itself
 * all about wildcard addresses, IPv6 sockets that take IPv4, and SO_REUSEPORT.
 *
 * A request holds both ends of the packet. UDP and TCP disagree on which of the two is the local one (the
 * kernel calls it "swapped for historical reasons"), so both are the same here. That never means a
 * connection, as a socket connected to itself is none that anybody waits for.
 *
 * "No such socket" and "no such service in this kernel" are both ENOENT. So the service is tried at first
 * with a list of the sockets of one port, for which the former is an empty list. */
#include "netns/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "netns/netlink.h"
#include "src/base/memory.h"

struct sockdiag {
    struct nl_sock *socket;
    int error;  /* the kernel's errno value for the last request */
    bool found; /* it answered with a socket that counts */
};

static int keep_error(struct sockaddr_nl *sender, struct nlmsgerr *refusal, void *user)
{
    struct sockdiag *diag = user;

    (void)sender;
    diag->error = -refusal->error;
    return NL_STOP;
}

static int keep_socket(struct nl_msg *message, void *user)
{
    struct sockdiag *diag = user;
    const struct nlmsghdr *header = nlmsg_hdr(message);
    const struct inet_diag_msg *socket = nlmsg_data(header);

    if (!nlmsg_valid_hdr(header, sizeof *socket))
        return NL_SKIP;
    /* UDP sockets have the state of a closed or, once connected, of an established TCP one. */
    diag->found = socket->idiag_state == TCP_LISTEN || socket->idiag_state == TCP_CLOSE;
    return NL_OK;
}

/* Sends one request and takes its answer. Returns 0, or -1 if that itself failed. */
static int ask(struct sockdiag *diag, struct inet_diag_req_v2 *request, int flags, struct error **ret)
{
    int result;

    diag->error = 0;
    diag->found = false;
    result = nl_send_simple(diag->socket, SOCK_DIAG_BY_FAMILY, flags, request, sizeof *request);
    if (result >= 0)
        result = nl_recvmsgs_default(diag->socket);
    if (result < 0 && !diag->error)
        return netlink_failed(NULL, result, ret, "cannot ask for sockets");
    return 0;
}

static int try_service(struct sockdiag *diag, int protocol, struct error **ret)
{
    struct inet_diag_req_v2 request = {
        .sdiag_family = AF_INET,
        .sdiag_protocol = (uint8_t)protocol,
        .idiag_states = 1 << TCP_LISTEN,
        .id.idiag_sport = htons(5060),
    };

    if (ask(diag, &request, NLM_F_DUMP, ret) < 0)
        return -1;
    if (diag->error)
        return error_sys(ret, ERROR_HOST, diag->error,
                         "the kernel tells nothing about %s sockets (sock_diag)",
                         protocol == IPPROTO_TCP ? "TCP" : "UDP");
    return 0;
}

static int set_up(struct sockdiag *diag, struct error **ret)
{
    int result = nl_connect(diag->socket, NETLINK_SOCK_DIAG); /* close-on-exec */

    if (result < 0)
        return netlink_failed(NULL, result, ret, "cannot open a socket for questions about sockets");
    nl_socket_disable_auto_ack(diag->socket); /* one answer is enough */
    if (nl_socket_modify_err_cb(diag->socket, NL_CB_CUSTOM, keep_error, diag) < 0 ||
        nl_socket_modify_cb(diag->socket, NL_CB_VALID, NL_CB_CUSTOM, keep_socket, diag) < 0)
        return error_set(ret, ERROR_FAILED, "cannot prepare a socket for questions about sockets");
    return try_service(diag, IPPROTO_UDP, ret) < 0 || try_service(diag, IPPROTO_TCP, ret) < 0 ? -1 : 0;
}

struct sockdiag *sockdiag_open(struct error **ret)
{
    struct sockdiag *diag = memory_new(sizeof *diag);

    diag->socket = nl_socket_alloc();
    if (!diag->socket)
        error_sys(ret, ERROR_FAILED, ENOMEM, "cannot open a socket for questions about sockets");
    else if (set_up(diag, ret) == 0)
        return diag;
    sockdiag_close(diag);
    return NULL;
}

void sockdiag_close(struct sockdiag *diag)
{
    if (!diag)
        return;
    nl_socket_free(diag->socket);
    free(diag);
}

int sockdiag_bound(struct sockdiag *diag, const char *address, uint16_t port, bool tcp, struct error **ret)
{
    struct inet_diag_req_v2 request = {
        .sdiag_family = strchr(address, ':') ? AF_INET6 : AF_INET,
        .sdiag_protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
        .idiag_states = UINT32_MAX,
        .id = {.idiag_sport = htons(port),
               .idiag_dport = htons(port),
               .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };

    if (inet_pton(request.sdiag_family, address, request.id.idiag_src) != 1)
        return error_set(ret, ERROR_INPUT, "\"%s\" is not an IP address", address);
    memcpy(request.id.idiag_dst, request.id.idiag_src, sizeof request.id.idiag_dst);
    if (ask(diag, &request, 0, ret) < 0)
        return -1;
    if (diag->error && diag->error != ENOENT)
        return error_sys(ret, ERROR_FAILED, diag->error, "cannot ask for the socket of %s port %u", address,
                         port);
    return !diag->error && diag->found;
}
