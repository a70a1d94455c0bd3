/* Answers to queries, taken apart by ldns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/answer.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

static const char text[] = "www.example.com A 192.0.2.1\n"
                           "www.example.com A 192.0.2.2\n"
                           "www.example.com TXT a text\n"
                           "example.com 100 SOA ns host 1 2 3 4 50\n"
                           "alias.example.com CNAME www.example.com\n"
                           "far.example.com CNAME Alias.example.com\n"
                           "lost.example.com CNAME nowhere.example.com\n"
                           "empty.example.com CNAME mail.example.com\n"
                           "mail.example.com MX mx.example.com\n"
                           "loop.example.net CNAME loop2.example.net\n"
                           "loop2.example.net CNAME loop.example.net\n"
                           "*.wild.example.net CNAME www.example.com\n";

struct asked {
    uint8_t bytes[ANSWER_MOST];
    size_t length;
    struct answer_note note;
    ldns_pkt *packet;
};

static struct zone *zone;

static int set_up(void **state)
{
    (void)state;
    zone = zone_parse(text, NULL);
    return zone ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    zone_free(zone);
    return 0;
}

static ldns_pkt *make_query(const char *name, ldns_rr_type type)
{
    ldns_pkt *packet = ldns_pkt_query_new(ldns_dname_new_frm_str(name), type, LDNS_RR_CLASS_IN, LDNS_RD);

    assert_non_null(packet);
    ldns_pkt_set_id(packet, 0x1234);
    return packet;
}

/* Frees the query. */
static void ask_packet(ldns_pkt *query, struct zone *of, bool udp, struct asked *ret)
{
    struct zones *zones = zones_new();
    uint8_t *bytes;
    size_t length;

    assert_int_equal(ldns_pkt2wire(&bytes, query, &length), LDNS_STATUS_OK);
    ldns_pkt_free(query);
    zones_add(zones, 1, of);
    ret->length = answer(zones, bytes, length, udp, ret->bytes, &ret->note);
    zones_free(zones);
    free(bytes);
    assert_true(ret->length >= 12);
    assert_int_equal(ldns_wire2pkt(&ret->packet, ret->bytes, ret->length), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(ret->packet), 0x1234);
    assert_true(ldns_pkt_qr(ret->packet) && ldns_pkt_aa(ret->packet) && ldns_pkt_ra(ret->packet) &&
                ldns_pkt_rd(ret->packet));
}

static void ask(const char *name, ldns_rr_type type, struct asked *ret)
{
    ask_packet(make_query(name, type), zone, true, ret);
}

/* The section as ldns writes it, without blanks at line ends. */
static void section_is(const ldns_rr_list *list, const char *expected)
{
    cleanup_free char *is = ldns_rr_list2str(list);

    assert_string_equal(is, expected);
}

static void answered(const char *name, ldns_rr_type type, ldns_pkt_rcode rcode, const char *answers,
                     const char *authority)
{
    struct asked asked;

    ask(name, type, &asked);
    assert_int_equal(ldns_pkt_get_rcode(asked.packet), rcode);
    section_is(ldns_pkt_answer(asked.packet), answers);
    section_is(ldns_pkt_authority(asked.packet), authority);
    assert_int_equal(asked.note.rcode, rcode);
    assert_int_equal(asked.note.records, ldns_pkt_ancount(asked.packet));
    assert_int_equal(asked.note.type, type);
    ldns_pkt_free(asked.packet);
}

#define WWW  "www.example.com.\t300\tIN\tA\t192.0.2.1\nwww.example.com.\t300\tIN\tA\t192.0.2.2\n"
#define SOA  "example.com.\t50\tIN\tSOA\tns. host. 1 2 3 4 50\n"
#define MADE ".\t0\tIN\tSOA\tlocalhost. hostmaster.localhost. 1 3600 900 604800 0\n"

