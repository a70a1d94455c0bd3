/* A diagnosis as text and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/doctor/write.h"

static struct diagnosis make(bool rootless, enum finding_level level)
{
    struct diagnosis diagnosis = {
        .modes = {[MODE_ROOTLESS] = {.works = rootless, .why = rootless ? NULL : text_copy("a reason")},
                  [MODE_CAPABILITIES] = {.why = text_copy("later")},
                  [MODE_ROOT] = {.why = text_copy("not root")}},
    };

    findings_addf(&diagnosis.findings, FINDING_OK, "veth", NULL, NULL, "there");
    findings_addf(&diagnosis.findings, level, "sipp", "it matters", "apt install x", "%s",
                  "odd \033[2J \xff");
    return diagnosis;
}

static char *text_of(const struct diagnosis *diagnosis, bool json, bool colours)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    assert_int_equal(json ? write_json(diagnosis, out) : write_text(diagnosis, "about", colours, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_text(void **state)
{
    struct diagnosis diagnosis = make(true, FINDING_WARNING);
    cleanup_free char *text = text_of(&diagnosis, false, false);

    (void)state;
    assert_string_equal(text, "about\n"
                              "  works rootless\n"
                              "  no    capabilities     later\n"
                              "  no    root             not root\n"
                              "\n"
                              "  ok    veth             there\n"
                              "  warn  sipp             odd \\x1b[2J \\xff\n"
                              "                         it matters\n"
                              "                         mend it: apt install x\n"
                              "\n"
                              "Tests can be run here.\n");
    assert_int_equal(diagnosis_exit_code(&diagnosis), 0);
    diagnosis_free(&diagnosis);
}

static void test_colours(void **state)
{
    struct diagnosis diagnosis = make(true, FINDING_NOTE);
    cleanup_free char *text = text_of(&diagnosis, false, true);

    (void)state;
    assert_non_null(strstr(text, "  \033[32mok  \033[0m  veth"));
    assert_non_null(strstr(text, "\033[32mworks\033[0m rootless"));
    diagnosis_free(&diagnosis);
}

static void test_conclusions(void **state)
{
    struct diagnosis bad = make(true, FINDING_BAD), none = make(false, FINDING_BAD);
    cleanup_free char *bad_text = text_of(&bad, false, false);
    cleanup_free char *none_text = text_of(&none, false, false);

    (void)state;
    assert_non_null(
        strstr(bad_text, "\nPods can be made here; before a test can be run, mend what is BAD.\n"));
    assert_int_equal(diagnosis_exit_code(&bad), 0);
    assert_non_null(strstr(none_text, "\nNo test can be run here.\n"));
    assert_non_null(strstr(none_text, "  no    rootless         a reason\n"));
    assert_int_equal(diagnosis_exit_code(&none), ERROR_HOST);
    diagnosis_free(&bad);
    diagnosis_free(&none);
}

static void test_json(void **state)
{
    struct diagnosis diagnosis = make(true, FINDING_WARNING);
    cleanup_free char *text = text_of(&diagnosis, true, false);
    json_t *json = json_loads(text, 0, NULL), *mode, *finding;

    (void)state;
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "schema")), 1);
    mode = json_object_get(json_object_get(json, "modes"), "rootless");
    assert_true(json_is_true(json_object_get(mode, "works")));
    assert_true(json_is_null(json_object_get(mode, "why")));
    mode = json_object_get(json_object_get(json, "modes"), "capabilities");
    assert_true(json_is_false(json_object_get(mode, "works")));
    assert_string_equal(json_string_value(json_object_get(mode, "why")), "later");
    assert_non_null(json_object_get(json_object_get(json, "modes"), "root"));
    assert_int_equal(json_array_size(json_object_get(json, "findings")), 2);
    finding = json_array_get(json_object_get(json, "findings"), 0);
    assert_string_equal(json_string_value(json_object_get(finding, "level")), "ok");
    assert_true(json_is_null(json_object_get(finding, "means")));
    assert_true(json_is_null(json_object_get(finding, "mend")));
    finding = json_array_get(json_object_get(json, "findings"), 1);
    assert_string_equal(json_string_value(json_object_get(finding, "id")), "sipp");
    assert_string_equal(json_string_value(json_object_get(finding, "level")), "warning");
    assert_string_equal(json_string_value(json_object_get(finding, "what")), "odd \\x1b[2J \\xff");
    assert_string_equal(json_string_value(json_object_get(finding, "mend")), "apt install x");
    json_decref(json);
    diagnosis_free(&diagnosis);
}

/* What cannot be written is not passed over. */
static void test_full_disk(void **state)
{
    struct diagnosis diagnosis = make(true, FINDING_OK);
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    if (!full)
        skip();
    assert_int_equal(write_text(&diagnosis, "about", false, full), -1);
    clearerr(full);
    assert_int_equal(write_json(&diagnosis, full), -1);
    (void)fclose(full);
    diagnosis_free(&diagnosis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_colours),   cmocka_unit_test(test_conclusions),
        cmocka_unit_test(test_json), cmocka_unit_test(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
