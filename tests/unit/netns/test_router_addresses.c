/* Addresses that the built router routes to pods: who reaches whom, and that nobody else does. Pods are set
 * up by the test as the agent would; sockets are opened in them and used from here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/link.h"
#include "netns/route.h"
#include "sandbox/namespaces.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "tests/unit/netns/rig.h"

#define PORT   5060
#define SHARED "198.18.0.1"

#define QUIET_MS 50 /* what has not come after what was sent later, and this, does not come */

static const char gateway[] = "169.254.1.1";

/* ---- in a pod ---- */

/* Any of 198.18.0.0/15 is looked for at the router: what is not to be reached, it has to see to. */
static int configure(const char *const *addresses, const uint8_t mac[MAC_LENGTH])
{
    cleanup_netlink struct netlink *nl = netlink_open(NULL);
    const struct route route = {
        .destination = "198.18.0.0/15", .gateway = gateway, .source = addresses[0], .device = "eth0"};

    if (!nl || link_up(nl, "lo", NULL) < 0)
        return 1;
    for (size_t i = 0; addresses[i]; i++)
        if (address_add(nl, "lo", addresses[i], -1, NULL) < 0)
            return 1;
    return link_up(nl, "eth0", NULL) < 0 || neighbour_add(nl, "eth0", gateway, mac, NULL) < 0 ||
           route_add(nl, &route, NULL) < 0;
}

static int open_socket(const char *address, int type)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    return inet_pton(AF_INET, address, &in.sin_addr) == 1 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0
               ? fd
               : -1;
}

/* Sees every ARP packet from the moment on that the device is up. */
static int open_arp(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_ARP));
}

/* ---- outside ---- */

#define MOST_SOCKETS 3

struct host {
    struct child child;
    int sockets[MOST_SOCKETS], streams[MOST_SOCKETS]; /* one for each address */
    int arp;
};

static void take(int from, int *ret_socket)
{
    char byte;

    assert_int_equal(socket_receive(from, &byte, 1, ret_socket), 1);
    assert_true(*ret_socket >= 0);
}

/* Sets up the pod, and takes its sockets. */
static void set_up_pod(struct host *host, const char *const *addresses, const uint8_t mac[MAC_LENGTH])
{
    cleanup_fd int user = open_namespace(&host->child, "user");
    cleanup_fd int network = open_namespace(&host->child, "net");
    struct child child = {.pidfd = -1};
    int ends[2];

    assert_int_equal(socket_pair(SOCK_SEQPACKET, ends, NULL), 0);
    child.pid = process_fork(0, &child.pidfd, NULL);
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        if (namespaces_join(user, network, NULL) < 0 || socket_send(ends[1], "", 1, open_arp()) < 0 ||
            configure(addresses, mac))
            _exit(1);
        for (size_t i = 0; addresses[i]; i++)
            if (socket_send(ends[1], "", 1, open_socket(addresses[i], SOCK_DGRAM)) < 0 ||
                socket_send(ends[1], "", 1, open_socket(addresses[i], SOCK_STREAM)) < 0)
                _exit(1);
        _exit(0);
    }
    assert_int_equal(end_of(&child), 0);
    take(ends[0], &host->arp);
    for (size_t i = 0; addresses[i]; i++) {
        take(ends[0], &host->sockets[i]);
        take(ends[0], &host->streams[i]);
    }
    close(ends[0]);
    close(ends[1]);
}

/* A pod whose first address is claimed; the others are not. */
static struct host new_host(struct router *router, const char *run_id, bool shared,
                            const char *const *addresses)
{
    struct host host = {.child = new_pod(), .sockets = {-1, -1, -1}, .streams = {-1, -1, -1}, .arp = -1};

    assert_int_equal(add_pod(router, run_id, &host.child), 0);
    if (claim(router, run_id, addresses[0], shared) < 0)
        fail_msg("%s", error_text(router->error));
    set_up_pod(&host, addresses, router->mac);
    if (await_pod(router, run_id) < 0)
        fail_msg("%s", error_text(router->error));
    return host;
}

