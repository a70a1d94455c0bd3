#include "src/run/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/random.h"
#include "src/base/rollback.h"
#include "src/run/environment.h"
#include "src/run/pod.h"
#include "src/run/pod_capture.h"
#include "src/run/signals.h"

#define NOT_STARTED 127

struct exec {
    const struct exec_options *options;
    char run_id[7];
    char *folder; /* in which it runs */
    struct loop *loop;
    struct host host;
    struct signals *signals;
    struct environment environment;
    struct rollback *rollback;
    struct pod *pod;
    struct pod_capture *capture;
    struct pod_process *process; /* running */
    int pcap_folder;
    int signal; /* that came first, 0: none */
    int exit_code;
};

/* ---- the way out ---- */

static void on_rolled_back(void *user, const struct strings *failures)
{
    struct exec *exec = user;

    for (size_t i = 0; i < failures->count; i++)
        fprintf(stderr, "sippod: %s\n", failures->list[i]);
    if (failures->count && !exec->exit_code)
        exec->exit_code = ERROR_FAILED;
    loop_quit(exec->loop);
}

static void leave(struct exec *exec, int exit_code)
{
    if (rollback_running(exec->rollback))
        return;
    exec->exit_code = exec->signal ? 128 + exec->signal : exit_code;
    rollback_run(exec->rollback, on_rolled_back, exec);
}

static void fail(struct exec *exec, const struct error *error)
{
    fprintf(stderr, "sippod: %s\n", error_text(error));
    leave(exec, error ? (int)error->code : ERROR_FAILED);
}

static void on_signal(void *user, int signal)
{
    struct exec *exec = user;
    bool first = !exec->signal;

    if (first)
        exec->signal = signal;
    if (exec->process)
        pod_process_kill(exec->process, first ? SIGTERM : SIGKILL, true);
    else
        leave(exec, 0);
}

/* ---- the command ---- */

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    (void)user;
    /* If whoever read it has gone, SIGPIPE tells. */
    (void)file_write_all(errors ? STDERR_FILENO : STDOUT_FILENO, data, length);
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct exec *exec = user;

    exec->process = NULL;
    if (error)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    leave(exec, error ? NOT_STARTED : end->exit_code);
}

static const struct pod_process_callbacks process_callbacks = {.output = on_output, .ended = on_ended};

static void run_command(struct exec *exec)
{
    struct container_message container = {
        .id = (char *)"exec",
        .process =
            {
                .args = exec->options->command,
                .capabilities = exec->options->pod.capabilities,
                .workdir = exec->folder,
                .envs = exec->environment.list,
                .env_count = exec->environment.count,
            },
    };

    exec->process = pod_run(exec->pod, &container, false, &process_callbacks, exec);
}

/* ---- the pod ---- */

static void on_capture_running(void *user, const struct error *error)
{
    if (error)
        fail(user, error);
    else
        run_command(user);
}

static void on_captured(void *user, const struct pod_capture_result *result, const struct error *error)
{
    struct exec *exec = user;
    struct error *copy = NULL;

    if (result->dropped)
        fprintf(stderr, "sippod: %llu packets were not captured\n", (unsigned long long)result->dropped);
    if (error)
        error_set(&copy, ERROR_FAILED, "%s", error_text(error));
    rollback_done(exec->rollback, copy);
}

static void undo_capture(void *user)
{
    struct exec *exec = user;

    pod_capture_stop(steal_pointer(&exec->capture), on_captured, exec);
}

static void on_namespaces(void *user)
{
    struct exec *exec = user;
    cleanup_free char *copy = text_copy(exec->options->pcap);
    cleanup_error struct error *error = NULL;
    const char *slash = copy ? strrchr(copy, '/') : NULL;
    struct pod_capture_config config = {
        .host = &exec->host,
        .folder = exec->pcap_folder,
        .file = slash ? slash + 1 : copy,
    };

    if (!copy)
        return;
    pod_namespaces(exec->pod, &config.user_namespace, &config.network_namespace);
    exec->capture = pod_capture_start(&config, on_capture_running, exec, &error);
    if (exec->capture)
        rollback_push(exec->rollback, "capture", undo_capture, exec);
    else
        fail(exec, error);
}

