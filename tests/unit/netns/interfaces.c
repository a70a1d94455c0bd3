#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/netns/interfaces.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"
#include "tests/unit/support/support.h"

static bool write_text(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter_namespaces(void)
{
    cleanup_free char *uids = text_format("%u %u 1", getuid(), getuid());
    cleanup_free char *gids = text_format("%u %u 1", getgid(), getgid());

    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", uids) && write_text("/proc/self/gid_map", gids);
}

static int interface_ioctl(unsigned long request, const char *name, struct ifreq *parameters)
{
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(parameters->ifr_name, name, strlen(name) + 1);
    return fd < 0 ? -1 : ioctl(fd, request, parameters);
}

void interface_set_up(const char *name, bool up)
{
    struct ifreq request = {0};

    assert_int_equal(interface_ioctl(SIOCGIFFLAGS, name, &request), 0);
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    assert_int_equal(interface_ioctl(SIOCSIFFLAGS, name, &request), 0);
}

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
    return in;
}

static void set_address(const char *name, unsigned long what, const char *text)
{
    struct sockaddr_in in = address(text);
    struct ifreq request = {0};

    memcpy(&request.ifr_addr, &in, sizeof in);
    assert_int_equal(interface_ioctl(what, name, &request), 0);
}

static void add_attribute(struct buffer *message, uint16_t type, const void *data, size_t length)
{
    struct rtattr header = {.rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type};

    buffer_add(message, &header, sizeof header);
    buffer_add(message, data, length);
    buffer_add(message, "\0\0\0", RTA_ALIGN(length) - length);
}

/* RTM_NEWLINK of a veth pair, or RTM_DELLINK; 0 or an errno value. */
static int change_link(uint16_t type, const char *name)
{
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    cleanup_buffer struct buffer message = {0}, kind = {0};
    struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[512];
    } answer;

    if (type == RTM_NEWLINK)
        header.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    buffer_add(&message, &header, sizeof header);
    buffer_add(&message, &link, sizeof link);
    add_attribute(&message, IFLA_IFNAME, name, strlen(name) + 1);
    add_attribute(&kind, IFLA_INFO_KIND, "veth", 4);
    if (type == RTM_NEWLINK)
        add_attribute(&message, IFLA_LINKINFO, kind.data, kind.length);
    header.nlmsg_len = (uint32_t)message.length;
    memcpy(message.data, &header, sizeof header);
    if (fd < 0 || send(fd, message.data, message.length, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
        return errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : 0;
}

bool interface_remove(const char *name)
{
    return change_link(RTM_DELLINK, name) == 0;
}

char *interface_forwarding(const char *name)
{
    cleanup_free char *folder = text_format("/proc/sys/net/ipv4/conf/%s", name);

    return folder_get(folder, "forwarding");
}

bool interfaces_enter(void)
{
    if (!enter_namespaces()) {
        print_error("SKIPPED: no user and network namespaces here: %s\n", strerror(errno));
        return false;
    }
    interface_set_up("lo", true);
    return true;
}

bool interfaces_make_eth0(void)
{
    struct arpreq entry = {.arp_flags = ATF_COM | ATF_PERM, .arp_ha = {.sa_data = {2, 0, 0, 0, 0, 1}}};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = address(ON_ETH0);

    errno = change_link(RTM_NEWLINK, "eth0");
    if (errno) {
        print_message("no veth pair on this kernel: %s\n", strerror(errno));
        return false;
    }
    interface_set_up("veth0", true); /* the other end, named by the kernel */
    set_address("eth0", SIOCSIFADDR, "198.18.0.1");
    set_address("eth0", SIOCSIFNETMASK, "255.255.255.0");
    interface_set_up("eth0", true);
    memcpy(&entry.arp_pa, &in, sizeof in);
    memcpy(entry.arp_dev, "eth0", 5);
    assert_int_equal(ioctl(fd, SIOCSARP, &entry), 0);
    return true;
}
