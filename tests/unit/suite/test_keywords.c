/* Keywords as a JSON object, and what the command line replaces of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "src/base/memory.h"
#include "src/suite/keywords.h"
#include "tests/unit/support/support.h"

static void says(const struct keywords *keywords, const char *expected)
{
    cleanup_free char *json = keywords_json(keywords);

    assert_string_equal(json, expected);
}

static void test_set_and_find(void **state)
{
    struct keywords keywords = {0};

    (void)state;
    says(&keywords, "{}");
    assert_null(keywords_find(&keywords, "a", 1));
    keywords_set(&keywords, "dut.host", "198.18.0.1");
    keywords_set(&keywords, "a", "caf\xc3\xa9 \"\n");
    keywords_set(&keywords, "dut.port", "5060");
    keywords_set(&keywords, "a2", "");
    says(&keywords,
         "{\"dut\":{\"host\":\"198.18.0.1\",\"port\":\"5060\"},\"a\":\"caf\xc3\xa9 \\\"\\n\",\"a2\":\"\"}");
    assert_string_equal(keywords_find(&keywords, "dut.port", 8), "5060");
    assert_string_equal(keywords_find(&keywords, "axx", 1), "caf\xc3\xa9 \"\n");
    assert_string_equal(keywords_find(&keywords, "a2", 2), "");
    assert_null(keywords_find(&keywords, "axx", 2));
    assert_null(keywords_find(&keywords, "", 0));
    assert_null(keywords_find(&keywords, "dut", 3)); /* no string */
    assert_null(keywords_find(&keywords, "dut.host.x", 10));
    keywords_free(&keywords);
    assert_null(keywords.object);
}

/* In a URI an address of IPv6 is in brackets. */
static void test_hosts(void **state)
{
    struct ua uas[] = {{.name = (char *)"ua0", .address = (char *)"198.18.1.0"},
                       {.name = (char *)"ua1", .address = (char *)"2001:2::1:1"}};
    const struct test test = {.name = (char *)"t", .uas = uas, .ua_count = 2};
    const struct keywords_run run = {.run_id = "r", .number = "1", .dut = "2001:db8::5"};
    struct keywords keywords = {0};

    (void)state;
    keywords_of_test(&keywords, &test, &run);
    assert_string_equal(keywords_find(&keywords, "dut.host", 8), "2001:db8::5");
    assert_string_equal(keywords_find(&keywords, "dut.uri_host", 12), "[2001:db8::5]");
    assert_string_equal(keywords_find(&keywords, "ua0.host", 8), "198.18.1.0");
    assert_string_equal(keywords_find(&keywords, "ua0.uri_host", 12), "198.18.1.0");
    assert_string_equal(keywords_find(&keywords, "ua1.host", 8), "2001:2::1:1");
    assert_string_equal(keywords_find(&keywords, "ua1.uri_host", 12), "[2001:2::1:1]");
    keywords_free(&keywords);
}

static void replaces(struct keywords_replacements *replacements, const char *expected)
{
    struct keywords keywords = {0};

    keywords_set(&keywords, "dut.host", "d");
    keywords_set(&keywords, "test.name", "t");
    keywords_set(&keywords, "test.run_id", "r");
    keywords_replace(&keywords, replacements);
    says(&keywords, expected);
    keywords_free(&keywords);
    keywords_replacements_free(replacements);
    assert_int_equal(replacements->count, 0);
}

static void parse(struct keywords_replacements *replacements, const char *json)
{
    assert_int_equal(keywords_replacements_parse(json, replacements, NULL), 0);
}

static void set(struct keywords_replacements *replacements, const char *assignment)
{
    assert_int_equal(keywords_replacements_set(assignment, replacements, NULL), 0);
}

/* A key of the object stands for the whole keyword of that name. */
static void test_object(void **state)
{
    struct keywords_replacements replacements = {0};

    (void)state;
    parse(&replacements, "{}");
    replaces(&replacements, "{\"dut\":{\"host\":\"d\"},\"test\":{\"name\":\"t\",\"run_id\":\"r\"}}");
    parse(&replacements, "{\"test\": {\"x\": [1, true, null, {\"y\": 1.5}]}, \"new\": 7, \"a.b\": \"\"}");
    replaces(&replacements, "{\"dut\":{\"host\":\"d\"},\"test\":{\"x\":[1,true,null,{\"y\":1.5}]},\"new\":7,"
                            "\"a.b\":\"\"}");
}

