/* Every predicate on crafted frames, with both verdicts and their words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/expect/play.h"

static void any(void **state)
{
    struct sippod_verdict verdict;

    (void)state;
    check(sippod_received_packet(), true, "received_packet(): saw it in packet 1 in 0.0 s on eth0");
    check(sippod_timed_out(), true, "timed_out(): saw 6 packets in 5.0 s on eth0");
    verdict = scene_play(sippod_timed_out(), &(struct sippod_options){.packet_limit = 2});
    assert_true(sippod_verdict_is(&verdict, false));
    assert_int_equal(verdict.seen, 2);
    verdict = scene_play(sippod_received_packet(), &(struct sippod_options){.filter = "icmp"});
    assert_true(sippod_verdict_is(&verdict, false));
    assert_string_equal(verdict.detail, "received_packet(): saw none among 0 packets in 5.0 s on eth0");
}

static void counts(void **state)
{
    struct sippod_verdict verdict;

    (void)state;
    verdict = scene_play(sippod_packet_count(), NULL);
    assert_int_equal(verdict.value.kind, SIPPOD_INTEGER);
    assert_int_equal(verdict.value.integer, 6);
    assert_string_equal(verdict.detail, "packet_count(): saw 6 packets in 5.0 s on eth0");
    check(sippod_packet_count_was(6), true, "packet_count_was(6): saw 6 of 6 in 5.0 s on eth0");
    check(sippod_packet_count_was(42), false, "packet_count_was(42): saw 6 of 42 in 5.0 s on eth0");
    check(sippod_packet_count_was(3), false, "packet_count_was(3): saw 4 of 3 in 0.3 s on eth0");
    check(sippod_packet_count_was_less_than(7), true,
          "packet_count_was_less_than(7): saw 6 packets in 5.0 s on eth0");
    check(sippod_packet_count_was_less_than(6), false,
          "packet_count_was_less_than(6): saw 6 packets in 0.5 s on eth0");
    check(sippod_packet_count_was_at_least(6), true,
          "packet_count_was_at_least(6): saw 6 of 6 in 0.5 s on eth0");
    check(sippod_packet_count_was_at_least(7), false,
          "packet_count_was_at_least(7): saw 6 of 7 in 5.0 s on eth0");
}

static void macs(void **state)
{
    (void)state;
    check(sippod_saw_src_mac("02:00:00:00:00:0A"), true,
          "saw_src_mac(02:00:00:00:00:0A): saw it in packet 1 in 0.0 s on eth0");
    check(sippod_saw_src_mac("02:00:00:00:00:0b"), false,
          "saw_src_mac(02:00:00:00:00:0b): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_saw_dst_mac("02-00-00-00-00-0b"), true,
          "saw_dst_mac(02-00-00-00-00-0b): saw it in packet 1 in 0.0 s on eth0");
    check(sippod_saw_dst_mac("ff:ff:ff:ff:ff:ff"), false,
          "saw_dst_mac(ff:ff:ff:ff:ff:ff): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_src_mac("02:00:00:00:00:0b"), true,
          "did_not_see_src_mac(02:00:00:00:00:0b): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_src_mac("02:00:00:00:00:0a"), false,
          "did_not_see_src_mac(02:00:00:00:00:0a): saw it in packet 1 in 0.0 s on eth0");
    check(sippod_did_not_see_dst_mac("02:00:00:00:00:0a"), true,
          "did_not_see_dst_mac(02:00:00:00:00:0a): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_dst_mac("02:00:00:00:00:0b"), false,
          "did_not_see_dst_mac(02:00:00:00:00:0b): saw it in packet 1 in 0.0 s on eth0");
}

static void vlans(void **state)
{
    (void)state;
    check(sippod_saw_vlan_tag(102), true, "saw_vlan_tag(102): saw it in packet 4 in 0.3 s on eth0");
    check(sippod_saw_vlan_tag(8), true, "saw_vlan_tag(8): saw it in packet 5 in 0.4 s on eth0");
    check(sippod_saw_vlan_tag(9), false, "saw_vlan_tag(9): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_vlan_tag(9), true,
          "did_not_see_vlan_tag(9): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_vlan_tag(7), false,
          "did_not_see_vlan_tag(7): saw it in packet 5 in 0.4 s on eth0");
    check(sippod_saw_vlan(), true, "saw_vlan(): saw it in packet 4 in 0.3 s on eth0");
    check(sippod_did_not_see_vlan(), false, "did_not_see_vlan(): saw it in packet 4 in 0.3 s on eth0");
}

static void equaling(void **state)
{
    const struct frame *frame = &scene[TAGGED];

    (void)state;
    check(sippod_saw_packet_equaling(frame->data, frame->length), true,
          "saw_packet_equaling(46 bytes): saw it in packet 4 in 0.3 s on eth0");
    check(sippod_saw_packet_equaling(frame->data, frame->length - 1), false,
          "saw_packet_equaling(45 bytes): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_packet_equaling(frame->data, frame->length), false,
          "did_not_see_packet_equaling(46 bytes): saw it in packet 4 in 0.3 s on eth0");
    check(sippod_did_not_see_packet_equaling("x", 1), true,
          "did_not_see_packet_equaling(1 bytes): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_received_count_of(frame->data, frame->length, 1), true,
          "received_count_of(46 bytes, 1): saw 1 of 1 in 5.0 s on eth0");
    check(sippod_received_count_of(frame->data, frame->length, 2), false,
          "received_count_of(46 bytes, 2): saw 1 of 2 in 5.0 s on eth0");
    check(sippod_received_count_of(frame->data, frame->length, 0), false,
          "received_count_of(46 bytes, 0): saw 1 of 0 in 0.3 s on eth0");
}

static void filters(void **state)
{
    (void)state;
    check(sippod_saw_filter("udp dst port 4000"), true,
          "saw_filter(udp dst port 4000): saw it in packet 3 in 0.2 s on eth0");
    check(sippod_saw_filter("tcp"), false, "saw_filter(tcp): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_filter("tcp"), true,
          "did_not_see_filter(tcp): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_did_not_see_filter("vlan 102"), false,
          "did_not_see_filter(vlan 102): saw it in packet 4 in 0.3 s on eth0");
}

static void sip_and_rtp(void **state)
{
    (void)state;
    check(sippod_saw_sip("INVITE", NULL), true, "saw_sip(INVITE): saw it in packet 1 in 0.0 s on eth0");
    check(sippod_saw_sip("INV", NULL), false, "saw_sip(INV): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_saw_sip("486", NULL), true, "saw_sip(486): saw it in packet 2 in 0.1 s on eth0");
    check(sippod_saw_sip("4xx", NULL), true, "saw_sip(4xx): saw it in packet 2 in 0.1 s on eth0");
    check(sippod_saw_sip("2xx", NULL), false, "saw_sip(2xx): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_saw_sip("INVITE", "^call-id: 42@host$"), true,
          "saw_sip(INVITE, ^call-id: 42@host$): saw it in packet 1 in 0.0 s on eth0");
    check(sippod_saw_sip("INVITE", "^host"), false,
          "saw_sip(INVITE, ^host): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_saw_rtp(1, -1), true, "saw_rtp(1): saw it in packet 3 in 0.2 s on eth0");
    check(sippod_saw_rtp(1, 8), true, "saw_rtp(1, 8): saw it in packet 3 in 0.2 s on eth0");
    check(sippod_saw_rtp(1, 0), false, "saw_rtp(1, 0): saw none among 6 packets in 5.0 s on eth0");
    check(sippod_saw_rtp(2, 8), false, "saw_rtp(2, 8): saw 1 of 2 in 5.0 s on eth0");
}

static void offloaded_tag(void **state)
{
    cleanup_frame struct frame inner = {0};
    struct sippod_predicate asked[] = {
        sippod_saw_vlan_tag(102),
        sippod_saw_filter("vlan 102 and udp"),
        sippod_saw_packet_equaling(scene[TAGGED].data, scene[TAGGED].length),
    };

    (void)state;
    frame_add(&inner, scene[TAGGED].data, 12);
    frame_add(&inner, scene[TAGGED].data + 16, scene[TAGGED].length - 16);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct sippod_packet packet = frame_packet(&inner);

        assert_int_equal(asked[i].on_packet(asked[i].state, &packet), 0);
        assert_false(asked[i].stop_condition(asked[i].state, &packet));
        packet.has_tag = 1;
        packet.tag_tci = 5U << 13 | 102;
        assert_int_equal(asked[i].on_packet(asked[i].state, &packet), 0);
        assert_true(asked[i].stop_condition(asked[i].state, &packet));
        sippod_predicate_free(&asked[i]);
    }
}

static void combined(void **state)
{
    (void)state;
    check(sippod_and(sippod_saw_vlan_tag(102), sippod_saw_rtp(1, -1)), true,
          "and(saw_vlan_tag(102): saw it in packet 4; saw_rtp(1): saw it in packet 3) in 0.3 s on eth0");
    check(sippod_and(sippod_saw_vlan(), sippod_did_not_see_filter("udp port 4000")), false,
          "and(saw_vlan(): saw none among 3 packets; did_not_see_filter(udp port 4000): saw it in packet 3) "
          "in 0.2 s "
          "on eth0");
    check(sippod_or(sippod_saw_vlan_tag(9), sippod_saw_sip("486", NULL)), true,
          "or(saw_vlan_tag(9): saw none among 2 packets; saw_sip(486): saw it in packet 2) in 0.1 s on eth0");
    check(sippod_or(sippod_packet_count_was(1), sippod_saw_vlan_tag(9)), false,
          "or(packet_count_was(1): saw 2 of 1; saw_vlan_tag(9): saw none among 6 packets) in 5.0 s on eth0");
    check(sippod_not(sippod_saw_vlan()), false, "not(saw_vlan(): saw it in packet 4) in 0.3 s on eth0");
    check(sippod_not(sippod_packet_count_was(5)), true,
          "not(packet_count_was(5): saw 6 of 5) in 0.5 s on eth0");
}

/* ---- wrong arguments ---- */

