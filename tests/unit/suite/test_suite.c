/* Suites on disk: which folders are tests, in which order their scenarios start, and everything that can be
 * wrong, all of it told at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/suite/suite.h"
#include "tests/unit/support/support.h"

struct scene {
    char *folder;
    struct strings paths, problems;
    struct suite_filter filter;
    struct suite suite;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    suite_free(&scene->suite);
    strings_free(&scene->paths);
    strings_free(&scene->problems);
    strings_free(&scene->filter.only);
    strings_free(&scene->filter.exclude);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static void put(struct scene *scene, const char *name)
{
    folder_put(scene->folder, name, "<scenario/>");
}

static void path(struct scene *scene, const char *name)
{
    strings_addf(&scene->paths, "%s%s", scene->folder, name);
}

static int load(struct scene *scene)
{
    if (!scene->paths.count)
        path(scene, "");
    return suite_load(&scene->paths, &scene->filter, &scene->suite, &scene->problems);
}

static void loads(struct scene *scene)
{
    if (load(scene) < 0)
        fail_msg("%s", scene->problems.count ? scene->problems.list[0] : "no problem");
    assert_int_equal(scene->problems.count, 0);
}

static void has_problems(struct scene *scene, size_t count)
{
    assert_int_equal(load(scene), -1);
    if (scene->problems.count != count)
        for (size_t i = 0; i < scene->problems.count; i++)
            print_error("%s\n", scene->problems.list[i]);
    assert_int_equal(scene->problems.count, count);
}

static void tests_are(const struct scene *scene, const char *expected)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; i < scene->suite.test_count; i++)
        buffer_addf(&text, "%s%s", i ? " " : "", scene->suite.tests[i].name);
    buffer_add(&text, "", 1);
    assert_string_equal((char *)text.data, expected);
}

static void scenarios_are(const struct test *test, const char *expected)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; i < test->scenario_count; i++)
        buffer_addf(&text, "%s%s", i ? " " : "", test->scenarios[i].file);
    buffer_add(&text, "", 1);
    assert_string_equal((char *)text.data, expected);
}

/* ---- what is a test ---- */

static void test_loads(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *folder = text_format("%s/b", scene->folder);

    put(scene, "b/uas_ua0.xml");
    put(scene, "b/uac_ua1.xml");
    put(scene, "b/notes.txt");
    put(scene, "a10/uac_ua1.xml");
    put(scene, "a2/uac_ua1.xml");
    put(scene, "B/uac_ua1.xml");
    put(scene, "users.csv");
    put(scene, "uac.xml");
    loads(scene);
    tests_are(scene, "B a10 a2 b"); /* by bytes */
    assert_string_equal(scene->suite.folder, scene->folder);
    assert_string_equal(scene->suite.name, strrchr(scene->folder, '/') + 1);
    assert_string_equal(scene->suite.tests[3].folder, folder);
    scenarios_are(&scene->suite.tests[3], "uas_ua0.xml uac_ua1.xml");
    assert_string_equal(test_ua(&scene->suite.tests[3], "ua1")->address, "198.18.1.1");
    assert_null(scene->suite.tests[3].config.transport);
    assert_true(scene->suite.tests[3].config.timeout_s == 0);
}

static void test_reserved_and_hidden(void **state)
{
    struct scene *scene = *state;

    put(scene, "TEMPLATES/uac_ua1.xml");
    put(scene, "GLOBAL/before.sh");
    put(scene, "DUT/dut.sh");
    put(scene, ".git/config");
    put(scene, ".hidden/uac_ua1.xml");
    put(scene, "Global/uac_ua1.xml");
    loads(scene);
    tests_are(scene, "Global");
}

static void test_config_is_read(void **state)
{
    struct scene *scene = *state;

    put(scene, "a/uac_ua1.xml");
    folder_put(scene->folder, "a/test.conf", "transport = t1\ntimeout = 2.5\n");
    loads(scene);
    assert_string_equal(scene->suite.tests[0].config.transport, "t1");
    assert_true(scene->suite.tests[0].config.timeout_s == 2.5);
}

static void test_links(void **state)
{
    struct scene *scene = *state;

    put(scene, "shared/uac_ua9.xml");
    folder_link(scene->folder, "../../shared/uac_ua9.xml", "suite/a/uac_ua1.xml");
    folder_link(scene->folder, "../shared", "suite/b");
    path(scene, "/suite");
    loads(scene);
    tests_are(scene, "a b");
    scenarios_are(&scene->suite.tests[0], "uac_ua1.xml");
    scenarios_are(&scene->suite.tests[1], "uac_ua9.xml");
}

static void test_suite_behind_a_link(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *real = text_format("%s/real", scene->folder);

    put(scene, "real/a/uac_ua1.xml");
    folder_link(scene->folder, "real", "link");
    path(scene, "/link/");
    loads(scene);
    assert_string_equal(scene->suite.folder, real);
    assert_string_equal(scene->suite.name, "real");
}

/* ---- order of scenarios ---- */

