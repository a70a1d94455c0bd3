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
#include <sched.h>
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

#define PORT 5060

#define QUIET_MS 50 /* what has not come after what was sent later, and this, does not come */

/* The same for both families: who has what, the first of which is claimed. */
struct plan {
    const char *network, *gateway; /* all of it is looked for at the router: it sees to what is not reached */
    const char *shared[2], *one[2], *two[2], *liar[4];
};

static const struct plan plans[] = {
    {"198.18.0.0/15",
     "169.254.1.1",
     {"198.18.0.1"},
     {"198.18.1.1"},
     {"198.18.2.1"},
     {"198.18.3.1", "198.18.7.7", "198.18.2.1"}},
    {"2001:2::/48",
     "fe80::1",
     {"2001:2::1"},
     {"2001:2::1:1"},
     {"2001:2::2:1"},
     {"2001:2::3:1", "2001:2::7:7", "2001:2::2:1"}},
};

/* ---- in a pod ---- */

/* The kernel takes an IPv6 address in two steps, the second of which it takes in its own time: before it what
 * comes for the address is lost. */
static bool await_address(struct netlink *nl, const char *address)
{
    struct route_found found;

    while (route_find(nl, address, &found, NULL) == 0)
        if (found.local)
            return true;
        else
            sched_yield();
    return false;
}

static int configure(const struct plan *plan, const char *const *addresses, const uint8_t mac[MAC_LENGTH])
{
    cleanup_netlink struct netlink *nl = netlink_open(NULL);
    const struct route route = {
        .destination = plan->network, .gateway = plan->gateway, .source = addresses[0], .device = "eth0"};

    if (!nl || link_up(nl, "lo", NULL) < 0)
        return 1;
    for (size_t i = 0; addresses[i]; i++)
        if (address_add(nl, "lo", addresses[i], -1, NULL) < 0 || !await_address(nl, addresses[i]))
            return 1;
    return link_up(nl, "eth0", NULL) < 0 || neighbour_add(nl, "eth0", plan->gateway, mac, NULL) < 0 ||
           route_add(nl, &route, NULL) < 0;
}

/* Port 5060 of it. */
static struct sockaddr_in6 place(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
        return six;
    assert_int_equal(inet_pton(AF_INET, text, &four.sin_addr), 1);
    memcpy(&six, &four, sizeof four);
    return six;
}

static socklen_t length_of(const struct sockaddr_in6 *address)
{
    return address->sin6_family == AF_INET6 ? sizeof *address : sizeof(struct sockaddr_in);
}

static int open_socket(const char *address, int type)
{
    const struct sockaddr_in6 at = place(address);
    int fd = socket(at.sin6_family, type | SOCK_CLOEXEC, 0);

    return bind(fd, (const struct sockaddr *)&at, length_of(&at)) == 0 ? fd : -1;
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
static void set_up_pod(struct host *host, const struct plan *plan, const char *const *addresses,
                       const uint8_t mac[MAC_LENGTH])
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
            configure(plan, addresses, mac))
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
static struct host new_host(struct router *router, const char *run_id, const struct plan *plan,
                            const char *const *addresses)
{
    struct host host = {.child = new_pod(), .sockets = {-1, -1, -1}, .streams = {-1, -1, -1}, .arp = -1};

    assert_int_equal(add_pod(router, run_id, &host.child), 0);
    if (claim(router, run_id, addresses[0], addresses == plan->shared) < 0)
        fail_msg("%s", error_text(router->error));
    set_up_pod(&host, plan, addresses, router->mac);
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
    const struct sockaddr_in6 there = place(to);

    assert_int_equal(sendto(from, text, strlen(text), 0, (const struct sockaddr *)&there, length_of(&there)),
                     strlen(text));
}

