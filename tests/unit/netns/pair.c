#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netns/pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/link.h"
#include "src/base/memory.h"
#include "tests/unit/netns/interfaces.h"

#define UP_MS 5000

bool pair_enter(void)
{
    cpu_set_t one;

    /* What is sent on one processor arrives in order. */
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    return interfaces_enter() && sched_setaffinity(0, sizeof one, &one) == 0;
}

static int own_netns(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

void pair_make(struct pair *pair)
{
    struct link_veth veth = {.outer = OUTER, .inner = INNER, .down = true, .alias = ALIAS, .mtu = MTU};

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    pair->there = own_netns();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    pair->here = own_netns();
    pair->nl = netlink_open(NULL);
    assert_non_null(pair->nl);
    veth.netns = pair->there;
    assert_int_equal(link_add_veth(pair->nl, &veth, pair->outer_mac, pair->inner_mac, NULL), 0);
    assert_int_equal(setns(pair->there, CLONE_NEWNET), 0);
    interface_set_up(INNER, true);
    assert_int_equal(setns(pair->here, CLONE_NEWNET), 0);
}

void pair_raise(struct pair *pair)
{
    cleanup_netlink struct netlink *there = NULL;

    assert_int_equal(link_up(pair->nl, OUTER, NULL), 0);
    assert_int_equal(link_await_up(pair->nl, OUTER, UP_MS, NULL), 0);
    assert_int_equal(setns(pair->there, CLONE_NEWNET), 0);
    there = netlink_open(NULL);
    assert_non_null(there);
    assert_int_equal(link_await_up(there, INNER, UP_MS, NULL), 0);
    assert_int_equal(setns(pair->here, CLONE_NEWNET), 0);
}

void pair_free(struct pair *pair)
{
    netlink_close(pair->nl);
    close(pair->here);
    close(pair->there);
}

int pair_socket(const struct pair *pair, int netns, const char *device, uint16_t protocol)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
    int fd, on = 1;

    assert_int_equal(setns(netns, CLONE_NEWNET), 0);
    address.sll_ifindex = (int)if_nametoindex(device);
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setns(pair->here, CLONE_NEWNET), 0);
    return fd;
}
