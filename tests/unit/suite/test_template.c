/* Plain keywords in files: substituted to the byte, or refused with file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/suite/template.h"
#include "tests/unit/support/support.h"

static struct keywords keywords;

static int setup(void **state)
{
    (void)state;
    keywords_add(&keywords, "dut.host", "198.18.0.1");
    keywords_add(&keywords, "ua1.host", "198.18.1.1");
    keywords_add(&keywords, "custom_transport", "");
    keywords_add(&keywords, "a", "A");
    keywords_add(&keywords, "_b2.c_3.D", "{{ a }}");
    keywords_add(&keywords, "lines", "1\r\n2\r\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    keywords_free(&keywords);
    assert_int_equal(keywords.count, 0);
    return 0;
}

static void renders_bytes(const char *text, size_t length, const char *expected, size_t expected_length)
{
    cleanup_buffer struct buffer out = {0};
    cleanup_error struct error *error = NULL;
    char *copy = memory_array(NULL, length, 1); /* so that a sanitizer sees who reads on */

    memcpy(copy, text, length);
    if (template_render("f", copy, length, &keywords, &out, &error) != TEMPLATE_PLAIN)
        fail_msg("%s: %s", text, error_text(error));
    assert_null(error);
    assert_int_equal(out.length, expected_length);
    if (expected_length)
        assert_memory_equal(out.data, expected, expected_length);
    free(copy);
}
#define RENDERS(text, expected) renders_bytes(text, sizeof(text) - 1, expected, sizeof(expected) - 1)

static void test_keywords(void **state)
{
    (void)state;
    RENDERS("{{ dut.host }}", "198.18.0.1");
    RENDERS("{{dut.host}}", "198.18.0.1");
    RENDERS("{{\t\n dut.host\r\n\t}}", "198.18.0.1");
    RENDERS("<{{ a }}{{a}}{{ ua1.host }}>", "<AA198.18.1.1>");
    RENDERS("-{{ custom_transport }}-", "--");
    RENDERS("{{ custom_transport }}", "");
    RENDERS("{{ _b2.c_3.D }}", "{{ a }}"); /* a value is not looked into */
    RENDERS("sip:{{a}}@{{dut.host}}:5060", "sip:A@198.18.0.1:5060");
}

static void test_braces_around(void **state)
{
    (void)state;
    RENDERS("{{ a }}}", "A}");
    RENDERS("{{ a }}}}", "A}}");
    RENDERS("{ {{ a }} }", "{ A }");
    RENDERS("}}{{ a }}", "}}A");
    RENDERS("{ { a } }{{ a }}{", "{ { a } }A{");
    RENDERS("%}#}{{ a }}", "%}#}A");
}

static void test_line_ends(void **state)
{
    (void)state;
    RENDERS("{{ a }}\n", "A");
    RENDERS("{{ a }}\n\n", "A\n");
    RENDERS("{{ a }}\r\n", "A");
    RENDERS("{{ a }}\r\n\r\n", "A\n");
    RENDERS("{{ a }}\r", "A");
    RENDERS("{{ a }}\n\r", "A\n");
    RENDERS("x\r\ny\rz\n{{ a }}\r\nlast", "x\ny\nz\nA\nlast");
    RENDERS("\r\r\n\r{{ a }}", "\n\n\nA");
    RENDERS("{{ lines }}\n", "1\r\n2\r\n"); /* a value's are left alone */
    RENDERS("\n{{ a }}", "\nA");
}

static void test_any_bytes(void **state)
{
    (void)state;
    RENDERS("\xff\xfe{{ a }}\x80\n", "\xff\xfe"
                                     "A\x80");
    RENDERS("caf\xc3\xa9 {{ a }}", "caf\xc3\xa9 A");
    RENDERS("\0{{ a }}\0", "\0A\0");
    RENDERS("\x1b[{{ a }}", "\x1b[A");
}

static void test_left_alone(void **state)
{
    static const char *const texts[] = {"",  "\n", "a\r\nb\r", "{ {a} }", "}}",
                                        "{", "x{", "{ %",      "%} #}",   "\xff{\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cleanup_buffer struct buffer out = {0};
        struct error *error = NULL;

        assert_int_equal(template_render("f", texts[i], strlen(texts[i]), &keywords, &out, &error),
                         TEMPLATE_NONE);
        assert_int_equal(out.length, 0);
        assert_null(error);
    }
}

static void refused(const char *text, const char *words)
{
    cleanup_buffer struct buffer out = {0};
    cleanup_error struct error *error = NULL;
    size_t length = strlen(text);
    char *copy = memory_array(NULL, length, 1);

    memcpy(copy, text, length);
    if (template_render("a/b.xml", copy, length, &keywords, &out, &error) != TEMPLATE_OTHER)
        fail_msg("\"%s\" is no other", text);
    assert_error(error, ERROR_INPUT, words);
    free(copy);
}

