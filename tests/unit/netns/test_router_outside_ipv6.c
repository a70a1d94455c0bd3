/* Devices under test outside with IPv6, as the built router has it; test_router_outside.c has what both have
 * in common. What they cannot show without a kernel that can forward IPv6 for single devices is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "netns/link.h"
#include "netns/route.h"
#include "src/base/memory.h"
#include "src/base/text.h"
#include "tests/unit/netns/outside_scene.h"
#include "tests/unit/support/support.h"

#define FREE    "2001:db8:22::77"
#define FREE_2  "2001:db8:22::1:0:77" /* of the same group */
#define GROUP   "ff0200000000000000000001ff000077"
#define GATEWAY "fe80::1"

static void assert_setting(const char *name, const char *expected)
{
    cleanup_free char *text = folder_get("/proc/sys/net", name);

    assert_non_null(text);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s", name, text);
}

#define FORCE "ipv6/conf/" UPLINK "/force_forwarding"
#define TAG   "ipv4/conf/" UPLINK "/tag"

/* What nothing here may ever change. */
static void assert_no_router(void)
{
    assert_setting("ipv6/conf/all/forwarding", "0\n");
    assert_setting("ipv6/conf/all/force_forwarding", "0\n");
    assert_setting("ipv6/conf/default/forwarding", "0\n");
    assert_setting("ipv6/conf/" UPLINK "/forwarding", "0\n");
    assert_setting("ipv4/conf/" UPLINK "/forwarding", "0\n");
}

static void open_dut(struct outside_scene *scene)
{
    if (!forwarding_is_possible_ipv6(UPLINK)) {
        print_message("skipped: this kernel has no net.ipv6.conf.*.force_forwarding (Linux 6.17)\n");
        skip();
    }
    greet(&scene->router);
    if (open_outside(&scene->router, DUT6, 0) < 0)
        fail_msg("%s", error_text(scene->router.error));
}

static bool hears_group(void)
{
    cleanup_free char *groups = folder_get("/proc/net", "igmp6");

    return strstr(groups, GROUP) != NULL;
}

static void end(struct router *router)
{
    router_client_free(steal_pointer(&router->client));
    assert_int_equal(end_of(&router->child), 0);
}

/* ---- tests ---- */

static void test_open(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;

    open_dut(scene);
    assert_string_equal(router->device, UPLINK);
    assert_int_equal(router->network.family, AF_INET6);
    assert_int_equal(router->network.prefix, 64);
    assert_memory_equal(router->network.bytes, "\x20\x01\x0d\xb8\x00\x22\0\0\0\0\0\0\0\0\0\0", 16);
    assert_setting(FORCE, "1\n");
    assert_setting(TAG, "198\n");
    assert_no_router();
    end(router);
    assert_setting(FORCE, "0\n");
    assert_setting(TAG, "0\n");
    assert_no_router();
}

static void test_what_cannot_be_opened(void **state)
{
    struct outside_scene *scene = *state;
    static const struct {
        const char *dut;
        unsigned prefix;
        const char *words;
    } wrong[] = {
        {"::1", 0, "loopback"},        {"::", 0, "single host"},
        {"ff02::1", 0, "single host"}, {"::ffff:10.22.22.5", 0, "single host"},
        {"fe80::5", 0, "of a link"},   {"2001:db8:77::1", 0, "no route"},
        {DUT6, 127, "no addresses"},   {DUT6, 128, "no addresses"},
    };

    greet(&scene->router);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(open_outside(&scene->router, wrong[i].dut, wrong[i].prefix), -1);
        assert_refused(&scene->router, 0, wrong[i].words);
        assert_setting(FORCE, "0\n");
    }
}

static void test_addresses(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    static const struct {
        const char *address;
        int sys;
    } wrong[] = {
        {TAKEN6, EADDRINUSE},
        {HOST6, EADDRNOTAVAIL},
        {DUT6, EADDRNOTAVAIL},
        {"2001:db8:22::", EADDRNOTAVAIL}, /* all routers' */
        {"2001:db8:23::1", EADDRNOTAVAIL},
        {"fe80::77", EADDRNOTAVAIL},
        {"ff02::1", EADDRNOTAVAIL},
        {"2001:2::1", EADDRNOTAVAIL},
        {"10.22.22.77", EADDRNOTAVAIL},
    };

    open_dut(scene);
    assert_int_equal(allow(router, "10.22.23.0/24"), -1);
    assert_refused(router, 0, "only IPv6");
    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(claim(router, "abcdef", wrong[i].address, false), -1);
        assert_refused(router, wrong[i].sys, wrong[i].address);
    }
    assert_counted("sipp-abcdef", 0);
    assert_false(hears_group());
    assert_int_equal(claim(router, "abcdef", FREE, false), 0);
    assert_counted("sipp-abcdef", 1);
    assert_int_equal(claim(router, "abcdef", FREE, false), -1);
    assert_refused(router, EEXIST, FREE);
    assert_int_equal(count(AF_INET6, "route", FREE " dev sipp-abcdef"), 1);
    assert_int_equal(count(AF_INET6, "neigh show nud permanent", FREE " dev"), 1);
    assert_int_equal(claim(router, "abcdef", FREE_2, false), 0);
    assert_true(hears_group());
    assert_int_equal(give_up(router, "abcdef", FREE), 0);
    assert_true(hears_group()); /* for the other one */
    assert_int_equal(count(AF_INET6, "route", FREE " dev"), 0);
    assert_int_equal(count(AF_INET6, "neigh show nud permanent", FREE " dev"), 0);
    assert_int_equal(give_up(router, "abcdef", FREE_2), 0);
    assert_false(hears_group());
    assert_counted("sipp-abcdef", 0);
}