static void on_up(void *user, const struct error *error)
{
    struct exec *exec = user;

    if (error)
        fail(exec, error);
    else if (exec->capture)
        pod_capture_open(exec->capture, NULL, 0, NULL);
    else
        run_command(exec);
}

static void on_lost(void *user, const struct error *why)
{
    fail(user, why);
}

static void on_notice(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "sippod: %s\n", text);
}

static const struct pod_callbacks pod_callbacks = {
    .namespaces = on_namespaces,
    .up = on_up,
    .lost = on_lost,
    .notice = on_notice,
};

static void on_pod_stopped(void *user)
{
    rollback_done(((struct exec *)user)->rollback, NULL);
}

static void undo_pod(void *user)
{
    struct exec *exec = user;

    pod_stop(steal_pointer(&exec->pod), on_pod_stopped, exec);
}

static int start_pod(struct exec *exec, struct error **ret)
{
    struct mounts_plan mounts = {.mode = exec->options->pod.mounts, .writable = exec->options->pod.writable};
    struct pod_config config = {.mounts = &mounts};

    memcpy(config.run_id, exec->run_id, sizeof config.run_id);
    if (strcmp(exec->folder, "/") != 0)
        strings_add(&mounts.readable, exec->folder);
    strings_add(&mounts.readable, exec->host.program_folder); /* for `sippod expect`, wherever sippod lies */
    exec->pod = pod_start(&exec->host, &config, &pod_callbacks, exec, ret);
    strings_free(&mounts.readable);
    if (!exec->pod)
        return -1;
    rollback_push(exec->rollback, "pod", undo_pod, exec);
    return 0;
}

static void on_router_lost(void *user, const struct error *why)
{
    fail(user, why);
}

/* The capture is a new file in its folder, whatever was there before. */
static int open_pcap_folder(struct exec *exec, struct error **ret)
{
    const char *file = exec->options->pcap;
    const char *slash = file ? strrchr(file, '/') : NULL;
    cleanup_free char *folder = slash ? text_slice(file, (size_t)(slash - file) + 1) : text_copy(".");

    if (!file)
        return 0;
    exec->pcap_folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (exec->pcap_folder < 0 || faccessat(exec->pcap_folder, ".", W_OK, AT_EACCESS) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "--pcap %s", file);
    if (unlinkat(exec->pcap_folder, slash ? slash + 1 : file, 0) < 0 && errno != ENOENT)
        return error_sys(ret, ERROR_INPUT, errno, "--pcap %s", file);
    return 0;
}

static int run(struct exec *exec, struct error **ret)
{
    struct host_config config = {.lost = on_router_lost, .user = exec};
    int result = -1;

    exec->folder = file_absolute(".", ret);
    if (!exec->folder || random_run_id(exec->run_id, ret) < 0 || open_pcap_folder(exec, ret) < 0 ||
        !(exec->loop = loop_new(ret)) || !(exec->signals = signals_watch(exec->loop, on_signal, exec, ret)))
        return -1;
    environment_copy(&exec->environment);
    config.loop = exec->loop;
    if (host_open(&exec->host, &config, ret) == 0 && start_pod(exec, ret) == 0)
        result = loop_run(exec->loop, ret);
    host_close(&exec->host);
    return result;
}

int exec_in_pod(const struct exec_options *options)
{
    struct exec exec = {.options = options, .pcap_folder = -1, .rollback = rollback_new()};
    cleanup_error struct error *error = NULL;

    if (run(&exec, &error) < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        exec.exit_code = error ? (int)error->code : ERROR_FAILED;
    }
    environment_free(&exec.environment);
    rollback_free(exec.rollback);
    signals_free(exec.signals);
    loop_free(exec.loop);
    close_fd(&exec.pcap_folder);
    free(exec.folder);
    return exec.exit_code;
}
