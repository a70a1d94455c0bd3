/* Devices, addresses, routes and neighbours for real, in a network namespace of its own (no capability needed
 * where user namespaces are allowed). What was asked for is looked at by its effect: what can be bound, where
 * packets would go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "netns/link.h"
#include "netns/route.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define DEVICE "sipp-abcdef"

/* A socket address; its length is returned. */
static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof *ret);
    if (strchr(text, ':')) {
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        return sizeof *six;
    }
    *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, text, &four->sin_addr), 1);
    return sizeof *four;
}

static bool can_bind(const char *text)
{
    struct sockaddr_storage address;
    socklen_t length = socket_address(text, 0, &address);
    cleanup_fd int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return bind(fd, (struct sockaddr *)&address, length) == 0;
}

/* Whether there is a route there (nothing is sent). */
static bool can_reach(const char *text)
{
    struct sockaddr_storage address;
    socklen_t length = socket_address(text, 9, &address);
    cleanup_fd int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return connect(fd, (struct sockaddr *)&address, length) == 0;
}

static bool file_holds(const char *path, const char *words)
{
    char text[4096] = "";
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && read(fd, text, sizeof text - 1) >= 0 && strstr(text, words);
}

static short device_flags(const char *device)
{
    struct ifreq request = {0};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strncpy(request.ifr_name, device, sizeof request.ifr_name - 1);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    return request.ifr_flags;
}

static void failed(int result, struct error **error, int sys, const char *words)
{
    assert_int_equal(result, -1);
    assert_int_equal((*error)->sys, sys);
    assert_non_null(strstr((*error)->text, words));
    error_free(steal_pointer(error));
}

/* Every test starts in a fresh network namespace with one such device. */
static int set_up(void **state)
{
    struct error *error = NULL;
    struct netlink *nl;
    const char *kind;

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    nl = netlink_open(&error);
    if (!nl || link_up(nl, "lo", &error) < 0 || link_add_dummy(nl, DEVICE, &kind, &error) < 0)
        fail_msg("%s", error_text(error));
    *state = nl;
    return 0;
}

static int tear_down(void **state)
{
    netlink_close(*state);
    return 0;
}

static void test_link(void **state)
{
    struct error *error = NULL;
    int index;

    assert_int_equal(link_index(*state, DEVICE, &index, &error), 0);
    assert_int_equal(index, if_nametoindex(DEVICE));
    assert_int_equal(link_set_mtu(*state, DEVICE, 1400, &error), 0);
    assert_true(file_holds("/proc/sys/net/ipv6/conf/" DEVICE "/mtu", "1400"));
    assert_false(device_flags(DEVICE) & IFF_UP);
    assert_int_equal(link_up(*state, DEVICE, &error), 0);
    assert_true(device_flags(DEVICE) & IFF_UP);
    assert_int_equal(link_rename(*state, DEVICE, "other", &error), 0);
    assert_int_equal(if_nametoindex("other"), index);
    assert_int_equal(link_delete(*state, "other", &error), 0);
    assert_int_equal(if_nametoindex("other"), 0);
}

static void test_link_errors(void **state)
{
    struct error *error = NULL;
    uint8_t mac[MAC_LENGTH];
    int index;

    failed(link_add_dummy(*state, DEVICE, NULL, &error), &error, EEXIST, DEVICE);
    failed(link_index(*state, "none", &index, &error), &error, ENODEV, "none");
    failed(link_mac(*state, "none", mac, &error), &error, ENODEV, "none");
    failed(link_up(*state, "none", &error), &error, ENODEV, "none");
    failed(link_rename(*state, "none", "other", &error), &error, ENODEV, "none");
    failed(link_rename(*state, DEVICE, "lo", &error), &error, EEXIST, "lo");
    failed(link_delete(*state, "none", &error), &error, ENODEV, "none");
}

static void test_addresses(void **state)
{
    struct error *error = NULL;

    assert_int_equal(link_up(*state, DEVICE, &error), 0);
    assert_false(can_bind("198.18.1.0"));
    assert_int_equal(address_add(*state, DEVICE, "198.18.1.0", -1, &error), 0);
    assert_true(can_bind("198.18.1.0"));
    assert_false(can_reach("198.18.1.1"));
    assert_int_equal(address_add(*state, DEVICE, "198.19.0.1", 24, &error), 0);
    assert_true(can_reach("198.19.0.77"));
    assert_int_equal(address_add(*state, DEVICE, "2001:db8::1", -1, &error), 0);
    assert_true(can_bind("2001:db8::1")); /* at once */

    failed(address_add(*state, DEVICE, "198.18.1.0", -1, &error), &error, EEXIST, "198.18.1.0");
    failed(address_add(*state, "none", "198.18.1.0", -1, &error), &error, ENODEV, "none");
    failed(address_add(*state, DEVICE, "198.18.1.0", 33, &error), &error, 0, "length");
    failed(address_add(*state, DEVICE, "198.18.1", -1, &error), &error, 0, "not an IP address");
    failed(address_add(*state, DEVICE, "localhost", -1, &error), &error, 0, "not an IP address");
    failed(address_add(*state, DEVICE, "", -1, &error), &error, 0, "not an IP address");
}

static int add_route(struct netlink *nl, const char *destination, const char *gateway, const char *device,
                     struct error **ret)
{
    const struct route route = {.destination = destination, .gateway = gateway, .device = device};

    return route_add(nl, &route, ret);
}

