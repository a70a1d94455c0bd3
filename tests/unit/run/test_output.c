/* The output of a process, line by line into a log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/output.h"
#include "tests/unit/support/support.h"

#define STAMP   24 /* bytes of "2026-01-31 12:00:00.123 " */
#define LONGEST 8192

static const struct log_style plain = {0};

struct scene {
    char *folder;
    struct output output;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    cleanup_fd int dir = -1;

    scene->folder = folder_make();
    dir = folder_open(scene->folder);
    scene->output =
        (struct output){.log = log_open(dir, "log", "test", &plain, NULL), .level = LOG_LEVEL_DEBUG};
    *state = scene;
    return scene->output.log ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    output_free(&scene->output);
    log_close(scene->output.log);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static void add(struct scene *scene, const char *text)
{
    output_add(&scene->output, (const uint8_t *)text, strlen(text));
}

/* The log without its stamps. */
static void logged(struct scene *scene, const char *expected)
{
    cleanup_free char *text = folder_get(scene->folder, "log");
    cleanup_buffer struct buffer lines = {0};
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n")) && *line)
        buffer_addf(&lines, "%s\n", line + STAMP);
    buffer_add(&lines, "", 1);
    assert_string_equal((char *)lines.data, expected);
}

static void last_is(struct scene *scene, const char *expected)
{
    cleanup_free char *last = output_last(&scene->output);

    assert_true(text_equal(last, expected));
}

static void test_lines(void **state)
{
    struct scene *scene = *state;

    add(scene, "one\ntwo\r\nth");
    logged(scene, "DEBUG one\nDEBUG two\n"); /* as they come */
    add(scene, "");
    add(scene, "ree\n\nfive");
    logged(scene, "DEBUG one\nDEBUG two\nDEBUG three\nDEBUG \n");
    output_end(&scene->output);
    logged(scene, "DEBUG one\nDEBUG two\nDEBUG three\nDEBUG \nDEBUG five\n");
    output_end(&scene->output); /* nothing more */
    logged(scene, "DEBUG one\nDEBUG two\nDEBUG three\nDEBUG \nDEBUG five\n");
}

static void test_byte_by_byte(void **state)
{
    struct scene *scene = *state;
    static const char text[] = "caf\xc3\xa9\r\nb\n";

    for (size_t i = 0; i < sizeof text - 1; i++)
        output_add(&scene->output, (const uint8_t *)text + i, 1);
    logged(scene, "DEBUG caf\xc3\xa9\nDEBUG b\n");
}

static void test_prefix_and_level(void **state)
{
    struct scene *scene = *state;

    scene->output.prefix = "ua0";
    scene->output.level = LOG_LEVEL_ERROR;
    add(scene, "no %s route\n");
    logged(scene, "ERROR ua0: no %s route\n");
    last_is(scene, "no %s route");
}

static void test_binary(void **state)
{
    struct scene *scene = *state;
    static const uint8_t bytes[] = "\0\xff\x1b[2J\tx\0\n\r\r\n";

    output_add(&scene->output, bytes, sizeof bytes - 1);
    logged(scene, "DEBUG \\x00\\xff\\x1b[2J\\x09x\\x00\nDEBUG \n");
    last_is(scene, "\\x00\\xff\\x1b[2J\\x09x\\x00");
}

static void test_last(void **state)
{
    struct scene *scene = *state;

    last_is(scene, NULL);
    add(scene, "\n  \n");
    last_is(scene, NULL);
    add(scene, "a\n");
    last_is(scene, "a");
    add(scene, "b\nc\n");
    last_is(scene, "a / b / c");
    add(scene, "d\n\n   \n");
    last_is(scene, "b / c / d");
    add(scene, "unfinished");
    last_is(scene, "b / c / d");
    output_end(&scene->output);
    last_is(scene, "c / d / unfinished");
}

/* How many lines the log has; none of them is much longer than a line may be. */
static size_t pieces(struct scene *scene, size_t *ret_total)
{
    cleanup_free char *text = folder_get(scene->folder, "log");
    char *rest = text, *line;
    size_t count = 0;

    *ret_total = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        size_t length = strlen(line) - STAMP - strlen("DEBUG ");

        if (length > 2 * LONGEST)
            fail_msg("a line of %zu bytes", length);
        *ret_total += length;
        count++;
    }
    return count;
}

/* Without a line end, and in small pieces: memory does not grow. */
static void test_endless_line(void **state)
{
    struct scene *scene = *state;
    size_t total;

    for (int i = 0; i < 10000; i++) {
        add(scene, "0123456789");
        assert_true(scene->output.partial.length < LONGEST);
    }
    output_end(&scene->output);
    assert_true(pieces(scene, &total) > 100000 / LONGEST / 2);
    assert_int_equal(total, 100000);
}

/* In one big piece, with a line end behind it or not. */
static void test_long_line(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *line = text_format("%0*d\n", 60000, 0);
    size_t total;

    add(scene, line);
    line[60000] = '\0';
    add(scene, line);
    output_end(&scene->output);
    assert_true(pieces(scene, &total) > 120000 / LONGEST / 2);
    assert_int_equal(total, 120000);
}

/* Of what never ends the log takes a part, and its own lines go on. */
static void test_endless(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *line = text_format("%0*d\n", 999, 0);
    cleanup_free char *text = NULL;
    const char *rest;

    for (size_t i = 0; i < LOG_OUTPUT_MOST / 1000 * 2; i++)
        add(scene, line);
    add(scene, "the last one\n");
    log_line(scene->output.log, LOG_LEVEL_INFO, "ended");
    text = folder_get(scene->folder, "log");
    rest = strstr(text, "WARNING ");
    assert_non_null(rest);
    assert_true((size_t)(rest - text) > LOG_OUTPUT_MOST - 1000);
    assert_true((size_t)(rest - text) < LOG_OUTPUT_MOST / 1000 * 1050);
    assert_non_null(strstr(rest, "the rest is left out\n"));
    assert_string_equal(strrchr(rest, ' '), " ended\n");
    assert_null(strstr(text, "the last one"));
    free(steal_pointer(&line));
    line = output_last(&scene->output);
    assert_true(strlen(line) < 1000); /* two long lines, cut, and the last one */
    assert_non_null(strstr(line, "... / the last one"));
}

static void test_no_log(void **state)
{
    struct scene *scene = *state;
    struct output output = {0};

    (void)scene;
    output_add(&output, (const uint8_t *)"a\nb", 3);
    output_end(&output);
    output_free(&output);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines),     TEST(test_byte_by_byte), TEST(test_prefix_and_level),
        TEST(test_binary),    TEST(test_last),         TEST(test_endless_line),
        TEST(test_long_line), TEST(test_no_log),       TEST(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
