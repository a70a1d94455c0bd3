/* What passes the outer end of a pod's veth pair of IPv6; test_filter.c has what both have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_ether.h>
#include <stdio.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"
#include "tests/unit/netns/filter_scene.h"
#include "tests/unit/support/support.h"

#define OWN      "2001:db8::10"
#define OWN_TOO  "2001:db8::1:0:20"
#define PEER     "2001:db8:1::1"
#define LAN      "2001:db8:2:4000::" /* /50, a peer as a whole */
#define STRANGER "2001:db8:1::2"

enum {
    HOPS = 0,
    TCP = 6,
    ROUTING = 43,
    FRAGMENT = 44,
    ESP = 50,
    AH = 51,
    ICMP6 = 58,
    OPTIONS = 60,
    SCTP = 132
};

static const struct frame marker_from_pod = {
    .source = OWN, .destination = PEER, .protocol = UDP, .icmp_type = 0xaa};
static const struct frame marker_to_pod = {
    .source = PEER, .destination = OWN, .protocol = UDP, .icmp_type = 0xaa};

static void filter_usual(struct filter_scene *scene)
{
    const struct filter_network own[] = {network(OWN, 128), network(OWN_TOO, 128)};
    const struct filter_network peers[] = {network(PEER, 128), network("2001:db8:2:4000::77", 50)};

    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, 2, peers, 2, NULL), 0);
}

#define CHECK(scene, from_pod, frames)                                                                       \
    check_frames(scene, from_pod, frames, sizeof(frames) / sizeof *(frames),                                 \
                 (from_pod) ? &marker_from_pod : &marker_to_pod)

static void test_from_pod(void **state)
{
    static const struct frame frames[] = {
        {"to the peer", OWN, PEER, true, .protocol = UDP},
        {"from another of its own", OWN_TOO, PEER, true, .protocol = UDP},
        {"TCP", OWN, PEER, true, .protocol = TCP},
        {"SCTP", OWN, PEER, true, .protocol = SCTP},
        {"ESP", OWN, PEER, true, .protocol = ESP},
        {"echo", OWN, PEER, true, .protocol = ICMP6, .icmp_type = 128},
        {"an error to the peer", OWN, PEER, true, .protocol = ICMP6, .icmp_type = 1},
        {"to the lowest of a network", OWN, LAN, true, .protocol = UDP},
        {"to the highest of a network", OWN, "2001:db8:2:7fff:ffff:ffff:ffff:ffff", true, .protocol = UDP},
        {"a fragment", OWN, PEER, true, .protocol = FRAGMENT, .next = UDP},
        {"a fragment of ICMP", OWN, PEER, true, .protocol = FRAGMENT, .next = ICMP6, .icmp_type = 135},
        {"from the address below", "2001:db8::f", PEER, false, .protocol = UDP},
        {"from the address above", "2001:db8::11", PEER, false, .protocol = UDP},
        {"other in the first word", "2001:db9::10", PEER, false, .protocol = UDP},
        {"other in the second word", "2001:db8:0:1::10", PEER, false, .protocol = UDP},
        {"other in the third word", "2001:db8::1:0:10", PEER, false, .protocol = UDP},
        {"from nowhere", "::", PEER, false, .protocol = UDP},
        {"from the link", "fe80::1", PEER, false, .protocol = UDP},
        {"from the peer's address", PEER, PEER, false, .protocol = UDP},
        {"a fragment from elsewhere", STRANGER, PEER, false, .protocol = FRAGMENT, .next = UDP},
        {"to a stranger", OWN, STRANGER, false, .protocol = UDP},
        {"below the network", OWN, "2001:db8:2:3fff:ffff:ffff:ffff:ffff", false, .protocol = UDP},
        {"above the network", OWN, "2001:db8:2:8000::", false, .protocol = UDP},
        {"to itself", OWN, OWN_TOO, false, .protocol = UDP},
        {"to all nodes", OWN, "ff02::1", false, .protocol = UDP},
        {"to loopback", OWN, "::1", false, .protocol = UDP},
        {"hop-by-hop options", OWN, PEER, false, .protocol = HOPS, .next = UDP},
        {"a routing header", OWN, PEER, false, .protocol = ROUTING, .next = UDP},
        {"a routing header in a fragment", OWN, PEER, false, .protocol = FRAGMENT, .next = ROUTING},
        {"a fragment in a fragment", OWN, PEER, false, .protocol = FRAGMENT, .next = FRAGMENT},
        {"destination options", OWN, PEER, false, .protocol = OPTIONS, .next = UDP},
        {"authentication", OWN, PEER, false, .protocol = AH, .next = UDP},
        {"a tunnel", OWN, PEER, false, .protocol = 41},
        {"router solicitation", OWN, PEER, false, .protocol = ICMP6, .icmp_type = 133},
        {"router advertisement", OWN, PEER, false, .protocol = ICMP6, .icmp_type = 134},
        {"neighbour solicitation", OWN, PEER, false, .protocol = ICMP6, .icmp_type = 135},
        {"neighbour advertisement", OWN, PEER, false, .protocol = ICMP6, .icmp_type = 136},
        {"redirect", OWN, PEER, false, .protocol = ICMP6, .icmp_type = 137},
        {"router advertisement to the link", "fe80::1", "ff02::1", false, .protocol = ICMP6,
         .icmp_type = 134},
        {"IPv4", "192.0.2.1", "192.0.2.2", false, .protocol = UDP},
        {"ARP", OWN, PEER, false, .protocol = UDP, .type = ETH_P_ARP},
        {"IPv4 in name", OWN, PEER, false, .protocol = UDP, .type = ETH_P_IP},
        {"a VLAN tag", OWN, PEER, false, .protocol = UDP, .vlan = 5},
        {"a priority tag", OWN, PEER, false, .protocol = UDP, .tag = true},
        {"another version", OWN, PEER, false, .protocol = UDP, .version = 0x45},
        {"one byte short of a header", OWN, PEER, false, .protocol = UDP, .length = 53},
        {"no more than a header", OWN, PEER, true, .protocol = UDP, .length = 54},
        {"ICMP without a type", OWN, PEER, false, .protocol = ICMP6, .length = 54},
        {"a fragment's header cut short", OWN, PEER, false, .protocol = FRAGMENT, .next = UDP, .length = 61},
    };

    filter_usual(*state);
    CHECK(*state, true, frames);
}

