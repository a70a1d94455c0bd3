#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent/pod.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "tests/unit/support/support.h"

#define AGENT_CAPABILITIES                                                                                   \
    (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW) |                       \
     CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_DAC_OVERRIDE) |                         \
     CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID))
#define WAIT_MS 10000

bool pods_possible(void)
{
    cleanup_error struct error *error = NULL;
    uint64_t keep;

    if (namespaces_enter_own(&keep, &error) == 0 && capabilities_drop(keep, &error) == 0)
        return true;
    fprintf(stderr, "SKIPPED, nothing of the agent is tested: %s\n", error_text(error));
    return false;
}

/* ---- starting ---- */

static void first_process(int go, int ctl, int io, char *const *arguments)
{
    char *environment[] = {(char *)"LEAKED=1", NULL}; /* into no process of the pod */
    cleanup_fd int agent = open(AGENT, O_PATH | O_CLOEXEC);
    struct error *error = NULL;
    char byte;

    process_reset_signals();
    if (read(go, &byte, 1) != 1 || namespaces_unshare_pod(&error) < 0 || chdir("/") < 0 ||
        process_standard_streams(-1, STDERR_FILENO, &error) < 0 ||
        capabilities_hand_on(AGENT_CAPABILITIES, &error) < 0)
        fprintf(stderr, "the pod's first process: %s\n", error_text(error));
    else
        process_exec(agent, arguments, environment, (const int[]){ctl, io}, 2);
    _exit(127);
}

struct pod *pod_open_raw(char *const *arguments)
{
    struct pod *pod = memory_new(sizeof *pod);
    cleanup_error struct error *error = NULL;
    char *argv[10] = {(char *)"sippod-agent", (char *)"--fs=host", (char *)"--events"};
    int ctl[2], io[2], go[2];

    for (size_t i = 0; arguments && arguments[i] && i < 6; i++)
        argv[i + 1] = arguments[i]; /* instead of the defaults */
    *pod = (struct pod){.loop = loop_new(NULL)};
    assert_int_equal(socket_pair(SOCK_STREAM, ctl, NULL), 0);
    assert_int_equal(socket_pair(SOCK_STREAM, io, NULL), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    fflush(NULL);
    pod->pid = process_fork(namespaces_pod_clone_flags(), &pod->pidfd, NULL);
    assert_true(pod->pid >= 0);
    if (pod->pid == 0)
        first_process(go[0], ctl[1], io[1], argv);
    close(ctl[1]);
    close(io[1]);
    close(go[0]);
    pod->ctl = ctl[0];
    pod->io = io[0];
    if (namespaces_map_pod(pod->pid, &error) < 0)
        fail_msg("%s", error_text(error));
    assert_int_equal(write(go[1], "", 1), 1);
    close(go[1]);
    return pod;
}

static void on_ready(void *user)
{
    struct pod *pod = user;

    pod->ready = true;
    loop_quit(pod->loop);
}

static void on_event(void *user, const struct event_message *event)
{
    struct pod *pod = user;

    if (strcmp(event->event, "notice") == 0)
        strings_add(&pod->notices, event->info);
    else
        strings_addf(&pod->notes, "%s/%s %s %d%s%s", event->container, event->process, event->event,
                     event->status, event->info ? " " : "", event->info ? event->info : "");
    loop_quit(pod->loop);
}

static void on_closed(void *user, const struct error *why)
{
    struct pod *pod = user;

    strings_addf(&pod->notes, "closed: %s", error_text(why));
    loop_quit(pod->loop);
}

void pod_use_client(struct pod *pod)
{
    static const struct wire_client_callbacks callbacks = {
        .ready = on_ready, .event = on_event, .closed = on_closed};

    pod->client = wire_client_new(pod->loop, fcntl(pod->ctl, F_DUPFD_CLOEXEC, 0),
                                  fcntl(pod->io, F_DUPFD_CLOEXEC, 0), &callbacks, pod, NULL);
    assert_non_null(pod->client);
}

struct pod *pod_open(char *const *arguments)
{
    struct pod *pod = pod_open_raw(arguments);

