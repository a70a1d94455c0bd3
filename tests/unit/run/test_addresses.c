/* Addresses of tests that share a network: nobody's are anybody else's, and none comes back soon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/addresses.h"

/* A test with these UAs. */
static struct test *new_test(const char *const *names)
{
    struct test test = {.name = (char *)"test", .folder = (char *)"/test"};
    struct scenario scenarios[4] = {{0}};
    struct test *copy;

    for (; names[test.scenario_count]; test.scenario_count++)
        scenarios[test.scenario_count] = (struct scenario){
            .file = (char *)"", .part = (char *)"", .ua = (char *)names[test.scenario_count]};
    test.scenarios = scenarios;
    suite_assign_addresses(&test);
    copy = suite_test_copy(&test);
    for (size_t i = 0; i < test.ua_count; i++) {
        free(test.uas[i].name);
        free(test.uas[i].address);
    }
    free(test.uas);
    return copy;
}

static const char *const two[] = {"ua0", "ua1", NULL};
static const char *const far[] = {"ua0", "ua40", NULL};
static const char *const farthest[] = {"ua130814", NULL};

static struct address_blocks take(struct addresses *addresses, const char *const *names, const char *first,
                                  const char *second)
{
    struct test *test = new_test(names);
    struct address_blocks blocks;

    addresses_take(addresses, test, &blocks);
    if (first)
        assert_string_equal(test->uas[0].address, first);
    if (second)
        assert_string_equal(test->uas[1].address, second);
    suite_test_free(test);
    return blocks;
}

static void test_readable(void **state)
{
    struct addresses addresses = {0};

    (void)state;
    (void)take(&addresses, two, "198.18.1.0", "198.18.1.1");
    (void)take(&addresses, two, "198.18.2.0", "198.18.2.1");
    for (int i = 0; i < 508; i++)
        (void)take(&addresses, two, NULL, NULL);
    (void)take(&addresses, two, "198.19.255.0", "198.19.255.1");
    (void)take(&addresses, two, "198.18.1.16", "198.18.1.17");
}

/* What was given back is not given out again before all others were. */
static void test_late_return(void **state)
{
    struct addresses addresses = {0};
    bool seen[ADDRESS_BLOCKS] = {0};

    (void)state;
    for (int i = 0; i < ADDRESS_BLOCKS; i++) {
        struct address_blocks blocks = take(&addresses, two, NULL, NULL);

        assert_int_equal(blocks.count, 1);
        assert_false(seen[blocks.first]);
        seen[blocks.first] = true;
        addresses_give_back(&addresses, &blocks);
    }
    (void)take(&addresses, two, "198.18.1.0", "198.18.1.1");
}

/* A block is one test's in both families. */
static void test_families(void **state)
{
    struct addresses addresses = {0};
    struct test *test = new_test(two);
    struct address_blocks blocks;

    (void)state;
    (void)take(&addresses, two, "198.18.1.0", "198.18.1.1");
    test->family = FAMILY_IPV6;
    for (size_t i = 0; i < test->ua_count; i++) {
        free(test->uas[i].address);
        test->uas[i].address = suite_address(FAMILY_IPV6, SUITE_FIRST_UA + (unsigned)i);
    }
    addresses_take(&addresses, test, &blocks);
    assert_string_equal(test->uas[0].address, "2001:2::2:0");
    assert_string_equal(test->uas[1].address, "2001:2::2:1");
    (void)take(&addresses, two, "198.18.3.0", "198.18.3.1");
    suite_test_free(test);
}

static void test_all_taken(void **state)
{
    struct addresses addresses = {0};
    struct address_blocks first = take(&addresses, two, NULL, NULL), blocks;

    (void)state;
    for (int i = 1; i < ADDRESS_BLOCKS; i++)
        assert_int_equal(take(&addresses, two, NULL, NULL).count, 1);
    blocks = take(&addresses, two, "198.18.1.0", "198.18.1.1"); /* unchanged */
    assert_int_equal(blocks.count, 0);
    addresses_give_back(&addresses, &first);
    blocks = take(&addresses, far, "198.18.1.0", "198.18.1.40"); /* one block is not enough for that */
    assert_int_equal(blocks.count, 0);
    blocks = take(&addresses, two, NULL, NULL);
    assert_int_equal(blocks.count, 1);
    assert_int_equal(blocks.first, first.first);
}

static void test_several_blocks(void **state)
{
    struct addresses addresses = {0};
    struct address_blocks blocks, others;

    (void)state;
    blocks = take(&addresses, far, "198.18.1.0", "198.18.1.40");
    assert_int_equal(blocks.count, 3);
    others = take(&addresses, farthest, NULL, NULL); /* all but the first 48 addresses are free: not enough */
    assert_int_equal(others.count, 0);
    for (int i = 0; i < ADDRESS_BLOCKS - 3; i++) {
        others = take(&addresses, two, NULL, NULL);
        assert_int_equal(others.count, 1);
        assert_false(others.first < 3);
    }
    assert_int_equal(take(&addresses, two, NULL, NULL).count, 0);
    addresses_give_back(&addresses, &blocks);
    assert_int_equal(take(&addresses, two, NULL, NULL).count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readable),       cmocka_unit_test(test_late_return),
        cmocka_unit_test(test_families),       cmocka_unit_test(test_all_taken),
        cmocka_unit_test(test_several_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
