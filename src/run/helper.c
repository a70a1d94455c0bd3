#include "src/run/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "sandbox/seccomp.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"

/* One message each. sippod says OPEN, the helper RUNNING or FAILED; from then on sippod may say TOLD, and the
 * helper SAID, at any time; sippod closes its direction to stop, the helper says DONE or FAILED, cleans up
 * and ends. */
enum kind { OPEN = 1, RUNNING, TOLD, SAID, DONE, FAILED };

struct message {
    uint32_t kind;
    int32_t sys; /* FAILED: the errno behind it */
    unsigned char data[HELPER_MOST];
};
#define MESSAGE_HEAD offsetof(struct message, data)

struct helper {
    struct host *host;
    const char *title;
    int control, pidfd;
    struct watch *watch;
    bool answered; /* running() was called */
    bool stopping, finished;
    struct error *error;
    const struct helper_callbacks *callbacks;
    void *user;
};

static int say(int socket, enum kind kind, int sys, const void *data, size_t length)
{
    struct message message;

    if (length > sizeof message.data)
        length = sizeof message.data;
    message.kind = kind;
    message.sys = sys;
    if (length)
        memcpy(message.data, data, length);
    return socket_send(socket, &message, MESSAGE_HEAD + length, -1);
}

/* ---- the helper's side ---- */

enum { USER_FD = HELPER_CONTROL + 1, NETWORK_FD };

void helper_say(const void *data, size_t length)
{
    (void)say(HELPER_CONTROL, SAID, 0, data, length); /* without sippod it ends anyway */
}

ptrdiff_t helper_hear(void *data, size_t size)
{
    struct pollfd ready = {.fd = HELPER_CONTROL, .events = POLLIN};
    struct message message;
    ssize_t length;

    if (poll(&ready, 1, 0) <= 0)
        return -1;
    length = socket_receive(HELPER_CONTROL, &message, sizeof message, NULL);
    if (length <= (ssize_t)MESSAGE_HEAD || message.kind != TOLD || (size_t)length - MESSAGE_HEAD > size)
        return 0;
    memcpy(data, message.data, (size_t)length - MESSAGE_HEAD);
    return length - (ssize_t)MESSAGE_HEAD;
}

int helper_running(struct error **ret)
{
    if (capabilities_drop(0, ret) < 0 || seccomp_load_file(HELPER_FILTER, ret) < 0)
        return -1;
    if (say(HELPER_CONTROL, RUNNING, 0, NULL, 0) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "sippod has gone");
    return 0;
}

/* Waits in the pod's namespaces until the interfaces are up; false if the pod will not come up. */
static bool wait_for_open(struct buffer *ret_opening)
{
    struct message message;
    ssize_t length = socket_receive(HELPER_CONTROL, &message, sizeof message, NULL);

    if (length < (ssize_t)MESSAGE_HEAD || message.kind != OPEN)
        return false;
    buffer_add(ret_opening, message.data, (size_t)length - MESSAGE_HEAD);
    return true;
}

static int work(const struct helper_config *config)
{
    cleanup_error struct error *error = NULL;
    cleanup_buffer struct buffer opening = {0};
    int result = -1;

    if (process_die_with_parent(HELPER_CONTROL, &error) < 0)
        return 1;
    if (config->stays || namespaces_join(USER_FD, NETWORK_FD, &error) == 0) {
        close(USER_FD);
        close(NETWORK_FD);
        if (!wait_for_open(&opening))
            return 0;
        result = config->work(config->data, &opening, &error);
    }
    if (result == 0)
        (void)say(HELPER_CONTROL, DONE, 0, NULL, 0);
    else
        (void)say(HELPER_CONTROL, FAILED, error ? error->sys : 0, error_text(error),
                  strlen(error_text(error)));
    close(HELPER_CONTROL);
    if (config->close)
        config->close(config->data);
    return result == 0 ? 0 : 1;
}

/* A fork without exec: loading libraries would cost more than all that a helper does. It keeps the
 * descriptors that it needs and nothing else of sippod's. */
static void child(const struct helper_config *config, int control)
{
    int filter = config->host->helper_filter; /* where there are no namespaces, it stands in their places */
    int fds[HELPER_FIRST - HELPER_CONTROL + HELPER_FDS_MOST] = {
        control, config->stays ? filter : config->user_namespace,
        config->stays ? filter : config->network_namespace, filter};

    (void)setsid(); /* the terminal's signals are for sippod */
    process_reset_signals();
    (void)prctl(PR_SET_NAME, config->name);
    for (size_t i = 0; i < config->fd_count; i++)
        fds[HELPER_FIRST - HELPER_CONTROL + i] = config->fds[i];
    if (process_keep_only(fds, HELPER_FIRST - HELPER_CONTROL + config->fd_count) < 0)
        _exit(1);
    _exit(work(config));
}

