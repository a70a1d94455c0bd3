/* The mock as a client and a test see it: sockets, commands, I/O, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

/* ---- commands ---- */

static void test_every_command_is_acknowledged(void **state)
{
    static const uint32_t codes[] = {1, 4, 6, 8, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25};
    struct call *call = *state;
    size_t count;

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        ask(call, codes[i], i % 2 ? "{\"x\":1}" : "");
    free(hyperstart_mock_last_messages(call->mock, &count));
    assert_int_equal(count, sizeof codes / sizeof *codes);
}

static void test_version(void **state)
{
    struct call *call = *state;

    say(call, CTL_GETVERSION, "");
    hears_next(call, 8);
    hears_bytes(call, CTL_ACK, "\0\0\x10\x94", 4, __FILE__, __LINE__);
}

static void test_last_messages(void **state)
{
    struct call *call = *state;

    assert_messages(call, "");
    ask(call, CTL_STARTPOD, "{}");
    ask(call, CTL_PING, "");
    assert_messages(call, "startpod:{} ping:");
    assert_messages(call, "");
    ask(call, CTL_EXECCMD, "x");
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    assert_messages(call, "execcmd:x"); /* also when it is over */
}

static void test_next_message(void **state)
{
    struct call *call = *state;
    struct hyperstart_mock_message *message;

    assert_null(hyperstart_mock_next_message(call->mock, 0));
    assert_int_equal(errno, ETIMEDOUT);
    ask(call, CTL_STARTPOD, "{}");
    ask(call, CTL_PING, "");
    message = hyperstart_mock_next_message(call->mock, SOON);
    assert_int_equal(message->number, 1);
    assert_int_equal(message->code, CTL_STARTPOD);
    assert_int_equal(message->length, 2);
    assert_string_equal((const char *)message->payload, "{}");
    free(message);
    assert_messages(call, "ping:");
    close_fd(&call->ctl);
    assert_null(hyperstart_mock_next_message(call->mock, SOON));
    assert_int_equal(errno, EPIPE);
}

static void test_wait_messages(void **state)
{
    struct call *call = *state;

    say(call, CTL_PING, "");
    say(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 2, SOON), 0);
    assert_errno(hyperstart_mock_wait_messages(call->mock, 3, 20), ETIMEDOUT);
    close_fd(&call->ctl);
    assert_errno(hyperstart_mock_wait_messages(call->mock, 3, -1), EPIPE);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 2, 0), 0);
}

static void test_log(void **state)
{
    struct call *call = *state;

    ask(call, CTL_STARTPOD, "{\"hostname\": \"pod\"}\xff");
    ask(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_send_io_string(call->mock, 7, "out"), 0);
    gets(call, 7, "out");
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    assert_logged(call, "start\n");
    assert_logged(call, ".0.sock: waiting for connection\n");
    assert_logged(call, ".1.sock: accepted connection\n");
    assert_logged(call, "ctl: --> command startpod, payload_len=20\n"
                        "00000000  7b 22 68 6f 73 74 6e 61  6d 65 22 3a 20 22 70 6f  |{\"hostname\": \"po|\n"
                        "00000010  64 22 7d ff                                       |d\"}.|\n"
                        "ctl: <-- command startpod executed successfully\n"
                        "ctl: --> command ping, payload_len=0\n"
                        "ctl: <-- command ping executed successfully\n"
                        "io: <-- writing 3 bytes for seq 7\n"
                        "stopped\n");
}

static void test_names(void **state)
{
    uint32_t code = 99;

    (void)state;
    assert_string_equal(hyperstart_mock_code_name(17), "newcontainer");
    assert_string_equal(hyperstart_mock_code_name(UINT32_MAX), "unknown");
    assert_int_equal(hyperstart_mock_code("version", &code), 0);
    assert_int_equal(code, HYPERSTART_GETVERSION);
    assert_int_equal(hyperstart_mock_code("4294967295", &code), 0);
    assert_int_equal(code, UINT32_MAX);
    assert_int_equal(hyperstart_mock_code("4294967296", &code), -1);
    assert_int_equal(hyperstart_mock_code("unknown", &code), -1);
    assert_int_equal(hyperstart_mock_code("", &code), -1);
}

