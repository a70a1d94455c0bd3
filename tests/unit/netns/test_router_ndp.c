/* The router's neighbour discovery at one end of a veth pair; the test speaks for the rest of the LAN at the
 * other, by raw frames. What RFC 4861 7.1 has it pass over gets no answer and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_ether.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/ndp.h"
#include "netns/router/neighbours.h"
#include "src/base/memory.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/netns/pair.h"
#include "tests/unit/support/support.h"

/* Offsets in the IPv6 packet. */
#define LENGTH   4
#define NEXT     6
#define HOPS     7
#define SOURCE   8
#define GROUP    24
#define TYPE     40
#define CODE     41
#define CHECKSUM 42
#define TARGET   48
#define OPTION   64

static const uint8_t ours[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x77};
static const uint8_t asking[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 5};
static const uint8_t station[6] = {2, 0, 0, 0, 0, 0x77};

struct scene {
    struct pair pair;
    struct loop *loop;
    struct neighbours *neighbours;
    int lan; /* speaks and hears there */
    int verdicts, free;
};

static int set_up(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    *state = scene;
    pair_make(&scene->pair);
    pair_raise(&scene->pair);
    scene->lan = pair_socket(&scene->pair, scene->pair.there, INNER, ETH_P_IPV6);
    scene->loop = loop_new(NULL);
    assert_non_null(scene->loop);
    scene->neighbours =
        neighbours_open(scene->loop, AF_INET6, (int)if_nametoindex(OUTER), scene->pair.outer_mac, NULL);
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
    scene->free += mac == NULL;
}

/* What is wrong with a packet: bytes that are others than in a good one, with a right checksum all the same
 * unless that is what is wrong. */
struct wrong {
    size_t at[2];
    uint8_t byte[2];
    bool checksum;
    size_t cut; /* bytes that the frame lacks at the end */
};

