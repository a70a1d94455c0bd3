/* Plain keywords in files: substituted to the byte, or left to Jinja2 with the line. */
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
    keywords_set(&keywords, "dut.host", "198.18.0.1");
    keywords_set(&keywords, "ua1.host", "198.18.1.1");
    keywords_set(&keywords, "custom_transport", "");
    keywords_set(&keywords, "a", "A");
    keywords_set(&keywords, "_b2.c_3.D", "{{ a }}");
    keywords_set(&keywords, "lines", "1\r\n2\r\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    keywords_free(&keywords);
    assert_null(keywords.object);
    return 0;
}

static void renders_bytes(const char *text, size_t length, const char *expected, size_t expected_length)
{
    cleanup_buffer struct buffer out = {0};
    size_t line = 0;
    char *copy = memory_array(NULL, length, 1); /* so that a sanitizer sees who reads on */

    memcpy(copy, text, length);
    if (template_render(copy, length, &keywords, &out, &line) != TEMPLATE_PLAIN)
        fail_msg("%s: line %zu", text, line);
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
        size_t line = 0;

        assert_int_equal(template_render(texts[i], strlen(texts[i]), &keywords, &out, &line), TEMPLATE_NONE);
        assert_int_equal(out.length, 0);
        assert_int_equal(line, 0);
    }
}

static void other(const char *text, size_t expected)
{
    cleanup_buffer struct buffer out = {0};
    size_t length = strlen(text), line = 0;
    char *copy = memory_array(NULL, length, 1);

    memcpy(copy, text, length);
    if (template_render(copy, length, &keywords, &out, &line) != TEMPLATE_OTHER || line != expected)
        fail_msg("\"%s\" is no other from line %zu on, but %zu", text, expected, line);
    free(copy);
}

static void test_unknown_keyword(void **state)
{
    (void)state;
    other("{{ x }}", 1);
    other("{{ a }}\n{{ dut.hos }}\n", 2);
    other("\r\r\n\n{{ dut.host.x }}", 4);
    other("{{ A }}", 1);
    other("{{ dut }}", 1);      /* a part of a name is none */
    other("{{\n\nnone\n}}", 1); /* where it starts */
}

/* There are such keys, and yet Jinja2 sees something else in these names. */
static void test_words_of_jinja2(void **state)
{
    static const char *const words[] = {"true",     "None",     "not",         "self",
                                        "a2.items", "a2.b.get", "a2.__class__"};
    static const char *const keys[] = {"truer", "notx", "items", "a2.item", "a2.items2", "a2._x_", "get"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        cleanup_free char *text = text_format("{{ %s }}", words[i]);

        keywords_set(&keywords, words[i], "x");
        other(text, 1);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        cleanup_free char *text = text_format("{{ %s }}", keys[i]);

        keywords_set(&keywords, keys[i], "x");
        renders_bytes(text, strlen(text), "x", 1);
    }
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

        other(texts[i], 1);
        other(later, 3);
    }
}

/* ---- files ---- */

static void test_file(void **state)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_free char *rendered = NULL;
    struct stat before, after;
    size_t line = 1;

    (void)state;
    folder_put(folder, "before.sh", "#!/bin/sh\r\necho {{ dut.host }}\r\n");
    assert_int_equal(fchmodat(dir, "before.sh", 0751, 0), 0);
    assert_int_equal(fstatat(dir, "before.sh", &before, 0), 0);
    assert_int_equal(template_render_file(dir, "before.sh", &keywords, &line, NULL), 0);
    assert_int_equal(line, 0);
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
    size_t line = 1;

    (void)state;
    folder_put(folder, "a.sh", text);
    assert_int_equal(fstatat(dir, "a.sh", &before, 0), 0);
    assert_int_equal(template_render_file(dir, "a.sh", &keywords, &line, NULL), 0);
    assert_int_equal(line, 0);
    assert_int_equal(template_render_file(dir, "missing.sh", &keywords, &line, NULL), 0);
    assert_int_equal(fstatat(dir, "a.sh", &after, 0), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    after_text = folder_get(folder, "a.sh");
    assert_string_equal(after_text, text);
    assert_false(folder_has(folder, "missing.sh"));
    folder_remove(folder);
}

static void test_file_of_jinja2(void **state)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_error struct error *kind = NULL;
    cleanup_free char *text = NULL;
    size_t line = 0;

    (void)state;
    folder_put(folder, "uas_ua0.xml", "{{ a }}\n{{ b }}\n");
    assert_int_equal(template_render_file(dir, "uas_ua0.xml", &keywords, &line, NULL), 0);
    assert_int_equal(line, 2);
    text = folder_get(folder, "uas_ua0.xml");
    assert_string_equal(text, "{{ a }}\n{{ b }}\n");
    folder_put(folder, "folder/", "");
    assert_int_equal(template_render_file(dir, "folder", &keywords, &line, &kind), -1);
    assert_error(kind, ERROR_FAILED, "folder is not a regular file");
    folder_remove(folder);
}

static void test_replace(void **state)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_free char *text = NULL;
    struct stat before, after;

    (void)state;
    folder_put(folder, "sub/a.sh", "old");
    assert_int_equal(fchmodat(dir, "sub/a.sh", 0751, 0), 0);
    assert_int_equal(fstatat(dir, "sub/a.sh", &before, 0), 0);
    assert_int_equal(template_replace_file(dir, "sub/a.sh", "old", 3, NULL), 0);
    assert_int_equal(fstatat(dir, "sub/a.sh", &after, 0), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(template_replace_file(dir, "sub/a.sh", "new one", 7, NULL), 0);
    assert_int_equal(fstatat(dir, "sub/a.sh", &after, 0), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    text = folder_get(folder, "sub/a.sh");
    assert_string_equal(text, "new one");
    folder_remove(folder);
}

static void test_texts(void **state)
{
    char *folder = folder_make();
    cleanup_fd int dir = folder_open(folder);
    cleanup_strings struct strings names = {0};
    cleanup_error struct error *error = NULL;

    (void)state;
    folder_put(folder, "dut/b.cfg", "text");
    folder_put(folder, "dut/a/deep/c", "\xff");
    folder_put(folder, "dut/empty", "");
    folder_put_bytes(folder, "dut/program", "\177ELF\0", 5);
    folder_put(folder, "other", "text");
    assert_int_equal(template_find_texts(dir, "dut", &names, NULL), 0);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.list[0], "dut/a/deep/c");
    assert_string_equal(names.list[1], "dut/b.cfg");
    assert_string_equal(names.list[2], "dut/empty");
    assert_int_equal(template_find_texts(dir, "nothing", &names, &error), -1);
    assert_error(error, ERROR_FAILED, "cannot open nothing");
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
        cmocka_unit_test(test_words_of_jinja2),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_left_alone),
        cmocka_unit_test(test_file_of_jinja2),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_texts),
    };

    umask(022);
    return cmocka_run_group_tests(tests, setup, teardown);
}