static void wrong(void **state)
{
    (void)state;
    refused(sippod_saw_src_mac("02:00:00:00:00"), "saw_src_mac(02:00:00:00:00): 02:00:00:00:00 is not a MAC");
    refused(sippod_saw_dst_mac("02:00:00:00:00:0g"), "is not a MAC");
    refused(sippod_saw_dst_mac("02.00.00.00.00.00"), "is not a MAC");
    refused(sippod_did_not_see_dst_mac(NULL), "is not a MAC");
    refused(sippod_saw_vlan_tag(4096), "0 to 4095");
    refused(sippod_saw_vlan_tag(UINT32_MAX), "0 to 4095");
    refused(sippod_saw_packet_equaling("", 0), "1 to 262144");
    refused(sippod_saw_filter("no such thing"), "filter \"no such thing\": ");
    refused(sippod_saw_sip("", NULL), "no SIP method");
    refused(sippod_saw_sip("799", NULL), "no SIP method");
    refused(sippod_saw_sip("INVITE", "("), "regular expression \"(\"");
    refused(sippod_saw_rtp(1, 128), "0 to 127");
    refused(sippod_and(sippod_saw_vlan(), sippod_saw_vlan_tag(5000)), "saw_vlan_tag(5000): ");
    refused(sippod_not(sippod_or(sippod_saw_filter("x y z"), sippod_saw_vlan())), "x y z");
    refused(sippod_writer("/nonexistent/file", sippod_saw_vlan()),
            "cannot write /nonexistent/file: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any),      cmocka_unit_test(counts),        cmocka_unit_test(macs),
        cmocka_unit_test(vlans),    cmocka_unit_test(equaling),      cmocka_unit_test(filters),
        cmocka_unit_test(combined), cmocka_unit_test(offloaded_tag), cmocka_unit_test(sip_and_rtp),
        cmocka_unit_test(wrong),
    };

    return cmocka_run_group_tests(tests, scene_make, scene_free);
}
