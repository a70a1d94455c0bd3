/* Addresses claimed from a router that the test plays, which says of each whose it is: nobody's, another
 * machine's, another pod's, one that can be nobody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/base/text.h"
#include "src/run/claims.h"
#include "tests/unit/support/support.h"

enum { MANY = 65536 };

struct fixture {
    struct loop *loop;
    int router; /* the far end */
    struct watch *watch;
    struct router_client *client;
    struct claims *claims;
    struct network network;
    uint32_t base;                                      /* of it, IPv4 */
    int (*verdict)(struct fixture *f, uint32_t number); /* an errno value for its n-th address, 0: take it */
    bool *asked;                                        /* by number */
    size_t requests, granted, removed;
    size_t ends_after; /* requests; 0: never */
    int done, closed;
    struct strings addresses;
    struct error *error;
};

/* ---- the router ---- */

static void answer(struct fixture *f, const struct router_request *request, int sys)
{
    struct router_reply reply = {
        .type = request->type, .serial = request->serial, .version = ROUTER_PROTOCOL};
    uint8_t bytes[ROUTER_REPLY_LENGTH];

    if (sys) {
        reply.status = ERROR_INPUT;
        reply.sys = (uint32_t)sys;
        memcpy(reply.text, "the router's words", 19);
    }
    router_reply_encode(&reply, bytes);
    assert_int_equal(socket_send(f->router, bytes, sizeof bytes, -1), 0);
}

/* Whether the number is one of a host is for those of IPv4 to show. */
static int judge_ipv6(struct fixture *f, const struct router_request *request)
{
    assert_true(network_is_address(&request->network));
    assert_true(network_holds(&f->network, &request->network));
    f->requests++;
    return 0;
}

static int judge(struct fixture *f, const struct router_request *request)
{
    uint32_t address, number;
    int sys;

    if (request->network.family == AF_INET6)
        return judge_ipv6(f, request);
    memcpy(&address, request->network.bytes, sizeof address);
    number = ntohl(address) - f->base;
    assert_in_range(number, 1, MANY - 2);
    assert_string_equal(request->run_id, "abcdef");
    if (request->type == ROUTER_ADDRESS_REMOVE) {
        f->removed++;
        return 0;
    }
    assert_int_equal(request->type, ROUTER_ADDRESS_ADD);
    assert_false(request->shared);
    f->requests++;
    f->asked[number] = true;
    sys = f->verdict(f, number);
    f->granted += sys == 0;
    return sys;
}

static void on_request(void *user, uint32_t events)
{
    struct fixture *f = user;
    struct router_request request;
    uint8_t bytes[ROUTER_REQUEST_MOST];
    ssize_t length = socket_receive(f->router, bytes, sizeof bytes, NULL);

    (void)events;
    if (length <= 0) {
        watch_stop(&f->watch);
        return;
    }
    assert_int_equal(router_request_decode(bytes, (size_t)length, &request, NULL), 0);
    answer(f, &request, judge(f, &request));
    if (f->requests == f->ends_after) {
        watch_stop(&f->watch);
        close_fd(&f->router);
    }
}

static int all_free(struct fixture *f, uint32_t number)
{
    (void)f;
    (void)number;
    return 0;
}

static int odd_in_use(struct fixture *f, uint32_t number)
{
    (void)f;
    return number % 2 ? EADDRINUSE : 0;
}

static int first_in_use(struct fixture *f, uint32_t number)
{
    (void)number;
    return f->requests <= 30 ? EADDRINUSE : 0;
}

static int all_in_use(struct fixture *f, uint32_t number)
{
    (void)f;
    (void)number;
    return EADDRINUSE;
}

/* Of 30: 4 free, 10 another machine's, 15 pods', 1 nobody's. */
static int nearly_full(struct fixture *f, uint32_t number)
{
    (void)f;
    return number <= 4 ? 0 : number <= 14 ? EADDRINUSE : number <= 29 ? EEXIST : EADDRNOTAVAIL;
}

static int over_quota(struct fixture *f, uint32_t number)
{
    (void)number;
    return f->granted == 3 ? EDQUOT : 0;
}

