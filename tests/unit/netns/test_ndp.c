#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "netns/ndp.h"

#define CHECKSUM 42

/* As Linux sends it: fe80::ff:fe00:1 asks for 2001:db8::5. */
static const uint8_t solicitation[NDP_MOST] = {
    0x60, 0,    0,    0,    0, 32, 58, 255,                               /* IPv6 */
    0xfe, 0x80, 0,    0,    0, 0,  0,  0,   0, 0, 0, 0xff, 0xfe, 0, 0, 1, /* source */
    0xff, 0x02, 0,    0,    0, 0,  0,  0,   0, 0, 0, 1,    0xff, 0, 0, 5, /* destination */
    135,  0,    0x4c, 0x59, 0, 0,  0,  0,                                 /* ICMPv6 */
    0x20, 0x01, 0x0d, 0xb8, 0, 0,  0,  0,   0, 0, 0, 0,    0,    0, 0, 5, /* target */
    1,    1,    2,    0,    0, 0,  0,  1,                                 /* its Ethernet address */
};

static const struct ndp_packet packet = {.kind = NDP_SOLICITATION,
                                         .source = {0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 1},
                                         .destination = {0xff, 0x02, [11] = 1, 0xff, 0, 0, 5},
                                         .target = {0x20, 0x01, 0x0d, 0xb8, [15] = 5},
                                         .has_mac = true,
                                         .mac = {2, 0, 0, 0, 0, 1}};

static void test_encode(void **state)
{
    uint8_t bytes[NDP_MOST];

    (void)state;
    assert_int_equal(ndp_encode(&packet, bytes), NDP_MOST);
    assert_memory_equal(bytes, solicitation, NDP_MOST);
}

static void test_parse(void **state)
{
    uint8_t padded[100] = {0};
    struct ndp_packet parsed;

    (void)state;
    memcpy(padded, solicitation, NDP_MOST);
    assert_true(ndp_parse(padded, sizeof padded, &parsed));
    assert_memory_equal(&parsed, &packet, sizeof parsed);
}

/* There and back. */
static void same(const struct ndp_packet *sent)
{
    struct ndp_packet parsed;
    uint8_t bytes[NDP_MOST];
    size_t length = ndp_encode(sent, bytes);

    assert_true(ndp_parse(bytes, length, &parsed));
    assert_memory_equal(&parsed, sent, sizeof parsed);
}

static void refused(const struct ndp_packet *sent)
{
    struct ndp_packet parsed;
    uint8_t bytes[NDP_MOST];
    size_t length = ndp_encode(sent, bytes);

    assert_false(ndp_parse(bytes, length, &parsed));
}

static void test_kinds(void **state)
{
    struct ndp_packet probe = packet, answer = packet;

    (void)state;
    memset(probe.source, 0, sizeof probe.source);
    refused(&probe); /* from nobody, who has no Ethernet address to tell */
    probe.has_mac = false;
    memset(probe.mac, 0, sizeof probe.mac);
    same(&probe);
    memcpy(probe.destination, ndp_all_nodes, sizeof probe.destination);
    refused(&probe);
    answer.kind = NDP_ADVERTISEMENT;
    answer.override = true;
    same(&answer);
    answer.solicited = true; /* to a group */
    refused(&answer);
    memcpy(answer.destination, packet.source, sizeof answer.destination);
    same(&answer);
    answer.target[0] = 0xff;
    refused(&answer);
}

/* Whichever bit is another one: it is none, or the checksum tells. But for those that no checksum covers: the
 * rest of the version's word. */
static void test_bits(void **state)
{
    struct ndp_packet parsed;

    (void)state;
    for (size_t i = 0; i < NDP_MOST; i++)
        for (int bit = 0; bit < 8; bit++) {
            uint8_t other[NDP_MOST];

            memcpy(other, solicitation, sizeof other);
            other[i] ^= (uint8_t)(1U << bit);
            assert_int_equal(ndp_parse(other, sizeof other, &parsed), i < 4 && (i || bit < 4));
        }
    for (size_t i = 0; i < NDP_MOST; i++)
        assert_false(ndp_parse(solicitation, i, &parsed));
}

/* With a right checksum. */
static void test_options(void **state)
{
    static const uint8_t wrong[][2] = {{1, 0}, {1, 2}, {14, 0}, {14, 255}};
    struct ndp_packet parsed;
    uint8_t bytes[NDP_MOST];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(bytes, solicitation, sizeof bytes);
        bytes[64] = wrong[i][0];
        bytes[65] = wrong[i][1];
        for (unsigned sum = 0; sum < 0x10000; sum++) { /* one of them is right */
            bytes[CHECKSUM] = (uint8_t)(sum >> 8);
            bytes[CHECKSUM + 1] = (uint8_t)sum;
            assert_false(ndp_parse(bytes, sizeof bytes, &parsed));
        }
    }
    bytes[65] = 1; /* one that is not known is passed over */
    for (unsigned sum = 0; sum < 0x10000; sum++) {
        bytes[CHECKSUM] = (uint8_t)(sum >> 8);
        bytes[CHECKSUM + 1] = (uint8_t)sum;
        if (ndp_parse(bytes, sizeof bytes, &parsed)) {
            assert_false(parsed.has_mac);
            return;
        }
    }
    fail();
}

static void test_groups(void **state)
{
    uint8_t group[16], mac[6];

    (void)state;
    ndp_solicited_node((const uint8_t[16]){0x20, 1, 0xd, 0xb8, [13] = 0x11, 0x22, 0x33}, group);
    assert_memory_equal(group, ((const uint8_t[16]){0xff, 2, [11] = 1, 0xff, 0x11, 0x22, 0x33}), 16);
    ndp_group_mac(group, mac);
    assert_memory_equal(mac, ((const uint8_t[6]){0x33, 0x33, 0xff, 0x11, 0x22, 0x33}), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode), cmocka_unit_test(test_parse),   cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_bits),   cmocka_unit_test(test_options), cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
