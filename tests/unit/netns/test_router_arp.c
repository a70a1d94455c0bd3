/* The router's ARP at one end of a veth pair; the test speaks for the rest of the LAN at the other, by raw
 * frames, and in the end by the kernel's own ARP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/arp.h"
#include "netns/link.h"
#include "netns/route.h"
#include "netns/router/neighbours.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/netns/pair.h"
#include "tests/unit/support/support.h"

#define MANY 1000

static const uint8_t ours[4] = {192, 0, 2, 10}, other[4] = {192, 0, 2, 11}, dut[4] = {192, 0, 2, 1};
static const uint8_t zero[6], all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t station[6] = {2, 0, 0, 0, 0, 0x77}; /* of somebody on the LAN */

struct scene {
    struct pair pair;
    struct loop *loop;
    struct neighbours *neighbours;
    int lan;      /* speaks and hears there */
    int verdicts; /* that have come */
    int free;     /* of them */
    uint8_t mac[6];
    int64_t last_ns;
};

static int set_up(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    *state = scene;
    pair_make(&scene->pair);
    pair_raise(&scene->pair);
    scene->lan = pair_socket(&scene->pair, scene->pair.there, INNER, ETH_P_ARP);
    scene->loop = loop_new(NULL);
    assert_non_null(scene->loop);
    scene->neighbours =
        neighbours_open(scene->loop, AF_INET, (int)if_nametoindex(OUTER), scene->pair.outer_mac, NULL);
    assert_non_null(scene->neighbours);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    neighbours_close(scene->neighbours);
    loop_free(scene->loop);
    close(scene->lan);
    pair_free(&scene->pair);
    free(scene);
    return 0;
}

static void on_verdict(void *user, const uint8_t *mac)
{
    struct scene *scene = user;

    scene->verdicts++;
    scene->last_ns = loop_now_ns();
    if (mac)
        memcpy(scene->mac, mac, sizeof scene->mac);
    else
        scene->free++;
}

/* ---- the LAN ---- */

/* From `station`, in the name of `sender`. */
static void say_from(struct scene *scene, const uint8_t mac[6], enum arp_operation operation,
                     const uint8_t sender[4], const uint8_t target[4])
{
    uint8_t frame[ETH_HLEN + ARP_LENGTH] = {[12] = 0x08, [13] = 0x06};
    struct arp_packet packet = {.operation = operation};

    memcpy(frame, all, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(packet.sender_mac, mac, 6);
    memcpy(packet.sender, sender, 4);
    memcpy(packet.target, target, 4);
    arp_encode(&packet, frame + ETH_HLEN);
    assert_int_equal(send(scene->lan, frame, sizeof frame, 0), sizeof frame);
}

static void say(struct scene *scene, enum arp_operation operation, const uint8_t sender[4],
                const uint8_t target[4])
{
    say_from(scene, station, operation, sender, target);
}

/* What has come to the LAN; *ret_to is the MAC that it was for. */
static bool hear(struct scene *scene, struct arp_packet *ret, uint8_t ret_to[6])
{
    uint8_t frame[2048];
    ssize_t length = recv(scene->lan, frame, sizeof frame, MSG_DONTWAIT);

    if (length < 0)
        return false;
    assert_true(length >= ETH_HLEN && arp_parse(frame + ETH_HLEN, (size_t)length - ETH_HLEN, ret));
    assert_memory_equal(frame + 6, scene->pair.outer_mac, 6);
    assert_memory_equal(ret->sender_mac, scene->pair.outer_mac, 6);
    memcpy(ret_to, frame, 6);
    return true;
}

static int count_heard(struct scene *scene)
{
    struct arp_packet packet;
    uint8_t to[6];
    int count = 0;

    while (hear(scene, &packet, to))
        count++;
    return count;
}

/* Probes an address and hears away what it says; it is free. */
static void own(struct scene *scene, const uint8_t address[4])
{
    neighbours_probe(scene->neighbours, address, on_verdict, scene);
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->free, 1);
    count_heard(scene);
}