static void test_found(void **state)
{
    (void)state;
    answered("www.example.com.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, WWW, "");
    answered("www.example.com.", LDNS_RR_TYPE_ANY, LDNS_RCODE_NOERROR,
             WWW "www.example.com.\t300\tIN\tTXT\t\"a text\"\n", "");
    answered("alias.example.com.", LDNS_RR_TYPE_CNAME, LDNS_RCODE_NOERROR,
             "alias.example.com.\t300\tIN\tCNAME\twww.example.com.\n", "");
    answered("far.example.com.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR,
             "far.example.com.\t300\tIN\tCNAME\tAlias.example.com.\n"
             "Alias.example.com.\t300\tIN\tCNAME\twww.example.com.\n" WWW,
             "");
    answered("x.y.wild.example.net.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR,
             "x.y.wild.example.net.\t300\tIN\tCNAME\twww.example.com.\n" WWW, "");
}

static void test_not_found(void **state)
{
    (void)state;
    answered("nix.example.com.", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN, "", SOA);
    answered("www.example.com.", LDNS_RR_TYPE_AAAA, LDNS_RCODE_NOERROR, "", SOA);
    answered("nix.example.net.", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN, "", MADE);
    answered("example.net.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "", MADE);
    answered("wild.example.net.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR, "", MADE);
    answered(".", LDNS_RR_TYPE_NS, LDNS_RCODE_NOERROR, "", MADE);
    answered("lost.example.com.", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN,
             "lost.example.com.\t300\tIN\tCNAME\tnowhere.example.com.\n", SOA);
    answered("empty.example.com.", LDNS_RR_TYPE_A, LDNS_RCODE_NOERROR,
             "empty.example.com.\t300\tIN\tCNAME\tmail.example.com.\n", SOA);
}

static void test_loop(void **state)
{
    struct asked asked;

    (void)state;
    ask("loop.example.net.", LDNS_RR_TYPE_A, &asked);
    assert_int_equal(ldns_pkt_get_rcode(asked.packet), LDNS_RCODE_SERVFAIL);
    assert_true(ldns_pkt_ancount(asked.packet) <= 32);
    ldns_pkt_free(asked.packet);
}

/* Resolvers put a secret into the case of what they ask. */
static void test_case_is_kept(void **state)
{
    struct asked asked;

    (void)state;
    ask("wWw.ExAmPlE.cOm.", LDNS_RR_TYPE_A, &asked);
    assert_int_equal(ldns_pkt_ancount(asked.packet), 2);
    assert_memory_equal(asked.bytes + 12, "\3wWw\7ExAmPlE\3cOm", 17);
    assert_int_equal(asked.length, 12 + 17 + 4 + 2 * 16); /* names are pointers */
    ldns_pkt_free(asked.packet);
}

static struct zone *make_big_zone(void)
{
    struct buffer lines = {0};
    struct zone *big;

    for (int i = 0; i < 100; i++)
        buffer_addf(&lines, "big A 192.0.2.%d\n", i);
    buffer_add(&lines, "", 1);
    big = zone_parse((const char *)lines.data, NULL);
    buffer_free(&lines);
    return big;
}

static void test_truncation(void **state)
{
    static const struct {
        unsigned edns;
        bool udp, truncated;
    } cases[] = {{0, true, true},     {100, true, true},   {512, true, true}, {1231, true, true},
                 {1700, true, false}, {4096, true, false}, {0, false, false}};
    struct zone *big = make_big_zone();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ldns_pkt *query = make_query("big.", LDNS_RR_TYPE_A);
        struct asked asked;

        if (cases[i].edns)
            ldns_pkt_set_edns_udp_size(query, (uint16_t)cases[i].edns);
        ask_packet(query, big, cases[i].udp, &asked);
        assert_int_equal(ldns_pkt_tc(asked.packet), cases[i].truncated);
        assert_int_equal(ldns_pkt_ancount(asked.packet), cases[i].truncated ? 0 : 100);
        assert_int_equal(asked.note.truncated, cases[i].truncated);
        assert_int_equal(ldns_pkt_edns(asked.packet), cases[i].edns > 0);
        ldns_pkt_free(asked.packet);
    }
    zone_free(big);
}

static void test_edns(void **state)
{
    ldns_pkt *query = make_query("www.example.com.", LDNS_RR_TYPE_A);
    struct asked asked;

    (void)state;
    ldns_pkt_set_edns_udp_size(query, 1232);
    ldns_pkt_set_edns_do(query, true);
    ask_packet(query, zone, true, &asked);
    assert_true(ldns_pkt_edns(asked.packet) && ldns_pkt_edns_do(asked.packet));
    assert_int_equal(ldns_pkt_edns_version(asked.packet), 0);
    assert_int_equal(ldns_pkt_ancount(asked.packet), 2);
    ldns_pkt_free(asked.packet);
    query = make_query("www.example.com.", LDNS_RR_TYPE_A);
    ldns_pkt_set_edns_udp_size(query, 1232);
    ldns_pkt_set_edns_version(query, 1);
    ask_packet(query, zone, true, &asked);
    assert_int_equal(asked.note.rcode, 16);
    assert_int_equal(ldns_pkt_edns_extended_rcode(asked.packet), 1);
    assert_int_equal(ldns_pkt_ancount(asked.packet), 0);
    ldns_pkt_free(asked.packet);
}

static void test_refused(void **state)
{
    struct asked asked;
    ldns_pkt *query = make_query("www.example.com.", LDNS_RR_TYPE_A);

    (void)state;
    answered("example.com.", LDNS_RR_TYPE_AXFR, LDNS_RCODE_REFUSED, "", "");
    ldns_rr_set_class(ldns_rr_list_rr(ldns_pkt_question(query), 0), LDNS_RR_CLASS_CH);
    ask_packet(query, zone, true, &asked);
    assert_int_equal(ldns_pkt_get_rcode(asked.packet), LDNS_RCODE_REFUSED);
    ldns_pkt_free(asked.packet);
    query = make_query("www.example.com.", LDNS_RR_TYPE_A);
    ldns_pkt_set_opcode(query, LDNS_PACKET_UPDATE);
    ask_packet(query, zone, true, &asked);
    assert_int_equal(ldns_pkt_get_rcode(asked.packet), LDNS_RCODE_NOTIMPL);
    ldns_pkt_free(asked.packet);
}

#define HEAD(flags, questions, more) "\x12\x34" flags "\0" questions "\0\0\0\0\0" more

static void test_malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"", 0},
        {HEAD("\1\0", "\1", "\0"), 11},                   /* no whole header */
        {HEAD("\1\0", "\1", "\0"), 12},                   /* no question */
        {HEAD("\x81\0", "\1", "\0\1a\0\0\1\0\1"), 19},    /* an answer */
        {HEAD("\1\0", "\1", "\0\1a\0\0\1\0"), 18},        /* half a class */
        {HEAD("\1\0", "\1", "\0\5a\0\0\1\0\1"), 19},      /* a label that is too long */
        {HEAD("\1\0", "\1", "\0\xc0\x0c\0\1\0\1"), 18},   /* a name that points to itself */
        {HEAD("\1\0", "\1", "\0\x40zzzz\0\0\1\0\1"), 24}, /* a length that is none */
        {HEAD("\1\0", "\1", "\1\1a\0\0\1\0\1"), 19},      /* no additional record */
        {HEAD("\1\0", "\1", "\1\1a\0\0\1\0\1\0\0\x29\x10\0\0\0\0\0\0\1"), 30}, /* its data is missing */
        {HEAD("\1\0", "\1", "\2\1a\0\0\1\0\1\0\0\x29\x10\0\0\0\0\0\0\0\0\0\x29\x10\0\0\0\0\0\0\0"), 41},
    };
    struct zones *zones = zones_new();
    uint8_t bytes[ANSWER_MOST];
    struct answer_note note;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (answer(zones, (const uint8_t *)cases[i].bytes, cases[i].length, true, bytes, &note) != 0)
            fail_msg("case %zu is answered", i);
    /* Two questions: that is told. */
    assert_int_equal(answer(zones, (const uint8_t *)HEAD("\1\0", "\2", "\0"), 12, true, bytes, &note), 12);
    assert_int_equal(note.rcode, LDNS_RCODE_FORMERR);
    zones_free(zones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),        cmocka_unit_test(test_not_found),  cmocka_unit_test(test_loop),
        cmocka_unit_test(test_case_is_kept), cmocka_unit_test(test_truncation), cmocka_unit_test(test_edns),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
