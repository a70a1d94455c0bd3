/* Dissection of frames: what is found, and that nothing is found behind what was captured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "src/packet/layers.h"
#include "tests/unit/packet/frames.h"

static struct layers dissect(const struct frame *frame)
{
    struct sippod_packet packet = frame_packet(frame);
    struct layers layers;

    layers_dissect(&packet, &layers);
    return layers;
}

static void assert_payload(const struct layers *layers, const char *payload)
{
    assert_int_equal(layers->payload_length, strlen(payload));
    assert_memory_equal(layers->payload, payload, strlen(payload));
}

static void udp_over_ipv4(void **state)
{
    cleanup_frame struct frame frame = frame_datagram(5060, "hello", 5);
    struct layers layers;

    (void)state;
    frame_add(&frame, "padding", 7); /* is not payload */
    layers = dissect(&frame);
    assert_memory_equal(layers.source_mac, MAC_A, 6);
    assert_memory_equal(layers.destination_mac, MAC_B, 6);
    assert_int_equal(layers.tag_count, 0);
    assert_int_equal(layers.ethertype, 0x0800);
    assert_int_equal(layers.family, AF_INET);
    assert_memory_equal(layers.source, "\x0a\0\0\1", 4);
    assert_memory_equal(layers.destination, "\x0a\0\0\2", 4);
    assert_int_equal(layers.protocol, IPPROTO_UDP);
    assert_true(layers.has_ports);
    assert_int_equal(layers.source_port, 5061);
    assert_int_equal(layers.destination_port, 5060);
    assert_payload(&layers, "hello");
}

static void tcp_over_ipv6(void **state)
{
    cleanup_frame struct frame frame = {0};
    struct layers layers;

    (void)state;
    frame_ethernet(&frame);
    frame_ipv6(&frame, 0, 8 + 8 + 24 + 5);
    frame_add(&frame, "\x2c\0\1\4\0\0\0", 8); /* hop by hop, then a first fragment */
    frame_add(&frame, "\x06\0\0\1\0\0\0\1", 8);
    frame_tcp(&frame, 1024, 5060);
    frame_add(&frame, "hello", 5);
    layers = dissect(&frame);
    assert_int_equal(layers.family, AF_INET6);
    assert_int_equal(layers.source[15], 1);
    assert_int_equal(layers.destination[15], 2);
    assert_int_equal(layers.protocol, IPPROTO_TCP);
    assert_int_equal(layers.destination_port, 5060);
    assert_payload(&layers, "hello");
}

static void tags(void **state)
{
    cleanup_frame struct frame frame = {0};
    struct sippod_packet packet;
    struct layers layers;

    (void)state;
    frame_ethernet(&frame);
    frame_tag(&frame, 0x88a8, 102);
    frame_tag(&frame, 0x8100, 4095);
    frame_ipv4(&frame, IPPROTO_UDP, 9);
    frame_udp(&frame, 1, 2, 1);
    frame_add(&frame, "x", 1);
    packet = frame_packet(&frame);
    packet.has_tag = 1;
    packet.tag_tci = 3U << 13 | 7;
    layers_dissect(&packet, &layers);
    assert_int_equal(layers.tag_count, 3);
    assert_int_equal(layers.tags[0].vlan, 7);
    assert_int_equal(layers.tags[0].tpid, 0x8100);
    assert_int_equal(layers.tags[0].priority, 3);
    assert_int_equal(layers.tags[1].vlan, 102);
    assert_int_equal(layers.tags[1].tpid, 0x88a8);
    assert_int_equal(layers.tags[1].priority, 5);
    assert_int_equal(layers.tags[2].vlan, 4095);
    assert_payload(&layers, "x");
}

static void more_tags_than_looked_at(void **state)
{
    cleanup_frame struct frame frame = {0};
    struct layers layers;

    (void)state;
    frame_ethernet(&frame);
    for (unsigned i = 0; i < LAYERS_TAGS_MOST + 2; i++)
        frame_tag(&frame, 0x8100, i);
    frame_ipv4(&frame, IPPROTO_UDP, 8);
    frame_udp(&frame, 1, 2, 0);
    layers = dissect(&frame);
    assert_int_equal(layers.tag_count, LAYERS_TAGS_MOST);
    assert_int_equal(layers.family, 0);
}

static void later_fragments(void **state)
{
    cleanup_frame struct frame frame = frame_datagram(5060, "hello", 5), other = {0};
    struct layers layers;

    (void)state;
    frame.data[14 + 7] = 1;
    layers = dissect(&frame);
    assert_true(layers.later_fragment);
    assert_false(layers.has_ports);
    frame_ethernet(&other);
    frame_ipv6(&other, 44, 8 + 8);
    frame_add(&other, "\x11\0\0\x08\0\0\0\1", 8);
    frame_udp(&other, 1, 2, 0);
    layers = dissect(&other);
    assert_true(layers.later_fragment);
    assert_int_equal(layers.protocol, IPPROTO_UDP);
    assert_false(layers.has_ports);
}

/* Lengths that frames say of themselves: too long, too short, and left to the device. */
static void lengths(void **state)
{
    cleanup_frame struct frame frame = frame_datagram(5060, "hello", 5);
    struct layers layers;

    (void)state;
    memset(frame.data + 14 + 2, 0xff, 2); /* of IPv4 */
    memset(frame.data + 34 + 4, 0xff, 2); /* of UDP */
    layers = dissect(&frame);
    assert_payload(&layers, "hello");
    memset(frame.data + 14 + 2, 0, 2);
    memset(frame.data + 34 + 4, 0, 2);
    layers = dissect(&frame);
    assert_payload(&layers, "hello");
    frame.data[14] = 0x44; /* a header shorter than it can be */
    assert_int_equal(dissect(&frame).family, 0);
    frame.data[14] = 0x4f; /* longer than the frame */
    assert_int_equal(dissect(&frame).family, 0);
}

/* At every place where it can be cut off, it is read as far as it goes. */
static void cut_off(void **state)
{
    cleanup_frame struct frame frame = frame_datagram(5060, "hello", 5);

    (void)state;
    for (size_t length = 0; length < frame.length; length++) {
        cleanup_frame struct frame part = {0};
        struct layers layers;

        frame_add(&part, frame.data, length);
        layers = dissect(&part);
        assert_int_equal(layers.source_mac != NULL, length >= 12);
        assert_int_equal(layers.family != 0, length >= 34);
        assert_int_equal(layers.has_ports, length >= 42);
        assert_int_equal(layers.payload_length, length > 42 ? length - 42 : 0);
    }
}

static void other_links(void **state)
{
    cleanup_frame struct frame frame = frame_datagram(5060, "hello", 5);
    struct sippod_packet packet = frame_packet(&frame);
    struct layers layers;

    (void)state;
    packet.data += 14;
    packet.captured -= 14;
    packet.linktype = 101;
    layers_dissect(&packet, &layers);
    assert_null(layers.source_mac);
    assert_payload(&layers, "hello");
    packet.linktype = 9; /* PPP: not known */
    layers_dissect(&packet, &layers);
    assert_int_equal(layers.family, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_over_ipv4),
        cmocka_unit_test(tcp_over_ipv6),
        cmocka_unit_test(tags),
        cmocka_unit_test(more_tags_than_looked_at),
        cmocka_unit_test(later_fragments),
        cmocka_unit_test(lengths),
        cmocka_unit_test(cut_off),
        cmocka_unit_test(other_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