/* ---- tests ---- */

static void test_unused(void **state)
{
    struct scene *scene = *state;
    int64_t start = loop_now_ns();
    struct arp_packet packet;
    uint8_t to[6];

    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    for (int i = 0; i < 3; i++) {
        assert_true(hear(scene, &packet, to)); /* the first at once */
        assert_int_equal(packet.operation, ARP_REQUEST);
        assert_memory_equal(to, all, 6);
        assert_memory_equal(packet.sender, zero, 4);
        assert_memory_equal(packet.target, ours, 4);
        assert_memory_equal(packet.target_mac, zero, 6);
        assert_false(hear(scene, &packet, to));
        loop_run_for(scene->loop, 33);
    }
    loop_run_for(scene->loop, 20);
    assert_int_equal(scene->verdicts, 1);
    assert_int_equal(scene->free, 1);
    assert_true(scene->last_ns - start >= NEIGHBOURS_PROBE_MS * INT64_C(1000000));
    assert_int_equal(count_heard(scene), 0);
}

static void test_answers(void **state)
{
    struct scene *scene = *state;
    struct arp_packet packet;
    uint8_t to[6];

    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    say(scene, ARP_REQUEST, dut, ours); /* not yet ours */
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->free, 1);
    assert_int_equal(count_heard(scene), 3);
    for (int probe = 0; probe < 2; probe++) {
        say(scene, ARP_REQUEST, probe ? zero : dut, ours);
        say(scene, ARP_REQUEST, probe ? zero : dut, other);
        say(scene, ARP_REPLY, dut, ours);
        loop_settle(scene->loop);
        assert_true(hear(scene, &packet, to));
        assert_int_equal(packet.operation, ARP_REPLY);
        assert_memory_equal(to, station, 6);
        assert_memory_equal(packet.sender, ours, 4);
        assert_memory_equal(packet.target_mac, station, 6);
        assert_memory_equal(packet.target, probe ? zero : dut, 4);
        assert_int_equal(count_heard(scene), 0);
    }
    assert_int_equal(scene->verdicts, 1);
    neighbours_forget(scene->neighbours, ours);
    neighbours_forget(scene->neighbours, other);
    say(scene, ARP_REQUEST, dut, ours);
    loop_settle(scene->loop);
    assert_int_equal(count_heard(scene), 0);
}

/* Each of: the answer to a probe, somebody who asks in its name, somebody else's probe for it. */
static void test_conflicts(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 3; i++) {
        int64_t start = loop_now_ns();

        scene->verdicts = 0;
        neighbours_probe(scene->neighbours, ours, on_verdict, scene);
        if (i == 2)
            say(scene, ARP_REQUEST, zero, ours);
        else
            say(scene, i ? ARP_REQUEST : ARP_REPLY, ours, dut);
        loop_settle(scene->loop);
        assert_int_equal(scene->verdicts, 1);
        assert_int_equal(scene->free, 0);
        assert_memory_equal(scene->mac, station, 6);
        assert_true(scene->last_ns - start < NEIGHBOURS_PROBE_MS * INT64_C(1000000));
        loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20); /* nothing goes on */
        assert_int_equal(scene->verdicts, 1);
        assert_int_equal(count_heard(scene), 1);
        say(scene, ARP_REQUEST, dut, ours);
        loop_settle(scene->loop);
        assert_int_equal(count_heard(scene), 0);
    }
}

