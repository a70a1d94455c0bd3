/* Devices under test outside, as the built router has it: what a hostile client may send it, and what the
 * host's network looks like meanwhile and after. The "host" is a network namespace of the test's own, so that
 * the router does all of it without a policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/link.h"
#include "netns/route.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/base/text.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/netns/outside_scene.h"
#include "tests/unit/support/support.h"

#define FREE   "10.22.22.77"
#define FREE_2 "10.22.22.78"

static void open_dut(struct outside_scene *scene)
{
    greet(&scene->router);
    if (open_outside(&scene->router, DUT, 24) < 0)
        fail_msg("%s", error_text(scene->router.error));
}

/* ---- tests ---- */

static void test_open(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    cleanup_free char *before = interface_forwarding(UPLINK), *during = NULL, *after = NULL;

    open_dut(scene);
    assert_string_equal(router->device, UPLINK);
    assert_int_equal(router->network.prefix, 24);
    assert_memory_equal(router->network.bytes, "\x0a\x16\x16\x00", 4);
    assert_int_equal(open_outside(router, DUT, 24), -1); /* once */
    assert_refused(router, 0, "named once");
    during = interface_forwarding(UPLINK);
    router_client_free(steal_pointer(&router->client));
    assert_int_equal(end_of(&router->child), 0);
    after = interface_forwarding(UPLINK);
    assert_string_equal(before, "0\n");
    assert_string_equal(during, "198\n");
    assert_string_equal(after, "0\n");
}

static void test_what_cannot_be_opened(void **state)
{
    struct outside_scene *scene = *state;
    static const struct {
        const char *dut;
        unsigned prefix;
        const char *words;
    } wrong[] = {
        {"127.0.0.1", 24, "loopback"},    {"0.0.0.0", 24, "single host"},
        {"224.0.0.1", 24, "single host"}, {"fd77::1", 0, "no route"},
        {"10.22.22.255", 24, "no route"}, {"255.255.255.255", 24, "single host"},
        {DUT, 31, "no addresses"},        {DUT, 32, "no addresses"},
    };

    greet(&scene->router);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_free char *flag = NULL;

        assert_int_equal(open_outside(&scene->router, wrong[i].dut, wrong[i].prefix), -1);
        assert_refused(&scene->router, 0, wrong[i].words);
        flag = interface_forwarding(UPLINK);
        assert_string_equal(flag, "0\n");
    }
    assert_int_equal(allow(&scene->router, "10.22.23.0/24"), -1); /* nothing is open */
    assert_int_equal(open_outside(&scene->router, DUT, 0), 0);    /* it still serves */
}

static void test_allow(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;

    open_dut(scene);
    assert_int_equal(allow(router, "0.0.0.0/0"), -1);
    assert_refused(router, 0, "above 0");
    assert_int_equal(allow(router, "2001:db8::/32"), -1);
    for (int i = 0; i < 63; i++) { /* the device under test is the first */
        cleanup_free char *text = text_format("10.23.%d.0/24", i);

        if (allow(router, text) < 0)
            fail_msg("%s", router->error->text);
    }
    assert_int_equal(allow(router, "10.24.0.0/24"), -1);
    assert_refused(router, 0, "64 networks at most");
    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    assert_int_equal(allow(router, "10.23.0.0/24"), -1);
    assert_refused(router, 0, "before pods");
    assert_int_equal(open_outside(router, DUT, 24), -1);
}

static void test_addresses(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    static const struct {
        const char *address;
        int sys;
    } wrong[] = {
        {"10.22.22.2", EADDRNOTAVAIL}, /* the host's own */
        {DUT, EADDRNOTAVAIL},          /* also a gateway */
        {"10.22.22.255", EADDRNOTAVAIL},
        {"10.22.23.1", EADDRNOTAVAIL},
        {"198.18.0.1", EADDRNOTAVAIL},
        {"127.0.0.1", EADDRNOTAVAIL},
        {"224.0.0.1", EADDRNOTAVAIL},
        {TAKEN, EADDRINUSE},
    };

    open_dut(scene);
    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(claim(router, "abcdef", wrong[i].address, false), -1);
        assert_refused(router, wrong[i].sys, wrong[i].address);
    }
    assert_int_equal(claim(router, "abcdef", "2001:db8::1", false), -1);
    assert_counted("sipp-abcdef", 0);
    assert_int_equal(claim(router, "abcdef", FREE, false), 0);
    assert_counted("sipp-abcdef", 1);
    assert_int_equal(count(AF_INET, "neigh show nud permanent", FREE), 1);
    assert_int_equal(claim(router, "abcdef", FREE, false), -1);
    assert_refused(router, EEXIST, FREE);
    assert_int_equal(count(AF_INET, "route", FREE), 1);
    assert_int_equal(count(AF_INET, "route", TAKEN), 0);
    assert_int_equal(give_up(router, "abcdef", TAKEN), -1);
    assert_int_equal(give_up(router, "abcdef", "a16:164d::"), -1); /* the same first bytes as FREE */
    assert_int_equal(give_up(router, "abcdef", FREE), 0);
    assert_int_equal(give_up(router, "abcdef", FREE), -1);
    assert_int_equal(count(AF_INET, "route", FREE), 0);
    assert_int_equal(count(AF_INET, "neigh show nud permanent", FREE), 0);
    assert_counted("sipp-abcdef", 0);
}

