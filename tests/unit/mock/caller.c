#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/mock/caller.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "src/base/memory.h"
#include "src/wire/frame.h"

static void note(void *user, const char *line)
{
    struct call *call = user;

    pthread_mutex_lock(&call->lock);
    buffer_addf(&call->log, "%s\n", line);
    pthread_mutex_unlock(&call->lock);
}

struct call *call_new(const struct hyperstart_mock_options *options)
{
    struct call *call = memory_new(sizeof *call);
    struct hyperstart_mock_options all = {0};

    if (options)
        all = *options;
    all.log = note;
    all.user = call;
    call->ctl = call->io = -1;
    pthread_mutex_init(&call->lock, NULL);
    call->mock = hyperstart_mock_new(&all);
    assert_non_null(call->mock);
    return call;
}

void call_free(struct call *call)
{
    hyperstart_mock_free(call->mock);
    close_fd(&call->ctl);
    close_fd(&call->io);
    buffer_free(&call->log);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

int call_setup(void **state)
{
    *state = call_new(NULL);
    return 0;
}

int call_connected(void **state)
{
    struct call *call = call_new(NULL);

    *state = call;
    call_start(call);
    call_connect(call);
    return 0;
}

int call_teardown(void **state)
{
    call_free(*state);
    return 0;
}

void call_start(struct call *call)
{
    char detail[HYPERSTART_MOCK_DETAIL];

    if (hyperstart_mock_start(call->mock, detail) < 0)
        fail_msg("%s", detail);
}

int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    return steal_fd(&fd);
}

void call_connect(struct call *call)
{
    call->ctl = connect_to(hyperstart_mock_ctl_path(call->mock));
    call->io = connect_to(hyperstart_mock_io_path(call->mock));
    assert_true(call->ctl >= 0 && call->io >= 0);
    assert_int_equal(hyperstart_mock_wait_connected(call->mock, SOON), 0);
}

/* ---- what the client sends ---- */

void say_bytes(int socket, const void *bytes, size_t length)
{
    assert_int_equal(send(socket, bytes, length, MSG_NOSIGNAL), length);
}

void say(struct call *call, uint32_t code, const char *payload)
{
    cleanup_buffer struct buffer frame = {0};

    ctl_encode(&frame, code, payload, strlen(payload));
    say_bytes(call->ctl, frame.data, frame.length);
}

void put(struct call *call, uint64_t sequence, const char *payload)
{
    cleanup_buffer struct buffer frame = {0};

    io_encode(&frame, sequence, payload, strlen(payload));
    say_bytes(call->io, frame.data, frame.length);
}

/* ---- what it gets ---- */

static bool readable(int socket, int timeout_ms)
{
    struct pollfd poll_in = {.fd = socket, .events = POLLIN};

    return poll(&poll_in, 1, timeout_ms) == 1;
}

/* Reads so many bytes; fewer only at the end, or if no more come. */
static size_t get_bytes(int socket, uint8_t *data, size_t length)
{
    size_t got = 0;

    while (got < length && readable(socket, SOON)) {
        ssize_t more = recv(socket, data + got, length - got, 0);

        if (more <= 0)
            break;
        got += (size_t)more;
    }
    return got;
}

/* A whole frame, header included. */
static size_t get_frame(int socket, uint8_t *data, size_t header, const char *file, int line)
{
    size_t length;

    if (get_bytes(socket, data, header) != header) {
        print_error("no message came\n");
        _fail(file, line);
    }
    length = (size_t)data[header - 4] << 24 | (size_t)data[header - 3] << 16 | (size_t)data[header - 2] << 8 |
             data[header - 1];
    if (length < header || length > FRAME_MOST ||
        get_bytes(socket, data + header, length - header) != length - header) {
        print_error("a message of %zu bytes is not whole\n", length);
        _fail(file, line);
    }
    return length;
}

void hears_bytes(struct call *call, uint32_t code, const void *payload, size_t length, const char *file,
                 int line)
{
    static uint8_t data[FRAME_MOST];
    size_t got = get_frame(call->ctl, data, CTL_HEADER, file, line);
    struct ctl_frame frame;

    _assert_int_equal((uint64_t)ctl_decode(data, got, &frame, &got, NULL), 1, file, line);
    if (frame.code == code && frame.length == length && memcmp(data + CTL_HEADER, payload, length) == 0)
        return;
    print_error("heard %s(%u) \"%.*s\", expected %s(%u)\n", ctl_name(frame.code), frame.code,
                (int)frame.length, (const char *)data + CTL_HEADER, ctl_name(code), code);
    _fail(file, line);
}

void hears_next_check(struct call *call, uint32_t bytes, const char *file, int line)
{
    const uint8_t wire[] = {(uint8_t)(bytes >> 24), (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8),
                            (uint8_t)bytes};

    hears_bytes(call, CTL_NEXT, wire, sizeof wire, file, line);
}

void gets_check(struct call *call, uint64_t sequence, const char *payload, const char *file, int line)
{
    static uint8_t data[FRAME_MOST];
    size_t got = get_frame(call->io, data, IO_HEADER, file, line);
    struct io_frame frame;

    _assert_int_equal((uint64_t)io_decode(data, got, &frame, &got, NULL), 1, file, line);
    if (frame.sequence == sequence && frame.length == strlen(payload) &&
        memcmp(data + IO_HEADER, payload, frame.length) == 0)
        return;
    print_error("got \"%.*s\" on %llu, expected \"%s\" on %llu\n", (int)frame.length,
                (const char *)data + IO_HEADER, (unsigned long long)frame.sequence, payload,
                (unsigned long long)sequence);
    _fail(file, line);
}

void hears_end_check(int socket, const char *file, int line)
{
    uint8_t byte;

    if (readable(socket, SOON) && recv(socket, &byte, 1, 0) <= 0)
        return;
    print_error("the channel is still open\n");
    _fail(file, line);
}

bool hears_nothing(int socket)
{
    return !readable(socket, 0);
}

void ask(struct call *call, uint32_t code, const char *payload)
{
    say(call, code, payload);
    hears_next(call, CTL_HEADER);
    if (*payload)
        hears_next(call, (uint32_t)strlen(payload));
    hears(call, CTL_ACK, "");
}

/* ---- what the mock tells ---- */

void logged_check(struct call *call, const char *words, const char *file, int line)
{
    bool found;

    pthread_mutex_lock(&call->lock);
    buffer_add(&call->log, "", 1);
    call->log.length--;
    found = strstr((const char *)call->log.data, words);
    if (!found)
        print_error("not logged: \"%s\" in:\n%s", words, (const char *)call->log.data);
    pthread_mutex_unlock(&call->lock);
    if (!found)
        _fail(file, line);
}

void messages_check(struct call *call, const char *expected, const char *file, int line)
{
    cleanup_buffer struct buffer text = {0};
    size_t count;
    cleanup_free struct hyperstart_mock_message *messages = hyperstart_mock_last_messages(call->mock, &count);

    for (size_t i = 0; i < count; i++)
        buffer_addf(&text, "%s%s:%s", i ? " " : "", hyperstart_mock_code_name(messages[i].code),
                    (const char *)messages[i].payload);
    buffer_add(&text, "", 1);
    _assert_string_equal((const char *)text.data, expected, file, line);
}
