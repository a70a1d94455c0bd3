/* The address plan of the pods, and who is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/suite.h"

#define MOST 400

/* A test with these scenarios, "[part_]ua[cs]_uaN", in this order. */
static struct test *a_test(enum family family, const char *const *names)
{
    struct test *test = memory_new(sizeof *test);

    test->family = family;
    test->scenarios = memory_new(MOST * sizeof *test->scenarios);
    for (; *names; names++) {
        cleanup_free char *file = text_format("%s.xml", *names);

        assert_true(scenario_parse(file, &test->scenarios[test->scenario_count++]));
    }
    suite_assign_addresses(test);
    return test;
}
#define TEST_OF(...) a_test(FAMILY_IPV4, (const char *const[]){__VA_ARGS__, NULL})

static void free_test(struct test *test)
{
    for (size_t i = 0; i < test->scenario_count; i++)
        scenario_free(&test->scenarios[i]);
    for (size_t i = 0; i < test->ua_count; i++) {
        free(test->uas[i].name);
        free(test->uas[i].address);
    }
    free(test->scenarios);
    free(test->uas);
    free(test);
}

static void address_is(const struct test *test, const char *name, const char *address)
{
    const struct ua *ua = test_ua(test, name);

    assert_non_null(ua);
    assert_string_equal(ua->name, name);
    assert_string_equal(ua->address, address);
}

static void test_plain_names(void **state)
{
    struct test *test = TEST_OF("uas_ua0", "uac_ua1", "uac_ua255", "uac_ua256", "uac_ua300", "uac_ua65535");

    (void)state;
    address_is(test, "ua0", "198.18.1.0");
    address_is(test, "ua1", "198.18.1.1");
    address_is(test, "ua255", "198.18.1.255");
    address_is(test, "ua256", "198.18.2.0");
    address_is(test, "ua300", "198.18.2.44");
    address_is(test, "ua65535", "198.19.0.255");
    assert_null(test_ua(test, "ua2"));
    assert_null(test_ua(test, "ua"));
    free_test(test);
}

/* The same numbers, written in hexadecimal: as everybody writes them who prints such an address. */
static void test_ipv6(void **state)
{
    const char *const names[] = {"uas_ua0", "uac_ua1", "uac_ua26", "uac_ua256", "uac_ua130814", NULL};
    struct test *test = a_test(FAMILY_IPV6, names);

    (void)state;
    address_is(test, "ua0", "2001:2::1:0");
    address_is(test, "ua1", "2001:2::1:1");
    address_is(test, "ua26", "2001:2::1:1a");
    address_is(test, "ua256", "2001:2::2:0");
    address_is(test, "ua130814", "2001:2::1ff:fe");
    for (size_t i = 0; i < test->ua_count; i++) {
        unsigned number = suite_address_number(test->uas[i].address);
        cleanup_free char *again = suite_address(FAMILY_IPV6, number);

        assert_string_equal(again, test->uas[i].address);
    }
    free_test(test);
}

/* The last address of 198.18.0.0/15 is nobody's; what would lie behind it takes a free one. */
static void test_last_ones(void **state)
{
    struct test *test = TEST_OF("uac_ua130814", "uac_ua130815", "uac_ua130816");

    (void)state;
    address_is(test, "ua130814", "198.19.255.254");
    address_is(test, "ua130815", "198.18.1.0");
    address_is(test, "ua130816", "198.18.1.1");
    free_test(test);
}

static void test_same_number(void **state)
{
    struct test *test = TEST_OF("uac_ua01", "uac_ua1", "uac_ua001", "uac_ua0", "uac_ua00");

    (void)state;
    address_is(test, "ua0", "198.18.1.0");
    address_is(test, "ua1", "198.18.1.1");
    assert_string_not_equal(test_ua(test, "ua01")->address, test_ua(test, "ua001")->address);
    assert_string_not_equal(test_ua(test, "ua01")->address, "198.18.1.1");
    assert_string_not_equal(test_ua(test, "ua00")->address, "198.18.1.0");
    assert_int_equal(test->ua_count, 5);
    free_test(test);
}

static void test_same_in_all_parts(void **state)
{
    struct test *test = TEST_OF("1_uas_ua0", "1_uac_ua1", "2_uac_ua0", "2_uas_ua1", "3_uac_ua2");

    (void)state;
    assert_int_equal(test->ua_count, 3);
    address_is(test, "ua0", "198.18.1.0");
    address_is(test, "ua1", "198.18.1.1");
    address_is(test, "ua2", "198.18.1.2");
    free_test(test);
}

static void test_order(void **state)
{
    static const char *const expected[] = {"ua0", "ua2", "ua010", "ua10", "ua99999999999999999999"};
    struct test *test = TEST_OF("uac_ua10", "uac_ua99999999999999999999", "uac_ua2", "uas_ua0", "uac_ua010");

    (void)state;
    assert_int_equal(test->ua_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(test->uas[i].name, expected[i]);
    free_test(test);
}

/* Whatever they are called, no two have the same, and all lie in the plan, clear of the DUT's. */
static void test_unique(void **state)
{
    const char *names[MOST];
    struct test *test;
    size_t count = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        names[count++] = text_format("uac_ua%d", i);
        names[count++] = text_format("uac_ua0%d", i);
        names[count++] = text_format("uac_ua%d0000000000%d", i + 1, i);
    }
    names[count] = NULL;
    test = a_test(FAMILY_IPV4, names);
    assert_int_equal(test->ua_count, 300);
    for (size_t i = 0; i < test->ua_count; i++) {
        struct in_addr address;

        assert_int_equal(inet_pton(AF_INET, test->uas[i].address, &address), 1);
        assert_in_range(ntohl(address.s_addr), 0xc6120100, 0xc613fffe);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(test->uas[i].address, test->uas[j].address);
    }
    free_test(test);
    for (size_t i = 0; i < count; i++)
        free((char *)names[i]);
}

/* ---- who is called ---- */

static void test_called_is(const char *expected, struct test *test)
{
    const struct ua *called = test_called(test);

    if (expected)
        assert_string_equal(called->name, expected);
    else
        assert_null(called);
    free_test(test);
}

static void test_who_is_called(void **state)
{
    (void)state;
    test_called_is("ua0", TEST_OF("uas_ua3", "uas_ua0", "uac_ua1"));
    test_called_is("ua2", TEST_OF("uas_ua10", "uas_ua2", "uac_ua1")); /* as numbers */
    test_called_is("ua5",
                   TEST_OF("1_uas_ua5", "1_uac_ua0", "2_uas_ua0", "2_uac_ua5")); /* in the first part */
    test_called_is(NULL, TEST_OF("uac_ua0", "uac_ua1"));
    test_called_is(NULL, TEST_OF("1_uac_ua0", "2_uas_ua0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_names),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_last_ones),
        cmocka_unit_test(test_same_number),
        cmocka_unit_test(test_same_in_all_parts),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_who_is_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
