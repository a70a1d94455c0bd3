/* What passes the outer end of a pod's veth pair: frames are sent into one end, and seen or not at the other.
 * Behind each goes one that may pass; what has not come before that has been dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/filter.h"
#include "netns/link.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/text.h"
#include "tests/unit/netns/filter_scene.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/support/support.h"

/* ---- a kernel without cls_bpf ---- */

static int refuse_with; /* instead of sending */

int __real_nl_send_sync(struct nl_sock *socket, struct nl_msg *message);
int __wrap_nl_send_sync(struct nl_sock *socket, struct nl_msg *message);
int __wrap_nl_send_sync(struct nl_sock *socket, struct nl_msg *message)
{
    if (!refuse_with)
        return __real_nl_send_sync(socket, message);
    nlmsg_free(message);
    return refuse_with;
}

/* ---- frames ---- */

#define OWN      "192.0.2.10"
#define OWN_TOO  "192.0.2.20"
#define PEER     "198.51.100.1"
#define LAN      "203.0.113.0" /* /24, a peer as a whole */
#define STRANGER "198.51.100.2"

static const struct frame marker_from_pod = {
    .source = OWN, .destination = PEER, .protocol = UDP, .icmp_type = 0xaa};
static const struct frame marker_to_pod = {
    .source = PEER, .destination = OWN, .protocol = UDP, .icmp_type = 0xaa};

/* ---- a pod and its filter ---- */

static void filter_usual(struct filter_scene *scene)
{
    const struct filter_network own[] = {network(OWN, 32), network(OWN_TOO, 32)};
    const struct filter_network peers[] = {network(PEER, 32), network("203.0.113.77", 24)};

    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, 2, peers, 2, NULL), 0);
}

static int set_up(void **state)
{
    refuse_with = 0;
    return filter_scene_setup(state);
}

#define CHECK(scene, from_pod, frames)                                                                       \
    check_frames(scene, from_pod, frames, sizeof(frames) / sizeof *(frames),                                 \
                 (from_pod) ? &marker_from_pod : &marker_to_pod)

/* ---- tests ---- */

