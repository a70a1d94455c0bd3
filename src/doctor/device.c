#include "src/doctor/device.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"

struct request {
    struct nlmsghdr header;
    struct ifinfomsg link;
    char attributes[128];
};

/* Appends one attribute, whose header it returns; `length` 0: what it holds is appended after it. */
static struct rtattr *append(struct request *request, unsigned short type, const void *data, size_t length)
{
    struct rtattr *attribute = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length)
        memcpy(RTA_DATA(attribute), data, length);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_LENGTH(length);
    return attribute;
}

static int exchange(int fd, const struct request *request)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[1024]; /* the request again */
    } answer;
    ssize_t length;

    if (send(fd, request, request->header.nlmsg_len, 0) < 0)
        return errno;
    do
        length = recv(fd, &answer, sizeof answer, 0);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno;
    if ((size_t)length < sizeof answer.header + sizeof answer.error ||
        answer.header.nlmsg_type != NLMSG_ERROR)
        return EPROTO;
    return -answer.error.error;
}

int device_add(const char *name, const char *kind)
{
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.link),
                   .nlmsg_type = RTM_NEWLINK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
    };
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct rtattr *info;

    if (fd < 0)
        return errno;
    if (strlen(name) >= IF_NAMESIZE || strlen(kind) >= IF_NAMESIZE)
        return EINVAL;
    append(&request, IFLA_IFNAME, name, strlen(name) + 1);
    info = append(&request, IFLA_LINKINFO, NULL, 0);
    append(&request, IFLA_INFO_KIND, kind, strlen(kind) + 1);
    info->rta_len = (unsigned short)((char *)&request + request.header.nlmsg_len - (char *)info);
    return exchange(fd, &request);
}
