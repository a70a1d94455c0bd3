/* results.json: fields and types as docs/results.md has them, and what a later run reads out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/report/results.h"
#include "tests/unit/support/support.h"

struct scene {
    char *folder;
    int dir;
    struct results results;
    json_t *json;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->dir = folder_open(scene->folder);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    json_decref(scene->json);
    results_free(&scene->results);
    close(scene->dir);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static struct test_result *a_result(const char *name)
{
    struct test_result *result = memory_new(sizeof *result);

    result->name = text_copy(name);
    result->run_id = text_copy("abcdef");
    result->index = 3;
    return result;
}

static void write_and_read(struct scene *scene)
{
    cleanup_free char *text = NULL;
    json_error_t problem;

    assert_int_equal(results_write_json(&scene->results, scene->dir, NULL), 0);
    text = folder_get(scene->folder, "results.json");
    scene->json = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (!scene->json)
        fail_msg("%s: %s", problem.text, text);
}

/* That the object has these fields, "name:type", and no other. Types: s(tring) i(nteger) r(eal) b(oolean)
 * n(ull) o(bject) a(rray). */
static void fields_are(const json_t *object, const char *const *fields)
{
    static const char types[] = {
        [JSON_OBJECT] = 'o', [JSON_ARRAY] = 'a', [JSON_STRING] = 's', [JSON_INTEGER] = 'i',
        [JSON_REAL] = 'r',   [JSON_TRUE] = 'b',  [JSON_FALSE] = 'b',  [JSON_NULL] = 'n'};
    size_t count = 0;

    for (; fields[count]; count++) {
        cleanup_free char *name = text_slice(fields[count], strlen(fields[count]) - 2);
        const json_t *value = json_object_get(object, name);

        if (!value || types[json_typeof(value)] != fields[count][strlen(name) + 1])
            fail_msg("%s is %c", fields[count], value ? types[json_typeof(value)] : '-');
    }
    assert_int_equal(json_object_size(object), count);
}
#define FIELDS(object, ...) fields_are(object, (const char *const[]){__VA_ARGS__, NULL})

