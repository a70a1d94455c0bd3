#include "src/run/pod_process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define UNHEARD_MS                                                                                           \
    2000 /* after SIGKILL a process is known to have ended within this, or the pod is killed                 \
          */

struct pod_process {
    struct pod *pod;
    char *container, *id;
    bool exec;
    const struct pod_process_callbacks *callbacks;
    void *user;
    uint64_t stdio, errors;   /* streams */
    bool told, streams_ended; /* the exit event came; the stdio stream has ended */
    struct process_end end;
    struct timer *kill_timer; /* runs after SIGKILL */
    struct pod_process *next;
};

static void unlink_process(struct pod *pod, const struct pod_process *process)
{
    struct pod_process **place = &pod->processes;

    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
}

static void free_process(struct pod_process *process)
{
    timer_stop(&process->kill_timer);
    free(process->container);
    free(process->id);
    free(process);
}

static void finish(struct pod *pod, struct pod_process *process, const struct error *error)
{
    unlink_process(pod, process);
    wire_client_ignore(pod->client, process);
    wire_client_forget(pod->client, process->stdio);
    wire_client_forget(pod->client, process->errors);
    process->callbacks->ended(process->user, &process->end, error);
    free_process(process);
}

/* The event says how it ended and the streams that all output has come: both, in either order, are the end.
 */
static void finish_when_complete(struct pod_process *process)
{
    if (process->told && process->streams_ended)
        finish(process->pod, process, NULL);
}

static void on_output(void *user, const uint8_t *data, size_t length)
{
    struct pod_process *process = user;

    process->callbacks->output(process->user, false, data, length);
}

static void on_errors(void *user, const uint8_t *data, size_t length)
{
    struct pod_process *process = user;

    process->callbacks->output(process->user, true, data, length);
}

static void on_streams_ended(void *user, int status)
{
    struct pod_process *process = user;

    (void)status; /* the event tells an exit code of 137 from SIGKILL, this byte does not */
    process->stdio = 0;
    process->streams_ended = true;
    finish_when_complete(process);
}

static void on_started(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct pod_process *process = user;

    (void)payload;
    (void)length;
    if (error)
        finish(process->pod, process, error);
    else if (process->callbacks->started)
        process->callbacks->started(process->user);
}

struct pod_process *pod_run(struct pod *pod, struct container_message *container, bool exec,
                            const struct pod_process_callbacks *callbacks, void *user)
{
    struct pod_process *process = memory_new(sizeof *process);
    cleanup_free char *json = NULL;

    *process = (struct pod_process){
        .pod = pod,
        .container = text_copy(container->id),
        .id = text_copy(container->process.id ? container->process.id : container->id),
        .exec = exec,
        .callbacks = callbacks,
        .user = user,
        .next = pod->processes,
    };
    pod->processes = process;
    process->stdio = wire_client_stream(pod->client, on_output, on_streams_ended, process);
    process->errors = wire_client_stream(pod->client, on_errors, NULL, process);
    container->process.stdio = process->stdio;
    container->process.stderr_stream = process->errors;
    json = exec ? exec_message_encode(container) : container_message_encode(container);
    wire_client_send(pod->client, exec ? CTL_EXECCMD : CTL_NEWCONTAINER, json, strlen(json), on_started,
                     process);
    return process;
}

void pod_process_input(struct pod_process *process, const void *data, size_t length)
{
    wire_client_input(process->pod->client, process->stdio, data, length);
}

size_t pod_process_input_waiting(const struct pod_process *process)
{
    return wire_client_input_waiting(process->pod->client);
}

void pod_process_hold_output(const struct pod_process *process, bool hold)
{
    wire_client_hold_output(process->pod->client, hold);
}

void pod_processes_input_sent(struct pod *pod)
{
    for (struct pod_process *process = pod->processes, *next; process; process = next) {
        next = process->next; /* it reads on, and may even end */
        if (process->callbacks->input_sent)
            process->callbacks->input_sent(process->user);
    }
}

void pod_process_resize(struct pod_process *process, unsigned rows, unsigned columns)
{
    const struct winsize_message message = {
        .container = process->container,
        .process = process->id,
        .rows = (uint16_t)rows,
        .columns = (uint16_t)columns,
    };
    cleanup_free char *json = winsize_message_encode(&message);

    wire_client_send(process->pod->client, CTL_WINSIZE, json, strlen(json), NULL, NULL);
}

/* SIGKILL cannot be ignored, so it is the agent that does not answer: the pod has to go as a whole. */
static void on_unheard(void *user)
{
    struct pod_process *process = user;

    process->kill_timer = NULL;
    pod_launch_kill(process->pod->launch);
}

void pod_process_kill(struct pod_process *process, int signal, bool all)
{
    struct kill_message message = {.container = process->container, .signal = signal, .all = all};
    cleanup_free char *json = NULL;

    if (process->exec && !all)
        message.process = process->id;
    json = kill_message_encode(&message);
    if (signal == SIGKILL && !process->kill_timer)
        process->kill_timer = loop_after(process->pod->host->loop, UNHEARD_MS, on_unheard, process);
    /* That it has ended meanwhile is not worth a word. */
    wire_client_send(process->pod->client, process->exec && !all ? CTL_SIGNALPROCESS : CTL_KILLCONTAINER,
                     json, strlen(json), NULL, NULL);
}

void pod_process_event(struct pod *pod, const struct event_message *event)
{
    struct pod_process *process = pod->processes;

    while (process &&
           !(text_equal(process->container, event->container) && text_equal(process->id, event->process)))
        process = process->next;
    if (!process)
        return;
    if (strcmp(event->event, "listening") == 0) {
        if (process->callbacks->listening)
            process->callbacks->listening(process->user, event->info);
        return;
    }
    if (strcmp(event->event, "signalled") == 0)
        process->end = (struct process_end){.exit_code = 128 + event->status, .signal = event->status};
    else if (strcmp(event->event, "exited") == 0)
        process->end = (struct process_end){.exit_code = event->status};
    else
        return; /* of a later version's */
    process->told = true;
    finish_when_complete(process);
}

void pod_processes_lost(struct pod *pod, const struct error *why)
{
    while (pod->processes && !pod->stopping)
        finish(pod, pod->processes, why);
}

void pod_processes_free(struct pod *pod)
{
    while (pod->processes) {
        struct pod_process *process = pod->processes;

        pod->processes = process->next;
        if (pod->client) {
            wire_client_forget(pod->client, process->stdio);
            wire_client_forget(pod->client, process->errors);
            wire_client_ignore(pod->client, process);
        }
        free_process(process);
    }
}
