#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "netns/arp.h"

/* As RFC 826 lays it out. */
static const uint8_t reply[ARP_LENGTH] = {0, 1,    8,    0,    6,    4,    0,   2, /* Ethernet, IPv4, reply */
                                          2, 0x11, 0x12, 0x13, 0x14, 0x15, 192, 0, 2, 1,
                                          2, 0x21, 0x22, 0x23, 0x24, 0x25, 192, 0, 2, 2};

static const struct arp_packet packet = {.operation = ARP_REPLY,
                                         .sender_mac = {2, 0x11, 0x12, 0x13, 0x14, 0x15},
                                         .sender = {192, 0, 2, 1},
                                         .target_mac = {2, 0x21, 0x22, 0x23, 0x24, 0x25},
                                         .target = {192, 0, 2, 2}};

static void test_encode(void **state)
{
    uint8_t bytes[ARP_LENGTH];

    (void)state;
    arp_encode(&packet, bytes);
    assert_memory_equal(bytes, reply, ARP_LENGTH);
}

static void test_parse(void **state)
{
    uint8_t padded[46] = {0};
    struct arp_packet parsed;

    (void)state;
    memcpy(padded, reply, ARP_LENGTH);
    assert_true(arp_parse(padded, sizeof padded, &parsed));
    assert_int_equal(parsed.operation, ARP_REPLY);
    assert_memory_equal(parsed.sender_mac, packet.sender_mac, 6);
    assert_memory_equal(parsed.sender, packet.sender, 4);
    assert_memory_equal(parsed.target_mac, packet.target_mac, 6);
    assert_memory_equal(parsed.target, packet.target, 4);
    padded[7] = 1;
    assert_true(arp_parse(padded, sizeof padded, &parsed));
    assert_int_equal(parsed.operation, ARP_REQUEST);
}

static void test_others(void **state)
{
    struct arp_packet parsed;

    (void)state;
    for (size_t i = 0; i < ARP_LENGTH; i++)
        assert_false(arp_parse(reply, i, &parsed));
    for (size_t i = 0; i < 8; i++) {
        uint8_t other[ARP_LENGTH];

        memcpy(other, reply, sizeof other);
        other[i] ^= 4;
        assert_false(arp_parse(other, sizeof other, &parsed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