static const json_t *test_of(const struct scene *scene, size_t i)
{
    return json_array_get(json_object_get(scene->json, "tests"), i);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static json_int_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void test_empty(void **state)
{
    struct scene *scene = *state;

    scene->results.suite = text_copy("/suite");
    write_and_read(scene);
    FIELDS(scene->json, "schema:i", "sippod:s", "suite:s", "started:s", "duration_s:r", "exit_code:i",
           "partial:b", "dry_run:b", "seed:n", "loop:i", "earlier:a", "host:o", "totals:o", "global:n",
           "tests:a");
    FIELDS(json_object_get(scene->json, "host"), "name:s", "kernel:s", "machine:s", "uid:i");
    FIELDS(json_object_get(scene->json, "totals"), "total:i", "pass:i", "fail:i", "flaky:i", "skip:i");
    assert_int_equal(number_of(scene->json, "schema"), 1);
    assert_string_equal(text_of(scene->json, "sippod"), SIPPOD_VERSION);
    assert_string_equal(text_of(scene->json, "suite"), "/suite");
    assert_string_equal(text_of(scene->json, "started"), "1970-01-01T00:00:00Z");
    assert_int_equal(number_of(json_object_get(scene->json, "host"), "uid"), getuid());
    assert_int_equal(json_array_size(json_object_get(scene->json, "tests")), 0);
}

static void test_run(void **state)
{
    struct scene *scene = *state;

    setenv("TZ", "HERE-05:30", 1); /* which has no say in it */
    tzset();
    scene->results.suite = text_copy("/suite");
    scene->results.started = 1767225599; /* the last second of 2025 */
    scene->results.duration_s = 1.23456789;
    scene->results.exit_code = 143;
    scene->results.partial = true;
    for (int i = 0; i < 7; i++) {
        struct test_result *result = a_result("call");

        result->verdict = i < 4 ? VERDICT_FAIL : i < 6 ? VERDICT_PASS : VERDICT_SKIP;
        results_add(&scene->results, result);
    }
    write_and_read(scene);
    assert_string_equal(text_of(scene->json, "started"), "2025-12-31T23:59:59Z");
    assert_true(json_real_value(json_object_get(scene->json, "duration_s")) == 1.234568);
    assert_int_equal(number_of(scene->json, "exit_code"), 143);
    assert_true(json_is_true(json_object_get(scene->json, "partial")));
    assert_int_equal(number_of(json_object_get(scene->json, "totals"), "total"), 7);
    assert_int_equal(number_of(json_object_get(scene->json, "totals"), "fail"), 4);
    assert_int_equal(number_of(json_object_get(scene->json, "totals"), "pass"), 2);
    assert_int_equal(number_of(json_object_get(scene->json, "totals"), "skip"), 1);
    assert_int_equal(number_of(json_object_get(scene->json, "totals"), "flaky"), 0);
    assert_int_equal(results_count(&scene->results, VERDICT_FAIL), 4);
}

static void test_test(void **state)
{
    struct scene *scene = *state;
    struct test_result *result = a_result("call");
    const json_t *test, *ua;

    result->verdict = VERDICT_FAIL;
    result->outcome = OUTCOME_NOT_READY;
    result->reason = text_copy("a \"quoted\"\n\x1b word");
    result->prepare_s = 0.5;
    result->folder = text_copy("call/abcdef");
    result->pcap = text_copy("sipp-abcdef.pcapng");
    result->packets = 5000000000;
    result->dropped = 1;
    strings_add(&result->states, "CREATED");
    strings_add(&result->states, "NOT READY");
    result->uas = memory_new(3 * sizeof *result->uas);
    result->ua_count = 3;
    for (int i = 0; i < 3; i++)
        result->uas[i] = (struct ua_result){.name = text_format("ua%d", i),
                                            .role = text_copy(i ? "uac" : "uas"),
                                            .part = text_copy(""),
                                            .address = text_format("198.18.1.%d", i),
                                            .started = i < 2,
                                            .exit_code = i ? 138 : 0,
                                            .signal = i == 1 ? 10 : 0};
    results_add(&scene->results, result);
    write_and_read(scene);
    test = test_of(scene, 0);
    FIELDS(test, "name:s", "index:i", "run_id:s", "verdict:s", "result:s", "clean:b", "expected:b",
           "states:a", "reason:s", "prepare_s:r", "run_s:r", "clean_s:r", "folder:s", "pcap:s", "packets:i",
           "dropped:i", "uas:a", "expectations:a", "dns:a");
    assert_string_equal(text_of(test, "name"), "call");
    assert_string_equal(text_of(test, "verdict"), "fail");
    assert_string_equal(text_of(test, "result"), "NOT READY");
    assert_string_equal(text_of(test, "reason"), "a \"quoted\"\n\x1b word");
    assert_true(number_of(test, "packets") == 5000000000);
    assert_string_equal(json_string_value(json_array_get(json_object_get(test, "states"), 1)), "NOT READY");
    ua = json_array_get(json_object_get(test, "uas"), 0);
    FIELDS(ua, "name:s", "role:s", "part:s", "address:s", "exit_code:i", "signal:n");
    assert_string_equal(text_of(ua, "role"), "uas");
    ua = json_array_get(json_object_get(test, "uas"), 1); /* ended by a signal */
    FIELDS(ua, "name:s", "role:s", "part:s", "address:s", "exit_code:n", "signal:i");
    assert_int_equal(number_of(ua, "signal"), 10);
    ua = json_array_get(json_object_get(test, "uas"), 2); /* never started */
    FIELDS(ua, "name:s", "role:s", "part:s", "address:s", "exit_code:n", "signal:n");
}

static void test_nulls(void **state)
{
    struct scene *scene = *state;

    results_add(&scene->results, a_result("call"));
    write_and_read(scene);
    FIELDS(test_of(scene, 0), "name:s", "index:i", "run_id:s", "verdict:s", "result:s", "clean:b",
           "expected:b", "states:a", "reason:n", "prepare_s:r", "run_s:r", "clean_s:r", "folder:n", "pcap:n",
           "packets:i", "dropped:i", "uas:a", "expectations:a", "dns:a");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(verdict_name(VERDICT_PASS), "pass");
    assert_string_equal(verdict_name(VERDICT_FAIL), "fail");
    assert_string_equal(verdict_name(VERDICT_FLAKY), "flaky");
    assert_string_equal(verdict_name(VERDICT_SKIP), "skip");
    assert_string_equal(outcome_name(OUTCOME_SUCCESS), "SUCCESS");
    assert_string_equal(outcome_name(OUTCOME_FAIL), "FAIL");
    assert_string_equal(outcome_name(OUTCOME_NOT_READY), "NOT READY");
    assert_string_equal(outcome_name(OUTCOME_INTERRUPTED), "INTERRUPTED");
}

/* What SIPp says may be any bytes; the file stays JSON. */
static void test_bytes_that_are_not_text(void **state)
{
    struct scene *scene = *state;
    struct test_result *result = a_result("call");

    result->reason = text_copy("caf\xe9 \x01");
    results_add(&scene->results, result);
    write_and_read(scene);
    assert_string_equal(text_of(test_of(scene, 0), "reason"), "caf\\xe9 \\x01");
}

/* A reader sees the old file or the new one. */
static void test_replaces(void **state)
{
    struct scene *scene = *state;
    struct stat before, after;

    folder_put(scene->folder, "results.json", "old");
    assert_int_equal(fstatat(scene->dir, "results.json", &before, 0), 0);
    write_and_read(scene);
    assert_int_equal(fstatat(scene->dir, "results.json", &after, 0), 0);
    assert_true(before.st_ino != after.st_ino);
    assert_int_equal(after.st_mode & 0777, 0644);
    assert_false(folder_has(scene->folder, "results.json.new"));
}

static void test_cannot_write(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *error = NULL;

    folder_put(scene->folder, "results.json/x", "");
    assert_int_equal(results_write_json(&scene->results, scene->dir, &error), -1);
    assert_error(error, ERROR_FAILED, "cannot write results.json");
}

/* ---- what a later run reads ---- */

static void lists(struct scene *scene, const char *json, const char *expected)
{
    cleanup_strings struct strings folders = {0};
    cleanup_buffer struct buffer text = {0};

    folder_put(scene->folder, "results.json", json);
    results_listed_folders(scene->dir, &folders);
    for (size_t i = 0; i < folders.count; i++)
        buffer_addf(&text, "%s%s", i ? " " : "", folders.list[i]);
    buffer_add(&text, "", 1);
    assert_string_equal((char *)text.data, expected);
}

static void test_lists_its_own(void **state)
{
    struct scene *scene = *state;
    cleanup_strings struct strings folders = {0};

    results_listed_folders(scene->dir, &folders); /* there is no file */
    assert_int_equal(folders.count, 0);
    for (int i = 0; i < 3; i++) {
        struct test_result *result = a_result("call");

        result->folder = i == 1 ? NULL : text_format("call %d/%s", i, i ? "zyxwvu" : "abcdef");
        results_add(&scene->results, result);
    }
    write_and_read(scene);
    results_listed_folders(scene->dir, &folders);
    assert_int_equal(folders.count, 2);
    assert_string_equal(folders.list[0], "call 0/abcdef");
    assert_string_equal(folders.list[1], "call 2/zyxwvu");
}

static void test_lists_nothing_outside(void **state)
{
    static const char *const folders[] = {
        "../abcdef",
        "..",
        "/abcdef",
        "/etc/abcdef",
        "//abcdef",
        "./abcdef",
        ".hidden/abcdef",
        "a/../abcdef",
        "a/..",
        "a/.",
        "a/b/abcdef",
        "a//abcdef",
        "a/abcdef/",
        "abcdef",
        "a/abcde",
        "a/abcdefg",
        "a/Abcdef",
        "a/abcde1",
        "a/abc.ef",
        "a/",
        "",
        "/",
        "a/abcdef/..",
        "a/abcdef/../..",
        "a/abcde\\n",
        "a/abcd\\u00e9",
        "..\\u002fabcdef",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        cleanup_free char *json =
            text_format("{\"tests\":[{\"folder\":\"%s\"},{\"folder\":\"good/folder\"}]}", folders[i]);

        lists(scene, json, "good/folder");
    }
}

static void test_lists_strange_files(void **state)
{
    static const char *const files[] = {
        "",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        "{\"tests\":7}",
        "{\"tests\":{\"folder\":\"a/abcdef\"}}",
        "{\"tests\":[[\"a/abcdef\"]]}",
        "{\"tests\":[\"a/abcdef\",7,null]}",
        "{\"tests\":[{\"folder\":[\"a/abcdef\"]},{\"folder\":null},{}]}",
        "{\"tests\":[{\"folder\":\"a\\u0000/abcdef\"}]}",
        "{\"tests\":[{\"folder\":\"a/abcdef\"}]} trailing",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        lists(scene, files[i], "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_run),
        TEST(test_test),
        TEST(test_nulls),
        TEST(test_names),
        TEST(test_bytes_that_are_not_text),
        TEST(test_replaces),
        TEST(test_cannot_write),
        TEST(test_lists_its_own),
        TEST(test_lists_nothing_outside),
        TEST(test_lists_strange_files),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
