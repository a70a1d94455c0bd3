/* The resolver on sockets: what no client should have to wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/resolver/resolver.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "tests/unit/netns/interfaces.h"

#define IDLE_MS 10000

struct timer *__real_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);

/* Ten seconds pass at once; any other time never does. */
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user)
{
    return __real_loop_after(loop, ms == IDLE_MS ? 50 : ms * 1000, fn, user);
}

static void on_answered(void *user, const struct sockaddr_storage *from, bool udp,
                        const struct answer_note *note)
{
    (void)user;
    (void)from;
    (void)udp;
    (void)note;
}

static void nothing(void *user)
{
    (void)user;
}

static const struct resolver_callbacks callbacks = {
    .answered = on_answered, .dropped = nothing, .pause = nothing};

static int child(int control)
{
    struct zones *zones = zones_new();
    struct resolver *resolver = resolver_open(zones, &callbacks, NULL, NULL);
    int result;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!resolver || send(control, "", 1, 0) != 1)
        return 1;
    result = resolver_run(resolver, control, NULL) == 0 ? 0 : 1;
    resolver_close(resolver);
    zones_free(zones);
    return result;
}

/* A child that answers, once this has returned, until its end of `control` is closed. */
static pid_t serve(int *ret_control)
{
    int ends[2];
    pid_t pid;
    char byte;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        _exit(child(ends[1]));
    }
    close(ends[1]);
    assert_int_equal(recv(ends[0], &byte, 1, 0), 1);
    *ret_control = ends[0];
    return pid;
}

static void test_idle_connections_are_closed(void **state)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 5};
    int control, status;
    pid_t pid = serve(&control);
    char byte;

    (void)state;
    for (int said = 0; said < 2; said++) { /* nothing; half of a question */
        cleanup_fd int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
        assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
        if (said)
            assert_int_equal(send(client, "\0\100half", 6, 0), 6);
        assert_int_equal(recv(client, &byte, 1, 0), 0);
    }
    close(control);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle_connections_are_closed)};

    if (!interfaces_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
