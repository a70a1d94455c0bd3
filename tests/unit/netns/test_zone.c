/* dns.txt: each type in each way of writing, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/zone.h"
#include "src/base/memory.h"
#include "tests/unit/netns/parsed.h"
#include "tests/unit/support/support.h"

static const struct zone_name *find(const struct zone *zone, const char *text)
{
    ldns_rdf *name = ldns_dname_new_frm_str(text);
    const struct zone_name *found;

    assert_non_null(name);
    found = zone_find(zone, ldns_rdf_data(name), ldns_rdf_size(name));
    ldns_rdf_deep_free(name);
    return found;
}

/* `line` gives one record for example.com.: the one that ldns reads from the zone file's `expected`. */
static void gives(const char *line, const char *expected)
{
    struct zone *zone = parse(line);
    const struct zone_name *found = find(zone, "example.com.");
    ldns_buffer *buffer = ldns_buffer_new(70000);
    const struct zone_record *record;
    ldns_rr *rr = NULL;

    assert_non_null(found);
    assert_int_equal(found->count, 1);
    record = &found->records[0];
    if (ldns_rr_new_frm_str(&rr, expected, 0, NULL, NULL) != LDNS_STATUS_OK)
        fail_msg("ldns does not read %s", expected);
    assert_int_equal(ldns_rr_rdata2buffer_wire(buffer, rr), LDNS_STATUS_OK);
    if (record->length != ldns_buffer_position(buffer) ||
        memcmp(record->data, ldns_buffer_begin(buffer), record->length) != 0)
        fail_msg("%s: not the record %s", line, expected);
    assert_int_equal(record->type, ldns_rr_get_type(rr));
    assert_int_equal(record->ttl, ldns_rr_ttl(rr));
    ldns_rr_free(rr);
    ldns_buffer_free(buffer);
    zone_free(zone);
}

static void test_types(void **state)
{
    (void)state;
    gives("example.com A 192.0.2.1", "example.com. 300 IN A 192.0.2.1");
    gives("example.com A [\"192.0.2.1\"]", "example.com. 300 IN A 192.0.2.1");
    gives("EXAMPLE.com. 60 IN A 192.0.2.1 ; it", "example.com. 60 IN A 192.0.2.1");
    gives("example.com aaaa 2001:db8::1", "example.com. 300 IN AAAA 2001:db8::1");
    gives("example.com in 0 aaaa ::1", "example.com. 0 IN AAAA ::1");
    gives("example.com CAA [0, 'issue', \"ca; x=\\\"y\\\"\"]",
          "example.com. 300 IN CAA 0 issue \"ca; x=\\\"y\\\"\"");
    gives("example.com CAA 128 issue \"ca.example.net\"",
          "example.com. 300 IN CAA 128 issue \"ca.example.net\"");
    gives("example.com CNAME www.example.net", "example.com. 300 IN CNAME www.example.net.");
    gives("example.com CNAME ['www.example.net']", "example.com. 300 IN CNAME www.example.net.");
    gives("example.com NS ns", "example.com. 86400 IN NS ns.");
    gives("example.com 5 NS ns", "example.com. 5 IN NS ns.");
    gives("example.com PTR www.example.com.", "example.com. 300 IN PTR www.example.com.");
    gives("example.com MX mx.example.com", "example.com. 300 IN MX 10 mx.example.com.");
    gives("example.com MX 20 mx.example.com", "example.com. 300 IN MX 20 mx.example.com.");
    gives("example.com MX [\"mx.example.com\", 20]", "example.com. 300 IN MX 20 mx.example.com.");
    gives("example.com MX [20, \"mx.example.com\"]", "example.com. 300 IN MX 20 mx.example.com.");
    gives("example.com SRV [10, 60, 5060, \"ep1.example.com.\"]",
          "example.com. 300 IN SRV 10 60 5060 ep1.example.com.");
    gives("example.com SRV 10 60 65535 ep1.example.com",
          "example.com. 300 IN SRV 10 60 65535 ep1.example.com.");
    gives("example.com NAPTR [10, 20, b\"s\", b'SIP+D2U', b'', '_sip._udp.example.com']",
          "example.com. 300 IN NAPTR 10 20 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.com.");
    gives("example.com NAPTR [10, 20, 'u', 'E2U+sip', r'!^(.*)$!sip:\\1@x!']",
          "example.com. 300 IN NAPTR 10 20 \"u\" \"E2U+sip\" \"!^(.*)$!sip:\\\\1@x!\" .");
    gives("example.com NAPTR 10 20 \"u\" \"E2U+sip\" \"!^.*$!sip:a@x!\" .",
          "example.com. 300 IN NAPTR 10 20 \"u\" \"E2U+sip\" \"!^.*$!sip:a@x!\" .");
    gives("example.com SOA [\"ns\", 'host', (1, 2, 3, 4, 5)]",
          "example.com. 86400 IN SOA ns. host. 1 2 3 4 5");
    gives("example.com SOA ['ns', 'host']", "example.com. 86400 IN SOA ns. host. 0 0 0 0 0");
    gives("example.com SOA ns host 4294967295 1h 3 4 5",
          "example.com. 86400 IN SOA ns. host. 4294967295 3600 3 4 5");
    gives("example.com DNSKEY [257, 3, 8, 'AwEAAag=']", "example.com. 300 IN DNSKEY 257 3 8 AwEAAag=");
    gives("example.com DNSKEY 257 3 8 AwEA Aag=", "example.com. 300 IN DNSKEY 257 3 8 AwEAAag=");
    gives("example.com RRSIG [1, 8, 2, 300, 2000000000, '20200101000000', 12345, 'example.com', b'AAAA']",
          "example.com. 300 IN RRSIG A 8 2 300 20330518033320 20200101000000 12345 example.com. AAAA");
    gives("example.com RRSIG A 8 2 300 20330518033320 20200101000000 12345 example.com AAAA",
          "example.com. 300 IN RRSIG A 8 2 300 20330518033320 20200101000000 12345 example.com. AAAA");
}