static void test_order_in_a_part(void **state)
{
    struct scene *scene = *state;

    put(scene, "a/uac_ua5.xml");
    put(scene, "a/uas_ua0.xml");
    put(scene, "a/uas_ua3.xml");
    put(scene, "a/uac_ua4.xml");
    put(scene, "a/uas_ua2.xml");
    put(scene, "a/uac_ua1.xml");
    loads(scene);
    scenarios_are(&scene->suite.tests[0],
                  "uas_ua3.xml uas_ua2.xml uas_ua0.xml uac_ua1.xml uac_ua4.xml uac_ua5.xml");
}

static void test_order_of_parts(void **state)
{
    struct scene *scene = *state;

    put(scene, "a/2_uac_ua1.xml");
    put(scene, "a/10_uac_ua1.xml");
    put(scene, "a/10_uas_ua0.xml");
    put(scene, "a/b_uac_ua1.xml");
    put(scene, "a/B_uac_ua1.xml");
    put(scene, "a/uac_ua1.xml");
    put(scene, "a/uas_ua0.xml");
    loads(scene);
    scenarios_are(&scene->suite.tests[0],
                  "uas_ua0.xml uac_ua1.xml 10_uas_ua0.xml 10_uac_ua1.xml 2_uac_ua1.xml "
                  "B_uac_ua1.xml b_uac_ua1.xml");
    assert_int_equal(scene->suite.tests[0].ua_count, 2);
}

/* ---- what is wrong ---- */

static void test_ua_twice(void **state)
{
    struct scene *scene = *state;

    put(scene, "a/uas_ua1.xml");
    put(scene, "a/uac_ua1.xml");
    put(scene, "b/1_uas_ua1.xml");
    put(scene, "b/1_uac_ua1.xml");
    put(scene, "c/1_uas_ua1.xml");
    put(scene, "c/2_uac_ua1.xml"); /* another part: fine */
    put(scene, "d/uac_ua1.xml");
    put(scene, "d/uac_ua01.xml"); /* another name: another UA */
    has_problems(scene, 2);
    assert_said(&scene->problems, "/a: ua1 is twice in the test: uas_ua1.xml and uac_ua1.xml");
    assert_said(&scene->problems, "/b: ua1 is twice in part 1: 1_uas_ua1.xml and 1_uac_ua1.xml");
}

static void test_no_scenario(void **state)
{
    struct scene *scene = *state;

    put(scene, "a/uac_ua1.xml");
    put(scene, "b/scenario.xml");
    put(scene, "c/");
    folder_put(scene->folder, "d/test.conf", "speed = 7\n");
    has_problems(scene, 4); /* all of them, in one go */
    assert_said(&scene->problems, "/b: no scenario in it");
    assert_said(&scene->problems, "/c: no scenario in it");
    assert_said(&scene->problems, "/d: no scenario in it");
    assert_said(&scene->problems, ":1: no such option 'speed'");
}

static void test_scenario_that_is_none(void **state)
{
    struct scene *scene = *state;

    folder_link(scene->folder, "nowhere", "a/uac_ua1.xml");
    put(scene, "b/uac_ua1.xml/");
    has_problems(scene, 2);
    assert_said(&scene->problems, "/a/uac_ua1.xml: No such file");
    assert_said(&scene->problems, "/b/uac_ua1.xml: a scenario, but not a file");
}

static void test_unprintable_name(void **state)
{
    struct scene *scene = *state;

    put(scene, "a\x1b[2J/uac_ua1.xml");
    put(scene, "b\xff/uac_ua1.xml");
    put(scene, "caf\xc3\xa9/uac_ua1.xml");
    has_problems(scene, 2);
    assert_said(&scene->problems, "/a\\x1b[2J: a test's name has to be printable UTF-8");
    assert_said(&scene->problems, "/b\\xff: a test's name");
}

static void test_empty_suite(void **state)
{
    struct scene *scene = *state;

    put(scene, "TEMPLATES/uac_ua1.xml");
    has_problems(scene, 1);
    assert_said(&scene->problems, "no test folder in it");
}

static void test_missing_suite(void **state)
{
    struct scene *scene = *state;

    path(scene, "/none");
    has_problems(scene, 1);
    assert_said(&scene->problems, "/none: No such file or directory; name the suite's folder");
}

/* ---- patterns ---- */

static void some_tests(struct scene *scene)
{
    put(scene, "call/uac_ua1.xml");
    put(scene, "call-hold/uac_ua1.xml");
    put(scene, "call-tcp/uac_ua1.xml");
    put(scene, "register/uac_ua1.xml");
    put(scene, "recall/uac_ua1.xml");
}

static void filtered(struct scene *scene, const char *only, const char *exclude, const char *expected)
{
    cleanup_free char *copy_only = text_copy(only), *copy_exclude = text_copy(exclude);
    char *rest, *one;

    suite_free(&scene->suite);
    strings_free(&scene->filter.only);
    strings_free(&scene->filter.exclude);
    for (rest = copy_only; *only && (one = strsep(&rest, " "));)
        strings_add(&scene->filter.only, one);
    for (rest = copy_exclude; *exclude && (one = strsep(&rest, " "));)
        strings_add(&scene->filter.exclude, one);
    loads(scene);
    tests_are(scene, expected);
}

