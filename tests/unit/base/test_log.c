/* Log files: one line an event, whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/base/log.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} "

static const struct log_style plain = {0};

struct scene {
    char *folder;
    int dir;
    struct log *log;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->dir = folder_open(scene->folder);
    scene->log = log_open(scene->dir, "a.log", "a", &plain, NULL);
    *state = scene;
    return scene->log ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    log_close(scene->log);
    close(scene->dir);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static void assert_matches(const char *text, const char *expression)
{
    regex_t regex;

    assert_int_equal(regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, text, 0, NULL, 0) != 0)
        fail_msg("\"%s\" does not match %s", text, expression);
    regfree(&regex);
}

static void test_format(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *text = NULL;

    log_line(scene->log, LOG_LEVEL_INFO, "%s is %d%%", "x", 7);
    text = folder_get(scene->folder, "a.log");
    assert_matches(text, STAMP "INFO x is 7%\n$");
}

static void test_levels(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *text = NULL;
    char *rest, *line;
    static const char *const expected[] = {"DEBUG a", "INFO b", "WARNING c", "ERROR d"};

    log_line(scene->log, LOG_LEVEL_DEBUG, "a");
    log_line(scene->log, LOG_LEVEL_INFO, "b");
    log_line(scene->log, LOG_LEVEL_WARNING, "c");
    log_line(scene->log, LOG_LEVEL_ERROR, "d");
    rest = text = folder_get(scene->folder, "a.log");
    for (size_t i = 0; i < 4; i++) {
        line = strsep(&rest, "\n");
        assert_non_null(rest);
        assert_string_equal(line + strlen("2026-01-31 12:00:00.123 "), expected[i]);
    }
    assert_string_equal(rest, "");
}

/* The time is the reader's own. */
static void test_stamp(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *text = NULL;
    time_t before = time(NULL), after;
    struct tm tm = {.tm_isdst = -1};
    time_t logged;

    setenv("TZ", "HERE-05:30", 1);
    tzset();
    log_line(scene->log, LOG_LEVEL_INFO, "x");
    after = time(NULL);
    text = folder_get(scene->folder, "a.log");
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    tm.tm_isdst = -1;
    logged = mktime(&tm);
    assert_true(logged >= before && logged <= after);
}

