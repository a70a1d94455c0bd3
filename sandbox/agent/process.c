/* Processes of the pod: started by NEWCONTAINER (a UA) or EXECCMD (a script), each in a session of its own.
 *
 * A process is over when it exits, not when the last of its background children closes the pipe: what is in
 * the pipes by then is passed on, the streams are ended, and the exit is told. What such children write later
 * is read and thrown away, so that they live on undisturbed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/process.h"

#define OUTPUT_HIGH  ((size_t)1024 * 1024) /* bytes on their way to the client; above it, pipes fill up */
#define DRAIN_CHUNKS 64                    /* of 64 KiB: more than any pipe holds */

static void output_close(struct output *output)
{
    watch_stop(&output->watch);
    close_fd(&output->fd);
}

/* Passes on one chunk; false at the end and when there is nothing right now. */
static bool pass_on(struct output *output)
{
    char data[65536];
    ssize_t length = read(output->fd, data, sizeof data);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0) {
        output_close(output);
        return false;
    }
    if (output->process->pid && output->sequence) /* afterwards the stream has been ended already */
        agent_output(output->process->agent, output->sequence, data, (size_t)length);
    return true;
}

static void process_forget(struct agent *agent, struct process *process)
{
    struct process **place = &agent->processes;

    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    input_close(process);
    free(process->container);
    free(process->id);
    free(process->listen.address);
    free(process->listen.protocol);
    free(process);
}

static void on_output(void *user, uint32_t events)
{
    struct output *output = user;
    struct process *process = output->process;

    (void)events;
    (void)pass_on(output);
    if (output->watch && channel_pending(process->agent->io) > OUTPUT_HIGH)
        watch_events(output->watch, 0);
    if (!process->pid && process->output[0].fd < 0 && process->output[1].fd < 0)
        process_forget(process->agent, process);
}

void process_output_drained(struct agent *agent)
{
    for (struct process *process = agent->processes; process; process = process->next)
        for (int i = 0; i < 2; i++)
            if (process->output[i].watch)
                watch_events(process->output[i].watch, EPOLLIN);
}

/* ---- starting ---- */

static int open_pipe(struct process *process, int number, uint64_t sequence, int *ret_writer,
                     struct error **ret)
{
    struct output *output = &process->output[number];
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
    *ret_writer = ends[1];
    *output = (struct output){.process = process, .sequence = sequence, .fd = ends[0]};
    if (fcntl(output->fd, F_SETFL, O_NONBLOCK) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot use a pipe");
    output->watch = loop_watch(process->agent->loop, output->fd, EPOLLIN, on_output, output, ret);
    return output->watch ? 0 : -1;
}

static int grant(const struct agent *agent, const struct process_message *message, uint64_t *ret_set,
                 struct error **ret)
{
    for (size_t i = 0; i < message->capabilities.count; i++) {
        uint64_t capability = capability_by_name(message->capabilities.list[i]);

        if (!(capability & agent->grantable))
            return error_set(ret, ERROR_INPUT, "the capability %s is not to be had in a pod",
                             message->capabilities.list[i]);
        *ret_set |= capability;
    }
    return 0;
}

static int launch(struct process *process, const struct process_message *message, struct error **ret)
{
    cleanup_fd int output = -1;
    cleanup_fd int errors = -1;
    cleanup_fd int input = -1;
    struct spawn spawn_as = {.process = message};
    pid_t pid;

    if (grant(process->agent, message, &spawn_as.capabilities, ret) < 0 ||
        open_pipe(process, 0, message->stdio, &output, ret) < 0 ||
        (message->stderr_stream && open_pipe(process, 1, message->stderr_stream, &errors, ret) < 0) ||
        (message->input && message->stdio && input_open(process, &input, ret) < 0))
        return -1;
    spawn_as.input = input;
    spawn_as.output = output;
    spawn_as.errors = errors < 0 ? output : errors;
    pid = spawn(&spawn_as, ret);
    if (pid < 0)
        return -1;
    process->pid = pid;
    return 0;
}

static struct process *find(struct agent *agent, const char *container, const char *id)
{
    for (struct process *process = agent->processes; process; process = process->next)
        if (process->pid && text_equal(process->container, container) && (!id || text_equal(process->id, id)))
            return process;
    return NULL;
}

int process_start(struct agent *agent, const struct container_message *container, bool exec,
                  struct error **ret)
{
    const char *id = container->process.id ? container->process.id : container->id;
    struct process *process;