/* ---- sippod's side ---- */

static void helper_free(struct helper *helper)
{
    watch_stop(&helper->watch);
    close_fd(&helper->control);
    if (helper->pidfd >= 0)
        host_reap_later(helper->host, steal_fd(&helper->pidfd));
    error_free(helper->error);
    free(helper);
}

static void finish(struct helper *helper)
{
    const struct helper_callbacks *callbacks = helper->callbacks;
    struct error *error = steal_pointer(&helper->error);
    void *user = helper->user;

    helper_free(helper);
    callbacks->done(user, error);
    error_free(error);
}

static void tell_running(struct helper *helper, const struct error *error)
{
    if (helper->answered || helper->stopping)
        return;
    helper->answered = true;
    helper->callbacks->running(helper->user, error);
}

/* The helper's last word, or its end without one. */
static void take_end(struct helper *helper, const struct message *message, size_t length)
{
    helper->finished = true;
    watch_stop(&helper->watch);
    if (!message || (message->kind == DONE && !helper->stopping)) {
        error_set(&helper->error, ERROR_FAILED, "%s has ended unexpectedly", helper->title);
    } else if (message->kind == FAILED) {
        error_set(&helper->error, ERROR_FAILED, "%.*s", (int)length, (const char *)message->data);
        helper->error->sys = message->sys;
    }
    if (helper->stopping)
        finish(helper);
    else if (!helper->answered)
        tell_running(helper, helper->error);
    else if (helper->callbacks->lost)
        helper->callbacks->lost(helper->user, helper->error);
}

static void on_message(void *user, uint32_t events)
{
    struct helper *helper = user;
    struct message message;
    ssize_t length = socket_receive(helper->control, &message, sizeof message, NULL);
    size_t data = length >= (ssize_t)MESSAGE_HEAD ? (size_t)length - MESSAGE_HEAD : 0;

    (void)events;
    if (length < 0 && errno == EAGAIN)
        return;
    if (length < (ssize_t)MESSAGE_HEAD)
        take_end(helper, NULL, 0);
    else if (message.kind == RUNNING)
        tell_running(helper, NULL);
    else if (message.kind == SAID)
        helper->callbacks->said(helper->user, message.data, data);
    else
        take_end(helper, &message, data);
}

struct helper *helper_start(const struct helper_config *config, const struct helper_callbacks *callbacks,
                            void *user, struct error **ret)
{
    struct helper *helper;
    int ends[2], pidfd;
    pid_t pid;

    if (config->fd_count > HELPER_FDS_MOST)
        abort(); /* a fault of the program */
    if (socket_pair(SOCK_SEQPACKET, ends, ret) < 0)
        return NULL;
    pid = process_fork(0, &pidfd, ret);
    if (pid == 0)
        child(config, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return NULL;
    }
    helper = memory_new(sizeof *helper);
    *helper = (struct helper){
        .host = config->host,
        .title = config->title,
        .control = ends[0],
        .pidfd = pidfd,
        .callbacks = callbacks,
        .user = user,
    };
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        helper->watch = loop_watch(config->host->loop, ends[0], EPOLLIN, on_message, helper, ret);
    if (!helper->watch) {
        (void)process_signal(pidfd, SIGKILL, NULL);
        helper_free(helper);
        return NULL;
    }
    return helper;
}

void helper_open(struct helper *helper, const struct buffer *opening)
{
    if (!helper->finished && say(helper->control, OPEN, 0, opening->data, opening->length) < 0)
        take_end(helper, NULL, 0);
}

void helper_tell(struct helper *helper, const void *data, size_t length)
{
    if (!helper->finished && say(helper->control, TOLD, 0, data, length) < 0)
        take_end(helper, NULL, 0);
}

const struct error *helper_error(const struct helper *helper)
{
    return helper->error;
}

void helper_stop(struct helper *helper)
{
    helper->stopping = true;
    if (helper->finished || !helper->answered) {
        /* Nothing to wait for: it ended before, or it has not begun. */
        if (!helper->finished)
            (void)process_signal(helper->pidfd, SIGKILL, NULL);
        finish(helper);
        return;
    }
    (void)shutdown(helper->control, SHUT_WR);
}