static void test_to_pod(void **state)
{
    static const struct frame frames[] = {
        {"from the peer", PEER, OWN, true, .protocol = UDP},
        {"to another of its own", PEER, OWN_TOO, true, .protocol = UDP},
        {"from the lowest of a network", LAN, OWN, true, .protocol = UDP},
        {"from the highest of a network", "2001:db8:2:7fff:ffff:ffff:ffff:ffff", OWN, true, .protocol = UDP},
        {"a fragment", PEER, OWN, true, .protocol = FRAGMENT, .next = UDP},
        {"echo from the peer", PEER, OWN, true, .protocol = ICMP6, .icmp_type = 128},
        {"options", PEER, OWN, true, .protocol = OPTIONS, .next = UDP},
        {"unreachable from a stranger", STRANGER, OWN, true, .protocol = ICMP6, .icmp_type = 1},
        {"too big from a stranger", STRANGER, OWN, true, .protocol = ICMP6, .icmp_type = 2},
        {"time exceeded from a stranger", STRANGER, OWN, true, .protocol = ICMP6, .icmp_type = 3},
        {"parameter problem from a stranger", STRANGER, OWN_TOO, true, .protocol = ICMP6, .icmp_type = 4},
        {"type 0 from a stranger", STRANGER, OWN, false, .protocol = ICMP6, .icmp_type = 0},
        {"type 5 from a stranger", STRANGER, OWN, false, .protocol = ICMP6, .icmp_type = 5},
        {"echo from a stranger", STRANGER, OWN, false, .protocol = ICMP6, .icmp_type = 128},
        {"redirect from a stranger", STRANGER, OWN, false, .protocol = ICMP6, .icmp_type = 137},
        {"UDP that begins like an error", STRANGER, OWN, false, .protocol = UDP, .icmp_type = 1},
        {"ICMP without a type", STRANGER, OWN, false, .protocol = ICMP6, .icmp_type = 1, .length = 54},
        {"neighbour solicitation", PEER, OWN, false, .protocol = ICMP6, .icmp_type = 135},
        {"neighbour advertisement", PEER, OWN, false, .protocol = ICMP6, .icmp_type = 136},
        {"router advertisement", PEER, OWN, false, .protocol = ICMP6, .icmp_type = 134},
        {"unreachable to somebody else", STRANGER, "2001:db8::11", false, .protocol = ICMP6, .icmp_type = 1},
        {"from a stranger", STRANGER, OWN, false, .protocol = UDP},
        {"to somebody else", PEER, "2001:db8::11", false, .protocol = UDP},
        {"to all nodes", PEER, "ff02::1", false, .protocol = UDP},
        {"IPv4", "192.0.2.1", "192.0.2.2", false, .protocol = UDP},
        {"ARP", PEER, OWN, false, .protocol = UDP, .type = ETH_P_ARP},
        {"a VLAN tag", PEER, OWN, false, .protocol = UDP, .vlan = 5},
        {"one byte short of a header", PEER, OWN, false, .protocol = UDP, .length = 53},
    };

    filter_usual(*state);
    CHECK(*state, false, frames);
}

