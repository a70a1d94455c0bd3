/* sockdiag_bound() against real sockets, on the loopback device of a network namespace of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/link.h"
#include "netns/sockdiag.h"
#include "src/base/memory.h"

#define PORT 5060

static struct sockdiag *diag;

static bool bound(const char *address, uint16_t port, bool tcp)
{
    struct error *error = NULL;
    int result = sockdiag_bound(diag, address, port, tcp, &error);

    if (result < 0)
        fail_msg("%s", error_text(error));
    return result;
}

static bool udp(const char *address)
{
    return bound(address, PORT, false);
}

static bool tcp(const char *address)
{
    return bound(address, PORT, true);
}

static int open_bound(int type, const char *address, bool only_v6)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    bool is_six = strchr(address, ':');
    int fd = socket(is_six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0), only = only_v6;

    assert_true(fd >= 0);
    if (is_six) {
        assert_int_equal(inet_pton(AF_INET6, address, &six.sin6_addr), 1);
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&six, sizeof six), 0);
    } else {
        assert_int_equal(inet_pton(AF_INET, address, &four.sin_addr), 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&four, sizeof four), 0);
    }
    return fd;
}

static void test_nothing(void **state)
{
    (void)state;
    assert_false(udp("127.0.0.1") || tcp("127.0.0.1") || udp("::1") || tcp("::1"));
}

static void test_udp_specific(void **state)
{
    cleanup_fd int fd = open_bound(SOCK_DGRAM, "127.0.0.1", false);

    (void)state;
    assert_true(fd >= 0 && udp("127.0.0.1"));
    assert_false(udp("127.0.0.2") || tcp("127.0.0.1") || udp("::1"));
    assert_false(bound("127.0.0.1", PORT + 1, false));
    assert_false(bound("127.0.0.1", 0, false));
}

static void test_udp_wildcard(void **state)
{
    cleanup_fd int fd = open_bound(SOCK_DGRAM, "0.0.0.0", false);

    (void)state;
    assert_true(fd >= 0 && udp("127.0.0.1") && udp("127.0.0.2") && udp("0.0.0.0"));
    assert_false(udp("::1"));
}

static void test_udp_v6(void **state)
{
    cleanup_fd int fd = open_bound(SOCK_DGRAM, "::1", false);

    (void)state;
    assert_true(fd >= 0 && udp("::1"));
    assert_false(udp("127.0.0.1") || tcp("::1") || bound("::1", PORT + 1, false));
}

static void test_udp_v6_wildcard(void **state)
{
    int fd = open_bound(SOCK_DGRAM, "::", false);

    (void)state;
    assert_true(udp("::1") && udp("127.0.0.1"));
    close(fd);
    assert_false(udp("::1") || udp("127.0.0.1"));
    fd = open_bound(SOCK_DGRAM, "::", true);
    assert_true(udp("::1"));
    assert_false(udp("127.0.0.1"));
    close(fd);
}

static void test_tcp(void **state)
{
    cleanup_fd int fd = open_bound(SOCK_STREAM, "127.0.0.1", false);

    (void)state;
    assert_false(tcp("127.0.0.1")); /* bound only */
    assert_int_equal(listen(fd, 1), 0);
    assert_true(tcp("127.0.0.1"));
    assert_false(tcp("127.0.0.2") || udp("127.0.0.1") || bound("127.0.0.1", PORT + 1, true));
}

static void test_tcp_wildcard(void **state)
{
    cleanup_fd int fd = open_bound(SOCK_STREAM, "::", false);

    (void)state;
    assert_int_equal(listen(fd, 1), 0);
    assert_true(tcp("127.0.0.1") && tcp("::1"));
}

/* A connection has the port too, but nobody listens on it any more. */
static void test_tcp_connected(void **state)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int listener = open_bound(SOCK_STREAM, "127.0.0.1", false), accepted;
    cleanup_fd int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger reset = {.l_onoff = 1}; /* no TIME_WAIT for the tests that come after */

    (void)state;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect(connected, (struct sockaddr *)&peer, sizeof peer), 0);
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    assert_int_equal(setsockopt(accepted, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(listener);
    assert_false(tcp("127.0.0.1"));
    close(accepted);
}

static void test_bad_address(void **state)
{
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(sockdiag_bound(diag, "localhost", PORT, false, &error), -1);
    assert_int_equal(error->code, ERROR_INPUT);
}

static int set_up(void **state)
{
    cleanup_netlink struct netlink *nl = netlink_open(NULL);
    struct error *error = NULL;

    (void)state;
    assert_non_null(nl);
    assert_int_equal(link_up(nl, "lo", NULL), 0);
    diag = sockdiag_open(&error);
    if (!diag)
        fail_msg("%s", error_text(error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sockdiag_close(diag);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),         cmocka_unit_test(test_udp_specific),
        cmocka_unit_test(test_udp_wildcard),    cmocka_unit_test(test_udp_v6),
        cmocka_unit_test(test_udp_v6_wildcard), cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_wildcard),    cmocka_unit_test(test_tcp_connected),
        cmocka_unit_test(test_bad_address),
    };

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        fprintf(stderr, "SKIPPED: no user namespaces here: %s\n", strerror(errno));
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