/* A switch that sends back what we said, a reply about others, stations that cannot be. */
static void test_no_conflicts(void **state)
{
    struct scene *scene = *state;
    uint8_t frame[ETH_HLEN + 4 + ARP_LENGTH] = {[12] = 0x81, [15] = 5, [16] = 0x08, [17] = 0x06};
    struct arp_packet tagged = {.operation = ARP_REPLY, .sender_mac = {2, 0, 0, 0, 0, 0x77}};

    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    say_from(scene, scene->pair.outer_mac, ARP_REQUEST, zero, ours);
    say_from(scene, scene->pair.outer_mac, ARP_REPLY, ours, dut);
    say_from(scene, all, ARP_REPLY, ours, dut);
    say_from(scene, zero, ARP_REPLY, ours, dut);
    say(scene, ARP_REPLY, other, ours);
    say(scene, ARP_REQUEST, zero, other);
    memcpy(tagged.sender, ours, 4); /* in another VLAN */
    memcpy(frame, all, 6);
    memcpy(frame + 6, station, 6);
    arp_encode(&tagged, frame + ETH_HLEN + 4);
    assert_int_equal(send(scene->lan, frame, sizeof frame, 0), sizeof frame);
    assert_int_equal(send(scene->lan, frame, 30, 0), 30);
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->free, 1);
}

static void test_forgotten(void **state)
{
    struct scene *scene = *state;

    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    neighbours_probe(scene->neighbours, other, on_verdict, scene);
    neighbours_forget(scene->neighbours, ours);
    say(scene, ARP_REPLY, ours, dut);
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->verdicts, 1); /* of the other one */
    scene->verdicts = 0;
    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    neighbours_close(steal_pointer(&scene->neighbours));
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->verdicts, 0);
}

static void probe_other(void *user, const uint8_t *mac)
{
    struct scene *scene = user;

    assert_non_null(mac);
    neighbours_forget(scene->neighbours, ours);
    neighbours_probe(scene->neighbours, other, on_verdict, scene);
}

/* A callback goes on with another address, as the router does. */
static void test_from_callback(void **state)
{
    struct scene *scene = *state;

    neighbours_probe(scene->neighbours, ours, probe_other, scene);
    say(scene, ARP_REPLY, ours, dut);
    say(scene, ARP_REPLY, ours, dut);
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 30);
    assert_int_equal(scene->free, 1);
    say(scene, ARP_REQUEST, dut, other);
    count_heard(scene);
    loop_settle(scene->loop);
    assert_int_equal(count_heard(scene), 1);
}

static void test_announce(void **state)
{
    struct scene *scene = *state;
    struct arp_packet packet;
    uint8_t to[6];

    neighbours_announce(scene->neighbours, ours, dut);
    assert_true(hear(scene, &packet, to));
    assert_int_equal(packet.operation, ARP_REQUEST);
    assert_memory_equal(to, all, 6);
    assert_memory_equal(packet.sender, ours, 4);
    assert_memory_equal(packet.target, dut, 4);
    assert_int_equal(count_heard(scene), 0);
}

/* Once only, lest two that defend the same address go on for ever. */
static void test_defended(void **state)
{
    struct scene *scene = *state;
    struct arp_packet packet;
    uint8_t to[6];

    own(scene, ours);
    for (int i = 0; i < 3; i++)
        say(scene, ARP_REPLY, ours, dut);
    loop_settle(scene->loop);
    assert_true(hear(scene, &packet, to));
    assert_memory_equal(to, all, 6);
    assert_memory_equal(packet.sender, ours, 4);
    assert_memory_equal(packet.target, ours, 4);
    assert_int_equal(count_heard(scene), 0);
    say(scene, ARP_REQUEST, dut, ours); /* it is still answered for */
    loop_settle(scene->loop);
    assert_int_equal(count_heard(scene), 1);
}

static void many_address(int i, uint8_t address[4])
{
    const uint8_t bytes[4] = {10, 0, (uint8_t)(i / 256), (uint8_t)i};

    memcpy(address, bytes, 4);
}

static void test_many(void **state)
{
    struct scene *scene = *state;
    int64_t start = loop_now_ns();
    int size = 8 << 20, answers = 0;

    assert_true(setsockopt(scene->lan, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0 ||
                errno == EPERM);
    for (int i = 0; i < MANY; i++) {
        uint8_t address[4];

        many_address(i, address);
        neighbours_probe(scene->neighbours, address, on_verdict, scene);
    }
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 200);
    assert_int_equal(scene->free, MANY);
    print_message("%d addresses: %ld ms\n", MANY, (long)((scene->last_ns - start) / 1000000));
    count_heard(scene);
    for (int i = 0; i < MANY; i++) {
        uint8_t address[4];

        many_address(i, address);
        say(scene, ARP_REQUEST, dut, address);
        loop_settle(scene->loop);
        answers += count_heard(scene);
    }
    assert_int_equal(answers, MANY);
}

