#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "src/base/network.h"

static struct network parsed(const char *text)
{
    cleanup_error struct error *error = NULL;
    struct network network;

    if (network_parse(text, &network, &error) < 0)
        fail_msg("%s", error_text(error));
    return network;
}

static void test_round_trip(void **state)
{
    static const char *const texts[] = {
        "10.22.22.0/24", "0.0.0.0/0", "10.0.0.0/7",      "10.22.22.4/31",      "2001:db8::/32",
        "::/0",          "fe80::/10", "2001:db8::2/127", "255.255.255.254/31", "10.22.22.128/25"};
    char text[NETWORK_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct network network = parsed(texts[i]);

        assert_string_equal(network_text(&network, text), texts[i]);
    }
}

static void test_single_addresses(void **state)
{
    const struct network one = parsed("10.22.22.5/32"), other = parsed("2001:db8::1/128");
    uint8_t bytes[4] = {10, 22, 22, 5};
    const struct network same = network_of(AF_INET, bytes);
    char text[NETWORK_TEXT];

    (void)state;
    assert_string_equal(network_text(&one, text), "10.22.22.5");
    assert_string_equal(network_text(&other, text), "2001:db8::1");
    assert_memory_equal(&same, &one, sizeof one);
}

static void test_the_longest(void **state)
{
    const struct network network = parsed("1111:2222:3333:4444:5555:6666:7777:8880/127");
    char text[NETWORK_TEXT];

    (void)state;
    assert_string_equal(network_text(&network, text), "1111:2222:3333:4444:5555:6666:7777:8880/127");
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "10.22.22.0",
                                        "10.22.22.0/",
                                        "10.22.22.0/33",
                                        "10.22.22.0/-1",
                                        "10.22.22.0/ 24",
                                        "10.22.22.0/24/24",
                                        "10.22.22/24",
                                        "010.22.22.0/24x",
                                        "/24",
                                        "2001:db8::/129",
                                        "2001:db8::1::/64",
                                        "::ffff:10.22.22.300/128",
                                        "eth0/24"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_error struct error *error = NULL;
        struct network network;

        if (network_parse(wrong[i], &network, &error) == 0)
            fail_msg("%s was taken", wrong[i]);
        assert_int_equal(error->code, ERROR_INPUT);
        assert_non_null(strstr(error->text, wrong[i]));
    }
}

static void test_host_bits(void **state)
{
    static const char *const pairs[][2] = {{"10.22.22.1/24", "which is 10.22.22.0/24"},
                                           {"10.22.22.129/25", "which is 10.22.22.128/25"},
                                           {"10.1.0.0/0", "which is 0.0.0.0/0"},
                                           {"10.22.22.5/31", "which is 10.22.22.4/31"},
                                           {"2001:db8::1/64", "which is 2001:db8::/64"}};

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        cleanup_error struct error *error = NULL;
        struct network network;

        assert_int_equal(network_parse(pairs[i][0], &network, &error), -1);
        assert_non_null(strstr(error->text, pairs[i][1]));
    }
}

static void assert_holds(const char *outer, const char *inner, bool expected)
{
    const struct network a = parsed(outer), b = parsed(inner);

    if (network_holds(&a, &b) != expected)
        fail_msg("%s in %s", inner, outer);
}

static void test_holds(void **state)
{
    (void)state;
    assert_holds("10.22.22.0/24", "10.22.22.0/24", true);
    assert_holds("10.22.22.0/24", "10.22.22.255/32", true);
    assert_holds("10.22.22.0/24", "10.22.23.0/32", false);
    assert_holds("10.22.22.0/24", "10.22.21.255/32", false);
    assert_holds("10.22.22.0/24", "10.22.22.0/23", false); /* larger */
    assert_holds("10.22.22.128/25", "10.22.22.127/32", false);
    assert_holds("10.22.22.128/25", "10.22.22.128/26", true);
    assert_holds("0.0.0.0/0", "198.18.0.1/32", true);
    assert_holds("0.0.0.0/0", "::/0", false);
    assert_holds("::/0", "10.0.0.0/8", false);
    assert_holds("10.22.22.5/32", "10.22.22.5/32", true);
    assert_holds("10.22.22.5/32", "10.22.22.4/32", false);
    assert_holds("2001:db8::/33", "2001:db8:7fff::/48", true);
    assert_holds("2001:db8::/33", "2001:db8:8000::/48", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_single_addresses),
        cmocka_unit_test(test_the_longest), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_host_bits),   cmocka_unit_test(test_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
