/* Predicates as text: each of them, each error, and the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/expect/parse.h"
#include "tests/unit/expect/play.h"
#include "tests/unit/support/support.h"

#define parsed(text, expected, detail) check(sippod_predicate_parse(text), expected, detail)
#define wrong(text, words)             refused(sippod_predicate_parse(text), words)

/* That an error says all of this, and nothing else. */
static void says(const char *text, const char *words)
{
    struct sippod_predicate predicate = sippod_predicate_parse(text);

    assert_non_null(sippod_predicate_error(&predicate));
    assert_string_equal(sippod_predicate_error(&predicate), words);
    sippod_predicate_free(&predicate);
}

static void any(void **state)
{
    struct sippod_verdict verdict = scene_play(sippod_predicate_parse("packet_count"), NULL);

    (void)state;
    assert_int_equal(verdict.value.kind, SIPPOD_INTEGER);
    assert_int_equal(verdict.value.integer, 6);
    parsed("received_packet", true, "received_packet(): saw it in packet 1 in 0.0 s on eth0");
    parsed(" received_packet ( ) ", true, "received_packet(): saw it in packet 1 in 0.0 s on eth0");
    parsed("timed_out()", true, "timed_out(): saw 6 packets in 5.0 s on eth0");
    parsed("packet_count_was(42)", false, "packet_count_was(42): saw 6 of 42 in 5.0 s on eth0");
    parsed("packet_count_was_less_than(7)", true,
           "packet_count_was_less_than(7): saw 6 packets in 5.0 s on eth0");
    parsed("packet_count_was_at_least( 006 )", true,
           "packet_count_was_at_least(6): saw 6 of 6 in 0.5 s on eth0");
    parsed("packet_count_was_at_least(18446744073709551615)", false,
           "packet_count_was_at_least(18446744073709551615): saw 6 of 18446744073709551615 in 5.0 s on eth0");
}

static void addresses_and_tags(void **state)
{
    (void)state;
    parsed("saw_src_mac(02-00-00-00-00-0A)", true,
           "saw_src_mac(02-00-00-00-00-0A): saw it in packet 1 in 0.0 s on eth0");
    parsed("saw_dst_mac(02:00:00:00:00:0a)", false,
           "saw_dst_mac(02:00:00:00:00:0a): saw none among 6 packets in 5.0 s on eth0");
    parsed("did_not_see_src_mac(02:00:00:00:00:0a)", false,
           "did_not_see_src_mac(02:00:00:00:00:0a): saw it in packet 1 in 0.0 s on eth0");
    parsed("did_not_see_dst_mac(02:00:00:00:00:0a)", true,
           "did_not_see_dst_mac(02:00:00:00:00:0a): saw none among 6 packets in 5.0 s on eth0");
    parsed("saw_vlan_tag(102)", true, "saw_vlan_tag(102): saw it in packet 4 in 0.3 s on eth0");
    parsed("did_not_see_vlan_tag(0)", true,
           "did_not_see_vlan_tag(0): saw none among 6 packets in 5.0 s on eth0");
    parsed("saw_vlan", true, "saw_vlan(): saw it in packet 4 in 0.3 s on eth0");
    parsed("did_not_see_vlan", false, "did_not_see_vlan(): saw it in packet 4 in 0.3 s on eth0");
}

static void filters(void **state)
{
    (void)state;
    parsed("saw_filter(udp and (port 9 or (port 4000)))", true,
           "saw_filter(udp and (port 9 or (port 4000))): saw it in packet 3 in 0.2 s on eth0");
    parsed("saw_filter(\"\")", true, "saw_filter(): saw it in packet 1 in 0.0 s on eth0");
    parsed("did_not_see_filter( tcp )", true,
           "did_not_see_filter(tcp): saw none among 6 packets in 5.0 s on eth0");
}

