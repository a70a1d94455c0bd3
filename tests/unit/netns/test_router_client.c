/* The client against a router that the test plays: nothing is lost when the socket is full, answers find
 * their requests, a router that ends or errs is told of once, and freeing in a callback is fine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/router/client.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/base/text.h"

#define MANY 200

struct fixture {
    struct loop *loop;
    int router; /* the far end */
    struct router_client *client;
    int done, failed, closed;
    char *text; /* the last error or reason */
    bool free_in_callback;
};

static void on_closed(void *user, const struct error *why)
{
    struct fixture *f = user;

    f->closed++;
    free(f->text);
    f->text = text_copy(error_text(why));
    if (f->free_in_callback)
        router_client_free(steal_pointer(&f->client));
    loop_quit(f->loop);
}

static void on_done(void *user, const struct error *error)
{
    struct fixture *f = user;

    f->done++;
    if (error) {
        f->failed++;
        free(f->text);
        f->text = text_copy(error->text);
    }
    if (f->free_in_callback)
        router_client_free(steal_pointer(&f->client));
    loop_quit(f->loop);
}

static void on_pod(void *user, const struct error *error, const uint8_t mac[ROUTER_MAC_LENGTH])
{
    if (error)
        assert_null(mac);
    else
        assert_memory_equal(mac, "\1\2\3\4\5\6", ROUTER_MAC_LENGTH);
    on_done(user, error);
}

static int set_up(void **state)
{
    struct fixture *f = memory_new(sizeof *f);
    int ends[2], small = 1; /* rounded up to what holds a few messages */

    f->loop = loop_new(NULL);
    assert_non_null(f->loop);
    assert_int_equal(socket_pair(SOCK_SEQPACKET, ends, NULL), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    f->router = ends[1];
    f->client = router_client_new(f->loop, ends[0], on_closed, f, NULL);
    assert_non_null(f->client);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    router_client_free(f->client);
    close_fd(&f->router);
    loop_free(f->loop);
    free(f->text);
    free(f);
    return 0;
}

/* Takes one request off the far end, if there is one. */
static bool take(struct fixture *f, struct router_request *request, bool *ret_descriptor)
{
    uint8_t bytes[ROUTER_REQUEST_MOST];
    cleanup_fd int fd = -1;
    ssize_t length;

    assert_int_equal(fcntl(f->router, F_SETFL, O_NONBLOCK), 0);
    length = socket_receive(f->router, bytes, sizeof bytes, &fd);
    if (length <= 0)
        return false;
    assert_int_equal(router_request_decode(bytes, (size_t)length, request, NULL), 0);
    *ret_descriptor = fd >= 0;
    return true;
}

static void give(struct fixture *f, const struct router_reply *reply)
{
    uint8_t bytes[ROUTER_REPLY_LENGTH];

    router_reply_encode(reply, bytes);
    assert_int_equal(socket_send(f->router, bytes, sizeof bytes, -1), 0);
}

static struct router_reply reply_to(const struct router_request *request)
{
    return (struct router_reply){
        .type = request->type, .serial = request->serial, .version = 1, .mac = {1, 2, 3, 4, 5, 6}};
}

static void on_request(void *user, uint32_t events)
{
    struct fixture *f = user;
    struct router_request request;
    struct router_reply reply;
    bool descriptor;

    (void)events;
    if (!take(f, &request, &descriptor))
        return;
    assert_int_equal(descriptor, request.type == ROUTER_POD_ADD);
    reply = reply_to(&request);
    give(f, &reply);
}

/* Far more requests than the socket holds, made before the router reads the first; their descriptors are
 * closed by the caller at once. */
static void test_full_socket(void **state)
{
    struct fixture *f = *state;
    struct watch *watch;

    router_client_hello(f->client, on_done, f);
    for (int i = 0; i < MANY; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        router_client_pod_add(f->client, "abcdef", fd, on_pod, f);
        close(fd);
        router_client_pod_remove(f->client, "abcdef", on_done, f);
    }
    watch = loop_watch(f->loop, f->router, EPOLLIN, on_request, f, NULL);
    assert_non_null(watch);
    while (f->done < 2 * MANY + 1)
        assert_int_equal(loop_run(f->loop, NULL), 0);
    watch_stop(&watch);
    assert_int_equal(f->failed, 0);
    assert_int_equal(f->closed, 0);
}

static void test_answers_in_any_order(void **state)
{
    struct fixture *f = *state;
    struct router_request first, second;
    struct router_reply reply;
    bool descriptor;

    router_client_pod_remove(f->client, "abcdef", on_done, f);
    router_client_pod_remove(f->client, "ghijkl", on_done, f);
    assert_true(take(f, &first, &descriptor) && take(f, &second, &descriptor));
    assert_string_equal(second.run_id, "ghijkl");
    reply = reply_to(&second);
    reply.status = ERROR_HOST;
    strcpy(reply.text, "not today");
    give(f, &reply);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->failed, 1);
    assert_string_equal(f->text, "not today");
    reply = reply_to(&first);
    give(f, &reply);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->failed, 1);
}