/* Rules would outlive the router, and are looked at for every packet of the host. */
static void test_shared(void **state)
{
    struct outside_scene *scene = *state;

    open_dut(scene);
    assert_int_equal(add_pod(&scene->router, "abcdef", &scene->pod), 0);
    assert_int_equal(claim(&scene->router, "abcdef", FREE, true), -1);
    assert_refused(&scene->router, 0, "shared");
    assert_int_equal(count(AF_INET, "rule", "198"), 0);
}

/* Whose link has gone, without a word, has no address any more; who gets it keeps it when the first is
 * removed at last. */
static void test_pod_that_is_gone(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;

    open_dut(scene);
    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    assert_int_equal(add_pod(router, "uvwxyz", &scene->other), 0);
    assert_int_equal(claim(router, "abcdef", FREE, false), 0);
    assert_int_equal(link_delete(scene->nl, "sipp-abcdef", NULL), 0);
    assert_int_equal(claim(router, "uvwxyz", FREE, false), -1);
    assert_refused(router, EEXIST, FREE);
    assert_int_equal(remove_pod(router, "abcdef"), 0);
    assert_int_equal(claim(router, "uvwxyz", FREE, false), 0);
}

/* The name of a link that has gone may be another's by now. */
static void test_link_of_another(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    cleanup_fd int network = open_namespace(&scene->other, "net");
    const struct link_veth veth = {
        .outer = "sipp-abcdef", .inner = "eth0", .netns = network, .alias = "sippod 77 5"};
    uint8_t mac[MAC_LENGTH];

    open_dut(scene);
    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    assert_int_equal(claim(router, "abcdef", FREE, false), 0);
    assert_int_equal(link_delete(scene->nl, "sipp-abcdef", NULL), 0);
    assert_int_equal(link_add_veth(scene->nl, &veth, mac, mac, NULL), 0);
    assert_int_equal(claim(router, "abcdef", FREE_2, false), -1);
    assert_refused(router, ENODEV, "its link has gone");
    assert_int_equal(await_pod(router, "abcdef"), -1);
    assert_refused(router, ENODEV, "its link has gone");
    assert_int_equal(remove_pod(router, "abcdef"), 0);
    assert_int_equal(count(AF_INET, "link show dev sipp-abcdef", "sippod 77 5"), 1);
}

/* ---- requests, as no sippod sends them ---- */

static void say(struct router *router, struct router_request request, int fd)
{
    uint8_t bytes[ROUTER_REQUEST_MOST];
    size_t length = router_request_encode(&request, bytes);

    assert_int_equal(socket_send(router->socket, bytes, length, fd), 0);
}

static struct router_reply hear(struct router *router)
{
    uint8_t bytes[ROUTER_REPLY_LENGTH];
    struct router_reply reply;

    alarm(WAIT_MS / 1000);
    assert_int_equal(socket_receive(router->socket, bytes, sizeof bytes, NULL), sizeof bytes);
    alarm(0);
    assert_int_equal(router_reply_decode(bytes, sizeof bytes, &reply, NULL), 0);
    return reply;
}

static struct router_request about(uint32_t type, uint32_t serial, const char *run_id, const char *address)
{
    struct router_request request = {.type = type, .serial = serial, .version = ROUTER_PROTOCOL};

    memcpy(request.run_id, run_id, sizeof request.run_id);
    if (address) {
        cleanup_free char *text = text_format("%s/32", address);

        assert_int_equal(network_parse(text, &request.network, NULL), 0);
    }
    return request;
}

static void open_by_hand(struct outside_scene *scene)
{
    cleanup_fd int network = open_namespace(&scene->pod, "net");
    struct router_request open = about(ROUTER_OPEN, 2, "abcdef", DUT);

    open.network.prefix = 24;
    say(&scene->router, about(ROUTER_HELLO, 1, "abcdef", NULL), -1);
    say(&scene->router, open, -1);
    say(&scene->router, about(ROUTER_POD_ADD, 3, "abcdef", NULL), network);
    for (uint32_t i = 1; i <= 3; i++) {
        struct router_reply reply = hear(&scene->router);

        if (reply.serial != i || reply.status)
            fail_msg("%u: %s", reply.serial, reply.text);
    }
}