static void sip_and_rtp(void **state)
{
    (void)state;
    parsed("saw_sip(INVITE)", true, "saw_sip(INVITE): saw it in packet 1 in 0.0 s on eth0");
    parsed("saw_sip(4xx, \"^CSeq: 1\")", true, "saw_sip(4xx, ^CSeq: 1): saw it in packet 2 in 0.1 s on eth0");
    parsed("saw_sip(INVITE,^Call-ID: (42|43)@)", true,
           "saw_sip(INVITE, ^Call-ID: (42|43)@): saw it in packet 1 in 0.0 s on eth0");
    parsed("saw_sip(INVITE, \"^Call-ID: \\d+@\\\"?host\")", true,
           "saw_sip(INVITE, ^Call-ID: \\d+@\"?host): saw it in packet 1 in 0.0 s on eth0");
    parsed("saw_sip(INVITE, \"^Call-ID: \\\\d+@|, \\)\")", true,
           "saw_sip(INVITE, ^Call-ID: \\d+@|, \\)): saw it in packet 1 in 0.0 s on eth0");
    parsed("saw_rtp(1)", true, "saw_rtp(1): saw it in packet 3 in 0.2 s on eth0");
    parsed("saw_rtp(1,8)", true, "saw_rtp(1, 8): saw it in packet 3 in 0.2 s on eth0");
    parsed("saw_rtp(1, 0)", false, "saw_rtp(1, 0): saw none among 6 packets in 5.0 s on eth0");
}

static void combined(void **state)
{
    (void)state;
    parsed("and(saw_vlan_tag(102), saw_rtp(1), saw_filter(udp or (tcp)))", true,
           "and(saw_vlan_tag(102): saw it in packet 4; saw_rtp(1): saw it in packet 3; "
           "saw_filter(udp or (tcp)): saw it in packet 1) in 0.3 s on eth0");
    parsed("or(saw_vlan_tag(9),not(saw_vlan), saw_sip(486))", true,
           "or(saw_vlan_tag(9): saw none among 2 packets; not(saw_vlan(): saw none among 2 packets); "
           "saw_sip(486): saw it in packet 2) in 0.1 s on eth0");
    parsed("not(received_packet)", false, "not(received_packet(): saw it in packet 1) in 0.0 s on eth0");
}

/* ---- packets ---- */

/* Writes frames of VLAN 101, 102, … with this link type; the last is cut off if `part`. */
static void write_capture(const char *folder, const char *name, unsigned count, uint32_t linktype, bool part)
{
    cleanup_free char *path = text_format("%s/%s", folder, name);
    struct sippod_predicate writer = sippod_writer(path, sippod_packet_count());

    for (unsigned i = 0; i < count; i++) {
        cleanup_frame struct frame frame = frame_tagged(101 + i);
        struct sippod_packet packet = frame_packet(&frame);

        packet.linktype = linktype;
        packet.captured -= part && i == count - 1;
        assert_int_equal(writer.on_packet(writer.state, &packet), 0);
    }
    (void)writer.on_finish(writer.state, true);
    sippod_predicate_free(&writer);
}

static void packets_of_files(void **state)
{
    const char *folder = *state;
    cleanup_free char *text = text_format("saw_packet_equaling(%s/call.pcap#1)", folder);

    write_capture(folder, "call.pcap", 4, 1, true);
    write_capture(folder, "a, #1).pcap", 2, 1, false);
    parsed(text, true, "saw_packet_equaling(46 bytes): saw it in packet 4 in 0.3 s on eth0");
    check(predicate_parse("saw_packet_equaling(call.pcap#1)", folder, true), true,
          "saw_packet_equaling(46 bytes): saw it in packet 4 in 0.3 s on eth0");
    check(predicate_parse("did_not_see_packet_equaling(call.pcap#0)", folder, false), true,
          "did_not_see_packet_equaling(46 bytes): saw none among 6 packets in 5.0 s on eth0");
    check(predicate_parse("received_count_of(\"a, #1).pcap#1\", 1)", folder, false), true,
          "received_count_of(46 bytes, 1): saw 1 of 1 in 5.0 s on eth0");
}