/* All peers: everything from its own addresses. */
static void test_all(void **state)
{
    struct filter_scene *scene = *state;
    const struct filter_network own = network(OWN, 128), all = network("::", 0);
    static const struct frame frames[] = {
        {"to a stranger", OWN, STRANGER, true, .protocol = UDP},
        {"not from its own", OWN_TOO, STRANGER, false, .protocol = UDP},
    };

    assert_int_equal(filter_open(scene->pair.nl, OUTER, &own, 1, &all, 1, NULL), 0);
    CHECK(scene, true, frames);
}

static void test_many(void **state)
{
    struct filter_scene *scene = *state;
    static struct filter_network own[FILTER_OWN6_MOST + 1], peers[FILTER_PEERS_MOST];
    struct error *error = NULL;
    static const struct frame from_pod[] = {
        {"first to last", "2001:db8:5::", "2001:db8:6:3f::", true, .protocol = UDP},
        {"last to first", "2001:db8:5::17f", "2001:db8:6::", true, .protocol = UDP},
        {"middle", "2001:db8:5::80", "2001:db8:6:20::", true, .protocol = UDP},
        {"after the last", "2001:db8:5::180", "2001:db8:6:20::", false, .protocol = UDP},
        {"to after the last", "2001:db8:5::80", "2001:db8:6:40::", false, .protocol = UDP},
    };
    static const struct frame to_pod[] = {
        {"last to last", "2001:db8:6:3f::", "2001:db8:5::17f", true, .protocol = UDP},
        {"first to first", "2001:db8:6::", "2001:db8:5::", true, .protocol = UDP},
        {"an error", STRANGER, "2001:db8:5::17f", true, .protocol = ICMP6, .icmp_type = 1},
        {"between", "2001:db8:6:20::1", "2001:db8:5::80", false, .protocol = UDP},
    };

    for (unsigned i = 0; i < FILTER_OWN6_MOST + 1; i++) {
        cleanup_free char *text = text_format("2001:db8:5::%x", i);

        own[i] = network(text, 128);
    }
    for (unsigned i = 0; i < FILTER_PEERS_MOST; i++) {
        cleanup_free char *text = text_format("2001:db8:6:%x::", i);

        peers[i] = network(text, 128);
    }
    own[1] = network(OWN, 128); /* for the markers */
    peers[1] = network(PEER, 128);
    assert_int_equal(
        filter_open(scene->pair.nl, OUTER, own, FILTER_OWN6_MOST, peers, FILTER_PEERS_MOST, NULL), 0);
    CHECK(scene, true, from_pod);
    CHECK(scene, false, to_pod);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, FILTER_OWN6_MOST + 1, peers, 1, &error), -1);
    assert_error(error, ERROR_INPUT, OUTER ": 384 are the most");
    error_free(error);
    CHECK(scene, true, from_pod); /* nothing has changed */
}

static void test_refused(void **state)
{
    struct filter_scene *scene = *state;
    const struct filter_network own = network(OWN, 128), peer = network("192.0.2.1", 32);
    const struct filter_network wrong = network(OWN, 129);

    assert_int_equal(filter_open(scene->pair.nl, OUTER, &own, 1, &peer, 1, NULL), -1);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, &peer, 1, &own, 1, NULL), -1);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, &wrong, 1, &own, 1, NULL), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, filter_scene_setup, filter_scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_from_pod), TEST(test_to_pod), TEST(test_all), TEST(test_many), TEST(test_refused),
    };

    if (!pair_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