/* ---- packets ---- */

static uint8_t router_mac[6];

static int make_pod_network(void)
{
    struct netlink *nl = netlink_open(NULL);
    const struct route all = {
        .destination = "2001:db8::/32", .gateway = GATEWAY, .source = FREE, .device = "eth0"};

    return link_up(nl, "eth0", NULL) < 0 || neighbour_add(nl, "eth0", GATEWAY, router_mac, NULL) < 0 ||
           address_add(nl, "eth0", FREE, -1, NULL) < 0 ||
           address_add(nl, "eth0", "2001:db8:22::78", -1, NULL) < 0 || route_add(nl, &all, NULL) < 0;
}

/* 0: an answer, 1: none. Asks several times: the kernel needs a moment until a new address hears. */
static int ping(const char *source, const char *target, int times)
{
    const struct icmp6_hdr echo = {.icmp6_type = ICMP6_ECHO_REQUEST};
    struct sockaddr_in6 from = {.sin6_family = AF_INET6}, to = {.sin6_family = AF_INET6};
    struct pollfd answer = {.fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6),
                            .events = POLLIN};
    struct icmp6_filter filter;

    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    if (inet_pton(AF_INET6, source, &from.sin6_addr) != 1 ||
        inet_pton(AF_INET6, target, &to.sin6_addr) != 1 ||
        setsockopt(answer.fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) < 0 ||
        bind(answer.fd, (struct sockaddr *)&from, sizeof from) < 0)
        return 2;
    for (int i = 0; i < times; i++) {
        if (sendto(answer.fd, &echo, sizeof echo, 0, (struct sockaddr *)&to, sizeof to) != sizeof echo)
            return 2;
        if (poll(&answer, 1, 50) == 1)
            return 0;
    }
    return 1;
}

#define OFTEN 80 /* until it is answered */
#define FEW   4  /* which is not answered */

static int reach_dut(void)
{
    return ping(FREE, DUT6, OFTEN);
}

static int reach_others(void)
{
    return ping(FREE, TAKEN6, FEW) == 1 && ping(FREE, HOST6, FEW) == 1 ? 0 : 1;
}

static int reach_as_another(void)
{
    return ping("2001:db8:22::78", DUT6, FEW) == 1 ? 0 : 1;
}

static int reach_host(void)
{
    return ping(FREE, HOST6, OFTEN);
}

static void plug_in(struct outside_scene *scene)
{
    struct router *router = &scene->router;

    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    assert_int_equal(claim(router, "abcdef", FREE, false), 0);
    memcpy(router_mac, router->mac, sizeof router_mac);
    assert_int_equal(run_in(&scene->pod, make_pod_network), 0);
    if (await_pod(router, "abcdef") < 0)
        fail_msg("%s", error_text(router->error));
}

/* There and back, with the DUT asking for the pod's address; and nowhere else, nor as somebody else. */
static void test_packets(void **state)
{
    struct outside_scene *scene = *state;

    open_dut(scene);
    plug_in(scene);
    assert_setting("ipv6/conf/sipp-abcdef/accept_ra", "0\n");
    assert_setting("ipv6/conf/sipp-abcdef/accept_redirects", "0\n");
    assert_int_equal(run_in(&scene->pod, reach_dut), 0);
    assert_int_equal(run_in(&scene->pod, reach_others), 0);
    assert_int_equal(run_in(&scene->pod, reach_as_another), 0);
    assert_int_equal(setns(scene->lan, CLONE_NEWNET), 0);
    assert_int_equal(count(AF_INET6, "neigh", FREE " dev eth0 lladdr " UPLINK_MAC), 1);
    assert_int_equal(setns(scene->host, CLONE_NEWNET), 0);
    assert_no_router();
    end(&scene->router);
    assert_int_equal(run_in(&scene->pod, reach_as_another), 0);
    assert_int_equal(count(AF_INET6, "route", "proto 198"), 0);
    assert_false(hears_group());
    assert_setting(FORCE, "0\n");
}

/* A device under test of this host itself: nothing is forwarded, and nothing needs to be. */
static void on_this_host(struct outside_scene *scene)
{
    if (open_outside(&scene->router, HOST6, 0) < 0)
        fail_msg("%s", error_text(scene->router.error));
    plug_in(scene);
    assert_int_equal(run_in(&scene->pod, reach_host), 0);
}

static void test_this_host(void **state)
{
    struct outside_scene *scene = *state;

    greet(&scene->router);
    on_this_host(scene);
    assert_setting(FORCE, "0\n");
    assert_setting("ipv6/conf/sipp-abcdef/force_forwarding", "0\n");
}

/* A kernel that forwards for all devices or none: it refuses, or there is no need. The last test, as there is
 * no way back. */
static void test_older_kernel(void **state)
{
    struct outside_scene *scene = *state;

    stop(&scene->router);
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("none", "/proc/sys/net/ipv6/conf", "tmpfs", 0, NULL), 0);
    start(&scene->router, &on_host);
    greet(&scene->router);
    assert_int_equal(open_outside(&scene->router, DUT6, 0), -1);
    assert_refused(&scene->router, EOPNOTSUPP, "net.ipv6.conf." UPLINK ".force_forwarding");
    assert_setting(TAG, "0\n");
    on_this_host(scene);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, outside_scene_setup, outside_scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open),      TEST(test_what_cannot_be_opened), TEST(test_addresses), TEST(test_packets),
        TEST(test_this_host), TEST(test_older_kernel),
    };

    if (!rig_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
