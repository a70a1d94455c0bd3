#include "src/run/pod_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/sniffer/sniffer.h"
#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "sandbox/seccomp.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/base/text.h"

/* Between sippod and the helper, one message each: sippod says OPEN, and behind that the names as they go
 * into the file; the helper RUNNING or FAILED. Sippod closes its direction to stop, the helper says DONE or
 * FAILED and ends. */
enum kind { OPEN = 1, RUNNING, DONE, FAILED };

#define NAMES_MOST ((size_t)64 << 10) /* bytes, which one message can always hold */

struct message {
    uint32_t kind;
    uint32_t length; /* of the text; OPEN: of the message with the names, 0: there is none */
    int sys;         /* the errno behind it */
    uint64_t packets, dropped;
    char text[400]; /* an error; DONE: a warning */
};

struct pod_capture {
    struct host *host;
    int control, pidfd;
    struct watch *watch;
    bool answered; /* running() was called */
    bool stopping, finished;
    struct pod_capture_result result;
    char *warning;
    struct error *error;
    void (*running)(void *user, const struct error *error);
    void (*done)(void *user, const struct pod_capture_result *result, const struct error *error);
    void *user;
};

/* ---- the helper's side ---- */

enum { CONTROL_FD = 3, USER_FD, NETWORK_FD, FOLDER_FD, FILTER_FD, HANDED = FILTER_FD - CONTROL_FD + 1 };

static int say(enum kind kind, const struct sniffer_counts *counts, const struct error *error)
{
    struct message message = {.kind = kind};

    if (counts) {
        message.packets = counts->packets;
        message.dropped = counts->dropped;
    }
    if (error) {
        snprintf(message.text, sizeof message.text, "%s", error_text(error));
        message.length = (uint32_t)strlen(message.text);
        message.sys = error->sys;
    }
    return socket_send(CONTROL_FD, &message, sizeof message, -1);
}

/* Waits in the pod's namespaces until the interfaces are up; false if the pod will not come up. */
static bool wait_for_open(struct buffer *ret_names)
{
    struct message message;
    cleanup_free uint8_t *names = NULL;

    if (socket_receive(CONTROL_FD, &message, sizeof message, NULL) != sizeof message ||
        message.kind != OPEN || message.length > NAMES_MOST)
        return false;
    if (!message.length)
        return true;
    names = memory_new(message.length);
    if (socket_receive(CONTROL_FD, names, message.length, NULL) != message.length)
        return false;
    buffer_add(ret_names, names, message.length);
    return true;
}

static struct sniffer *open_sniffer(const char *file, const char *keys, const struct buffer *names,
                                    struct error **ret)
{
    static const char *const interfaces[] = {"lo", "eth0"};
    const struct sniffer_config config = {
        .folder = FOLDER_FD,
        .file = file,
        .interfaces = interfaces,
        .interface_count = sizeof interfaces / sizeof *interfaces,
        .names = names,
        .keys = keys,
    };
    struct sniffer *sniffer = sniffer_open(&config, ret);

    if (sniffer && (capabilities_drop(0, ret) < 0 || seccomp_load_file(FILTER_FD, ret) < 0)) {
        sniffer_close(sniffer);
        return NULL;
    }
    return sniffer;
}

static int helper(const char *file, const char *keys)
{
    cleanup_error struct error *error = NULL;
    cleanup_buffer struct buffer names = {0};
    struct sniffer_counts counts = {0};
    struct sniffer *sniffer;

    if (process_die_with_parent(CONTROL_FD, &error) < 0)
        return 1;
    if (namespaces_join(USER_FD, NETWORK_FD, &error) < 0) {
        (void)say(FAILED, NULL, error);
        return 1;
    }
    close(USER_FD);
    close(NETWORK_FD);
    if (!wait_for_open(&names))
        return 0;
    sniffer = open_sniffer(file, keys, &names, &error);
    if (!sniffer || say(RUNNING, NULL, NULL) < 0) {
        (void)say(FAILED, NULL, error);
        return 1;
    }
    if (sniffer_run(sniffer, CONTROL_FD, &counts, &error) < 0)
        (void)say(FAILED, &counts, error);
    else
        (void)say(DONE, &counts, counts.keys);
    close(CONTROL_FD); /* closing the handles takes a while, and nobody has to wait for it */
    sniffer_close(sniffer);
    return 0;
}

/* ---- sippod's side ---- */

static void pod_capture_free(struct pod_capture *capture)
{
    watch_stop(&capture->watch);
    close_fd(&capture->control);
    if (capture->pidfd >= 0)
        host_reap_later(capture->host, steal_fd(&capture->pidfd));
    error_free(capture->error);
    free(capture->warning);
    free(capture);
}