/* ---- sippod ---- */

static void on_closed(void *user, const struct error *why)
{
    struct fixture *f = user;

    (void)why;
    f->closed++;
    loop_quit(f->loop);
}

static void on_done(void *user, const struct strings *addresses, const struct error *error)
{
    struct fixture *f = user;

    f->done++;
    strings_free(&f->addresses);
    f->addresses = (struct strings){0};
    error_free(steal_pointer(&f->error));
    if (error) {
        error_set(&f->error, error->code, "%s", error_text(error));
        f->error->sys = error->sys;
    }
    for (size_t i = 0; i < addresses->count; i++)
        strings_add(&f->addresses, addresses->list[i]);
    loop_quit(f->loop);
}

static void begin(struct fixture *f, const char *text, int (*verdict)(struct fixture *f, uint32_t number))
{
    int ends[2];

    assert_int_equal(network_parse(text, &f->network, NULL), 0);
    memcpy(&f->base, f->network.bytes, sizeof f->base);
    f->base = ntohl(f->base);
    f->verdict = verdict;
    f->claims = claims_new(&f->network, NULL);
    assert_non_null(f->claims);
    assert_int_equal(socket_pair(SOCK_SEQPACKET, ends, NULL), 0);
    f->router = ends[1];
    f->client = router_client_new(f->loop, ends[0], on_closed, f, NULL);
    f->watch = loop_watch(f->loop, f->router, EPOLLIN, on_request, f, NULL);
    assert_true(f->client && f->watch);
}

static void claim(struct fixture *f, size_t count)
{
    int before = f->done;

    assert_non_null(claim_start(f->claims, f->client, "abcdef", count, on_done, f));
    assert_int_equal(f->done, before); /* from the loop only */
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->done, before + 1);
}

static void on_pause(void *user)
{
    loop_quit(user);
}

/* What is under way now is over then. */
static void pause_for(struct fixture *f, int ms)
{
    assert_non_null(loop_after(f->loop, ms, on_pause, f->loop));
    assert_int_equal(loop_run(f->loop, NULL), 0);
}