/* A child asks without pause: time goes on, and there are answers. */
static void test_flood(void **state)
{
    struct scene *scene = *state;
    cleanup_fd int pidfd = -1;
    int64_t start;
    pid_t pid;

    own(scene, ours);
    pid = process_fork(0, &pidfd, NULL);
    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            say(scene, ARP_REQUEST, dut, ours);
    start = loop_now_ns();
    neighbours_probe(scene->neighbours, other, on_verdict, scene);
    loop_run_for(scene->loop, 500);
    assert_int_equal(scene->free, 2);
    assert_true(scene->last_ns - start < 400 * INT64_C(1000000));
    assert_true(count_heard(scene) > 10);
    assert_int_equal(process_signal(pidfd, SIGKILL, NULL), 0);
    assert_int_equal(process_reap(pidfd, &(struct process_end){0}, NULL) < 0, 0);
}

static void test_down(void **state)
{
    struct scene *scene = *state;

    own(scene, ours);
    interface_set_up(OUTER, false);
    memset(scene->mac, 1, 6);
    neighbours_probe(scene->neighbours, other, on_verdict, scene);
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->verdicts, 2);
    assert_int_equal(scene->free, 1);
    assert_memory_equal(scene->mac, zero, 6);
    pair_raise(&scene->pair);
    say(scene, ARP_REQUEST, dut, ours);
    say(scene, ARP_REQUEST, dut, other);
    loop_settle(scene->loop);
    assert_int_equal(count_heard(scene), 1);
}

static bool file_holds(const char *path, const char *words)
{
    FILE *file = fopen(path, "re");
    char line[256];
    bool found = false;

    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file))
        found = strstr(line, words) != NULL;
    fclose(file);
    return found;
}

/* A station whose kernel has 192.0.2.1: it defends that, finds ours, and knows ours without asking once it
 * has been asked in its name. */
static void test_kernel(void **state)
{
    struct scene *scene = *state;
    cleanup_netlink struct netlink *there = NULL;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    cleanup_fd int udp = -1;

    assert_int_equal(setns(scene->pair.there, CLONE_NEWNET), 0);
    there = netlink_open(NULL);
    assert_int_equal(address_add(there, INNER, "192.0.2.1", 24, NULL), 0);
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    neighbours_probe(scene->neighbours, dut, on_verdict, scene);
    loop_run_for(scene->loop, 20);
    assert_int_equal(scene->verdicts, 1);
    assert_memory_equal(scene->mac, scene->pair.inner_mac, 6);
    own(scene, ours);
    memcpy(&to.sin_addr, ours, 4);
    assert_int_equal(sendto(udp, "", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
    loop_settle(scene->loop);
    assert_true(file_holds("/proc/net/arp", "ee:ee:ee:ee:ee:ee"));
    neighbours_announce(scene->neighbours, other, dut);
    assert_true(file_holds("/proc/net/arp", "192.0.2.11 "));
    assert_int_equal(setns(scene->pair.here, CLONE_NEWNET), 0);
}

static void test_refused(void **state)
{
    struct scene *scene = *state;
    struct error *error = NULL;

    assert_null(neighbours_open(scene->loop, AF_INET, 4711, station, &error));
    assert_error(error, ERROR_FAILED, "4711");
    error_free(error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unused),        TEST(test_answers),  TEST(test_conflicts), TEST(test_no_conflicts),
        TEST(test_forgotten),     TEST(test_announce), TEST(test_defended),  TEST(test_many),
        TEST(test_from_callback), TEST(test_flood),    TEST(test_down),      TEST(test_kernel),
        TEST(test_refused),
    };

    if (!pair_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