static void finish(struct pod_capture *capture)
{
    void (*done)(void *user, const struct pod_capture_result *result, const struct error *error) =
        capture->done;
    struct error *error = steal_pointer(&capture->error);
    cleanup_free char *warning = steal_pointer(&capture->warning);
    struct pod_capture_result result = capture->result;
    void *user = capture->user;

    result.warning = warning;
    pod_capture_free(capture);
    done(user, &result, error);
    error_free(error);
}

static void answer(struct pod_capture *capture, const struct error *error)
{
    if (capture->answered || capture->stopping)
        return;
    capture->answered = true;
    capture->running(capture->user, error);
}

/* The helper's last word, or its end without one. */
static void take_end(struct pod_capture *capture, const struct message *message)
{
    capture->finished = true;
    watch_stop(&capture->watch);
    if (message) {
        capture->result.packets = message->packets;
        capture->result.dropped = message->dropped;
    }
    if (message && message->kind == DONE && message->length)
        capture->warning = text_printable(message->text, message->length);
    if (!message)
        error_set(&capture->error, ERROR_FAILED, "the sniffer has ended unexpectedly");
    else if (message->kind == FAILED) {
        error_set(&capture->error, ERROR_FAILED, "%.*s", (int)message->length, message->text);
        capture->error->sys = message->sys;
    }
    if (capture->stopping)
        finish(capture);
    else
        answer(capture, capture->error);
}

static void on_message(void *user, uint32_t events)
{
    struct pod_capture *capture = user;
    struct message message;
    ssize_t length = socket_receive(capture->control, &message, sizeof message, NULL);

    (void)events;
    if (length < 0 && errno == EAGAIN)
        return;
    if (length != sizeof message || message.length >= sizeof message.text)
        take_end(capture, NULL);
    else if (message.kind == RUNNING)
        answer(capture, NULL);
    else
        take_end(capture, &message);
}

/* The helper is a fork of sippod without exec: loading libpcap and what that brings along would cost more
 * than all that it does. It keeps the descriptors that it needs and nothing else of sippod's. */
static void helper_child(const int fds[HANDED], const char *file, const char *keys)
{
    cleanup_free char *name = text_copy(file), *keys_name = text_copy(keys);

    (void)setsid(); /* the terminal's signals are for sippod */
    process_reset_signals();
    (void)prctl(PR_SET_NAME, "sippod-sniffer");
    if (process_keep_only(fds, HANDED) < 0)
        _exit(1);
    _exit(helper(name, keys_name));
}

struct pod_capture *pod_capture_start(struct host *host, int user_namespace, int network_namespace,
                                      int folder, const char *file, const char *keys,
                                      void (*running)(void *user, const struct error *error), void *user,
                                      struct error **ret)
{
    struct pod_capture *capture;
    int ends[2], pidfd;
    pid_t pid;

    if (socket_pair(SOCK_SEQPACKET, ends, ret) < 0)
        return NULL;
    pid = process_fork(0, &pidfd, ret);
    if (pid == 0)
        helper_child((const int[]){ends[1], user_namespace, network_namespace, folder, host->helper_filter},
                     file, keys);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return NULL;
    }
    capture = memory_new(sizeof *capture);
    *capture = (struct pod_capture){
        .host = host,
        .control = ends[0],
        .pidfd = pidfd,
        .running = running,
        .user = user,
    };
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        capture->watch = loop_watch(host->loop, ends[0], EPOLLIN, on_message, capture, ret);
    if (!capture->watch) {
        (void)process_signal(pidfd, SIGKILL, NULL);
        pod_capture_free(capture);
        return NULL;
    }
    return capture;
}

/* Of more names than a message holds, the last ones, which rank first. */
static void encode_names(struct buffer *out, const struct pcapng_name *names, size_t total)
{
    for (size_t count = total;; count /= 2) {
        pcapng_add_names(out, names + (total - count), count);
        if (out->length <= NAMES_MOST)
            return;
        buffer_drop(out, out->length);
    }
}

void pod_capture_open(struct pod_capture *capture, const struct pcapng_name *names, size_t count)
{
    cleanup_buffer struct buffer block = {0};
    struct message message = {.kind = OPEN};

    if (capture->finished)
        return;
    encode_names(&block, names, count);
    message.length = (uint32_t)block.length;
    if (socket_send(capture->control, &message, sizeof message, -1) < 0 ||
        (block.length && socket_send(capture->control, block.data, block.length, -1) < 0))
        take_end(capture, NULL);
}

void pod_capture_stop(struct pod_capture *capture,
                      void (*done)(void *user, const struct pod_capture_result *result,
                                   const struct error *error),
                      void *user)
{
    capture->done = done;
    capture->user = user;
    capture->stopping = true;
    if (capture->finished || !capture->answered) {
        /* Nothing to drain: it ended before, or it has not begun. */
        if (!capture->finished)
            (void)process_signal(capture->pidfd, SIGKILL, NULL);
        finish(capture);
        return;
    }
    (void)shutdown(capture->control, SHUT_WR);
}