static void packets_that_files_do_not_have(void **state)
{
    const char *folder = *state;
    cleanup_free char *whole = NULL;

    write_capture(folder, "four.pcap", 4, 1, true);
    write_capture(folder, "one.pcap", 1, 1, false);
    write_capture(folder, "none.pcap", 0, 1, false);
    write_capture(folder, "raw.pcap", 1, 101, false);
    folder_put(folder, "text.pcap", "no capture file at all, whatever its name says");
    whole = folder_get(folder, "four.pcap");
    assert_non_null(whole);
    folder_put_bytes(folder, "cut.pcap", whole, 24 + 16 + 46 + 20);
#define refused_in(text, words) refused(predicate_parse(text, folder, true), words)
    refused_in("saw_packet_equaling(four.pcap#4)", "/four.pcap has 4 packets, #0 to #3, and no #4");
    refused_in("saw_packet_equaling(four.pcap#3)", "#3 of ");
    refused_in("saw_packet_equaling(four.pcap#3)", "was captured in part (45 of 46 bytes)");
    refused_in("saw_packet_equaling(one.pcap#1)", "/one.pcap has 1 packet, #0, and no #1");
    refused_in("saw_packet_equaling(none.pcap#0)", "/none.pcap has no packets");
    refused_in("saw_packet_equaling(raw.pcap#0)", "holds packets of link type 12 (RAW), and not of Ethernet");
    refused_in("saw_packet_equaling(text.pcap#0)", "/text.pcap is no capture file: ");
    refused_in("saw_packet_equaling(cut.pcap#1)", "cannot read ");
    refused_in("saw_packet_equaling(nowhere.pcap#0)", "/nowhere.pcap: No such file or directory");
    refused_in("saw_packet_equaling(.#0)", "/. is no file");
    refused(predicate_parse("saw_packet_equaling(/dev/zero#0)", NULL, true), "/dev/zero is no file");
    refused_in("saw_packet_equaling(four.pcap#)", "FILE.pcap#INDEX");
    refused_in("saw_packet_equaling(four.pcap#-1)", "FILE.pcap#INDEX");
    refused_in("saw_packet_equaling(four.pcap#0x1)", "FILE.pcap#INDEX");
    refused_in("saw_packet_equaling(four.pcap#99999999999999999999)", "FILE.pcap#INDEX");
}

static void packets_as_digits(void **state)
{
    cleanup_buffer struct buffer text = {0};

    (void)state;
    buffer_addf(&text, "saw_packet_equaling(");
    for (size_t i = 0; i < scene[TAGGED].length; i++)
        buffer_addf(&text, i % 3 ? "%02x%s" : "%02X%s", scene[TAGGED].data[i],
                    i < 6    ? ":"
                    : i < 12 ? " "
                             : "");
    buffer_add(&text, ")", 2);
    parsed((const char *)text.data, true,
           "saw_packet_equaling(46 bytes): saw it in packet 4 in 0.3 s on eth0");
    parsed("did_not_see_packet_equaling(02 00 00 00 00)", false,
           "did_not_see_packet_equaling(5 bytes): saw it in packet 6 in 0.5 s on eth0");
    parsed("saw_packet_equaling(02:00:00:00)", false,
           "saw_packet_equaling(4 bytes): saw none among 6 packets in 5.0 s on eth0");
    wrong("saw_packet_equaling(02000)", "a byte is two hexadecimal digits, and there is one in \"0\"");
    wrong("saw_packet_equaling(02:0:00)", "there is one in \"0:00\"");
    wrong("saw_packet_equaling(call.pcap)", "call.pcap is no packet: write FILE.pcap#INDEX");
    wrong("saw_packet_equaling(\"\")", "a frame has 1 to 262144 bytes");
}

/* ---- a file that is written ---- */

static void writers(void **state)
{
    const char *folder = *state;
    cleanup_free char *path = text_format("writer(%s/absolute.pcap, received_packet)", folder);

    refused(predicate_parse("writer(checked.pcap, saw_vlan_tag(5000))", folder, true), "0 to 4095");
    check(predicate_parse("writer(checked.pcap, received_packet)", folder, true), true,
          "received_packet(): saw it in packet 1 in 0.0 s on eth0");
    assert_false(folder_has(folder, "checked.pcap"));
    check(predicate_parse("and(writer(\"a, b.pcap\", saw_vlan), saw_rtp(1))", folder, false), true,
          "and(saw_vlan(): saw it in packet 4; saw_rtp(1): saw it in packet 3) in 0.3 s on eth0");
    assert_true(folder_has(folder, "a, b.pcap"));
    parsed(path, true, "received_packet(): saw it in packet 1 in 0.0 s on eth0");
    assert_true(folder_has(folder, "absolute.pcap"));
    refused(predicate_parse("writer(no/such/folder.pcap, saw_vlan)", folder, false), "cannot write ");
}

/* Whoever names a folder lets nothing else be read or written. */
static void files_stay_in_their_folder(void **state)
{
    const char *folder = *state;
    cleanup_free char *outside = text_format("writer(%s.pcap, received_packet)", folder);
    cleanup_free char *inside = text_format("writer(%s/a.pcap, received_packet)", folder);

    write_capture(folder, "a..b.pcap", 1, 1, false);
#define strays(text) refused(predicate_parse(text, folder, false), " does not lie in /")
    strays(outside);
    strays(inside);
    strays("writer(../a.pcap, received_packet)");
    strays("writer(.., received_packet)");
    strays("writer(a/.., received_packet)");
    strays("writer(a/../../b, received_packet)");
    strays("saw_packet_equaling(/dev/zero#0)");
    strays("saw_packet_equaling(../a.pcap#0)");
    strays("and(received_packet, writer(../a.pcap, received_packet))");
    check(predicate_parse("did_not_see_packet_equaling(a..b.pcap#0)", folder, false), true,
          "did_not_see_packet_equaling(46 bytes): saw none among 6 packets in 5.0 s on eth0");
}