static void test_patterns(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    filtered(scene, "call", "", "call call-hold call-tcp"); /* at the start only … */
    filtered(scene, "call$", "", "call");                   /* … unless it says so */
    filtered(scene, ".*call", "", "call call-hold call-tcp recall");
    filtered(scene, "^call-|reg", "", "call-hold call-tcp register");
    filtered(scene, "call-h re", "", "call-hold recall register"); /* OR */
    filtered(scene, "", "call", "recall register");
    filtered(scene, "", "call reg", "recall");
    filtered(scene, "call", "call-", "call"); /* exclude wins */
    filtered(scene, "a|call", "", "call call-hold call-tcp");
    filtered(scene, "(?i)CALL-T", "", "call-tcp");
    filtered(scene, "call(?!-)", "", "call");
    filtered(scene, "(?P<x>c)all-\\w{3}$", "", "call-tcp");
    put(scene, "über/uac_ua1.xml");
    filtered(scene, "\\w{4}$", "", "call über"); /* letters, not bytes */
    filtered(scene, ".ber", "", "über");
    filtered(scene, "(?i)Ü", "", "über");
}

static void test_patterns_leave_nothing(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    strings_add(&scene->filter.only, "x");
    has_problems(scene, 1);
    assert_said(&scene->problems, "the patterns leave no test to run");
}

static void test_pattern_syntax(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    strings_add(&scene->filter.only, "call");
    strings_add(&scene->filter.only, "a(b");
    strings_add(&scene->filter.exclude, "[z");
    has_problems(scene, 2);
    assert_said(&scene->problems, "--pattern-only \"a(b\": missing closing parenthesis at character 4");
    assert_said(&scene->problems, "--pattern-exclude \"[z\": missing terminating ]");
    assert_int_equal(scene->suite.test_count, 0);
}

/* What patterns leave out is not looked at. */
static void test_excluded_fault(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    put(scene, "broken/");
    strings_add(&scene->filter.exclude, "broken");
    loads(scene);
}

/* ---- test paths ---- */

static void test_paths_of_tests(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    path(scene, "/recall");
    path(scene, "/call/");
    path(scene, "/./call");
    path(scene, "/call-tcp/../call");
    loads(scene);
    tests_are(scene, "recall call"); /* as given; what is named twice is run once */
    assert_string_equal(scene->suite.folder, scene->folder);
}

static void test_one_path(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    path(scene, "/call");
    loads(scene);
    tests_are(scene, "call");
    assert_string_equal(scene->suite.folder, scene->folder);
}

static int relative(void *user)
{
    struct scene *scene = user;

    if (chdir(scene->folder) < 0 || chdir("call") < 0)
        return 1;
    strings_add(&scene->paths, ".");
    if (load(scene) < 0 || scene->suite.test_count != 1)
        return 2;
    return strcmp(scene->suite.tests[0].name, "call") || strcmp(scene->suite.folder, scene->folder) ? 3 : 0;
}

static void test_relative_path(void **state)
{
    some_tests(*state);
    assert_int_equal(exit_of(relative, *state), 0);
}

/* The complaint is that, and not that there is no such test in the other suite. */
static void test_other_suite(void **state)
{
    struct scene *scene = *state;

    put(scene, "one/a/uac_ua1.xml");
    put(scene, "other/b/uac_ua1.xml");
    path(scene, "/one/a");
    path(scene, "/other/b");
    has_problems(scene, 1);
    assert_said(&scene->problems, "/other/b: not of the same suite as the tests before it");
}

static void test_missing_test(void **state)
{
    struct scene *scene = *state;

    some_tests(scene);
    path(scene, "/call");
    path(scene, "/cal");
    path(scene, "/call/uac_ua1.xml");
    assert_int_equal(load(scene), -1);
    assert_said(&scene->problems, "/cal: No such file");
    assert_said(&scene->problems, "/call/uac_ua1.xml: ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_loads),
        TEST(test_reserved_and_hidden),
        TEST(test_config_is_read),
        TEST(test_links),
        TEST(test_suite_behind_a_link),
        TEST(test_order_in_a_part),
        TEST(test_order_of_parts),
        TEST(test_ua_twice),
        TEST(test_no_scenario),
        TEST(test_scenario_that_is_none),
        TEST(test_unprintable_name),
        TEST(test_empty_suite),
        TEST(test_missing_suite),
        TEST(test_patterns),
        TEST(test_patterns_leave_nothing),
        TEST(test_pattern_syntax),
        TEST(test_excluded_fault),
        TEST(test_paths_of_tests),
        TEST(test_one_path),
        TEST(test_relative_path),
        TEST(test_other_suite),
        TEST(test_missing_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
