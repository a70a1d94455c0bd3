/* The mock's sockets: where they are, and that they come and go with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "src/base/memory.h"
#include "src/wire/frame.h"
#include "tests/unit/mock/caller.h"
#include "tests/unit/support/support.h"

/* ---- sockets ---- */

static void test_paths(void **state)
{
    struct call *call = *state;
    const char *ctl = hyperstart_mock_ctl_path(call->mock), *io = hyperstart_mock_io_path(call->mock);
    char suffixes[2][16], rest[16];

    assert_int_equal(sscanf(ctl, "/tmp/mock.hyper.%15[0-9].0.%15s", suffixes[0], rest), 2);
    assert_string_equal(rest, "sock");
    assert_int_equal(sscanf(io, "/tmp/mock.hyper.%15[0-9].1.%15s", suffixes[1], rest), 2);
    assert_string_equal(rest, "sock");
    assert_string_not_equal(suffixes[0], suffixes[1]);
}

static void test_folder_of_the_environment(void **state)
{
    char *folder = folder_make();
    struct call *call;

    (void)state;
    setenv("TMPDIR", folder, 1);
    call = call_new(NULL);
    unsetenv("TMPDIR");
    assert_memory_equal(hyperstart_mock_io_path(call->mock), folder, strlen(folder));
    call_free(call);
    folder_remove(folder);
}

static void test_sockets_come_and_go(void **state)
{
    struct call *call = *state;
    const char *const paths[] = {hyperstart_mock_ctl_path(call->mock), hyperstart_mock_io_path(call->mock)};
    struct stat status;

    assert_int_equal(lstat(paths[0], &status), -1);
    call_start(call);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(lstat(paths[i], &status), 0);
        assert_int_equal(status.st_mode, S_IFSOCK | 0600);
    }
    call_connect(call);
    assert_errno(connect_to(paths[0]), ECONNREFUSED); /* one client only */
    assert_errno(connect_to(paths[1]), ECONNREFUSED);
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(lstat(paths[i], &status), -1);
    hears_end(call->ctl);
    hears_end(call->io);
}

/* What is at the path is left alone, and so is the client that somebody else waits for there. */
static void test_path_is_taken(void **state)
{
    char *folder = folder_make();
    cleanup_free char *ctl = text_format("%s/ctl", folder), *io = text_format("%s/io", folder);
    struct hyperstart_mock_options options = {.ctl_path = ctl, .io_path = io};
    struct call *first, *second;
    char detail[HYPERSTART_MOCK_DETAIL];

    (void)state;
    first = call_new(&options);
    second = call_new(&options);
    folder_put(folder, "io", "mine");
    assert_errno(hyperstart_mock_start(first->mock, detail), EEXIST);
    assert_non_null(strstr(detail, io));
    assert_false(folder_has(folder, "ctl"));
    assert_int_equal(unlink(io), 0);
    call_start(first);
    assert_errno(hyperstart_mock_start(second->mock, detail), EADDRINUSE);
    assert_non_null(strstr(detail, ctl));
    assert_errno(hyperstart_mock_start(first->mock, NULL), EALREADY);
    call_connect(first);
    ask(first, CTL_PING, "");
    call_free(second);
    assert_true(folder_has(folder, "ctl"));
    call_free(first);
    assert_false(folder_has(folder, "ctl"));
    folder_remove(folder);
}

static void test_dead_socket_is_replaced(void **state)
{
    struct call *call = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_fd int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, hyperstart_mock_ctl_path(call->mock));
    assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    close_fd(&dead);
    call_start(call);
    call_connect(call);
    ask(call, CTL_PING, "");
}

static void test_path_too_long(void **state)
{
    char path[200];
    struct call *call;

    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    call = call_new(&(struct hyperstart_mock_options){.ctl_path = path});
    assert_errno(hyperstart_mock_start(call->mock, NULL), ENAMETOOLONG);
    call_free(call);
}

/* A file that has taken the socket's place is somebody else's. */
static void test_only_own_sockets_are_removed(void **state)
{
    struct call *call = *state;
    const char *path = hyperstart_mock_ctl_path(call->mock);
    cleanup_fd int other = -1;

    call_start(call);
    assert_int_equal(unlink(path), 0);
    other = open(path, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(other >= 0);
    assert_int_equal(hyperstart_mock_stop(call->mock, 0), -1);
    assert_int_equal(unlink(path), 0); /* it is still there */
}

static void test_descriptors_are_close_on_exec(void **state)
{
    bool before[64]; /* what whoever started the test has left open */
    struct call *call;

    (void)state;
    for (int fd = 3; fd < 64; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    call = call_new(NULL);
    call_start(call);
    call_connect(call);
    for (int fd = 3; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);

        assert_true(before[fd] || flags < 0 || flags & FD_CLOEXEC);
    }
    call_free(call);
}

static void test_no_descriptors_stay(void **state)
{
    size_t before = descriptors_open();
    struct call *call;

    (void)state;
    for (int i = 0; i < 3; i++) {
        call = call_new(NULL);
        call_start(call);
        if (i)
            call->ctl = connect_to(hyperstart_mock_ctl_path(call->mock));
        if (i > 1)
            call->io = connect_to(hyperstart_mock_io_path(call->mock));
        call_free(call);
    }
    assert_int_equal(descriptors_open(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths, call_setup, call_teardown),
        cmocka_unit_test(test_folder_of_the_environment),
        cmocka_unit_test_setup_teardown(test_sockets_come_and_go, call_setup, call_teardown),
        cmocka_unit_test(test_path_is_taken),
        cmocka_unit_test_setup_teardown(test_dead_socket_is_replaced, call_setup, call_teardown),
        cmocka_unit_test(test_path_too_long),
        cmocka_unit_test_setup_teardown(test_only_own_sockets_are_removed, call_setup, call_teardown),
        cmocka_unit_test(test_descriptors_are_close_on_exec),
        cmocka_unit_test(test_no_descriptors_stay),
    };

    unsetenv("TMPDIR"); /* whoever started the tests may have set it; sockets are in /tmp by default */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