static void test_unknown_keyword(void **state)
{
    (void)state;
    refused("{{ x }}", "a/b.xml:1: unknown keyword x");
    refused("{{ a }}\n{{ dut.hos }}\n", "a/b.xml:2: unknown keyword dut.hos");
    refused("\r\r\n\n{{ dut.host.x }}", "a/b.xml:4: unknown keyword dut.host.x");
    refused("{{ A }}", "unknown keyword A");
    refused("{{ dut }}", "unknown keyword dut");                  /* a part of a name is none */
    refused("{{\n\nnone\n}}", "a/b.xml:1: unknown keyword none"); /* where it starts */
    refused("{{ true }}", "unknown keyword true");
}

static void test_more_than_keywords(void **state)
{
    static const char *const texts[] = {
        "{% if a %}x{% endif %}",
        "{# a comment #}",
        "{{- a }}",
        "{{ a -}}",
        "{{ a|b64encode }}",
        "{{ a | upper }}",
        "{{ a + a }}",
        "{{ a b }}",
        "{{ a() }}",
        "{{ a[0] }}",
        "{{ 1 }}",
        "{{ 1a }}",
        "{{ \"x\" }}",
        "{{}}",
        "{{ }}",
        "{{ . }}",
        "{{ .a }}",
        "{{ a. }}",
        "{{ dut..host }}",
        "{{ dut. host }}",
        "{{ caf\xc3\xa9 }}",
        "{{{ a }}}",
        "{{ a",
        "{{ a }",
        "{{ a } }",
        "{{",
        "{%",
        "{#",
        "{{ a {{ a }} }}",
        "{{\n",
        "{{ a }\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cleanup_free char *later = text_format("{{ a }}\n\r%s", texts[i]);

        refused(texts[i], "a/b.xml:1: of templates, only {{ keyword }} is understood");
        refused(later, "a/b.xml:3: of templates, only");
    }
}

static void test_find(void **state)
{
    (void)state;
    assert_string_equal(keywords_find(&keywords, "axx", 1), "A");
    assert_null(keywords_find(&keywords, "axx", 2));
    assert_null(keywords_find(&keywords, "", 0));
}

/* ---- files ---- */

static void test_file(void **state)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_free char *rendered = NULL;
    struct stat before, after;

    (void)state;
    folder_put(folder, "before.sh", "#!/bin/sh\r\necho {{ dut.host }}\r\n");
    assert_int_equal(fchmodat(dir, "before.sh", 0751, 0), 0);
    assert_int_equal(fstatat(dir, "before.sh", &before, 0), 0);
    assert_int_equal(template_render_file(dir, "before.sh", &keywords, NULL), 0);
    assert_int_equal(fstatat(dir, "before.sh", &after, 0), 0);
    rendered = folder_get(folder, "before.sh");
    assert_string_equal(rendered, "#!/bin/sh\necho 198.18.0.1");
    assert_int_equal(after.st_mode, before.st_mode);
    folder_remove(folder);
}

/* A file that rendering would not change is not written at all. */
static void test_file_left_alone(void **state)
{
    static const char text[] = "no template\r\n\r\n";
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_free char *after_text = NULL;
    struct stat before, after;

    (void)state;
    folder_put(folder, "a.sh", text);
    assert_int_equal(fstatat(dir, "a.sh", &before, 0), 0);
    assert_int_equal(template_render_file(dir, "a.sh", &keywords, NULL), 0);
    assert_int_equal(template_render_file(dir, "missing.sh", &keywords, NULL), 0);
    assert_int_equal(fstatat(dir, "a.sh", &after, 0), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    after_text = folder_get(folder, "a.sh");
    assert_string_equal(after_text, text);
    assert_false(folder_has(folder, "missing.sh"));
    folder_remove(folder);
}

static void test_file_refused(void **state)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_error struct error *error = NULL;
    cleanup_error struct error *kind = NULL;
    cleanup_free char *text = NULL;

    (void)state;
    folder_put(folder, "uas_ua0.xml", "{{ a }}\n{{ b }}\n");
    assert_int_equal(template_render_file(dir, "uas_ua0.xml", &keywords, &error), -1);
    assert_error(error, ERROR_INPUT, "uas_ua0.xml:2: unknown keyword b");
    text = folder_get(folder, "uas_ua0.xml");
    assert_string_equal(text, "{{ a }}\n{{ b }}\n");
    folder_put(folder, "folder/", "");
    assert_int_equal(template_render_file(dir, "folder", &keywords, &kind), -1);
    assert_error(kind, ERROR_FAILED, "folder is not a regular file");
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keywords),
        cmocka_unit_test(test_braces_around),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_left_alone),
        cmocka_unit_test(test_unknown_keyword),
        cmocka_unit_test(test_more_than_keywords),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_left_alone),
        cmocka_unit_test(test_file_refused),
    };

    umask(022);
    return cmocka_run_group_tests(tests, setup, teardown);
}