static void test_from_pod(void **state)
{
    static const struct frame frames[] = {
        {"to the peer", OWN, PEER, true, .protocol = UDP},
        {"from another of its own", OWN_TOO, PEER, true, .protocol = UDP},
        {"ICMP to the peer", OWN, PEER, true, .protocol = ICMP, .icmp_type = 8},
        {"to the lowest of a network", OWN, LAN, true, .protocol = UDP},
        {"to the highest of a network", OWN, "203.0.113.255", true, .protocol = UDP},
        {"a first fragment", OWN, PEER, true, .protocol = UDP, .fragment = 0x2000},
        {"a later fragment", OWN, PEER, true, .protocol = UDP, .fragment = 0x2010},
        {"from the address below", "192.0.2.9", PEER, false, .protocol = UDP},
        {"from the address above", "192.0.2.11", PEER, false, .protocol = UDP},
        {"from between", "192.0.2.15", PEER, false, .protocol = UDP},
        {"from nowhere", "0.0.0.0", PEER, false, .protocol = UDP},
        {"from the peer's address", PEER, PEER, false, .protocol = UDP},
        {"a later fragment from elsewhere", STRANGER, PEER, false, .protocol = UDP, .fragment = 0x0010},
        {"to a stranger", OWN, STRANGER, false, .protocol = UDP},
        {"below the network", OWN, "203.0.112.255", false, .protocol = UDP},
        {"above the network", OWN, "203.0.114.0", false, .protocol = UDP},
        {"to itself", OWN, OWN_TOO, false, .protocol = UDP},
        {"to everyone", OWN, "255.255.255.255", false, .protocol = UDP},
        {"to a group", OWN, "224.0.0.1", false, .protocol = UDP},
        {"to loopback", OWN, "127.0.0.1", false, .protocol = UDP},
        {"an error to a stranger", OWN, STRANGER, false, .protocol = ICMP, .icmp_type = 3},
        {"ARP", OWN, PEER, false, .protocol = UDP, .type = ETH_P_ARP},
        {"IPv6", OWN, PEER, false, .protocol = UDP, .type = ETH_P_IPV6},
        {"a VLAN tag", OWN, PEER, false, .protocol = UDP, .vlan = 5},
        {"a priority tag", OWN, PEER, false, .protocol = UDP, .tag = true},
        {"options", OWN, PEER, false, .protocol = UDP, .version = 0x46},
        {"a header too short", OWN, PEER, false, .protocol = UDP, .version = 0x44},
        {"another version", OWN, PEER, false, .protocol = UDP, .version = 0x65},
        {"one byte short of a header", OWN, PEER, false, .protocol = UDP, .length = 33},
        {"nothing but a type", OWN, PEER, false, .protocol = UDP, .length = 14},
        {"no more than a header", OWN, PEER, true, .protocol = UDP, .length = 34},
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
        {"from the highest of a network", "203.0.113.255", OWN, true, .protocol = UDP},
        {"a later fragment", PEER, OWN, true, .protocol = UDP, .fragment = 0x0010},
        {"ICMP from the peer", PEER, OWN, true, .protocol = ICMP, .icmp_type = 8},
        {"options", PEER, OWN, true, .protocol = UDP, .version = 0x46},
        {"unreachable from a stranger", STRANGER, OWN, true, .protocol = ICMP, .icmp_type = 3},
        {"time exceeded from a stranger", STRANGER, OWN, true, .protocol = ICMP, .icmp_type = 11},
        {"parameter problem from a stranger", STRANGER, OWN_TOO, true, .protocol = ICMP, .icmp_type = 12},
        {"unreachable behind options", STRANGER, OWN, true, .protocol = ICMP, .icmp_type = 3,
         .version = 0x4f},
        {"unreachable, cut into fragments", STRANGER, OWN, true, .protocol = ICMP, .icmp_type = 3,
         .fragment = 0x2000},
        {"its later fragment", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 3, .fragment = 0x0010},
        {"echo from a stranger", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 8},
        {"echo behind options", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 8, .version = 0x4f},
        {"redirect from a stranger", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 5},
        {"echo reply from a stranger", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 0},
        {"UDP that begins like an error", STRANGER, OWN, false, .protocol = UDP, .icmp_type = 3},
        {"ICMP without a type", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 3, .length = 34},
        {"ICMP with options alone", STRANGER, OWN, false, .protocol = ICMP, .icmp_type = 3, .version = 0x4f,
         .length = 74},
        {"unreachable to somebody else", STRANGER, "192.0.2.11", false, .protocol = ICMP, .icmp_type = 3},
        {"from a stranger", STRANGER, OWN, false, .protocol = UDP},
        {"to somebody else", PEER, "192.0.2.11", false, .protocol = UDP},
        {"to a group", PEER, "224.0.0.1", false, .protocol = UDP},
        {"ARP", PEER, OWN, false, .protocol = UDP, .type = ETH_P_ARP},
        {"IPv6", PEER, OWN, false, .protocol = UDP, .type = ETH_P_IPV6},
        {"a VLAN tag", PEER, OWN, false, .protocol = UDP, .vlan = 5},
        {"one byte short of a header", PEER, OWN, false, .protocol = UDP, .length = 33},
    };

    filter_usual(*state);
    CHECK(*state, false, frames);
}

/* Closed from the start, and closed again: what was sent meanwhile does not come once it is open. */
static void test_closed(void **state)
{
    struct filter_scene *scene = *state;

    for (int i = 0; i < 2; i++) {
        for (int from_pod = 0; from_pod < 2; from_pod++) {
            struct frame frame = from_pod ? marker_from_pod : marker_to_pod;

            frame.icmp_type = 1;
            send_frame(scene, from_pod, &frame);
            frame.type = ETH_P_ARP;
            send_frame(scene, from_pod, &frame);
        }
        filter_usual(scene);
        send_frame(scene, true, &marker_from_pod);
        assert_int_equal(count_before(scene, true, &marker_from_pod), 0);
        send_frame(scene, false, &marker_to_pod);
        assert_int_equal(count_before(scene, false, &marker_to_pod), 0);
        assert_int_equal(filter_close(scene->pair.nl, OUTER, NULL), 0);
    }
}

/* No peers: nothing but errors. All peers: everything from its own addresses. */
static void test_few_and_all(void **state)
{
    struct filter_scene *scene = *state;
    const struct filter_network own = network(OWN, 32), all = network("0.0.0.0", 0);
    static const struct frame frames[] = {
        {"to a stranger", OWN, STRANGER, true, .protocol = UDP},
        {"to the highest address", OWN, "255.255.255.255", true, .protocol = UDP},
        {"not from its own", OWN_TOO, STRANGER, false, .protocol = UDP},
    };
    struct frame frame = {"to the peer", OWN, PEER, false, .protocol = UDP};

    assert_int_equal(filter_open(scene->pair.nl, OUTER, &own, 1, NULL, 0, NULL), 0);
    send_frame(scene, true, &frame);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, NULL, 0, &all, 1, NULL), 0);
    send_frame(scene, true, &frame);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, &own, 1, &all, 1, NULL), 0);
    CHECK(scene, true, frames);
}

