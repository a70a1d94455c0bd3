/* 3pcc.txt: who is who in third party call control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/suite/third_party.h"
#include "tests/unit/support/support.h"

static struct ua uas[] = {{(char *)"ua0", (char *)"198.18.1.0"},
                          {(char *)"ua1", (char *)"198.18.1.1"},
                          {(char *)"ua2", (char *)"::1"}};
static const struct test test = {.uas = uas, .ua_count = 3};

static int read_text(const char *text, struct third_party *third_party, struct error **ret)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    int result;

    if (text)
        folder_put(folder, "3pcc.txt", text);
    result = third_party_read(dir, &test, third_party, ret);
    folder_remove(folder);
    return result;
}

static void twin_is(const struct third_party *third_party, const char *address, const char *id, uint16_t port,
                    bool master)
{
    const struct twin *twin = third_party_twin(third_party, address);

    assert_non_null(twin);
    assert_string_equal(twin->id, id);
    assert_string_equal(twin->address, address);
    assert_int_equal(twin->port, port);
    assert_int_equal(twin->master, master);
}

static void test_lines(void **state)
{
    struct third_party third_party;
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(read_text("# who is who\n\nm;198.18.1.1:6000\r\ns1;198.18.1.0:6001\ns-2;[::1]:65535",
                               &third_party, &error),
                     0);
    twin_is(&third_party, "198.18.1.1", "m", 6000, true);
    twin_is(&third_party, "198.18.1.0", "s1", 6001, false);
    twin_is(&third_party, "::1", "s-2", 65535, false);
    assert_null(third_party_twin(&third_party, "198.18.1.10"));
    third_party_free(&third_party);
}

/* SIPp has to know every peer; a UA is what its last line says. */
static void test_last_line_counts(void **state)
{
    struct third_party third_party;
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(
        read_text("s1;198.18.1.1:6000\nm;198.18.1.0:6001\ns2;198.18.1.1:6002\n", &third_party, &error), 0);
    assert_int_equal(third_party.count, 3);
    twin_is(&third_party, "198.18.1.1", "s2", 6002, false);
    third_party_free(&third_party);
}

static void test_no_file(void **state)
{
    struct third_party third_party;
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(read_text(NULL, &third_party, &error), 0);
    assert_int_equal(third_party.count, 0);
    assert_null(third_party_twin(&third_party, "198.18.1.0"));
    third_party_free(&third_party);
    assert_int_equal(read_text("", &third_party, &error), 0);
    assert_int_equal(third_party.count, 0);
}

static void test_bad_lines(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"m 198.18.1.1:6000", "3pcc.txt:1: not of the form id;address:port: m 198.18.1.1:6000"},
        {"m;198.18.1.1", "3pcc.txt:1: not of the form"},
        {"\n\n#\nm:198.18.1.1;6000", "3pcc.txt:4: not of the form"},
        {";198.18.1.1:6000", "3pcc.txt:1: not an id: "},
        {"# m;198.18.1.1:6000", "3pcc.txt:1: not an id: # m"},
        {" m;198.18.1.1:6000", "3pcc.txt:1: not an id:  m"},
        {"m\x1b;198.18.1.1:6000", "3pcc.txt:1: not an id: m\\x1b"},
        {"m;198.18.1:6000", "3pcc.txt:1: not an address: 198.18.1"},
        {"m;ua1:6000", "3pcc.txt:1: not an address: ua1"},
        {"m;:6000", "3pcc.txt:1: not an address: "},
        {"m; 198.18.1.1:6000", "3pcc.txt:1: not an address:  198.18.1.1"},
        {"m;198.18.1.1:", "3pcc.txt:1: not a port: "},
        {"m;198.18.1.1:0", "3pcc.txt:1: not a port: 0"},
        {"m;198.18.1.1:65536", "3pcc.txt:1: not a port: 65536"},
        {"m;198.18.1.1:6000 ", "3pcc.txt:1: not a port: 6000 "},
        {"s1;198.18.1.1:6000\nm;198.18.1.9:6000",
         "3pcc.txt:2: no UA of this test has the address: 198.18.1.9"},
        {"m;198.18.1.1:6000\nm;198.18.1.0:6001", "3pcc.txt:2: a second master (m): m;198.18.1.0:6001"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct third_party third_party;
        cleanup_error struct error *error = NULL;

        assert_int_equal(read_text(cases[i].text, &third_party, &error), -1);
        assert_error(error, ERROR_INPUT, cases[i].words);
        third_party_free(&third_party);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_last_line_counts),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_bad_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