/* ---- errors ---- */

static void names_that_are_none(void **state)
{
    (void)state;
    says("", "a predicate is missing");
    says(NULL, "a predicate is missing");
    says("(saw_vlan)", "a predicate begins with its name, and not with \"(saw_vlan)\"");
    says("saw_vlna_tag(1)", "there is no predicate saw_vlna_tag; did you mean saw_vlan_tag?");
    says("SAW_VLAN", "there is no predicate SAW_VLAN; sippod expect --list tells what there is");
    says("and(saw_vlan, recieved_packet)",
         "there is no predicate recieved_packet; did you mean received_packet?");
    says("x", "there is no predicate x; sippod expect --list tells what there is");
    says("an", "there is no predicate an; sippod expect --list tells what there is");
    wrong(
        "a_predicate_with_a_name_that_is_longer_than_any_of_them_is_and_goes_on_and_on_and_on_and_on_and_on",
        "there is no predicate a_predicate_with");
}

static void numbers_of_arguments(void **state)
{
    (void)state;
    says("saw_vlan_tag", "saw_vlan_tag takes 1 argument: the VLAN's identifier");
    says("saw_vlan_tag(1, 2)", "saw_vlan_tag takes 1 argument: the VLAN's identifier");
    says("saw_vlan(1)", "saw_vlan takes no arguments");
    says("saw_rtp()", "saw_rtp takes 1 or 2 arguments: the number of packets, the payload type");
    says("saw_rtp(1, 2, 3)", "saw_rtp takes 1 or 2 arguments: the number of packets, the payload type");
    says("received_count_of(00)", "received_count_of takes 2 arguments: a packet, the number of packets");
    says("and(saw_vlan)", "and takes 2 arguments or more, each of them a predicate");
    says("or", "or takes 2 arguments or more, each of them a predicate");
    says("not(saw_vlan, saw_vlan)", "not takes 1 argument: a predicate");
}

static void arguments_that_are_none(void **state)
{
    (void)state;
    says(
        "packet_count_was(some)",
        "packet_count_was: the number of packets is a whole number from 0 to 18446744073709551615, not some");
    wrong("packet_count_was(18446744073709551616)", "not 18446744073709551616");
    wrong("packet_count_was(-1)", "not -1");
    wrong("packet_count_was(1 2)", "not 1 2");
    wrong("packet_count_was(1.5)", "not 1.5");
    says("saw_vlan_tag(4096)",
         "saw_vlan_tag: the VLAN's identifier is a whole number from 0 to 4095, not 4096");
    wrong("saw_vlan_tag(4294967297)", "not 4294967297");
    says("saw_rtp(1, 128)", "saw_rtp: the payload type is a whole number from 0 to 127, not 128");
    wrong("saw_src_mac(02:00)", "02:00 is not a MAC address");
    wrong("saw_filter(no such thing)", "filter \"no such thing\": can't parse filter expression");
    wrong("saw_sip(799)", "799 is no SIP method and no status");
    wrong("saw_sip(INVITE, \"(\")", "regular expression \"(\"");
    wrong("and(saw_vlan, or(saw_vlan, saw_dst_mac(x)))", "x is not a MAC");
}

static void texts_that_are_none(void **state)
{
    (void)state;
    says("saw_vlan_tag(102", "saw_vlan_tag: its closing parenthesis is missing");
    says("saw_filter(udp and (port 1)", "saw_filter: its closing parenthesis is missing");
    says("saw_filter((udp", "saw_filter: a parenthesis is not closed (\"...\" keeps one in an argument)");
    says("saw_filter(\"udp)", "saw_filter: a quote is not closed");
    says("saw_filter(\"udp\\\")", "saw_filter: a quote is not closed");
    says("saw_filter(\"udp\" tcp)", "saw_filter: there is no comma in front of \"tcp)\"");
    says("saw_rtp(1,)", "saw_rtp: an argument is missing (\"\" is an empty one)");
    says("saw_rtp(, 1)", "saw_rtp: an argument is missing (\"\" is an empty one)");
    says("and(saw_vlan, )", "a predicate begins with its name, and not with \")\"");
    says("and(saw_vlan saw_vlan)", "and: there is no comma in front of \"saw_vlan)\"");
    says("saw_vlan_tag(102))", "\")\" stands behind the end of the predicate");
    says("saw_vlan_tag(102) or saw_vlan", "\"or saw_vlan\" stands behind the end of the predicate");
    says("received_packet 2", "\"2\" stands behind the end of the predicate");
}