static void assert_different(const struct fixture *f, size_t count)
{
    assert_int_equal(f->addresses.count, count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(f->addresses.list[i], f->addresses.list[j]);
}

static int set_up(void **state)
{
    struct fixture *f = memory_new(sizeof *f);

    f->router = -1;
    f->asked = memory_array(NULL, MANY, sizeof *f->asked);
    memset(f->asked, 0, MANY * sizeof *f->asked);
    f->loop = loop_new(NULL);
    assert_non_null(f->loop);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    router_client_free(f->client);
    claims_free(f->claims);
    watch_stop(&f->watch);
    close_fd(&f->router);
    loop_free(f->loop);
    strings_free(&f->addresses);
    error_free(f->error);
    free(f->asked);
    free(f);
    return 0;
}

/* ---- tests ---- */

static void test_all_free(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/24", all_free);
    claim(f, 5);
    assert_null(f->error);
    assert_different(f, 5);
    assert_int_equal(f->requests, 5); /* no more than needed */
}

/* As late as possible is an address used again. */
static void test_one_after_the_other(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/27", all_free);
    for (int i = 0; i < 30; i++)
        claim(f, 1);
    for (uint32_t i = 1; i <= 30; i++)
        assert_true(f->asked[i]);
    assert_int_equal(f->requests, 30);
}

/* Those in use are not asked for again in this run; what was granted beyond need is given back. */
static void test_some_in_use(void **state)
{
    struct fixture *f = *state;
    size_t first;

    begin(f, "10.22.22.0/27", odd_in_use);
    claim(f, 15);
    assert_null(f->error);
    assert_different(f, 15);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(strtol(strrchr(f->addresses.list[i], '.') + 1, NULL, 10) % 2, 0);
    first = f->requests;
    claim(f, 15);
    assert_null(f->error);
    assert_different(f, 15);
    assert_true(first <= 30 && f->requests - first <= 16); /* one may still be unknown */
    pause_for(f, 20);
    assert_int_equal(f->granted - f->removed, 30);
}

static void test_surplus(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.0.0/20", first_in_use);
    claim(f, 40);
    assert_null(f->error);
    assert_different(f, 40);
    pause_for(f, 20);
    assert_true(f->granted > 40);
    assert_int_equal(f->granted - f->removed, 40);
}

static void test_full(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/27", nearly_full);
    claim(f, 5);
    assert_error(f->error, ERROR_FAILED,
                 "10.22.22.0/27 has not enough free addresses for 5 UAs: of 30, 10 are other machines', 15 "
                 "other tests', 1 cannot be used");
    assert_int_equal(f->error->sys, EAGAIN); /* pods end */
    assert_int_equal(f->requests, 30);
}

static void test_full_of_machines(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/28", all_in_use);
    for (int i = 0; i < 2; i++) { /* the second time it is known */
        claim(f, 1);
        assert_error(f->error, ERROR_FAILED,
                     "10.22.22.0/28 has not enough free addresses for 1 UA: of 14, 14 are");
        assert_int_equal(f->error->sys, 0); /* waiting would be in vain */
    }
    assert_true(f->requests <= 15);
}

static void test_smallest(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.4/30", all_free);
    claim(f, 2);
    assert_null(f->error);
    assert_different(f, 2);
    assert_true(f->asked[1] && f->asked[2]);
    claim(f, 3);
    assert_error(f->error, ERROR_FAILED, "has not enough free addresses for 3 UAs: of 2");
}

/* Of more hosts than can be counted some are drawn, elsewhere each time; of few, each is used once. */
static void test_ipv6(void **state)
{
    struct fixture *f = *state;

    begin(f, "2001:db8:22::/64", all_free);
    claim(f, 5);
    assert_null(f->error);
    assert_int_equal(f->requests, 5);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(f->addresses.list[i], f->addresses.list[j]);
    assert_true(strlen(f->addresses.list[0]) > strlen("2001:db8:22::1234:5678"));
}

static void test_smallest_ipv6(void **state)
{
    struct fixture *f = *state;

    begin(f, "2001:db8:22::4/126", all_free);
    claim(f, 2);
    assert_null(f->error);
    assert_string_not_equal(f->addresses.list[0], f->addresses.list[1]);
    for (size_t i = 0; i < 2; i++)
        assert_true(text_equal(f->addresses.list[i], "2001:db8:22::5") ||
                    text_equal(f->addresses.list[i], "2001:db8:22::6"));
}

/* Only so many are tried, and it is said. */
static void test_large(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.0.0/16", all_in_use);
    claim(f, 2);
    assert_error(f->error, ERROR_FAILED, "of 4096 that were tried, 4096 are other machines'");
    assert_int_equal(f->requests, 4096);
}

/* Another error than that an address is not to be had ends it; what was granted goes with the pod. */
static void test_quota(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/24", over_quota);
    claim(f, 10);
    assert_error(f->error, ERROR_INPUT, "the router's words");
    assert_int_equal(f->error->sys, EDQUOT);
    assert_int_equal(f->requests, 10);
}

static void test_cancelled(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/27", nearly_full);
    claim_cancel(claim_start(f->claims, f->client, "abcdef", 5, on_done, f));
    pause_for(f, 50);
    assert_int_equal(f->done, 0);
    assert_int_equal(f->requests, 5); /* no second round */
    claim(f, 1);
}

static void test_router_gone(void **state)
{
    struct fixture *f = *state;

    begin(f, "10.22.22.0/24", all_free);
    f->ends_after = 3;
    assert_non_null(claim_start(f->claims, f->client, "abcdef", 5, on_done, f));
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_free),    TEST(test_one_after_the_other), TEST(test_some_in_use), TEST(test_surplus),
        TEST(test_full),        TEST(test_full_of_machines),    TEST(test_smallest),    TEST(test_large),
        TEST(test_ipv6),        TEST(test_smallest_ipv6),       TEST(test_quota),       TEST(test_cancelled),
        TEST(test_router_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
