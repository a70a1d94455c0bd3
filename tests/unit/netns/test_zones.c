/* Several zones behind one server: which of them answers, and which cannot stand beside each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <ldns/ldns.h>
#include <string.h>

#include "netns/resolver/zones.h"
#include "src/base/memory.h"
#include "tests/unit/netns/parsed.h"

/* The zone that answers for the name. */
static unsigned answers(const struct zones *zones, const char *text)
{
    ldns_rdf *name = ldns_dname_new_frm_str(text);
    unsigned id;

    assert_non_null(name);
    assert_non_null(zones_find(zones, ldns_rdf_data(name), ldns_rdf_size(name), &id));
    ldns_rdf_deep_free(name);
    return id;
}

static void test_each_name_has_its_zone(void **state)
{
    static const struct {
        const char *name;
        unsigned zone;
    } cases[] = {
        {"www.example.com.", 1},   {"any.wild.example.com.", 2},
        {"wild.example.com.", 3},            /* its own record, not the name above another one's wildcard */
        {"deep.example.org.", 1},            /* only a name above one that has records */
        {"nix.example.org.", 3},             /* nobody's, but 3 has its SOA record */
        {"nix.a.example.org.", 2},           /* and 2 a nearer one */
        {"nix.example.com.", 0},   {".", 1}, /* it is in all of them */
    };
    struct zone *first = parse("www.example.com A 192.0.2.1\nwww.deep.example.org A 192.0.2.1\n");
    struct zone *second = parse("*.wild.example.com A 192.0.2.2\na.example.org SOA ns host 1 2 3 4 5\n");
    struct zone *third = parse("wild.example.com A 192.0.2.3\nexample.org SOA ns host 1 2 3 4 5\n");
    struct zones *zones = zones_new();

    (void)state;
    assert_int_equal(answers(zones, "www.example.com."), 0);
    zones_add(zones, 1, first);
    zones_add(zones, 2, second);
    zones_add(zones, 3, third);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (answers(zones, cases[i].name) != cases[i].zone)
            fail_msg("%s: %u answers", cases[i].name, answers(zones, cases[i].name));
    assert_ptr_equal(zones_remove(zones, 1), first);
    assert_null(zones_remove(zones, 1));
    assert_int_equal(answers(zones, "www.example.com."), 0);
    assert_int_equal(answers(zones, "any.wild.example.com."), 2);
    assert_int_equal(answers(zones, "wild.example.com."), 3);
    zones_free(zones);
    zone_free(first);
    zone_free(second);
    zone_free(third);
}

static void test_overlap(void **state)
{
    static const struct {
        const char *there, *here, *name; /* NULL: they can stand beside each other */
    } cases[] = {
        {"a.example.com A 192.0.2.1", "b.example.com A 192.0.2.1", NULL},
        {"a.example.com A 192.0.2.1", "A.example.COM A 192.0.2.1", "a.example.com."},
        {"a.example.com A 192.0.2.1", "a.example.com TXT text", "a.example.com."},
        {"a.example.com A 192.0.2.1", "example.com A 192.0.2.1", NULL},
        {"a.example.com A 192.0.2.1", "*.example.com A 192.0.2.1", "a.example.com."},
        {"*.example.com A 192.0.2.1", "a.example.com A 192.0.2.1", "a.example.com."},
        {"*.example.com A 192.0.2.1", "b.a.example.com A 192.0.2.1", "b.a.example.com."},
        {"*.example.com A 192.0.2.1", "*.a.example.com A 192.0.2.1", "*.a.example.com."},
        {"*.example.com A 192.0.2.1", "*.example.com TXT text", "*.example.com."},
        {"*.a.example.com A 192.0.2.1", "a.example.com A 192.0.2.1", NULL},
        {"*.a.example.com A 192.0.2.1", "*.b.example.com A 192.0.2.1", NULL},
    };
    struct zones *zones = zones_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zone *there = parse(cases[i].there), *here = parse(cases[i].here);
        cleanup_free char *name = NULL;

        zones_add(zones, 7, there);
        assert_int_equal(zones_overlap(zones, here, &name), cases[i].name ? 7 : 0);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
        assert_ptr_equal(zones_remove(zones, 7), there);
        zone_free(there);
        zone_free(here);
    }
    zones_free(zones);
}

static void test_the_first_is_told(void **state)
{
    struct zone *zone = parse("a.example.com A 192.0.2.1");
    struct zones *zones = zones_new();
    cleanup_free char *name = NULL;

    (void)state;
    zones_add(zones, 5, zone);
    zones_add(zones, 2, zone);
    assert_int_equal(zones_overlap(zones, zone, &name), 5);
    zones_free(zones);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_name_has_its_zone),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_the_first_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