static void test_escaping(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *text = NULL;

    log_line(scene->log, LOG_LEVEL_INFO, "%s", "a\nERROR forged\t\x1b[2J\x7f\xc2\x9b\xff caf\xc3\xa9");
    text = folder_get(scene->folder, "a.log");
    assert_non_null(strstr(text, "INFO a\\x0aERROR forged\\x09\\x1b[2J\\x7f\\xc2\\x9b\\xff caf\xc3\xa9\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void test_long_line(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *text = NULL;

    log_line(scene->log, LOG_LEVEL_INFO, "%0200000d", 1);
    text = folder_get(scene->folder, "a.log");
    assert_int_equal(strlen(text), strlen("2026-01-31 12:00:00.123 INFO \n") + 200000);
}

static void test_appends(void **state)
{
    struct scene *scene = *state;
    struct log *other = log_open(scene->dir, "a.log", "a", &plain, NULL);
    cleanup_free char *text = NULL;
    struct stat status;

    assert_non_null(other);
    log_line(scene->log, LOG_LEVEL_INFO, "one");
    log_line(other, LOG_LEVEL_INFO, "two");
    log_line(scene->log, LOG_LEVEL_INFO, "three");
    log_close(other);
    text = folder_get(scene->folder, "a.log");
    assert_matches(text, STAMP "INFO one\n[^\n]* INFO two\n[^\n]* INFO three\n$");
    assert_int_equal(fstatat(scene->dir, "a.log", &status, 0), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
}

static void echo(void *user)
{
    struct scene *scene = user;

    log_echo(scene->log);
    log_line(scene->log, LOG_LEVEL_ERROR, "a\nb");
    log_line(scene->log, LOG_LEVEL_DEBUG, "c");
}

static void test_echo(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *text = output_of(STDERR_FILENO, echo, scene);
    cleanup_free char *logged = folder_get(scene->folder, "a.log");

    assert_string_equal(text, "a: a\\x0ab\na: c\n");
    assert_matches(logged, STAMP "ERROR a.x0ab\n");
}

static void test_level(void **state)
{
    struct scene *scene = *state;
    struct log_style warnings = {.level = LOG_LEVEL_WARNING};
    struct log *log = log_open(scene->dir, "w.log", "w", &warnings, NULL);
    cleanup_free char *text = NULL;

    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++)
        log_line(log, (enum log_level)level, "level %d", level);
    log_close(log);
    text = folder_get(scene->folder, "w.log");
    assert_matches(text, "^[^\n]* WARNING level 2\n[^\n]* ERROR level 3\n$");
}

static void test_own_format(void **state)
{
    struct scene *scene = *state;
    struct log_style style = {.format = (char *)"<%(levelname)s|%(name)s|100%%|%(message)s>"};
    struct log *log = log_open(scene->dir, "f.log", "call %(message)s", &style, NULL);
    cleanup_free char *text = NULL;

    log_line(log, LOG_LEVEL_INFO, "said %%(name)s");
    log_close(log);
    text = folder_get(scene->folder, "f.log");
    assert_string_equal(text, "<INFO|call %(message)s|100%|said %(name)s>\n");
}

static void test_formats_refused(void **state)
{
    static const char *const wrong[] = {"%", "%d", "a %(lineno)d", "%(message)", "%(message)d", "%%%"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_error struct error *error = NULL;

        if (log_format_check(wrong[i], &error) == 0)
            fail_msg("accepted: %s", wrong[i]);
        assert_error(error, ERROR_INPUT, "%(message)s");
    }
    assert_int_equal(log_format_check("", NULL), 0);
    assert_int_equal(log_format_check("%%(name)s %(name)s%(asctime)s", NULL), 0);
}

static void test_level_names(void **state)
{
    enum log_level level = LOG_LEVEL_DEBUG;

    (void)state;
    assert_int_equal(log_level_by_name("Warning", &level, NULL), 0);
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_int_equal(log_level_by_name("loud", &level, NULL), -1);
}

/* The log of the whole run has its own level, and says which test a line is about. */
static void test_general_log(void **state)
{
    struct scene *scene = *state;
    struct log_style errors = {.level = LOG_LEVEL_ERROR};
    struct log *general = log_open(scene->dir, "all.log", "run", &errors, NULL);
    cleanup_free char *text = NULL;

    log_join(scene->log, general);
    log_line(scene->log, LOG_LEVEL_INFO, "small");
    log_line(scene->log, LOG_LEVEL_ERROR, "great");
    log_line(general, LOG_LEVEL_ERROR, "own");
    log_join(scene->log, NULL);
    log_close(general);
    text = folder_get(scene->folder, "all.log");
    assert_matches(text, STAMP "ERROR a: great\n[^\n]* ERROR own\n$");
}

static void test_no_log(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *missing = NULL;
    cleanup_error struct error *link = NULL;

    log_line(NULL, LOG_LEVEL_ERROR, "nobody %d", 1);
    log_close(NULL);
    assert_null(log_open(scene->dir, "no/b.log", "b", &plain, &missing));
    assert_error(missing, ERROR_FAILED, "no/b.log");
    /* A suite may bring a link of the log's name. */
    folder_link(scene->folder, "elsewhere", "b.log");
    assert_null(log_open(scene->dir, "b.log", "b", &plain, &link));
    assert_false(folder_has(scene->folder, "elsewhere"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_format),      TEST(test_levels),          TEST(test_stamp),
        TEST(test_escaping),    TEST(test_long_line),       TEST(test_appends),
        TEST(test_echo),        TEST(test_no_log),          TEST(test_level),
        TEST(test_own_format),  TEST(test_formats_refused), TEST(test_level_names),
        TEST(test_general_log),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
