/* Waiting until a process listens. This program starts itself in the pod, as "bind", to do so late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

static char *self; /* the path of this program */

/* In the pod: binds once the file "go" is there; a TCP socket is bound before, and listens only then. */
static int bind_late(char **argv)
{
    bool tcp = strcmp(argv[2], "tcp") == 0;
    int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4]))};

    if (inet_pton(AF_INET, argv[3], &address.sin_addr) != 1 ||
        (tcp && bind(fd, (struct sockaddr *)&address, sizeof address) < 0))
        return 1;
    while (access(argv[5], F_OK) < 0)
        usleep(1000);
    if (tcp ? listen(fd, 5) < 0 : bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 2;
    pause();
    return 0;
}

static void start_binder(struct shared *shared, const char *protocol, const char *address, const char *port,
                         struct output *out)
{
    cleanup_free char *go = text_format("%s/go", shared->folder);
    struct container_message container = {
        .id = (char *)"ua0",
        .listen = {.address = (char *)"127.0.0.7", .protocol = (char *)protocol, .port = 5060},
    };

    POD_ARGS(&container, self, "bind", protocol, address, port, go);
    pod_run(shared->pod, &container, false, out, NULL);
    strings_free(&container.process.args);
}

static void binds_late(struct shared *shared, const char *protocol, const char *address)
{
    struct output out;

    start_binder(shared, protocol, address, "5060", &out);
    loop_run_for(shared->pod->loop, 30);
    assert_int_equal(shared->pod->notes.count, 0);
    folder_put(shared->folder, "go", "");
    pod_wait(shared->pod, "ua0/ua0 listening 0");
    loop_run_for(shared->pod->loop, 10);
    assert_int_equal(shared->pod->notes.count, 1); /* told once */
    output_free(&out);
}

static void test_listen_udp(void **state)
{
    binds_late(*state, "udp", "127.0.0.7");
}

static void test_listen_udp_anywhere(void **state)
{
    binds_late(*state, "udp", "0.0.0.0");
}

static void test_listen_tcp(void **state)
{
    binds_late(*state, "tcp", "127.0.0.7");
}

static void test_listen_elsewhere(void **state)
{
    struct shared *shared = *state;
    struct output out;

    folder_put(shared->folder, "go", "");
    start_binder(shared, "udp", "127.0.0.8", "5060", &out);
    loop_run_for(shared->pod->loop, 50);
    assert_int_equal(shared->pod->notes.count, 0);
    pod_acks(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"ua0\",\"signal\":9}");
    pod_wait(shared->pod, "ua0/ua0 signalled 9 SIGKILL"); /* and who ends before never listened */
    output_free(&out);
    start_binder(shared, "udp", "127.0.0.7", "5061", &out);
    loop_run_for(shared->pod->loop, 50);
    assert_int_equal(shared->pod->notes.count, 1);
    output_free(&out);
}

static void test_two_listen(void **state)
{
    struct shared *shared = *state;
    struct pod *pod = shared->pod;
    struct output out;

    pod_acks(
        pod, CTL_NEWCONTAINER,
        "{\"id\":\"never\",\"process\":{\"args\":[\"sleep\",\"1000\"]},\"listen\":{\"address\":\"127.0.0.9\","
        "\"protocol\":\"tcp\",\"port\":5060}}");
    folder_put(shared->folder, "go", "");
    start_binder(shared, "tcp", "0.0.0.0", "5060", &out);
    pod_wait(pod, "ua0/ua0 listening 0");
    pod_wait(pod, "never/never listening 0"); /* the address is answered for */
    output_free(&out);
}

/* The client learns that it cannot be told, and need not wait. */
static void test_listen_nonsense(void **state)
{
    struct pod *pod = *state;

    pod_acks(pod, CTL_NEWCONTAINER,
             "{\"id\":\"c\",\"process\":{\"args\":[\"sleep\",\"1000\"]},\"listen\":{\"address\":\"here\","
             "\"protocol\":\"udp\",\"port\":5060}}");
    while (!pod->notes.count)
        loop_run_out(pod->loop);
    assert_string_equal(pod->notes.list[0], "c/c listening 0 \"here\" is not an IP address");
}

int main(int argc, char **argv)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, shared_teardown)
    const struct CMUnitTest tests[] = {
        SHARED(test_listen_udp),       SHARED(test_listen_udp_anywhere), SHARED(test_listen_tcp),
        SHARED(test_listen_elsewhere), SHARED(test_two_listen),          TEST(test_listen_nonsense),
    };

    if (argc == 6 && strcmp(argv[1], "bind") == 0)
        _exit(bind_late(argv));
    self = realpath("/proc/self/exe", NULL);
    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