static void test_no_descriptor_left(void **state)
{
    struct fixture *f = *state;

    router_client_pod_add(f->client, "abcdef", -1, on_pod, f);
    router_client_pod_add(f->client, "ghijkl", -1, on_pod, f);
    assert_int_equal(f->done, 0); /* from the loop only */
    while (f->done < 2)
        assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->failed, 2);
    assert_non_null(strstr(f->text, strerror(EBADF)));
    router_client_pod_add(f->client, "abcdef", -1, on_pod, f); /* freed before it is told */
}

static void test_router_ends(void **state)
{
    struct fixture *f = *state;

    router_client_hello(f->client, on_done, f);
    close_fd(&f->router);
    router_client_hello(f->client, on_done, f);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->done, 0);
    assert_non_null(strstr(f->text, "has ended"));
    router_client_hello(f->client, on_done, f); /* goes nowhere */
}

static void nonsense(struct fixture *f, const struct router_reply *reply, const char *words)
{
    if (reply)
        give(f, reply);
    else
        assert_int_equal(socket_send(f->router, "?", 1, -1), 0);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->done, 0);
    assert_non_null(strstr(f->text, words));
}

static void test_garbage(void **state)
{
    nonsense(*state, NULL, "a reply of 1 bytes");
}

static void test_unasked(void **state)
{
    struct router_reply reply = {.type = ROUTER_HELLO, .serial = 1};

    nonsense(*state, &reply, "was not asked");
}

static void test_wrong_type(void **state)
{
    struct fixture *f = *state;
    struct router_reply reply = {.type = ROUTER_HELLO, .serial = 1};

    router_client_pod_remove(f->client, "abcdef", on_done, f);
    nonsense(f, &reply, "was not asked");
}

static void test_free_in_callbacks(void **state)
{
    struct fixture *f = *state;
    struct router_request request;
    struct router_reply reply;
    bool descriptor;

    f->free_in_callback = true;
    router_client_hello(f->client, on_done, f);
    router_client_pod_remove(f->client, "abcdef", on_done, f);
    assert_true(take(f, &request, &descriptor));
    reply = reply_to(&request);
    give(f, &reply);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_null(f->client);
    assert_int_equal(f->done, 1); /* the second is dropped */
}

static void test_free_when_closed(void **state)
{
    struct fixture *f = *state;

    f->free_in_callback = true;
    close_fd(&f->router);
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_null(f->client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_full_socket),
        TEST(test_answers_in_any_order),
        TEST(test_no_descriptor_left),
        TEST(test_router_ends),
        TEST(test_garbage),
        TEST(test_unasked),
        TEST(test_wrong_type),
        TEST(test_free_in_callbacks),
        TEST(test_free_when_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
