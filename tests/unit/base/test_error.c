/* The error object: set once, prefixed on its way up, and left alone by what succeeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"

static void test_set(void **state)
{
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(error_set(&error, ERROR_INPUT, "%s:%d", "file", 7), -1);
    assert_int_equal(error->code, ERROR_INPUT);
    assert_int_equal(error->sys, 0);
    assert_string_equal(error->text, "file:7");
    assert_ptr_equal(error_text(error), error->text);
}

static void test_sys(void **state)
{
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(error_sys(&error, ERROR_HOST, EACCES, "cannot open %s", "x"), -1);
    assert_int_equal(error->code, ERROR_HOST);
    assert_int_equal(error->sys, EACCES);
    assert_string_equal(error->text, "cannot open x: Permission denied");
}

static void test_prefix(void **state)
{
    cleanup_error struct error *error = NULL;

    (void)state;
    error_sys(&error, ERROR_HOST, ENOENT, "no");
    assert_int_equal(error_prefix(&error, "in %s", "a"), -1);
    assert_int_equal(error_prefix(&error, "%d%%", 5), -1);
    assert_string_equal(error->text, "5%: in a: no: No such file or directory");
    assert_int_equal(error->code, ERROR_HOST);
    assert_int_equal(error->sys, ENOENT);
}

/* A caller who does not want to know gets -1 all the same. */
static void test_nobody_asks(void **state)
{
    struct error *none = NULL;

    (void)state;
    assert_int_equal(error_set(NULL, ERROR_FAILED, "x"), -1);
    assert_int_equal(error_sys(NULL, ERROR_FAILED, EIO, "x"), -1);
    assert_int_equal(error_prefix(NULL, "x"), -1);
    assert_int_equal(error_prefix(&none, "x"), -1);
    assert_null(none);
    assert_string_equal(error_text(NULL), "unknown error");
    error_free(NULL);
}

/* What succeeds does not even look at *ret: it may hold anything. */
static void test_untouched_on_success(void **state)
{
    struct error mark = {.code = ERROR_HOST};
    struct error *error = &mark;
    cleanup_free char *text = NULL;
    cleanup_free char *path = NULL;
    struct process_end end;
    int ends[2], pidfd, status;
    size_t length;

    (void)state;
    assert_int_equal(file_read(AT_FDCWD, "/proc/self/comm", 100, &text, &length, &error), 0);
    path = file_absolute("/", &error);
    assert_non_null(path);
    assert_int_equal(socket_pair(SOCK_STREAM, ends, &error), 0);
    status = process_fork(0, &pidfd, &error);
    if (status == 0)
        _exit(0);
    assert_int_equal(process_signal(pidfd, 0, &error), 0);
    while ((status = process_reap(pidfd, &end, &error)) == 0)
        usleep(1000);
    assert_int_equal(status, 1);
    assert_ptr_equal(error, &mark);
    assert_int_equal(mark.code, ERROR_HOST);
    assert_null(mark.text);
    close(ends[0]);
    close(ends[1]);
    close(pidfd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_sys),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_nobody_asks),
        cmocka_unit_test(test_untouched_on_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