/* ---- to the client ---- */

static void test_sending(void **state)
{
    struct call *call = *state;

    assert_int_equal(hyperstart_mock_send_message(call->mock, CTL_READY, NULL, 0), 0);
    hears(call, CTL_READY, "");
    assert_int_equal(hyperstart_mock_send_event(call->mock, "ua0", NULL, "exited", NULL, 3), 0);
    hears(call, CTL_PROCESSASYNCEVENT,
          "{\"container\":\"ua0\",\"process\":\"ua0\",\"event\":\"exited\",\"status\":3}");
    assert_int_equal(hyperstart_mock_send_io(call->mock, UINT64_MAX, "a\0b", 3), 0);
    assert_int_equal(hyperstart_mock_close_io(call->mock, 2), 0);
    assert_int_equal(hyperstart_mock_send_exit_status(call->mock, 2, 42), 0);
    {
        uint8_t bytes[15 + 12 + 13];

        assert_int_equal(recv(call->io, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
        assert_memory_equal(bytes,
                            "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x0f"
                            "a\0b"
                            "\0\0\0\0\0\0\0\2\0\0\0\x0c"
                            "\0\0\0\0\0\0\0\2\0\0\0\x0d*",
                            sizeof bytes);
    }
}

static void test_longest(void **state)
{
    struct call *call = *state;
    size_t most = FRAME_MOST - CTL_HEADER;
    cleanup_free char *bytes = memory_new(most + 1);

    memset(bytes, 'x', most);
    assert_errno(hyperstart_mock_send_message(call->mock, CTL_ACK, bytes, most + 1), EMSGSIZE);
    assert_errno(hyperstart_mock_send_io(call->mock, 1, bytes, FRAME_MOST - IO_HEADER + 1), EMSGSIZE);
    assert_int_equal(hyperstart_mock_send_message(call->mock, CTL_ACK, bytes, most), 0);
    hears(call, CTL_ACK, bytes);
}

static void test_reading(void **state)
{
    struct call *call = *state;
    struct hyperstart_mock_packet *packet;

    assert_null(hyperstart_mock_read_io(call->mock, 20));
    assert_int_equal(errno, ETIMEDOUT);
    put(call, 0x0102, "in");
    put(call, 3, "");
    packet = hyperstart_mock_read_io(call->mock, SOON);
    assert_int_equal(packet->sequence, 0x0102);
    assert_int_equal(packet->size, 14);
    assert_memory_equal(packet->packet, "\0\0\0\0\0\0\1\2\0\0\0\x0ein", 15);
    assert_int_equal(packet->length, 2);
    assert_string_equal((const char *)packet->payload, "in");
    free(packet);
    packet = hyperstart_mock_read_io(call->mock, SOON);
    assert_int_equal(packet->sequence, 3);
    assert_int_equal(packet->length, 0);
    free(packet);
    put(call, 4, "last");
    close_fd(&call->io);
    packet = hyperstart_mock_read_io(call->mock, -1);
    assert_int_equal(packet->sequence, 4);
    free(packet);
    assert_null(hyperstart_mock_read_io(call->mock, -1));
    assert_int_equal(errno, EPIPE);
}

/* ---- the end ---- */

static void test_client_leaves(void **state)
{
    struct call *call = *state;

    assert_errno(hyperstart_mock_wait_left(call->mock, 0), ETIMEDOUT);
    say(call, CTL_PING, "");
    put(call, 1, "last words");
    close_fd(&call->ctl);
    assert_int_equal(hyperstart_mock_wait_left(call->mock, SOON), 0);
    assert_errno(hyperstart_mock_send_message(call->mock, CTL_READY, NULL, 0), EPIPE);
    assert_errno(hyperstart_mock_send_io_string(call->mock, 1, "quietly"), EPIPE);
    free(hyperstart_mock_read_io(call->mock, SOON));
    assert_null(hyperstart_mock_read_io(call->mock, SOON));
    assert_messages(call, "ping:");
    hears_end(call->io);
    assert_int_equal(hyperstart_mock_stop(call->mock, -1), 0);
}

/* What was sent on a channel before stop() is heard: here more than its socket holds. */
static void *listen_long(void *user)
{
    struct call *call = user;
    static uint8_t data[FRAME_MOST];
    size_t got = 0;
    ssize_t more;

    while ((more = recv(call->io, data, sizeof data, 0)) > 0)
        got += (size_t)more;
    return (void *)got;
}

static void test_stop_lets_the_client_read(void **state)
{
    struct call *call = *state;
    cleanup_free char *bytes = memory_new(900000);
    void *got;
    pthread_t listener;

    assert_int_equal(pthread_create(&listener, NULL, listen_long, call), 0);
    assert_int_equal(hyperstart_mock_send_io(call->mock, 1, bytes, 900000), 0);
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    pthread_join(listener, &got);
    assert_int_equal((size_t)got, 900000 + IO_HEADER);
}

/* Keeps the mock from reading until somebody stops it. */
static void wait_for_stop(void *user, const char *line)
{
    struct call *call = user;

    if (strcmp(line, "ctl: --> command ping, payload_len=0") != 0)
        return;
    while (hyperstart_mock_wait_left(call->mock, 0) < 0 && errno != ESHUTDOWN)
        sched_yield();
}

static void test_stop_takes_what_was_sent(void **state)
{
    char payload[90001] = "";
    struct call call = {0};
    const struct hyperstart_mock_options options = {.log = wait_for_stop, .user = &call};

    (void)state;
    call.mock = hyperstart_mock_new(&options);
    call_start(&call);
    call_connect(&call);
    say(&call, CTL_PING, "");
    hears_next(&call, CTL_HEADER);
    memset(payload, 'x', sizeof payload - 1);
    say(&call, CTL_EXECCMD, payload); /* more than is read at once */
    put(&call, 1, "in");
    assert_int_equal(hyperstart_mock_stop(call.mock, 0), 0);
    assert_int_equal(hyperstart_mock_wait_messages(call.mock, 2, 0), 0);
    free(hyperstart_mock_read_io(call.mock, 0));
    assert_null(hyperstart_mock_read_io(call.mock, 0));
    assert_int_equal(errno, ESHUTDOWN);
    assert_int_equal(hyperstart_mock_stop(call.mock, -1), 0); /* it is stopped */
    hyperstart_mock_free(call.mock);
    close_fd(&call.ctl);
    close_fd(&call.io);
}

static void test_started_again(void **state)
{
    struct call *call = *state;

    ask(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    close_fd(&call->ctl);
    close_fd(&call->io);
    call_start(call);
    call_connect(call);
    ask(call, CTL_STARTPOD, "");
    assert_messages(call, "startpod:");
}

static void test_many(void **state)
{
    struct call *calls[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        calls[i] = call_new(NULL);
        call_start(calls[i]);
        call_connect(calls[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        char text[8];

        snprintf(text, sizeof text, "%zu", i);
        ask(calls[i], CTL_EXECCMD, text);
        assert_int_equal(hyperstart_mock_send_io_string(calls[i]->mock, i, text), 0);
    }
    for (size_t i = 0; i < 20; i++) {
        char text[24];

        snprintf(text, sizeof text, "%zu", i);
        gets(calls[i], i, text);
        snprintf(text, sizeof text, "execcmd:%zu", i);
        assert_messages(calls[i], text);
        call_free(calls[i]);
    }
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
        cmocka_unit_test_setup_teardown(test_every_command_is_acknowledged, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_version, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_last_messages, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_next_message, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_wait_messages, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_log, call_connected, call_teardown),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_sending, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_longest, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_reading, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_client_leaves, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_stop_lets_the_client_read, call_connected, call_teardown),
        cmocka_unit_test(test_stop_takes_what_was_sent),
        cmocka_unit_test_setup_teardown(test_started_again, call_connected, call_teardown),
        cmocka_unit_test(test_many),
    };

    unsetenv("TMPDIR"); /* whoever started the tests may have set it; sockets are in /tmp by default */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
