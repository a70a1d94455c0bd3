/* The built sippod-router: what it refuses to be started as, and to do; how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/link.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/base/text.h"
#include "tests/unit/netns/rig.h"

static int host_network = -1; /* this process's network namespace, which belongs to the host */

static void refuses_to_start(const struct start *how, int exit_code, const char *words)
{
    struct router router;

    start(&router, how);
    ends_with(&router, exit_code, words);
}

/* ---- what a pod sees ---- */

static short eth0_flags(void)
{
    struct ifreq request = {.ifr_name = "eth0"};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -1 : request.ifr_flags;
}

/* 0 once the condition holds; it is looked at after every event of a link. */
static int await_link(bool (*holds)(void))
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct pollfd events = {.fd = fd, .events = POLLIN};
    char data[8192];

    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 1;
    while (!holds())
        if (poll(&events, 1, WAIT_MS) != 1 || recv(fd, data, sizeof data, 0) < 0)
            return 1;
    return 0;
}

static bool carrier(void)
{
    short flags = eth0_flags();

    return flags != -1 && flags & IFF_UP && flags & IFF_RUNNING;
}

static bool gone(void)
{
    return eth0_flags() == -1;
}

/* The other end is up and waits: with this one up too there is a carrier. */
static int raise_eth0(void)
{
    cleanup_netlink struct netlink *nl = netlink_open(NULL);

    return !nl || link_up(nl, "eth0", NULL) < 0 ? 1 : await_link(carrier);
}

static int await_end_of_eth0(void)
{
    return await_link(gone);
}

static int no_eth0(void)
{
    return gone() ? 0 : 1;
}

/* ---- tests ---- */

static void test_pods(void **state)
{
    struct child first = new_pod(), second = new_pod();
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &first), 0);
    assert_int_equal(router.mac[0] & 1, 0); /* one of a station, not of a group */
    assert_int_equal(run_in(&first, raise_eth0), 0);

    assert_int_equal(add_pod(&router, "abcdef", &second), -1); /* taken */
    assert_non_null(strstr(router.error->text, "abcdef"));
    assert_int_equal(add_pod(&router, "uvwxyz", &first), -1); /* there is an eth0 already */
    assert_int_equal(router.error->sys, EEXIST);
    assert_int_equal(run_in(&second, no_eth0), 0);
    assert_int_equal(add_pod(&router, "uvwxyz", &second), 0);
    assert_int_equal(run_in(&second, raise_eth0), 0);

    assert_int_equal(remove_pod(&router, "abcdef"), 0);
    assert_int_equal(remove_pod(&router, "abcdef"), -1);
    assert_non_null(strstr(router.error->text, "abcdef"));
    stop(&router);
    kill_child(&first);
    kill_child(&second);
}

static void test_pod_that_is_not_up(void **state)
{
    struct child pod = new_pod();
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(await_pod(&router, "abcdef"), -1);
    assert_non_null(strstr(router.error->text, "no pod abcdef"));
    assert_int_equal(add_pod(&router, "abcdef", &pod), 0);
    assert_int_equal(await_pod(&router, "abcdef"), -1); /* nobody raises its end */
    assert_int_equal(router.error->sys, ETIMEDOUT);
    assert_int_equal(run_in(&pod, raise_eth0), 0);
    assert_int_equal(await_pod(&router, "abcdef"), 0);
    stop(&router);
    kill_child(&pod);
}

static void test_foreign_namespaces(void **state)
{
    struct child pod = new_pod();
    cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cleanup_fd int user = open_namespace(&pod, "user");
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(add(&router, "abcdef", host_network), -1);
    assert_int_equal(router.error->sys, EPERM);
    assert_int_equal(add(&router, "abcdef", null), -1);
    assert_int_equal(router.error->code, ERROR_INPUT);
    assert_int_equal(add(&router, "abcdef", user), -1);
    assert_int_equal(router.error->code, ERROR_INPUT);
    assert_int_equal(add_pod(&router, "abcdef", &pod), 0); /* it still serves */
    stop(&router);
    kill_child(&pod);
}

/* A pod below the router's own user namespace, but of another user: only root can have one. */
static void test_namespace_of_another(void **state)
{
    struct child pod;
    struct router router;

    (void)state;
    if (getuid() != 0)
        skip();
    pod = idle(CLONE_NEWUSER | CLONE_NEWNET, 64123);
    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &pod), -1);
    assert_non_null(strstr(router.error->text, "64123"));
    stop(&router);
    kill_child(&pod);
}

static void test_not_its_own_network(void **state)
{
    struct start in_host = proper, unmapped = proper;

    (void)state;
    in_host.namespaces = 0; /* with capabilities, but not over the network that it is in */
    refuses_to_start(&in_host, ERROR_HOST, "another user namespace");
    unmapped.namespaces = CLONE_NEWUSER | CLONE_NEWNET; /* its uid, and the owner's, read as 65534 */
    refuses_to_start(&unmapped, ERROR_HOST, "65534");
}

static void test_capabilities(void **state)
{
    struct start surplus = proper, missing = proper;

    (void)state;
    surplus.capabilities |= CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_KILL);
    refuses_to_start(&surplus, ERROR_HOST, "kill, sys_admin");
    missing.capabilities = CAPABILITY(CAP_NET_RAW);
    refuses_to_start(&missing, ERROR_HOST, "net_admin");
}