/* Exactly this comes next, from there. */
static void receives(int socket, const char *from, const char *text)
{
    struct pollfd events = {.fd = socket, .events = POLLIN};
    const struct sockaddr_in6 expected = place(from);
    struct sockaddr_in6 sender = {0};
    socklen_t size = sizeof sender;
    char data[64] = "";

    assert_int_equal(poll(&events, 1, WAIT_MS), 1);
    assert_true(recvfrom(socket, data, sizeof data - 1, 0, (struct sockaddr *)&sender, &size) > 0);
    assert_string_equal(data, text);
    assert_memory_equal(&sender, &expected, length_of(&expected));
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
    const struct sockaddr_in6 there = place(to_address);

    assert_int_equal(listen(to, 1), 0);
    alarm(WAIT_MS / 1000);
    assert_int_equal(connect(from, (const struct sockaddr *)&there, length_of(&there)), 0);
    alarm(0);
}

/* ---- tests ---- */

/* The first host is the shared one, the others are tests. */
struct scene {
    const struct plan *plan;
    struct router router;
    struct host shared, one, two;
};

static void set_up(struct scene *scene, const struct plan *plan)
{
    scene->plan = plan;
    start_greeted(&scene->router);
    scene->shared = new_host(&scene->router, "global", plan, plan->shared);
    scene->one = new_host(&scene->router, "testaa", plan, plan->one);
    scene->two = new_host(&scene->router, "testbb", plan, plan->two);
}

static void tear_down(struct scene *scene)
{
    end_host(&scene->shared);
    end_host(&scene->one);
    end_host(&scene->two);
    stop(&scene->router);
}

/* A test and the shared one, both ways. */
static void call(const struct host *test, const char *const *address, const struct scene *scene)
{
    exchange(test->sockets[0], address[0], scene->shared.sockets[0], scene->plan->shared[0]);
}

static void test_reached(void **state)
{
    const struct plan *plan = *state;
    struct scene scene;

    set_up(&scene, plan);
    call(&scene.one, plan->one, &scene);
    call(&scene.two, plan->two, &scene);
    /* A DUT calls them, too. */
    exchange(scene.shared.sockets[0], plan->shared[0], scene.one.sockets[0], plan->one[0]);
    connects(scene.one.streams[0], scene.shared.streams[0], plan->shared[0]);
    tear_down(&scene);
}

static void test_tests_do_not_reach_each_other(void **state)
{
    const struct plan *plan = *state;
    struct scene scene;

    set_up(&scene, plan);
    send_to(scene.two.sockets[0], plan->one[0], "in vain");
    send_to(scene.one.sockets[0], plan->two[0], "in vain");
    call(&scene.two, plan->two, &scene);
    call(&scene.one, plan->one, &scene);
    receives_nothing(scene.one.sockets[0]);
    receives_nothing(scene.two.sockets[0]);
    tear_down(&scene);
}

static void test_sources_are_checked(void **state)
{
    const struct plan *plan = *state;
    struct scene scene;
    struct host liar;

    set_up(&scene, plan);
    liar = new_host(&scene.router, "liarxx", plan, plan->liar);
    send_to(liar.sockets[1], plan->shared[0], "nobody's address");
    send_to(liar.sockets[2], plan->shared[0], "another pod's address");
    call(&liar, plan->liar, &scene);
    receives_nothing(scene.shared.sockets[0]);
    end_host(&liar);
    tear_down(&scene);
}

/* IPv6, which is switched on late, for all devices, changes nothing for those with IPv4. */
static void test_side_by_side(void **state)
{
    struct scene scene;
    struct host other, liar;

    (void)state;
    set_up(&scene, &plans[0]);
    other = new_host(&scene.router, "othera", &plans[1], plans[1].one);
    assert_int_equal(claim(&scene.router, "othera", plans[0].one[0], false), -1);
    liar = new_host(&scene.router, "liarxx", &plans[0], plans[0].liar);
    send_to(liar.sockets[1], plans[0].shared[0], "nobody's address");
    call(&scene.one, plans[0].one, &scene);
    receives_nothing(scene.shared.sockets[0]);
    end_host(&liar);
    end_host(&other);
    tear_down(&scene);
}

