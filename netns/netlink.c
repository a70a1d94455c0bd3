/* libnl folds the kernel's errno values into fewer codes of its own and, in the versions that distributions
 * have, drops the sentence that the kernel may send beside them (extended acknowledgement, "Unknown device
 * type"). So an error callback keeps both for the next netlink_failed(). */
#include "netns/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/base/text.h"

struct netlink {
    struct nl_sock *socket;
    int error;   /* the kernel's errno value for the last request, 0 if it did not refuse */
    char *words; /* what it said beside it, or NULL */
};

/* The kernel's sentence in an error message. As the request is not echoed (NETLINK_CAP_ACK), its attributes
 * follow the error directly. */
static char *extended_words(struct nlmsgerr *refusal)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)((const char *)refusal - NLMSG_HDRLEN);
    int length = (int)header->nlmsg_len - NLMSG_HDRLEN - (int)sizeof *refusal;
    const struct nlattr *words;

    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || !(header->nlmsg_flags & NLM_F_CAPPED) || length <= 0)
        return NULL;
    words = nla_find((struct nlattr *)(refusal + 1), length, NLMSGERR_ATTR_MSG);
    return words ? text_printable(nla_data(words), strnlen(nla_data(words), (size_t)nla_len(words))) : NULL;
}

static int keep_refusal(struct sockaddr_nl *sender, struct nlmsgerr *refusal, void *user)
{
    struct netlink *nl = user;

    (void)sender;
    nl->error = -refusal->error;
    free(nl->words);
    nl->words = extended_words(refusal);
    return -nl_syserr2nlerr(refusal->error);
}

static int set_up(struct netlink *nl, int protocol, struct error **ret)
{
    int result = nl_connect(nl->socket, protocol); /* close-on-exec */
    int on = 1;

    if (result < 0)
        return netlink_failed(NULL, result, ret, "cannot open a netlink socket");
    /* Old kernels know neither: then the errno has to do. */
    (void)setsockopt(nl_socket_get_fd(nl->socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(nl_socket_get_fd(nl->socket), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    result = nl_socket_modify_err_cb(nl->socket, NL_CB_CUSTOM, keep_refusal, nl);
    if (result < 0)
        return netlink_failed(NULL, result, ret, "cannot prepare a netlink socket");
    return 0;
}

/* libnl lets the environment (NLDBG, NLCB) have it write to standard error, which may be a pipe that nobody
 * reads; it has asked before main() could clear it. */
struct nl_sock *netlink_socket_new(void)
{
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    struct nl_sock *socket = callbacks ? nl_socket_alloc_cb(callbacks) : NULL; /* takes a reference */

    nl_debug = 0;
    nl_cb_put(callbacks);
    return socket;
}

static struct netlink *open_socket(int protocol, struct error **ret)
{
    struct netlink *nl = memory_new(sizeof *nl);

    nl->socket = netlink_socket_new();
    if (!nl->socket)
        error_sys(ret, ERROR_FAILED, ENOMEM, "cannot open a netlink socket");
    else if (set_up(nl, protocol, ret) == 0)
        return nl;
    netlink_close(nl);
    return NULL;
}

struct netlink *netlink_open(struct error **ret)
{
    return open_socket(NETLINK_ROUTE, ret);
}

struct netlink *netlink_open_netfilter(struct error **ret)
{
    return open_socket(NETLINK_NETFILTER, ret);
}

void netlink_close(struct netlink *nl)
{
    if (!nl)
        return;
    nl_socket_free(nl->socket);
    free(nl->words);
    free(nl);
}

struct nl_sock *netlink_socket(struct netlink *nl)
{
    nl->error = 0;
    free(nl->words);
    nl->words = NULL;
    return nl->socket;
}

int netlink_errno(const struct netlink *nl, int result)
{
    if (nl && nl->error)
        return nl->error;
    switch (-result) {
    case NLE_OPNOTSUPP:
        return EOPNOTSUPP;
    case NLE_OBJ_NOTFOUND:
        return ENOENT;
    case NLE_EXIST:
        return EEXIST;
    case NLE_NOMEM:
        return ENOMEM;
    case NLE_PERM:
        return EPERM;
    case NLE_NODEV:
        return ENODEV;
    default:
        return EIO;
    }
}

int netlink_failed(const struct netlink *nl, int result, struct error **ret, const char *format, ...)
{
    int sys = netlink_errno(nl, result);
    bool host = sys == EPERM || sys == EACCES || sys == EOPNOTSUPP || sys == EAFNOSUPPORT;
    const char *words = nl && nl->error ? nl->words : nl_geterror(result);
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    return error_sys(ret, host ? ERROR_HOST : ERROR_FAILED, sys, "%s%s%s", text, words ? ": " : "",
                     words ? words : "");
}