static void test_texts(void **state)
{
    (void)state;
    gives("example.com TXT v=spf1 a -all", "example.com. 300 IN TXT \"v=spf1 a -all\"");
    gives("example.com SPF v=spf1 a -all", "example.com. 300 IN SPF \"v=spf1 a -all\"");
    gives("example.com TXT \"a b\" \"c\\\"\\065\"", "example.com. 300 IN TXT \"a b\" \"c\\\"A\"");
    gives("example.com IN TXT a b ; c", "example.com. 300 IN TXT \"a\" \"b\"");
    gives("example.com TXT [\"a\", 'b\\n\\x41\\101']", "example.com. 300 IN TXT \"a\" \"b\\010AA\"");
    gives("example.com TXT ['']", "example.com. 300 IN TXT \"\"");
    gives("example.com TXT 7", "example.com. 300 IN TXT \"7\"");
}

/* In pieces: a piece of a TXT record has a length of one byte. */
static void test_long_text(void **state)
{
    char line[700] = "example.com TXT ";
    struct zone *zone;
    const struct zone_record *record;

    (void)state;
    memset(line + strlen(line), 'x', 600);
    zone = parse(line);
    record = &find(zone, "example.com.")->records[0];
    assert_int_equal(record->length, 603);
    assert_int_equal(record->data[0], 255);
    assert_int_equal(record->data[256], 255);
    assert_int_equal(record->data[512], 90);
    zone_free(zone);
}

static void test_lines(void **state)
{
    struct zone *zone =
        parse("# a comment\r\n\n  \t\n; another\n  # indented\r\na A 192.0.2.1\t\r\nA a 192.0.2.1\n"
              "a A 192.0.2.2\nb.c.d A 192.0.2.3");

    (void)state;
    assert_int_equal(find(zone, "a.")->count, 2); /* one was there twice */
    assert_int_equal(find(zone, "b.c.d.")->count, 1);
    assert_int_equal(find(zone, "c.d.")->count, 0); /* it exists */
    assert_null(find(zone, "x.c.d."));
    assert_null(find(zone, "x.b.c.d."));
    zone_free(zone);
    zone = parse("");
    assert_null(find(zone, "a."));
    zone_free(zone);
}

/* RFC 4592, 2.2.1: its examples. */
static void test_wildcards(void **state)
{
    struct zone *zone = parse("*.example A 192.0.2.1\nsub.*.example A 192.0.2.2\nhost1.example A 192.0.2.3\n"
                              "_ssh._tcp.host1.example SRV 0 0 22 host1.example\n");

    (void)state;
    assert_ptr_equal(find(zone, "host3.example."), find(zone, "*.example."));
    assert_ptr_equal(find(zone, "foo.bar.example."), find(zone, "*.example."));
    assert_non_null(find(zone, "host3.example."));
    assert_null(find(zone, "_telnet._tcp.host1.example."));
    assert_int_equal(find(zone, "_tcp.host1.example.")->count, 0);
    assert_null(find(zone, "ghost.*.example."));
    assert_null(find(zone, "com."));
    zone_free(zone);
}