static void test_many(void **state)
{
    struct filter_scene *scene = *state;
    static struct filter_network own[FILTER_OWN_MOST + 1], peers[FILTER_PEERS_MOST + 1];
    struct error *error = NULL;
    static const struct frame from_pod[] = {
        {"first to first", "10.1.0.0", "10.2.0.0", true, .protocol = UDP},
        {"first to last", "10.1.0.0", "10.2.0.126", true, .protocol = UDP},
        {"last to first", "10.1.7.254", "10.2.0.0", true, .protocol = UDP},
        {"last to last", "10.1.7.254", "10.2.0.126", true, .protocol = UDP},
        {"middle", "10.1.4.2", "10.2.0.64", true, .protocol = UDP},
        {"between", "10.1.4.1", "10.2.0.64", false, .protocol = UDP},
        {"after the last", "10.1.7.255", "10.2.0.64", false, .protocol = UDP},
        {"to between", "10.1.4.2", "10.2.0.65", false, .protocol = UDP},
        {"to after the last", "10.1.4.2", "10.2.0.127", false, .protocol = UDP},
    };
    static const struct frame to_pod[] = {
        {"last to last", "10.2.0.126", "10.1.7.254", true, .protocol = UDP},
        {"first to first", "10.2.0.0", "10.1.0.0", true, .protocol = UDP},
        {"an error", STRANGER, "10.1.7.254", true, .protocol = ICMP, .icmp_type = 3},
        {"between", "10.2.0.65", "10.1.4.2", false, .protocol = UDP},
        {"to between", "10.2.0.64", "10.1.4.1", false, .protocol = UDP},
    };

    for (unsigned i = 0; i < FILTER_OWN_MOST + 1; i++) {
        cleanup_free char *text = text_format("10.1.%u.%u", i / 128, i % 128 * 2);

        own[i] = network(text, 32);
    }
    for (unsigned i = 0; i < FILTER_PEERS_MOST + 1; i++) {
        cleanup_free char *text = text_format("10.2.0.%u", i * 2);

        peers[i] = network(text, 32);
    }
    own[1] = network(OWN, 32); /* for the markers */
    peers[1] = network(PEER, 32);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, FILTER_OWN_MOST, peers, FILTER_PEERS_MOST, NULL),
                     0);
    CHECK(scene, true, from_pod);
    CHECK(scene, false, to_pod);
    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, FILTER_OWN_MOST + 1, peers, 1, &error), -1);
    assert_error(error, ERROR_INPUT, OUTER ": 1024 are the most");
    error_free(steal_pointer(&error));
    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, 1, peers, FILTER_PEERS_MOST + 1, &error), -1);
    assert_error(error, ERROR_INPUT, "65 networks are too many");
    error_free(error);
    CHECK(scene, true, from_pod); /* nothing has changed */
}

/* A child sends without pause what may never pass, while the filter is replaced. */
static void test_replaced_under_traffic(void **state)
{
    struct filter_scene *scene = *state;
    const struct filter_network own[] = {network(OWN, 32), network(STRANGER, 32)}, peer = network(PEER, 32);
    const struct frame wrong = {"wrong", STRANGER, PEER, false, .protocol = UDP};
    struct pollfd seen = {.fd = scene->host[0], .events = POLLIN};
    cleanup_fd int pidfd = -1;
    struct process_end end;
    pid_t pid = process_fork(0, &pidfd, NULL);

    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            send_frame(scene, true, &wrong);
    for (int i = 0; i < 200; i++) {
        filter_usual(scene);
        if (i % 2)
            assert_int_equal(filter_close(scene->pair.nl, OUTER, NULL), 0);
        assert_int_equal(filter_open(scene->pair.nl, OUTER, own, 1, &peer, 1, NULL), 0);
    }
    send_frame(scene, true, &marker_from_pod);
    assert_int_equal(count_before(scene, true, &marker_from_pod), 0);
    /* That it was sent all the time is seen when it may pass. */
    assert_int_equal(filter_open(scene->pair.nl, OUTER, own, 2, &peer, 1, NULL), 0);
    assert_int_equal(poll(&seen, 1, WAIT_MS), 1);
    assert_int_equal(process_signal(pidfd, SIGKILL, NULL), 0);
    seen = (struct pollfd){.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&seen, 1, WAIT_MS), 1);
    assert_int_equal(process_reap(pidfd, &end, NULL), 1);
}

