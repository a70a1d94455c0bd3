/* Messages and descriptors in passing; what was not asked for is refused, and does not stay open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/socket.h"
#include "tests/unit/support/support.h"

struct pair {
    int a, b, file;
};

static int setup(void **state)
{
    static struct pair pair;
    int ends[2];

    if (socket_pair(SOCK_SEQPACKET, ends, NULL) < 0)
        return -1;
    pair = (struct pair){.a = ends[0], .b = ends[1], .file = memfd_create("mine", MFD_CLOEXEC)};
    *state = &pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;

    close_fd(&pair->a);
    close_fd(&pair->b);
    close_fd(&pair->file);
    return 0;
}

/* `count` copies of `fd` beside one message. */
static void send_many(int socket, int fd, size_t count)
{
    char control[CMSG_SPACE(64 * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = (void *)"m", .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(count * sizeof fd)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof fd);
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), 1);
}

static void test_messages(void **state)
{
    struct pair *pair = *state;
    char data[8];
    int fd = 77;

    assert_true(fcntl(pair->a, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(pair->b, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(socket_send(pair->a, "one", 3, -1), 0);
    assert_int_equal(socket_send(pair->a, "twoXtwoX", 8, -1), 0);
    assert_int_equal(socket_receive(pair->b, data, sizeof data, &fd), 3);
    assert_memory_equal(data, "one", 3);
    assert_int_equal(fd, -1);
    assert_int_equal(socket_receive(pair->b, data, sizeof data, NULL), 8);
    assert_memory_equal(data, "twoXtwoX", 8);
    close_fd(&pair->a);
    assert_int_equal(socket_receive(pair->b, data, sizeof data, NULL), 0);
}

static void test_descriptor(void **state)
{
    struct pair *pair = *state;
    struct stat sent, got;
    char data[8];
    int fd = -1;

    assert_int_equal(socket_send(pair->a, "x", 1, pair->file), 0);
    assert_int_equal(socket_receive(pair->b, data, sizeof data, &fd), 1);
    assert_true(fd >= 0 && fd != pair->file);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(pair->file, &sent), 0);
    assert_int_equal(fstat(fd, &got), 0);
    assert_int_equal(sent.st_ino, got.st_ino);
    close(fd);
}

static void refused(struct pair *pair, int *ret_fd, size_t size)
{
    size_t before = descriptors_open();
    char data[8];

    errno = 0;
    assert_int_equal(socket_receive(pair->b, data, size, ret_fd), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(descriptors_open(), before);
    /* The next one is read as if nothing had been. */
    assert_int_equal(socket_send(pair->a, "ok", 2, -1), 0);
    assert_int_equal(socket_receive(pair->b, data, sizeof data, NULL), 2);
}

static void test_descriptor_unasked(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(socket_send(pair->a, "x", 1, pair->file), 0);
    refused(pair, NULL, 8);
}

static void test_too_many_descriptors(void **state)
{
    struct pair *pair = *state;
    int fd = 77;

    for (size_t count = 2; count < 64; count = count * 2 - 1) { /* also more than there is room for */
        send_many(pair->a, pair->file, count);
        refused(pair, &fd, 8);
        assert_int_equal(fd, 77);
        send_many(pair->a, pair->file, count);
        refused(pair, NULL, 8);
    }
}

static void test_too_long(void **state)
{
    struct pair *pair = *state;
    int fd = 77;

    assert_int_equal(socket_send(pair->a, "123456789", 9, -1), 0);
    refused(pair, NULL, 8);
    assert_int_equal(socket_send(pair->a, "123456789", 9, pair->file), 0);
    refused(pair, &fd, 8);
    assert_int_equal(fd, 77);
}

static void test_nobody_there(void **state)
{
    struct pair *pair = *state;
    char data[8];

    close_fd(&pair->b);
    errno = 0;
    assert_int_equal(socket_send(pair->a, "x", 1, -1), -1); /* without a SIGPIPE */
    assert_int_equal(errno, EPIPE);
    errno = 0;
    assert_int_equal(socket_receive(-1, data, sizeof data, NULL), -1);
    assert_int_equal(errno, EBADF);
    errno = 0;
    assert_int_equal(socket_send(pair->a, "x", 1, 12345), -1);
    assert_int_equal(errno, EBADF);
}

static void test_pair_types(void **state)
{
    cleanup_error struct error *error = NULL;
    int ends[2];
    char byte;

    (void)state;
    assert_int_equal(socket_pair(SOCK_STREAM | SOCK_NONBLOCK, ends, NULL), 0);
    errno = 0;
    assert_int_equal(socket_receive(ends[0], &byte, 1, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(socket_pair(99, ends, &error), -1);
    assert_error(error, ERROR_HOST, "cannot make a socket pair");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_messages),           TEST(test_descriptor),
        TEST(test_descriptor_unasked), TEST(test_too_many_descriptors),
        TEST(test_too_long),           TEST(test_nobody_there),
        TEST(test_pair_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