    pod_use_client(pod);
    while (!pod->ready) {
        loop_run_out(pod->loop);
        if (pod->notes.count)
            fail_msg("instead of READY: %s", pod->notes.list[0]);
    }
    return pod;
}

void pod_free(struct pod *pod)
{
    wire_client_free(pod->client);
    close_fd(&pod->ctl);
    close_fd(&pod->io);
    if (pod->pidfd >= 0) {
        (void)process_signal(pod->pidfd, SIGKILL, NULL);
        (void)pod_end(pod);
    }
    loop_free(pod->loop);
    strings_free(&pod->notes);
    strings_free(&pod->notices);
    buffer_free(&pod->payload);
    free(pod->answer);
    free(pod);
}

/* ---- waiting ---- */

bool pod_noted(const struct pod *pod, const char *note)
{
    for (size_t i = 0; i < pod->notes.count; i++)
        if (strcmp(pod->notes.list[i], note) == 0)
            return true;
    return false;
}

void pod_wait(struct pod *pod, const char *note)
{
    int64_t end_ns = loop_now_ns() + WAIT_MS * INT64_C(1000000);

    while (!pod_noted(pod, note) && loop_now_ns() < end_ns)
        loop_run_out(pod->loop);
    assert_true(pod_noted(pod, note));
}

int pod_end(struct pod *pod)
{
    struct pollfd poll_end = {.fd = pod->pidfd, .events = POLLIN};
    struct process_end end = {.exit_code = -1};

    assert_int_equal(poll(&poll_end, 1, WAIT_MS), 1);
    assert_int_equal(process_reap(pod->pidfd, &end, NULL), 1);
    close_fd(&pod->pidfd);
    return end.exit_code;
}

/* ---- commands ---- */

struct request {
    struct pod *pod;
    bool answered;
};

static void on_reply(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct request *request = user;
    struct pod *pod = request->pod;

    request->answered = true;
    pod->answer = error ? text_copy(error_text(error)) : NULL;
    if (length)
        buffer_add(&pod->payload, payload, length);
    loop_quit(pod->loop);
}

void pod_command_bytes(struct pod *pod, uint32_t code, const void *payload, size_t length)
{
    struct request request = {.pod = pod};

    free(steal_pointer(&pod->answer));
    pod->payload.length = 0;
    wire_client_send(pod->client, code, payload, length, on_reply, &request);
    while (!request.answered)
        loop_run_out(pod->loop);
}

void pod_command(struct pod *pod, uint32_t code, const char *payload)
{
    pod_command_bytes(pod, code, payload, strlen(payload));
}

static void on_queued(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct answers *answers = user;
    cleanup_free char *text =
        error ? text_format("ERROR %s", error_text(error)) : text_slice((const char *)payload, length);

    strings_add(&answers->texts, text);
}

void pod_queue(struct pod *pod, uint32_t code, const void *payload, size_t length, struct answers *answers)
{
    wire_client_send(pod->client, code, payload, length, on_queued, answers);
}

void pod_answers(struct pod *pod, const struct answers *answers, size_t count)
{
    int64_t end_ns = loop_now_ns() + WAIT_MS * INT64_C(1000000);

    while (answers->texts.count < count && loop_now_ns() < end_ns)
        loop_run_for(pod->loop, 1);
    assert_int_equal(answers->texts.count, count);
}

void pod_acks(struct pod *pod, uint32_t code, const char *payload)
{
    pod_command(pod, code, payload);
    if (pod->answer)
        fail_msg("%s %s: %s", ctl_name(code), payload, pod->answer);
}

void pod_refuses(struct pod *pod, uint32_t code, const char *payload, const char *words)
{
    pod_command(pod, code, payload);
    if (!pod->answer)
        fail_msg("%s %s: accepted", ctl_name(code), payload);
    if (!strstr(pod->answer, words))
        fail_msg("%s %s: \"%s\" does not say \"%s\"", ctl_name(code), payload, pod->answer, words);
}

/* ---- processes ---- */

static void on_data(void *user, const uint8_t *data, size_t length)
{
    struct output *output = user;

    buffer_add(&output->data, data, length);
    loop_quit(output->pod->loop);
}

static void on_status(void *user, int status)
{
    struct output *output = user;

    output->status = status;
    loop_quit(output->pod->loop);
}

void output_open(struct output *output, struct pod *pod, bool errors)
{
    *output = (struct output){.pod = pod, .status = -1};
    output->sequence = wire_client_stream(pod->client, on_data, errors ? NULL : on_status, output);
}

void output_wait(struct output *output)
{
    while (output->status < 0)
        loop_run_out(output->pod->loop);
    buffer_add(&output->data, "", 1);
}

void output_free(struct output *output)
{
    wire_client_forget(output->pod->client, output->sequence);
    buffer_free(&output->data);
}

void pod_run(struct pod *pod, struct container_message *container, bool exec, struct output *out,
             struct output *errors)
{
    cleanup_free char *json = NULL;

    output_open(out, pod, false);
    if (errors)
        output_open(errors, pod, true);
    container->process.stdio = out->sequence;
    container->process.stderr_stream = errors ? errors->sequence : 0;
    json = exec ? exec_message_encode(container) : container_message_encode(container);
    pod_acks(pod, exec ? CTL_EXECCMD : CTL_NEWCONTAINER, json);
}

static void sh(struct pod *pod, const char *id, const char *script, bool exec, struct output *out)
{
    struct container_message container = {.id = (char *)id};

    strings_add(&container.process.args, "sh");
    strings_add(&container.process.args, "-c");
    strings_add(&container.process.args, script);
    pod_run(pod, &container, exec, out, NULL);
    strings_free(&container.process.args);
}

void pod_sh(struct pod *pod, const char *id, const char *script, struct output *out)
{
    sh(pod, id, script, false, out);
}

char *pod_ask(struct pod *pod, const char *script)
{
    struct output out;

    sh(pod, "hyperstart", script, true, &out);
    output_wait(&out);
    wire_client_forget(pod->client, out.sequence);
    return (char *)out.data.data;
}

void pod_args(struct container_message *container, const char *const *words)
{
    for (; *words; words++)
        strings_add(&container->process.args, *words);
}

void output_says_check(struct output *output, const char *expected, const char *file, int line)
{
    output_wait(output);
    _assert_string_equal((const char *)output->data.data, expected, file, line);
}

/* ---- for cmocka ---- */

int pod_setup(void **state)
{
    *state = pod_open(NULL);
    return 0;
}

int pod_teardown(void **state)
{
    pod_free(*state);
    return 0;
}

int shared_setup(void **state)
{
    struct shared *shared = memory_new(sizeof *shared);

    *shared = (struct shared){.pod = pod_open(NULL), .folder = folder_make()};
    *state = shared;
    return 0;
}

int shared_teardown(void **state)
{
    struct shared *shared = *state;

    pod_free(shared->pod);
    folder_remove(shared->folder);
    free(shared);
    return 0;
}

char *in_folder(const struct shared *shared, const char *script)
{
    return text_format("cd %s; %s", shared->folder, script);
}

void wait_for_file(struct shared *shared, const char *name)
{
    for (int i = 0; i < 1000 && !folder_has(shared->folder, name); i++)
        loop_run_for(shared->pod->loop, 5);
    assert_true(folder_has(shared->folder, name));
}