static void test_refused(void **state)
{
    struct filter_scene *scene = *state;
    struct filter_network wrong[] = {
        network(OWN, 33), {.family = AF_PACKET, .prefix = 32}, {.family = AF_INET6, .prefix = 128}};
    const struct filter_network peer = network(PEER, 32);
    struct error *error = NULL;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(filter_open(scene->pair.nl, OUTER, &wrong[i], 1, &peer, 1, &error), -1);
        assert_int_equal(error->sys, EAFNOSUPPORT);
        error_free(steal_pointer(&error));
        assert_int_equal(filter_open(scene->pair.nl, OUTER, &peer, 1, &wrong[i], 1, NULL), -1);
    }
    assert_int_equal(filter_close(scene->pair.nl, "none", &error), -1);
    assert_error(error, ERROR_FAILED, "none");
    error_free(steal_pointer(&error));
    assert_int_equal(filter_open(scene->pair.nl, "lo", &peer, 1, &peer, 1, &error), -1); /* never closed */
    error_free(steal_pointer(&error));
    for (size_t i = 0; i < 2; i++) {
        refuse_with = i ? -NLE_OPNOTSUPP : -NLE_OBJ_NOTFOUND;
        assert_int_equal(filter_close(scene->pair.nl, OUTER, &error), -1);
        assert_error(error, ERROR_HOST, "cls_bpf");
        error_free(steal_pointer(&error));
    }
    refuse_with = -NLE_PERM;
    assert_int_equal(filter_close(scene->pair.nl, OUTER, &error), -1);
    assert_error(error, ERROR_HOST, OUTER);
    assert_null(strstr(error->text, "cls_bpf"));
    error_free(error);
}

/* ---- the device that it is for ---- */

#define MORE 300 /* than one answer of the kernel holds */

static void on_alias(void *user, const char *name, const char *alias)
{
    int *seen = user, number = MORE;

    if (strcmp(name, OUTER) == 0)
        assert_string_equal(alias, ALIAS);
    else
        assert_true(sscanf(name, "out%d", &number) == 1 && strtol(alias, NULL, 10) == 2L * number);
    seen[number]++;
}

/* Each once; inner ends and others have none. */
static void test_aliases(void **state)
{
    struct filter_scene *scene = *state;
    uint8_t mac[MAC_LENGTH];
    int seen[MORE + 1] = {0};

    for (int i = 0; i < MORE; i++) {
        cleanup_free char *outer = text_format("out%d", i), *inner = text_format("in%d", i);
        cleanup_free char *first = text_format("%d", i), *second = text_format("%d", 2 * i);
        const struct link_veth veth = {outer, inner, scene->pair.here, .down = true, .alias = first};

        assert_int_equal(link_add_veth(scene->pair.nl, &veth, mac, mac, NULL), 0);
        assert_int_equal(link_set_alias(scene->pair.nl, outer, second, NULL), 0);
    }
    assert_int_equal(link_each_alias(scene->pair.nl, on_alias, seen, NULL), 0);
    for (int i = 0; i <= MORE; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(link_up(scene->pair.nl, OUTER, NULL), 0); /* the socket is as it was before */
}

static struct ifreq ask(const char *device, unsigned long what)
{
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    memcpy(request.ifr_name, device, strlen(device) + 1);
    assert_int_equal(ioctl(fd, what, &request), 0);
    return request;
}

/* The outer end is down until it is raised; both have the MTU. */
static void test_device(void **state)
{
    struct filter_scene *scene = *state;
    uint8_t mac[MAC_LENGTH];
    struct error *error = NULL;
    char alias[300] = "";
    const struct link_veth plain = {"sipp-uvwxyz", "eth1", scene->pair.there, .down = true};
    const struct link_veth talkative = {"sipp-long", "eth2", scene->pair.there, .alias = alias};

    assert_int_equal(ask(OUTER, SIOCGIFMTU).ifr_mtu, MTU);
    assert_int_equal(setns(scene->pair.there, CLONE_NEWNET), 0);
    assert_int_equal(ask(INNER, SIOCGIFMTU).ifr_mtu, MTU);
    assert_int_equal(setns(scene->pair.here, CLONE_NEWNET), 0);
    assert_int_equal(link_add_veth(scene->pair.nl, &plain, mac, mac, NULL), 0);
    assert_int_equal(ask("sipp-uvwxyz", SIOCGIFMTU).ifr_mtu, 1500);
    assert_false(ask("sipp-uvwxyz", SIOCGIFFLAGS).ifr_flags & IFF_UP);
    memset(alias, 'a', sizeof alias - 1);
    assert_int_equal(link_add_veth(scene->pair.nl, &talkative, mac, mac, &error), -1);
    assert_error(error, ERROR_FAILED, "sipp-long");
    error_free(error);
    assert_int_equal(if_nametoindex("sipp-long"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, filter_scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_from_pod),    TEST(test_to_pod),  TEST(test_closed),
        TEST(test_few_and_all), TEST(test_many),    TEST(test_replaced_under_traffic),
        TEST(test_refused),     TEST(test_aliases), TEST(test_device),
    };

    if (!pair_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
