#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netns/rig.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/base/text.h"

#define EXPECTED (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))

bool rig_enter(void)
{
    cleanup_error struct error *error = NULL;
    uint64_t keep;

    if (namespaces_enter_own(&keep, &error) == 0)
        return true;
    fprintf(stderr, "SKIPPED: no user namespaces here: %s\n", error_text(error));
    return false;
}

/* ---- processes ---- */

int end_of(struct child *child)
{
    struct pollfd poll_end = {.fd = child->pidfd, .events = POLLIN};
    struct process_end end;

    if (poll(&poll_end, 1, WAIT_MS) != 1 || process_reap(child->pidfd, &end, NULL) != 1)
        return -1;
    close_fd(&child->pidfd);
    return end.exit_code;
}

void kill_child(struct child *child)
{
    if (child->pidfd < 0)
        return;
    (void)process_signal(child->pidfd, SIGKILL, NULL);
    (void)end_of(child);
}

struct child idle(int flags, uid_t uid)
{
    struct child child = {.pidfd = -1};
    int ready[2];
    char byte;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child.pid = process_fork(0, &child.pidfd, NULL);
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        if ((uid != getuid() && setresuid(uid, uid, uid) < 0) || unshare(flags) < 0 ||
            prctl(PR_SET_DUMPABLE, 1) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
            write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

int open_namespace(const struct child *child, const char *kind)
{
    cleanup_free char *path = text_format("/proc/%d/ns/%s", child->pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

int run_in(const struct child *pod, int (*fn)(void))
{
    cleanup_fd int user = open_namespace(pod, "user");
    cleanup_fd int network = open_namespace(pod, "net");
    struct child child = {.pidfd = -1};

    child.pid = process_fork(0, &child.pidfd, NULL);
    assert_true(child.pid >= 0);
    if (child.pid == 0)
        _exit(namespaces_join(user, network, NULL) < 0 ? 99 : fn());
    return end_of(&child);
}

struct child new_pod(void)
{
    return idle(CLONE_NEWUSER | CLONE_NEWNET, getuid());
}

/* ---- the router ---- */

const struct start proper = {.capabilities = EXPECTED, .namespaces = CLONE_NEWNET, .type = SOCK_SEQPACKET};

void start(struct router *router, const struct start *how)
{
    char *const arguments[] = {(char *)"sippod-router", (char *)how->argument, NULL};
    cleanup_fd int program = open(ROUTER, O_PATH | O_CLOEXEC);
    int ends[2], errors[2];

    assert_true(program >= 0);
    *router = (struct router){.child.pidfd = -1};
    assert_int_equal(socket_pair(how->type, ends, NULL), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    router->child.pid = process_fork(how->namespaces, &router->child.pidfd, NULL);
    assert_true(router->child.pid >= 0);
    if (router->child.pid == 0) {
        if (process_standard_streams(-1, errors[1], NULL) < 0 ||
            capabilities_hand_on(how->capabilities, NULL) < 0)
            _exit(125);
        process_exec(program, arguments, how->environment ? how->environment : environ, &ends[1], 1);
        _exit(126);
    }
    close(ends[1]);
    close(errors[1]);
    router->socket = ends[0];
    router->errors = errors[0];
}

void stop(struct router *router)
{
    router_client_free(router->client);
    if (router->loop)
        loop_free(router->loop);
    close_fd(&router->socket);
    kill_child(&router->child);
    close_fd(&router->errors);
    error_free(router->error);
}

/* What it said last, to us or, without a socket that it takes, on standard error. */
static void last_words(struct router *router, char text[ROUTER_TEXT_MOST + 1])
{
    uint8_t bytes[ROUTER_REPLY_LENGTH];
    struct router_reply reply;
    ssize_t length = read(router->errors, text, ROUTER_TEXT_MOST);

    assert_true(length >= 0);
    text[length] = '\0';
    if (length) {
        assert_ptr_equal(strchr(text, '\n'), text + length - 1);
        return;
    }
    while (router->socket >= 0 && socket_receive(router->socket, bytes, sizeof bytes, NULL) > 0) {
        assert_int_equal(router_reply_decode(bytes, sizeof bytes, &reply, NULL), 0);
        if (!reply.type)
            memcpy(text, reply.text, sizeof reply.text);
    }
}

void ends_with(struct router *router, int exit_code, const char *words)
{
    char text[ROUTER_TEXT_MOST + 1];

    assert_int_equal(end_of(&router->child), exit_code);
    last_words(router, text);
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
    if (!*words)
        assert_string_equal(text, "");
    stop(router);
}

static void on_closed(void *user, const struct error *why)
{
    struct router *router = user;

    (void)why;
    router->closed++;
    loop_quit(router->loop);
}

static void on_done(void *user, const struct error *error)
{
    struct router *router = user;

    router->answered++;
    error_free(steal_pointer(&router->error));
    if (error) {
        error_set(&router->error, error->code, "%s", error->text);
        router->error->sys = error->sys;
    }
    loop_quit(router->loop);
}

static void on_pod(void *user, const struct error *error, const uint8_t mac[ROUTER_MAC_LENGTH])
{
    struct router *router = user;

    if (mac)
        memcpy(router->mac, mac, ROUTER_MAC_LENGTH);
    on_done(user, error);
}

/* Of the request that was just made. */
static int answer(struct router *router)
{
    int before = router->answered;

    assert_int_equal(loop_run(router->loop, NULL), 0);
    assert_int_equal(router->closed, 0);
    assert_int_equal(router->answered, before + 1);
    return router->error ? -1 : 0;
}

int add(struct router *router, const char *run_id, int network)
{
    router_client_pod_add(router->client, run_id, network, on_pod, router);
    return answer(router);
}

int add_pod(struct router *router, const char *run_id, const struct child *pod)
{
    cleanup_fd int network = open_namespace(pod, "net");

    return add(router, run_id, network);
}

int remove_pod(struct router *router, const char *run_id)
{
    router_client_pod_remove(router->client, run_id, on_done, router);
    return answer(router);
}

int await_pod(struct router *router, const char *run_id)
{
    router_client_pod_up(router->client, run_id, on_done, router);
    return answer(router);
}

int claim(struct router *router, const char *run_id, const char *address, bool shared)
{
    router_client_address_add(router->client, run_id, address, shared, on_done, router);
    return answer(router);
}

int give_up(struct router *router, const char *run_id, const char *address)
{
    router_client_address_remove(router->client, run_id, address, on_done, router);
    return answer(router);
}

static void on_open(void *user, const struct error *error, const struct network *network, const char *device)
{
    struct router *router = user;

    if (!error) {
        router->network = *network;
        snprintf(router->device, sizeof router->device, "%s", device);
    }
    on_done(user, error);
}

int open_outside(struct router *router, const char *dut, unsigned prefix)
{
    router_client_open(router->client, dut, prefix, on_open, router);
    return answer(router);
}

int allow(struct router *router, const char *network)
{
    struct network parsed;

    assert_int_equal(network_parse(network, &parsed, NULL), 0);
    router_client_allow(router->client, &parsed, on_done, router);
    return answer(router);
}

void start_greeted(struct router *router)
{
    start(router, &proper);
    greet(router);
}

void greet(struct router *router)
{
    router->loop = loop_new(NULL);
    router->client = router_client_new(router->loop, steal_fd(&router->socket), on_closed, router, NULL);
    assert_non_null(router->client);
    router_client_hello(router->client, on_done, router);
    assert_int_equal(answer(router), 0);
}