static void test_how_it_is_started(void **state)
{
    struct start argument = proper, stream = proper;

    (void)state;
    argument.argument = "--help";
    refuses_to_start(&argument, ERROR_INPUT, "no arguments");
    stream.type = SOCK_STREAM;
    refuses_to_start(&stream, ERROR_INPUT, "socket");
}

static void say(struct router *router, struct router_request request, int fd)
{
    uint8_t bytes[ROUTER_REQUEST_MOST];
    size_t length = router_request_encode(&request, bytes);

    assert_int_equal(socket_send(router->socket, bytes, length, fd), 0);
}

static const struct router_request hello = {.type = ROUTER_HELLO, .version = ROUTER_PROTOCOL};
static const struct router_request pod_add = {.type = ROUTER_POD_ADD, .run_id = "abcdef"};
static const struct router_request pod_remove = {.type = ROUTER_POD_REMOVE, .run_id = "abcdef"};

/* Each ends the router, with exit code 2. */
static void test_what_sippod_never_says(void **state)
{
    uint8_t garbage[2 * ROUTER_REQUEST_MOST];
    struct router router;

    (void)state;
    memset(garbage, 0xa5, sizeof garbage);
    start(&router, &proper);
    assert_int_equal(socket_send(router.socket, garbage, ROUTER_REQUEST_MOST, -1), 0);
    ends_with(&router, ERROR_INPUT, "unknown request");
    start(&router, &proper);
    assert_int_equal(socket_send(router.socket, garbage, sizeof garbage, -1), 0);
    ends_with(&router, ERROR_INPUT, "too long");
    start(&router, &proper);
    say(&router, pod_remove, -1);
    ends_with(&router, ERROR_INPUT, "out of order");
    start(&router, &proper);
    say(&router, hello, -1);
    say(&router, hello, -1);
    ends_with(&router, ERROR_INPUT, "out of order");
    start(&router, &proper);
    say(&router, hello, router.errors);
    ends_with(&router, ERROR_INPUT, "with a descriptor");
    start(&router, &proper);
    say(&router, hello, -1);
    say(&router, pod_add, -1);
    ends_with(&router, ERROR_INPUT, "without a descriptor");
}

static void test_version(void **state)
{
    struct router_request newer = hello;
    uint8_t bytes[ROUTER_REPLY_LENGTH];
    struct router_reply reply;
    struct router router;

    (void)state;
    newer.version++;
    start(&router, &proper);
    say(&router, newer, -1);
    assert_int_equal(socket_receive(router.socket, bytes, sizeof bytes, NULL), sizeof bytes);
    assert_int_equal(router_reply_decode(bytes, sizeof bytes, &reply, NULL), 0);
    assert_int_equal(reply.status, ERROR_HOST);
    assert_int_equal(reply.version, ROUTER_PROTOCOL);
    say(&router, pod_remove, -1); /* it has not been greeted */
    ends_with(&router, ERROR_INPUT, "out of order");
}

static void test_end(void **state)
{
    struct child pod = new_pod();
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &pod), 0);
    router_client_free(steal_pointer(&router.client));
    ends_with(&router, 0, "");
    assert_int_equal(run_in(&pod, await_end_of_eth0), 0);
    kill_child(&pod);
}

static void test_killed(void **state)
{
    struct child pod = new_pod();
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &pod), 0);
    assert_int_equal(process_signal(router.child.pidfd, SIGKILL, NULL), 0);
    assert_int_equal(loop_run(router.loop, NULL), 0);
    assert_int_equal(router.closed, 1);
    assert_int_equal(run_in(&pod, await_end_of_eth0), 0);
    stop(&router);
    kill_child(&pod);
}

static void test_signals(void **state)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM};
    struct router router;

    (void)state;
    start_greeted(&router);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        assert_int_equal(process_signal(router.child.pidfd, ignored[i], NULL), 0);
    assert_int_equal(remove_pod(&router, "abcdef"), -1); /* an answer */
    stop(&router);
}

/* While it waits for requests. */
static void test_confined(void **state)
{
    static const char *const lines[] = {"CapInh:\t0000000000000000\n",
                                        "CapPrm:\t0000000000003000\n",
                                        "CapEff:\t0000000000000000\n",
                                        "CapAmb:\t0000000000000000\n",
                                        "NoNewPrivs:\t1\n",
                                        "Seccomp:\t2\n"};
    struct child pod = new_pod();
    cleanup_free char *path = NULL;
    cleanup_fd int fd = -1;
    struct router router;
    char text[8192] = "";

    (void)state;
    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &pod), 0);
    path = text_format("/proc/%d/status", router.child.pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(text, lines[i]))
            fail_msg("%s is not in:\n%s", lines[i], text);
    stop(&router);
    kill_child(&pod);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_pod_that_is_not_up),
        cmocka_unit_test(test_foreign_namespaces),
        cmocka_unit_test(test_namespace_of_another),
        cmocka_unit_test(test_not_its_own_network),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_how_it_is_started),
        cmocka_unit_test(test_what_sippod_never_says),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_confined),
    };

    host_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (host_network < 0 || !rig_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
