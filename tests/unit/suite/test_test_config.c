/* test.conf: values, and faults told with file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/memory.h"
#include "src/suite/suite.h"
#include "tests/unit/support/support.h"

static void parsed(const char *text, const char *transport, double timeout_s)
{
    struct test_config config = {0};
    cleanup_error struct error *error = NULL;

    if (test_config_parse("a/test.conf", text, NULL, &config, &error) < 0)
        fail_msg("%s", error_text(error));
    assert_null(error);
    assert_true(text_equal(config.transport, transport));
    assert_true(config.timeout_s == timeout_s);
    test_config_free(&config);
}

static void family_is(const char *text, enum family family)
{
    struct test_config config = {0};

    assert_int_equal(test_config_parse("x", text, NULL, &config, NULL), 0);
    assert_int_equal(config.family, family);
    test_config_free(&config);
}

static void test_family(void **state)
{
    (void)state;
    family_is("", FAMILY_ANY);
    family_is("family = \"ipv4\"\n", FAMILY_IPV4);
    family_is("family = ipv6\n", FAMILY_IPV6);
}

static void test_values(void **state)
{
    static const char *const transports[] = {"u1", "un", "ui", "t1", "tn"};

    (void)state;
    parsed("", NULL, 0);
    parsed("# nothing\n// at all\n/* here */\n", NULL, 0);
    parsed("transport = t1", "t1", 0);
    parsed("transport = \"un\"\n", "un", 0);
    parsed("timeout = 30\n", NULL, 30);
    parsed("timeout=0.25", NULL, 0.25);
    parsed("timeout = 86400\ntransport = 'ui' # trailing\n", "ui", 86400);
    parsed("timeout = 1\n timeout = 2\n", NULL, 2);
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        cleanup_free char *text = text_format("transport=%s\n", transports[i]);

        parsed(text, transports[i], 0);
    }
}

static void refused(const char *text, int line, const char *words)
{
    struct test_config config = {.timeout_s = 77};
    cleanup_error struct error *error = NULL;
    cleanup_free char *place = text_format(":%d: ", line);

    if (test_config_parse("a/test.conf", text, NULL, &config, &error) == 0)
        fail_msg("accepted: %s", text);
    assert_error(error, ERROR_INPUT, words);
    assert_error(error, ERROR_INPUT, place);
    assert_null(strchr(error->text, '\n'));
    assert_true(config.timeout_s == 77); /* untouched */
    assert_null(config.transport);
}

static void test_unknown_key(void **state)
{
    (void)state;
    refused("speed = 7\n", 1, "speed");
    refused("\n\ntimeout = 5\n  speed = 7\n", 4, "speed");
    refused("Transport = u1\n", 1, "Transport");
    refused("include(\"/etc/passwd\")\n", 1, "include");
}

static void test_line_behind_a_comment(void **state)
{
    (void)state;
    refused("# what\n# this is\nspeed = 7\n", 3, "speed");
    refused("timeout = 5 # seconds\nspeed = 7\n", 2, "speed");
    refused("/* what\n this is */\nspeed = 7\n", 3, "speed");
}

/* Whoever has many tests has to know which one it is. */
static void test_file_is_named(void **state)
{
    struct test_config config = {0};
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(test_config_parse("a/test.conf", "\nspeed = 7\n", NULL, &config, &error), -1);
    assert_error(error, ERROR_INPUT, "a/test.conf:2: ");
}

static void test_wrong_type(void **state)
{
    (void)state;
    refused("timeout = soon\n", 1, "timeout");
    refused("\ntimeout = 5s\n", 2, "timeout");
    refused("timeout = {1, 2}\n", 1, "");
    refused("transport\n", 2, "");
    refused("transport = u1 {\n}\n", 1, "");
    refused("timeout = \n", 2, "");
    refused("transport = \"u1\n", 1, "never closed");
}

static void test_out_of_range(void **state)
{
    (void)state;
    refused("timeout = 0\n", 1, "timeout 0: it is in seconds, more than 0 and at most 86400");
    refused("timeout = -1\n", 1, "more than 0");
    refused("timeout = 86401\n", 1, "at most 86400");
    refused("timeout = nan\n", 1, "timeout");
    refused("timeout = inf\n", 1, "timeout");
    refused("\n\ntransport = l2\n", 3, "transport \"l2\": it can be u1, un, ui, t1, tn, l1 or ln");
    refused("transport = \"\"\n", 1, "it can be u1");
    refused("family = \"ipv5\"\n", 1, "family \"ipv5\": it can be ipv4 or ipv6");
    refused("\nfamily = 6\n", 2, "family \"6\": it can be ipv4 or ipv6");
    refused("transport = U1\n", 1, "it can be u1");
}

static bool accepted(const char *text)
{
    struct test_config config = {0};
    bool result = test_config_parse("x", text, NULL, &config, NULL) == 0;

    test_config_free(&config);
    return result;
}

/* What is opened and never closed would hide all that comes behind it. */
static void test_unfinished(void **state)
{
    (void)state;
    assert_false(accepted("timeout = 5\n'oops\ntransport = nonsense\n"));
    assert_false(accepted("timeout = 5 \"\ntransport = nonsense\n"));
    assert_false(accepted("\"oops\n"));
    assert_false(accepted("/* oops\ntransport = nonsense\n"));
}

/* The first fault is the one that is told. */
static void test_first_fault(void **state)
{
    (void)state;
    refused("timeout = 0\nspeed = 7\n", 1, "timeout 0");
}

static void test_nobody_asks(void **state)
{
    struct test_config config = {0};

    (void)state;
    assert_int_equal(test_config_parse("x", "speed = 1\n", NULL, &config, NULL), -1);
    assert_int_equal(test_config_parse("x", "timeout = 0\n", NULL, &config, NULL), -1);
}

/* ---- on disk ---- */

static void test_load(void **state)
{
    char *folder = folder_make();
    const struct test_config_place place = {.folder = folder};
    struct test_config config = {0};
    cleanup_error struct error *fault = NULL;
    cleanup_error struct error *nul = NULL;
    cleanup_error struct error *kind = NULL;
    cleanup_free char *path = text_format("%s/test.conf", folder);

    (void)state;
    assert_int_equal(test_config_load(&place, &config, NULL), 0); /* there is none */
    assert_null(config.transport);
    folder_put(folder, "test.conf", "transport = tn\n");
    assert_int_equal(test_config_load(&place, &config, NULL), 0);
    assert_string_equal(config.transport, "tn");
    test_config_free(&config);
    config = (struct test_config){0};
    folder_put(folder, "test.conf", "x = 1\n");
    assert_int_equal(test_config_load(&place, &config, &fault), -1);
    assert_error(fault, ERROR_INPUT, ":1: ");
    folder_put_bytes(folder, "test.conf", "timeout = 5\n\0x = 1\n", 19);
    assert_int_equal(test_config_load(&place, &config, &nul), -1);
    assert_error(nul, ERROR_INPUT, "a NUL byte is in it");
    remove(path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(test_config_load(&place, &config, &kind), -1);
    assert_error(kind, ERROR_INPUT, "is not a regular file");
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_family),
        cmocka_unit_test(test_unknown_key),   cmocka_unit_test(test_line_behind_a_comment),
        cmocka_unit_test(test_file_is_named), cmocka_unit_test(test_wrong_type),
        cmocka_unit_test(test_out_of_range),  cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_first_fault),   cmocka_unit_test(test_nobody_asks),
        cmocka_unit_test(test_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