/* A dotted name leaves alone what is beside it. */
static void test_assignments(void **state)
{
    struct keywords_replacements replacements = {0};

    (void)state;
    set(&replacements, "test.name=x=y");
    set(&replacements, "dut.more._a1.b=");
    set(&replacements, "custom_transport=tcp");
    replaces(&replacements,
             "{\"dut\":{\"host\":\"d\",\"more\":{\"_a1\":{\"b\":\"\"}}},\"test\":{\"name\":\"x=y\","
             "\"run_id\":\"r\"},\"custom_transport\":\"tcp\"}");
}

static void test_later_wins(void **state)
{
    struct keywords_replacements replacements = {0};
    struct keywords first = {0}, second = {0};

    (void)state;
    set(&replacements, "dut.host=1");
    set(&replacements, "dut=2");
    parse(&replacements, "{\"test\": {\"a\": \"3\"}}");
    set(&replacements, "test.b=4");
    /* Two tests do not see each other's. */
    keywords_replace(&first, &replacements);
    keywords_set(&first, "test.a", "changed");
    keywords_replace(&second, &replacements);
    says(&second, "{\"dut\":\"2\",\"test\":{\"a\":\"3\",\"b\":\"4\"}}");
    keywords_free(&first);
    keywords_free(&second);
    set(&replacements, "dut.host=5");
    replaces(&replacements, "{\"dut\":{\"host\":\"5\"},\"test\":{\"a\":\"3\",\"b\":\"4\"}}");
}

static void test_bad_json(void **state)
{
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"", "no JSON: line 1, column 0: "},
        {"{\"a\": 1", "no JSON: line 1, column 7: "},
        {"{\n \"a\": x}", "no JSON: line 2, column 7: "},
        {"{} {}", "no JSON: line 1, column "},
        {"{\"a\": \"\xff\"}", "no JSON: line 1, column "},
        {"[1]", "it has to be a JSON object: {\"name\": \"value\"}"},
        {"\"a\"", "it has to be a JSON object"},
        {"null", "it has to be a JSON object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keywords_replacements replacements = {0};
        cleanup_error struct error *error = NULL;

        assert_int_equal(keywords_replacements_parse(cases[i].json, &replacements, &error), -1);
        assert_error(error, ERROR_INPUT, cases[i].words);
        assert_int_equal(replacements.count, 0);
    }
}

static void test_bad_assignments(void **state)
{
    static const char *const bad[] = {"",      "a",     "=x",    "1=x",   "a.=x",   ".a=x",
                                      "a..b=", "a b=x", "a-b=x", "a.1=x", "a[0]=x", "caf\xc3\xa9=x"};
    struct keywords_replacements replacements = {0};
    struct error *error = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(keywords_replacements_set(bad[i], &replacements, &error), -1);
        assert_error(error, ERROR_INPUT, "it has to be name=value");
        error_free(steal_pointer(&error));
    }
    assert_int_equal(keywords_replacements_set("a=\xff", &replacements, &error), -1);
    assert_error(error, ERROR_INPUT, "the value is not UTF-8");
    error_free(error);
    assert_int_equal(replacements.count, 0);
}

static void test_hidden_uas(void **state)
{
    struct ua first[] = {{.name = (char *)"ua0"}, {.name = (char *)"ua1"}},
              second[] = {{.name = (char *)"ua2"}};
    const struct test tests[] = {{.name = (char *)"one", .uas = first, .ua_count = 2},
                                 {.name = (char *)"two", .uas = second, .ua_count = 1}};
    struct keywords_replacements replacements = {0};
    struct error *error = NULL;

    (void)state;
    parse(&replacements, "{\"dut\": 1, \"test\": 2, \"custom_transport\": 3, \"ua3\": 4, \"ua\": 5}");
    assert_int_equal(keywords_replacements_check(&replacements, tests, 2, NULL), 0);
    set(&replacements, "ua2.host=x");
    assert_int_equal(keywords_replacements_check(&replacements, tests, 1, NULL), 0);
    assert_int_equal(keywords_replacements_check(&replacements, tests, 2, &error), -1);
    assert_error(error, ERROR_INPUT, "ua2 is a UA of the test two: its address is assigned by sippod");
    error_free(steal_pointer(&error));
    parse(&replacements, "{\"ua0\": {}}");
    assert_int_equal(keywords_replacements_check(&replacements, tests, 1, &error), -1);
    assert_error(error, ERROR_INPUT, "ua0 is a UA of the test one");
    error_free(error);
    keywords_replacements_free(&replacements);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_find),    cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_object),          cmocka_unit_test(test_assignments),
        cmocka_unit_test(test_later_wins),      cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_bad_assignments), cmocka_unit_test(test_hidden_uas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