static void test_bad_lines(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"a", "dns.txt:1: no type behind the name: a"},
        {"a 300 IN", "dns.txt:1: no type behind the name: a"},
        {"\n# x\na FOO 1", "dns.txt:3: no type of record that dns.txt may have: FOO"},
        {"a HINFO x y", "dns.txt:1: no type of record that dns.txt may have: HINFO"},
        {"a A", "dns.txt:1: the record has no data"},
        {"a A 192.0.2", "dns.txt:1: not a record of type A ("},
        {"a A 192.0.2.1 192.0.2.2", "dns.txt:1: not a record of type A ("},
        {"a A 2001:db8::1", "dns.txt:1: not a record of type A ("},
        {"a AAAA 192.0.2.1", "dns.txt:1: not a record of type AAAA ("},
        {"a..b A 192.0.2.1", "dns.txt:1: not a name: a..b"},
        {"a SRV [10, 60, 5060]", "dns.txt:1: the list has 3 elements, which are too few"},
        {"a SRV [1, 2, 3, 'b', 4]", "dns.txt:1: the list has 5 elements, which are too many"},
        {"a SRV [1, 2, 65536, 'b']", "dns.txt:1: not a number that fits: 65536"},
        {"a SRV 1 2 70000 b", "dns.txt:1: not a number that fits: 70000"},
        {"a SRV 1 x 3 b", "dns.txt:1: not a number that fits: x"},
        {"a CNAME ['b c']", "dns.txt:1: neither a name nor a number: b c"},
        {"a A \\# 4 01020304", "dns.txt:1: RFC 3597's bytes are not read: \\# 4"},
        {"a SRV [__import__('os')]", "dns.txt:1: not a list of integers and strings at: __import__"},
        {"a A ['1.2.3.4'", "dns.txt:1: the list has no end"},
        {"a A ['1.2.3.4", "dns.txt:1: not a list of integers and strings at: '1.2.3.4"},
        {"a A ['1.2.3.4'] x", "dns.txt:1: not a list of integers and strings at: x"},
        {"a A [,]", "dns.txt:1: not a list of integers and strings at: ,]"},
        {"a SRV [1+1, 2, 3, 'b']", "dns.txt:1: not a list of integers and strings at: +1, 2"},
        {"a TXT \"b", "dns.txt:1: not a whole string: \"b"},
        {"a TXT \"\\256\"", "dns.txt:1: not a whole string: "},
        {"a TXT []", "dns.txt:1: a TXT record needs a string"},
        {"$ORIGIN example.com.", "dns.txt:1: no type of record that dns.txt may have: example.com."},
        {"a\x1b[0m B\x1b", "dns.txt:1: no type of record that dns.txt may have: B\\x1b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_error struct error *error = NULL;

        if (zone_parse(cases[i].text, &error))
            fail_msg("%s: is accepted", cases[i].text);
        assert_error(error, ERROR_INPUT, cases[i].words);
    }
}

static void test_names_as_text(void **state)
{
    static const struct {
        const char *wire, *text;
        size_t length;
    } cases[] = {
        {"\3www\7example\3com", "www.example.com.", 17},
        {"", ".", 1},
        {"\4a.\033b", "a\\.\\027b.", 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *text = zone_name_text((const uint8_t *)cases[i].wire, cases[i].length);

        assert_string_equal(text, cases[i].text);
    }
}

static void test_names_of_an_address(void **state)
{
    struct zone *zone =
        parse("a.example.com. A 198.18.1.0\nB.example.com A 198.18.1.0\nc.example.com. A 198.18.1.1\n"
              "six.example.com. AAAA 2001:db8::1\na.example.com. TXT \"198.18.1.0\"\n"
              "*.w.example.com. A 198.18.1.0\n");
    cleanup_strings struct strings four = {0}, six = {0}, none = {0};
    cleanup_buffer struct buffer text = {0};

    (void)state;
    zone_names_of(zone, "198.18.1.0", &four);
    for (size_t i = 0; i < four.count; i++)
        buffer_addf(&text, "%s ", four.list[i]);
    assert_int_equal(four.count, 3);
    assert_non_null(strstr((const char *)text.data, "a.example.com "));
    assert_non_null(strstr((const char *)text.data, "b.example.com "));
    assert_non_null(strstr((const char *)text.data, "*.w.example.com "));
    zone_names_of(zone, "2001:db8:0::1", &six);
    assert_int_equal(six.count, 1);
    assert_string_equal(six.list[0], "six.example.com");
    zone_names_of(zone, "198.18.1.9", &none);
    zone_names_of(zone, "nonsense", &none);
    assert_int_equal(none.count, 0);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),     cmocka_unit_test(test_names_of_an_address),
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_names_as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