/* `count` times `piece`, between `before` and `after`. */
static char *repeated(const char *before, const char *piece, size_t count, const char *after)
{
    struct buffer text = {0};

    buffer_addf(&text, "%s", before);
    for (size_t i = 0; i < count; i++)
        buffer_addf(&text, "%s", piece);
    buffer_add(&text, after, strlen(after) + 1);
    return (char *)text.data;
}

static void bounds(void **state)
{
    cleanup_free char *deep = repeated("", "not(", 15, "saw_vlan)))))))))))))))"),
                      *deeper = repeated("", "not(", 16, "saw_vlan))))))))))))))))"),
                      *abyss = repeated("", "not(", 10000, ""),
                      *blanks = repeated("saw_vlan", " ", 65535 - 8, ""),
                      *more = repeated("saw_vlan", " ", 65536 - 8, ""),
                      *many = repeated("and(saw_vlan", ", saw_vlan", 5000, ")"),
                      *filter = repeated("saw_filter(ip", " or ip", 1000, ")");
    struct sippod_predicate predicate = sippod_predicate_parse(deep);

    (void)state;
    assert_null(sippod_predicate_error(&predicate));
    sippod_predicate_free(&predicate);
    says(deeper, "predicates stand in each other at most 16 deep");
    says(abyss, "predicates stand in each other at most 16 deep");
    check(sippod_predicate_parse(blanks), true, "saw_vlan(): saw it in packet 4 in 0.3 s on eth0");
    says(more, "a predicate has at most 65535 characters");
    predicate = sippod_predicate_parse(many);
    assert_null(sippod_predicate_error(&predicate));
    sippod_predicate_free(&predicate);
    says(filter, "saw_filter: a filter has at most 4096 characters, and this has 6002");
}

/* ---- the list ---- */

/* What the list says of arguments is what parsing wants: none, one, "A, B", "A[, B]" or "A, B...". */
static void listed(void **state)
{
    const struct sippod_predicate_name *name;
    size_t count = 0;

    (void)state;
    for (; (name = sippod_predicate_name(count)); count++) {
        struct sippod_predicate predicate = sippod_predicate_parse(name->name);
        const char *error = sippod_predicate_error(&predicate);

        assert_true(*name->meaning);
        assert_null(strchr(name->meaning, '\n'));
        if (!*name->arguments)
            assert_null(error);
        else if (strstr(name->arguments, "..."))
            assert_non_null(strstr(error, " takes 2 arguments or more"));
        else if (strchr(name->arguments, '['))
            assert_non_null(strstr(error, " takes 1 or 2 arguments: "));
        else if (strchr(name->arguments, ','))
            assert_non_null(strstr(error, " takes 2 arguments: "));
        else
            assert_non_null(strstr(error, " takes 1 argument: "));
        sippod_predicate_free(&predicate);
    }
    assert_int_equal(count, 25);
}

static int folder_new(void **state)
{
    *state = folder_make();
    return 0;
}

static int folder_end(void **state)
{
    folder_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any),
        cmocka_unit_test(addresses_and_tags),
        cmocka_unit_test(filters),
        cmocka_unit_test(sip_and_rtp),
        cmocka_unit_test(combined),
        cmocka_unit_test_setup_teardown(packets_of_files, folder_new, folder_end),
        cmocka_unit_test_setup_teardown(packets_that_files_do_not_have, folder_new, folder_end),
        cmocka_unit_test(packets_as_digits),
        cmocka_unit_test_setup_teardown(writers, folder_new, folder_end),
        cmocka_unit_test_setup_teardown(files_stay_in_their_folder, folder_new, folder_end),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(numbers_of_arguments),
        cmocka_unit_test(arguments_that_are_none),
        cmocka_unit_test(texts_that_are_none),
        cmocka_unit_test(bounds),
        cmocka_unit_test(listed),
    };

    return cmocka_run_group_tests(tests, scene_make, scene_free);
}
