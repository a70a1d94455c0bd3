/* sippod.conf: values reach whoever reads them, and faults name file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/config.h"
#include "tests/unit/support/support.h"

static const struct config_key keys[] = {
    {"jobs", CONFIG_TEXT},
    {"fail_fast", CONFIG_FLAG},
    {"tag", CONFIG_LIST},
};

static int take(void *user, size_t key, const char *value, bool first, struct error **ret)
{
    if (strcmp(value, "bad") == 0)
        return error_set(ret, ERROR_INPUT, "%s is bad", keys[key].name);
    if (first && keys[key].kind == CONFIG_LIST)
        buffer_free(user); /* what came before is void */
    buffer_addf(user, "%s%s=%s;", first ? "" : "+", keys[key].name, value);
    return 0;
}

static int read_text(const char *text, struct buffer *seen, struct error **ret)
{
    const struct config_reader reader = {keys, sizeof keys / sizeof *keys, take, seen};
    int result = config_parse("etc/sippod.conf", text, &reader, ret);

    buffer_add(seen, "", 1);
    return result;
}

static void says(const char *text, const char *expected)
{
    cleanup_buffer struct buffer seen = {0};
    cleanup_error struct error *error = NULL;

    if (read_text(text, &seen, &error) < 0)
        fail_msg("%s: %s", text, error_text(error));
    assert_string_equal((const char *)seen.data, expected);
}

static void test_values(void **state)
{
    (void)state;
    says("", "");
    says("jobs = 4", "jobs=4;");
    says("jobs = auto # all\n", "jobs=auto;");
    says("jobs = 1\njobs = 2\n", "jobs=1;jobs=2;");
    says("fail_fast = true", "fail_fast=true;");
    says("fail_fast = no", "fail_fast=false;");
    says("tag = {\"a\", \"b\"}", "tag=a;+tag=b;");
}

static void refused(const char *text, const char *place, const char *words)
{
    cleanup_buffer struct buffer seen = {0};
    cleanup_error struct error *error = NULL;

    if (read_text(text, &seen, &error) == 0)
        fail_msg("accepted: %s", text);
    assert_error(error, ERROR_INPUT, place);
    assert_error(error, ERROR_INPUT, words);
}

static void test_faults(void **state)
{
    (void)state;
    refused("\nspeed = 3\n", "etc/sippod.conf:2: ", "speed");
    refused("fail_fast = 7\n", "etc/sippod.conf:1: ", "fail_fast");
    refused("# c\njobs = {1, 2}\n", "etc/sippod.conf:2: ", "{");
    refused("tag = {\"a\"\n", "etc/sippod.conf:", "");
    refused("jobs = 1\ntag = {\"ok\", \"bad\"}\n", "etc/sippod.conf:2: ", "tag is bad");
}

static void test_no_file(void **state)
{
    cleanup_buffer struct buffer seen = {0};
    const struct config_reader reader = {keys, sizeof keys / sizeof *keys, take, &seen};

    (void)state;
    assert_int_equal(config_read("/nonexistent/sippod.conf", &reader, NULL), 0);
    assert_int_equal(seen.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