static void test_claims_are_exclusive(void **state)
{
    const struct plan *plan = *state;
    struct child first = new_pod(), second = new_pod();
    struct router router;

    start_greeted(&router);
    assert_int_equal(add_pod(&router, "abcdef", &first), 0);
    assert_int_equal(add_pod(&router, "uvwxyz", &second), 0);
    assert_int_equal(claim(&router, "abcdef", plan->one[0], false), 0);
    for (int shared = 0; shared < 2; shared++) {
        assert_int_equal(claim(&router, "uvwxyz", plan->one[0], shared), -1);
        assert_int_equal(router.error->code, ERROR_INPUT);
        assert_int_equal(router.error->sys, EEXIST);
        assert_non_null(strstr(router.error->text, "it is another pod's"));
        assert_non_null(strstr(router.error->text, plan->one[0]));
    }
    assert_int_equal(claim(&router, "abcdef", plan->one[0], false), -1); /* twice */
    assert_int_equal(claim(&router, "uvwxyz", plan->two[0], true), 0);
    assert_int_equal(claim(&router, "uvwxyz", plan->shared[0], true), 0);
    /* Free at once, though the first pod's namespace goes on. */
    assert_int_equal(remove_pod(&router, "abcdef"), 0);
    assert_int_equal(claim(&router, "uvwxyz", plan->one[0], false), 0);
    assert_int_equal(give_up(&router, "uvwxyz", plan->one[0]), 0);
    assert_int_equal(claim(&router, "uvwxyz", plan->one[0], true), 0);
    stop(&router);
    kill_child(&first);
    kill_child(&second);
}

static void test_which_addresses(void **state)
{
    static const char *const wrong[] = {
        "0.0.0.0",    "127.0.0.1",       "10.0.0.1",   "169.254.1.1", "198.17.255.255",
        "198.20.0.0", "255.255.255.255", "224.0.0.1",  "::",          "::1",
        "fe80::1",    "2001:1:ffff::1",  "2001:2:1::", "ff02::1",     "::ffff:198.18.0.1"};
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
        assert_non_null(strstr(router.error->text, "198.18.0.0/15 and 2001:2::/48 only"));
    }
    assert_int_equal(claim(&router, "abcdef", "nonsense", false), -1);
    assert_int_equal(claim(&router, "abcdef", "198.18.0.0", false), 0);
    assert_int_equal(claim(&router, "abcdef", "198.19.255.255", false), 0);
    assert_int_equal(claim(&router, "abcdef", "2001:2::", false), 0);
    assert_int_equal(claim(&router, "abcdef", "2001:2:0:ffff::1", false), 0);
    stop(&router);
    kill_child(&pod);
}

/* Nothing of the first shared pod is in the way of the next, nor of use. */
static void test_one_after_the_other(void **state)
{
    const struct plan *plan = *state;
    struct scene scene;
    struct host next;

    set_up(&scene, plan);
    assert_int_equal(remove_pod(&scene.router, "global"), 0);
    send_to(scene.one.sockets[0], plan->shared[0], "in vain");
    next = new_host(&scene.router, "globbb", plan, plan->shared);
    exchange(scene.one.sockets[0], plan->one[0], next.sockets[0], plan->shared[0]);
    receives_nothing(scene.shared.sockets[0]);
    end_host(&next);
    tear_down(&scene);
}

#define TEST(name, plan)                                                                                     \
    {                                                                                                        \
#name, name, NULL, NULL, (void *)(plan)                                                              \
    }
#define BOTH_TESTS(name) TEST(name, &plans[0]), TEST(name, &plans[1])

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TESTS(test_reached),
        BOTH_TESTS(test_tests_do_not_reach_each_other),
        BOTH_TESTS(test_sources_are_checked),
        BOTH_TESTS(test_claims_are_exclusive),
        BOTH_TESTS(test_one_after_the_other),
        TEST(test_side_by_side, NULL),
        TEST(test_which_addresses, NULL),
    };

    if (!rig_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