    if (!exec && find(agent, container->id, NULL))
        return error_set(ret, ERROR_INPUT, "the container %s exists already", container->id);
    process = memory_new(sizeof *process);
    *process = (struct process){
        .agent = agent,
        .container = text_copy(container->id),
        .id = text_copy(id),
        .exec = exec,
        .output = {{.fd = -1}, {.fd = -1}},
        .input = {.fd = -1},
        .next = agent->processes,
    };
    agent->processes = process;
    if (launch(process, &container->process, ret) < 0) {
        output_close(&process->output[0]);
        output_close(&process->output[1]);
        process_forget(agent, process);
        return -1;
    }
    if (container->listen.address) {
        process->listen = (struct listen_message){
            .address = text_copy(container->listen.address),
            .protocol = text_copy(container->listen.protocol),
            .port = container->listen.port,
        };
        listen_watch(agent);
    }
    return 0;
}

/* ---- ending ---- */

static int send_signal(pid_t target, int signal, struct error **ret)
{
    int result;

    /* A process that changed its user is out of reach without the capability. */
    if (capabilities_raise(CAPABILITY(CAP_KILL), ret) < 0)
        return -1;
    result = kill(target, signal);
    if (result < 0 && errno == ESRCH)
        result = 0;
    if (result < 0)
        error_sys(ret, ERROR_FAILED, errno, "cannot send %s", process_signal_name(signal));
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}

int process_kill(struct agent *agent, const struct kill_message *message, struct error **ret)
{
    bool found = false;

    for (struct process *process = agent->processes; process; process = process->next) {
        if (!process->pid || !text_equal(process->container, message->container) ||
            (message->process ? !text_equal(process->id, message->process) : process->exec && !message->all))
            continue;
        found = true;
        if (send_signal(message->all ? -process->pid : process->pid, message->signal, ret) < 0)
            return -1;
        if (!message->all)
            break;
    }
    if (!found)
        return error_set(ret, ERROR_INPUT, "no process %s runs in the pod",
                         message->process ? message->process : message->container);
    return 0;
}

static void end_streams(struct process *process, uint8_t status)
{
    struct agent *agent = process->agent;

    for (int i = 1; i >= 0; i--) {
        struct output *output = &process->output[i];

        for (int chunk = 0; output->fd >= 0 && chunk < DRAIN_CHUNKS && pass_on(output); chunk++)
            ;
        if (output->sequence)
            agent_output(agent, output->sequence, NULL, 0);
    }
    if (process->output[0].sequence)
        agent_output(agent, process->output[0].sequence, &status, 1);
}

static void ended(struct agent *agent, struct process *process, int wait_status)
{
    bool exited = WIFEXITED(wait_status);
    int number = exited ? WEXITSTATUS(wait_status) : WTERMSIG(wait_status);
    struct event_message event = {
        .container = process->container,
        .process = process->id,
        .event = (char *)(exited ? "exited" : "signalled"),
        .info = (char *)(exited ? NULL : process_signal_name(number)),
        .status = number,
    };

    agent_event(agent, &event);
    end_streams(process, (uint8_t)(exited ? number : 128 + number));
    process->pid = 0;
    input_close(process);
    if (process->output[0].fd < 0 && process->output[1].fd < 0)
        process_forget(agent, process);
}

/* As PID 1 the agent inherits every orphan of the pod; those are reaped and forgotten. */
void process_reap_all(struct agent *agent)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (struct process *process = agent->processes; process; process = process->next)
            if (process->pid == pid) {
                ended(agent, process, status);
                break;
            }
}