static void sum_up(uint8_t *packet, size_t length)
{
    uint32_t sum = (uint32_t)(length - TYPE) + packet[NEXT];

    memset(packet + CHECKSUM, 0, 2);
    for (size_t i = SOURCE; i < length; i++)
        sum += i % 2 ? packet[i] : (uint32_t)packet[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    packet[CHECKSUM] = (uint8_t)(~sum >> 8);
    packet[CHECKSUM + 1] = (uint8_t)~sum;
}

/* `wrong`: NULL: nothing. */
static void say(struct scene *scene, const struct ndp_packet *packet, const struct wrong *wrong)
{
    uint8_t frame[ETH_HLEN + NDP_MOST] = {[12] = 0x86, [13] = 0xdd}, *bytes = frame + ETH_HLEN;
    size_t length = ndp_encode(packet, bytes);

    if (packet->destination[0] == 0xff)
        ndp_group_mac(packet->destination, frame);
    else
        memcpy(frame, scene->pair.outer_mac, 6);
    memcpy(frame + 6, station, 6);
    if (wrong) {
        for (size_t i = 0; i < 2; i++)
            if (wrong->at[i])
                bytes[wrong->at[i]] = wrong->byte[i];
        sum_up(bytes, length);
        if (wrong->checksum)
            bytes[CHECKSUM] ^= 1;
        length -= wrong->cut;
    }
    assert_int_equal(send(scene->lan, frame, ETH_HLEN + length, 0), ETH_HLEN + length);
}

/* Advertisements of ours that have come to the LAN. */
static int count_answers(struct scene *scene)
{
    struct ndp_packet packet;
    uint8_t frame[2048];
    ssize_t length;
    int count = 0;

    while ((length = recv(scene->lan, frame, sizeof frame, MSG_DONTWAIT)) >= 0)
        if (length > ETH_HLEN && ndp_parse(frame + ETH_HLEN, (size_t)length - ETH_HLEN, &packet) &&
            packet.kind == NDP_ADVERTISEMENT && memcmp(packet.target, ours, sizeof ours) == 0)
            count++;
    return count;
}

static struct ndp_packet solicitation(bool probe)
{
    struct ndp_packet packet = {.kind = NDP_SOLICITATION, .has_mac = !probe};

    if (!probe)
        memcpy(packet.source, asking, sizeof asking);
    memcpy(packet.target, ours, sizeof ours);
    memcpy(packet.mac, station, sizeof station);
    ndp_solicited_node(ours, packet.destination);
    return packet;
}

/* ---- tests ---- */

/* Of any packet. The option is that of the sender's Ethernet address. */
static const struct wrong wrongs[] = {
    {.at = {HOPS}, .byte = {254}},      {.at = {HOPS}, .byte = {64}},        {.at = {CODE}, .byte = {1}},
    {.at = {TYPE}, .byte = {133}},      {.at = {TARGET}, .byte = {0xff}},    {.checksum = true},
    {.at = {LENGTH + 1}, .byte = {16}}, {.at = {LENGTH + 1}, .byte = {255}}, {.cut = 16},
};

/* Of one with an option: a length of 0, one beyond the end, an option that is cut. */
static const struct wrong wrong_options[] = {
    {.at = {OPTION + 1}, .byte = {0}},
    {.at = {OPTION + 1}, .byte = {2}},
    {.at = {OPTION, OPTION + 1}, .byte = {200, 0}},
    {.cut = 4},
};

/* Of a probe: to the address itself, or to another group. */
static const struct wrong wrong_probes[] = {
    {.at = {GROUP + 15}, .byte = {0x78}},
    {.at = {GROUP + 11, GROUP + 15}, .byte = {0, 1}},
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void pass_over(struct scene *scene, const struct ndp_packet *packet, const struct wrong *list,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        say(scene, packet, &list[i]);
        loop_settle(scene->loop);
        if (count_answers(scene) != 0)
            fail_msg("wrong in way %zu of %zu, and answered", i, count);
    }
}

/* An address of ours is asked for. */
static void test_solicitations(void **state)
{
    struct scene *scene = *state;
    const struct ndp_packet question = solicitation(false), probe = solicitation(true);
    struct ndp_packet bad_probe = probe;

    bad_probe.has_mac = true;
    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    loop_run_for(scene->loop, NEIGHBOURS_PROBE_MS + 20);
    assert_int_equal(scene->free, 1);
    assert_int_equal(count_answers(scene), 0);
    pass_over(scene, &question, wrongs, COUNT(wrongs));
    pass_over(scene, &question, wrong_options, COUNT(wrong_options));
    pass_over(scene, &probe, wrongs, COUNT(wrongs));
    pass_over(scene, &probe, wrong_probes, COUNT(wrong_probes));
    say(scene, &bad_probe, NULL);
    loop_settle(scene->loop);
    assert_int_equal(count_answers(scene), 0);
    for (int probed = 0; probed < 2; probed++) {
        say(scene, probed ? &probe : &question, NULL);
        loop_settle(scene->loop);
        assert_int_equal(count_answers(scene), 1);
    }
}

/* One that is probed would be somebody else's, if it were true. */
static void test_advertisements(void **state)
{
    struct scene *scene = *state;
    static const struct wrong solicited = {.at = {44}, .byte = {0x60}}; /* to a group: nobody has asked */
    struct ndp_packet answer = {.kind = NDP_ADVERTISEMENT, .override = true, .has_mac = true};

    memcpy(answer.source, ours, sizeof ours);
    memcpy(answer.target, ours, sizeof ours);
    memcpy(answer.mac, station, sizeof station);
    memcpy(answer.destination, ndp_all_nodes, sizeof answer.destination);
    neighbours_probe(scene->neighbours, ours, on_verdict, scene);
    pass_over(scene, &answer, wrongs, COUNT(wrongs));
    pass_over(scene, &answer, wrong_options, COUNT(wrong_options));
    pass_over(scene, &answer, &solicited, 1);
    assert_int_equal(scene->verdicts, 0);
    say(scene, &answer, NULL);
    loop_settle(scene->loop);
    assert_int_equal(scene->verdicts, 1);
    assert_int_equal(scene->free, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_solicitations), TEST(test_advertisements)};

    if (!pair_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