/* The answer to a request comes last if others were asked meanwhile; each gets one, whatever its number. */
static void test_serial_number_zero(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    struct router_reply reply;

    open_by_hand(scene);
    say(router, about(ROUTER_ADDRESS_ADD, 0, "abcdef", TAKEN), -1);
    reply = hear(router);
    assert_int_equal(reply.type, ROUTER_ADDRESS_ADD);
    assert_int_equal(reply.sys, EADDRINUSE);
    say(router, about(ROUTER_ADDRESS_ADD, 0, "abcdef", FREE), -1);
    reply = hear(router);
    assert_int_equal(reply.type, ROUTER_ADDRESS_ADD);
    assert_int_equal(reply.status, 0);
}

static void test_while_others_are_asked(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    struct router_reply reply;

    open_by_hand(scene);
    say(router, about(ROUTER_ADDRESS_ADD, 10, "abcdef", FREE), -1);
    say(router, about(ROUTER_ADDRESS_REMOVE, 11, "abcdef", FREE), -1);
    say(router, about(ROUTER_ADDRESS_ADD, 12, "abcdef", FREE), -1);
    say(router, about(ROUTER_ADDRESS_ADD, 13, "abcdef", FREE_2), -1);
    say(router, about(ROUTER_POD_REMOVE, 14, "abcdef", NULL), -1);
    say(router, about(ROUTER_ADDRESS_ADD, 15, "abcdef", FREE), -1);
    reply = hear(router);
    assert_int_equal(reply.serial, 10);
    assert_non_null(strstr(reply.text, "given up"));
    assert_int_equal(hear(router).serial, 11);
    for (int i = 0; i < 2; i++) {
        reply = hear(router);
        assert_in_range(reply.serial, 12, 13);
        assert_non_null(strstr(reply.text, "given up"));
    }
    reply = hear(router);
    assert_int_equal(reply.serial, 14);
    assert_int_equal(reply.status, 0);
    assert_non_null(strstr(hear(router).text, "no pod abcdef"));
    assert_int_equal(count(AF_INET, "route", "proto 198"), 0);
}

/* Whoever has the address is not cut off from this host by the question. */
static void test_nothing_is_routed_before(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    size_t routed;
    char byte;

    open_by_hand(scene);
    say(router, about(ROUTER_ADDRESS_ADD, 10, "abcdef", FREE), -1);
    while (!count(AF_INET, "route show table 198", FREE))
        ;
    routed = count(AF_INET, "route", FREE);
    /* Else it was over too soon to say anything. */
    if (recv(router->socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0)
        assert_int_equal(routed, 0);
    assert_int_equal(hear(router).status, 0);
    assert_int_equal(count(AF_INET, "route", FREE), 1);
}

/* It hears nonsense, and nobody hears why it ends. */
static void test_last_words_to_nobody(void **state)
{
    struct outside_scene *scene = *state;

    say(&scene->router, about(ROUTER_POD_REMOVE, 1, "abcdef", NULL), -1);
    close_fd(&scene->router.socket);
    assert_int_equal(end_of(&scene->router.child), ERROR_INPUT);
}

/* libnl would write all that it does to standard error, where nobody reads: some of it comes before main().
 */
static void test_environment(void **state)
{
    struct outside_scene *scene = *state;
    struct router *router = &scene->router;
    char *environment[] = {(char *)"NLDBG=7", (char *)"NLCB=debug", NULL};
    struct start how = on_host;
    char text[65536];

    how.environment = environment;
    stop(router);
    start(router, &how);
    greet(router);
    assert_true(read(router->errors, text, sizeof text) > 0);
    assert_int_equal(open_outside(router, DUT, 24), 0);
    assert_int_equal(add_pod(router, "abcdef", &scene->pod), 0);
    assert_int_equal(claim(router, "abcdef", FREE, false), 0);
    router_client_free(steal_pointer(&router->client));
    assert_int_equal(end_of(&router->child), 0);
    text[read(router->errors, text, sizeof text - 1)] = '\0';
    assert_string_equal(text, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, outside_scene_setup, outside_scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open),
        TEST(test_what_cannot_be_opened),
        TEST(test_allow),
        TEST(test_addresses),
        TEST(test_shared),
        TEST(test_pod_that_is_gone),
        TEST(test_link_of_another),
        TEST(test_serial_number_zero),
        TEST(test_while_others_are_asked),
        TEST(test_nothing_is_routed_before),
        TEST(test_last_words_to_nobody),
        TEST(test_environment),
    };

    if (!rig_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