static void end_host(struct host *host)
{
    char byte;

    /* Nobody ever asked for an Ethernet address. */
    assert_int_equal(recv(host->arp, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    kill_child(&host->child);
    close_fd(&host->arp);
    for (int i = 0; i < MOST_SOCKETS; i++) {
        close_fd(&host->sockets[i]);
        close_fd(&host->streams[i]);
    }
}

static void send_to(int from, const char *to, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    assert_int_equal(inet_pton(AF_INET, to, &in.sin_addr), 1);
    assert_int_equal(sendto(from, text, strlen(text), 0, (struct sockaddr *)&in, sizeof in), strlen(text));
}

/* Exactly this comes next, from there. */
static void receives(int socket, const char *from, const char *text)
{
    struct pollfd events = {.fd = socket, .events = POLLIN};
    struct sockaddr_in in;
    socklen_t size = sizeof in;
    char data[64] = "", sender[INET_ADDRSTRLEN];

    assert_int_equal(poll(&events, 1, WAIT_MS), 1);
    assert_true(recvfrom(socket, data, sizeof data - 1, 0, (struct sockaddr *)&in, &size) > 0);
    assert_non_null(inet_ntop(AF_INET, &in.sin_addr, sender, sizeof sender));
    assert_string_equal(data, text);
    assert_string_equal(sender, from);
}

static void receives_nothing(int socket)
{
    struct pollfd events = {.fd = socket, .events = POLLIN};

    assert_int_equal(poll(&events, 1, QUIET_MS), 0);
}

static void exchange(int one, const char *one_address, int other, const char *other_address)
{
    send_to(one, other_address, "there");
    receives(other, one_address, "there");
    send_to(other, one_address, "back");
    receives(one, other_address, "back");
}

/* TCP, unlike UDP, also heeds to which Ethernet address something was sent. */
static void connects(int from, int to, const char *to_address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    assert_int_equal(inet_pton(AF_INET, to_address, &in.sin_addr), 1);
    assert_int_equal(listen(to, 1), 0);
    alarm(WAIT_MS / 1000);
    assert_int_equal(connect(from, (struct sockaddr *)&in, sizeof in), 0);
    alarm(0);
}

/* ---- tests ---- */

/* The first host is the shared one, the others are tests. */
struct scene {
    struct router router;
    struct host shared, one, two;
};

static const char *const shared_addresses[] = {SHARED, NULL};
static const char *const one_addresses[] = {"198.18.1.1", NULL};
static const char *const two_addresses[] = {"198.18.2.1", NULL};
static const char *const liar_addresses[] = {"198.18.3.1", "198.18.7.7", "198.18.2.1", NULL};

static void set_up(struct scene *scene)
{
    start_greeted(&scene->router);
    scene->shared = new_host(&scene->router, "global", true, shared_addresses);
    scene->one = new_host(&scene->router, "testaa", false, one_addresses);
    scene->two = new_host(&scene->router, "testbb", false, two_addresses);
}

static void tear_down(struct scene *scene)
{
    end_host(&scene->shared);
    end_host(&scene->one);
    end_host(&scene->two);
    stop(&scene->router);
}

static void test_reached(void **state)
{
    struct scene scene;

    (void)state;
    set_up(&scene);
    exchange(scene.one.sockets[0], "198.18.1.1", scene.shared.sockets[0], SHARED);
    exchange(scene.two.sockets[0], "198.18.2.1", scene.shared.sockets[0], SHARED);
    /* A DUT calls them, too. */
    exchange(scene.shared.sockets[0], SHARED, scene.one.sockets[0], "198.18.1.1");
    connects(scene.one.streams[0], scene.shared.streams[0], SHARED);
    tear_down(&scene);
}

static void test_tests_do_not_reach_each_other(void **state)
{
    struct scene scene;

    (void)state;
    set_up(&scene);
    send_to(scene.two.sockets[0], "198.18.1.1", "in vain");
    send_to(scene.one.sockets[0], "198.18.2.1", "in vain");
    exchange(scene.two.sockets[0], "198.18.2.1", scene.shared.sockets[0], SHARED);
    exchange(scene.one.sockets[0], "198.18.1.1", scene.shared.sockets[0], SHARED);
    receives_nothing(scene.one.sockets[0]);
    receives_nothing(scene.two.sockets[0]);
    tear_down(&scene);
}

static void test_sources_are_checked(void **state)
{
    struct scene scene;
    struct host liar;

    (void)state;
    set_up(&scene);
    liar = new_host(&scene.router, "liarxx", false, liar_addresses);
    send_to(liar.sockets[1], SHARED, "nobody's address");
    send_to(liar.sockets[2], SHARED, "another pod's address");
    exchange(liar.sockets[0], "198.18.3.1", scene.shared.sockets[0], SHARED);
    receives_nothing(scene.shared.sockets[0]);
    end_host(&liar);
    tear_down(&scene);
}

static void test_claims_are_exclusive(void **state)
{
    struct child first = new_pod(), second = new_pod();
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &first), 0);
    assert_int_equal(add_pod(&router, "uvwxyz", &second), 0);
    assert_int_equal(claim(&router, "abcdef", "198.18.1.1", false), 0);
    for (int shared = 0; shared < 2; shared++) {
        assert_int_equal(claim(&router, "uvwxyz", "198.18.1.1", shared), -1);
        assert_int_equal(router.error->code, ERROR_INPUT);
        assert_non_null(strstr(router.error->text, "uvwxyz, address 198.18.1.1: it is another pod's"));
    }
    assert_int_equal(claim(&router, "abcdef", "198.18.1.1", false), -1); /* twice */
    assert_int_equal(claim(&router, "uvwxyz", "198.18.1.2", true), 0);
    assert_int_equal(claim(&router, "uvwxyz", "198.18.1.3", true), 0);
    /* Free at once, though the first pod's namespace goes on. */
    assert_int_equal(remove_pod(&router, "abcdef"), 0);
    assert_int_equal(claim(&router, "uvwxyz", "198.18.1.1", false), 0);
    stop(&router);
    kill_child(&first);
    kill_child(&second);
}