static void test_routes(void **state)
{
    struct error *error = NULL;

    assert_int_equal(link_up(*state, DEVICE, &error), 0);
    assert_int_equal(address_add(*state, DEVICE, "198.18.1.0", -1, &error), 0);
    assert_int_equal(address_add(*state, DEVICE, "2001:db8::1", -1, &error), 0);
    assert_int_equal(add_route(*state, "203.0.113.7", NULL, DEVICE, &error), 0);
    assert_true(can_reach("203.0.113.7") && !can_reach("203.0.113.8"));
    assert_int_equal(add_route(*state, "192.0.2.0/24", "169.254.1.1", DEVICE, &error), 0);
    assert_true(can_reach("192.0.2.200") && !can_reach("192.0.3.1"));
    assert_int_equal(add_route(*state, "default", "169.254.1.1", DEVICE, &error), 0);
    assert_true(can_reach("192.0.3.1") && !can_reach("2001:db8:1::1"));
    assert_int_equal(add_route(*state, "2001:db8:1::/48", NULL, DEVICE, &error), 0);
    assert_true(can_reach("2001:db8:1::1") && !can_reach("2001:db8:2::1"));
    assert_int_equal(add_route(*state, "default", "fe80::1", DEVICE, &error), 0);
    assert_true(can_reach("2001:db8:2::1"));

    failed(add_route(*state, "default", "169.254.1.1", DEVICE, &error), &error, EEXIST, "default");
    failed(add_route(*state, "192.0.2.0/33", NULL, DEVICE, &error), &error, 0, "192.0.2.0");
    failed(add_route(*state, "192.0.2.0/", NULL, DEVICE, &error), &error, 0, "192.0.2.0/");
    failed(add_route(*state, "somewhere", NULL, DEVICE, &error), &error, 0, "somewhere");
    failed(add_route(*state, "default", "nowhere", DEVICE, &error), &error, 0, "nowhere");
    failed(add_route(*state, "default", NULL, "none", &error), &error, ENODEV, "none");
}

static void test_neighbours(void **state)
{
    static const uint8_t first[MAC_LENGTH] = {2, 0, 0, 0, 0, 1}, second[MAC_LENGTH] = {2, 0, 0, 0, 0, 2};
    struct error *error = NULL;

    assert_int_equal(link_up(*state, DEVICE, &error), 0);
    assert_int_equal(neighbour_add(*state, DEVICE, "169.254.1.1", first, &error), 0);
    assert_true(file_holds("/proc/net/arp", "02:00:00:00:00:01"));
    assert_int_equal(neighbour_add(*state, DEVICE, "169.254.1.1", second, &error), 0); /* replaces it */
    assert_true(file_holds("/proc/net/arp", "02:00:00:00:00:02"));
    assert_false(file_holds("/proc/net/arp", "02:00:00:00:00:01"));
    assert_int_equal(neighbour_add(*state, DEVICE, "fe80::1", first, &error), 0);
    failed(neighbour_add(*state, "none", "fe80::1", first, &error), &error, ENODEV, "none");
}

/* The outer end here, the inner one in the namespace that was left for this one. */
static void test_veth(void **state)
{
    cleanup_fd int inner = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    cleanup_netlink struct netlink *outer = NULL;
    struct error *error = NULL;
    uint8_t mac[MAC_LENGTH], inner_mac[MAC_LENGTH], real[MAC_LENGTH];

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    outer = netlink_open(&error);
    assert_non_null(outer);
    assert_int_equal(
        link_add_veth(outer, &(struct link_veth){DEVICE, "eth0", .netns = inner}, mac, inner_mac, &error), 0);
    assert_int_equal(link_mac(outer, DEVICE, real, &error), 0);
    assert_memory_equal(mac, real, MAC_LENGTH);
    assert_int_equal(link_mac(*state, "eth0", real, &error), 0);
    assert_memory_equal(inner_mac, real, MAC_LENGTH);
    assert_true(device_flags(DEVICE) & IFF_UP);
    assert_false(device_flags(DEVICE) & IFF_RUNNING);
    assert_int_equal(link_set_mac(*state, "eth0", "02:00:5E:00:53:0a", &error), 0);
    assert_int_equal(link_mac(*state, "eth0", real, &error), 0);
    assert_memory_equal(real, "\x02\x00\x5e\x00\x53\x0a", MAC_LENGTH);
    failed(link_set_mac(*state, "eth0", "01:00:00:00:00:00", &error), &error, EADDRNOTAVAIL, "eth0");
    assert_int_equal(link_up(*state, "eth0", &error), 0);
    while (!(device_flags(DEVICE) & IFF_RUNNING)) /* the carrier is told of by a kernel thread */
        sched_yield();
    assert_false(file_holds("/proc/net/if_inet6", DEVICE));

    failed(link_add_veth(outer, &(struct link_veth){DEVICE, "eth1", .netns = inner}, mac, inner_mac, &error),
           &error, EEXIST, DEVICE);
    failed(link_add_veth(outer, &(struct link_veth){"sipp-uvwxyz", "eth0", .netns = inner}, mac, inner_mac,
                         &error),
           &error, EEXIST, "sipp-uvwxyz");
    failed(
        link_add_veth(outer, &(struct link_veth){"sipp-uvwxyz", "eth1", .netns = -1}, mac, inner_mac, &error),
        &error, EBADF, "sipp-uvwxyz");
    assert_int_equal(if_nametoindex("sipp-uvwxyz"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_link),   TEST(test_link_errors), TEST(test_addresses),
        TEST(test_routes), TEST(test_neighbours),  TEST(test_veth),
    };

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        fprintf(stderr, "SKIPPED: no user namespaces here: %s\n", strerror(errno));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