static void test_which_addresses(void **state)
{
    static const char *const wrong[] = {"0.0.0.0",        "127.0.0.1",  "10.0.0.1",        "169.254.1.1",
                                        "198.17.255.255", "198.20.0.0", "255.255.255.255", "224.0.0.1"};
    struct child pod = new_pod();
    struct router router;

    (void)state;
    start_greeted(&router);
    assert_int_equal(claim(&router, "abcdef", "198.18.1.1", false), -1);
    assert_non_null(strstr(router.error->text, "no pod abcdef"));
    assert_int_equal(add_pod(&router, "abcdef", &pod), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(claim(&router, "abcdef", wrong[i], false), -1);
        assert_non_null(strstr(router.error->text, wrong[i]));
        assert_non_null(strstr(router.error->text, "198.18.0.0/15"));
    }
    assert_int_equal(claim(&router, "abcdef", "nonsense", false), -1);
    assert_int_equal(claim(&router, "abcdef", "198.18.0.0", false), 0);
    assert_int_equal(claim(&router, "abcdef", "198.19.255.255", false), 0);
    stop(&router);
    kill_child(&pod);
}

/* Nothing of the first shared pod is in the way of the next, nor of use. */
static void test_one_after_the_other(void **state)
{
    struct scene scene;
    struct host next;

    (void)state;
    set_up(&scene);
    assert_int_equal(remove_pod(&scene.router, "global"), 0);
    send_to(scene.one.sockets[0], SHARED, "in vain");
    next = new_host(&scene.router, "globbb", true, shared_addresses);
    exchange(scene.one.sockets[0], "198.18.1.1", next.sockets[0], SHARED);
    receives_nothing(scene.shared.sockets[0]);
    end_host(&next);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reached),
        cmocka_unit_test(test_tests_do_not_reach_each_other),
        cmocka_unit_test(test_sources_are_checked),
        cmocka_unit_test(test_claims_are_exclusive),
        cmocka_unit_test(test_which_addresses),
        cmocka_unit_test(test_one_after_the_other),
    };
    cleanup_error struct error *error = NULL;
    uint64_t keep;

    if (namespaces_enter_own(&keep, &error) < 0) {
        fprintf(stderr, "SKIPPED: no user namespaces here: %s\n", error_text(error));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
