/* Processes of the pod: started by NEWCONTAINER (a UA) or EXECCMD (a script), each in a session of its own.
 */
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

/* ---- starting ---- */

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

/* The child's ends of what connects it; the agent's are in the process. */
struct ends {
    int input, output, errors;
};

static int connect_pipes(struct process *process, const struct process_message *message, struct ends *ends,
                         struct error **ret)
{
    if (output_pipe(process, 0, message->stdio, &ends->output, ret) < 0 ||
        (message->stderr_stream && output_pipe(process, 1, message->stderr_stream, &ends->errors, ret) < 0) ||
        (message->input && message->stdio && input_pipe(process, &ends->input, ret) < 0))
        return -1;
    return 0;
}

static int run(struct process *process, const struct process_message *message, const struct ends *ends,
               struct error **ret)
{
    struct spawn spawn_as = {
        .process = message,
        .terminal = process->terminal >= 0,
        .input = ends->input,
        .output = ends->output,
        .errors = ends->errors < 0 ? ends->output : ends->errors,
    };
    pid_t pid;

    if (spawn_as.terminal)
        spawn_as.input = spawn_as.output = spawn_as.errors = process->terminal;
    if (grant(process->agent, message, &spawn_as.capabilities, ret) < 0)
        return -1;
    pid = spawn(&spawn_as, ret);
    if (pid < 0)
        return -1;
    process->pid = pid;
    return 0;
}

static int launch(struct process *process, const struct process_message *message, struct error **ret)
{
    struct ends ends = {-1, -1, -1};
    int result = message->terminal ? terminal_open(process, message->stdio, ret)
                                   : connect_pipes(process, message, &ends, ret);

    if (result == 0)
        result = run(process, message, &ends, ret);
    close_fd(&ends.input);
    close_fd(&ends.output);
    close_fd(&ends.errors);
    if (result == 0 && message->terminal) { /* which has one stream only */
        process->output[1].ended = true;
        if (message->stderr_stream)
            agent_output(process->agent, message->stderr_stream, NULL, 0);
    }
    return result;
}

/* It has not started: nothing is told of it. */
static void undo(struct process *process)
{
    output_close(&process->output[0]);
    output_close(&process->output[1]);
    close_fd(&process->terminal);
    input_close(process);
    process_forget(process);
}

int process_start(struct agent *agent, const struct container_message *container, bool exec,
                  struct error **ret)
{
    const char *id = container->process.id ? container->process.id : container->id;
    struct process *process;

    if (!exec && process_own(agent, container->id))
        return error_set(ret, ERROR_INPUT, "the container %s exists already", container->id);
    process = process_new(agent, container->id, id, exec);
    if (launch(process, &container->process, ret) < 0) {
        undo(process);
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

static int kill_groups(struct agent *agent, const struct kill_message *message, struct error **ret)
{
    bool found = false;

    for (struct process *process = agent->processes; process; process = process->next) {
        if (!process->pid || !text_equal(process->container, message->container))
            continue;
        found = true;
        if (send_signal(-process->pid, message->signal, ret) < 0)
            return -1;
    }
    if (!found)
        return error_set(ret, ERROR_INPUT, "no process %s runs in the pod", message->container);
    return 0;
}

int process_kill(struct agent *agent, const struct kill_message *message, struct error **ret)
{
    const struct process *process;

    if (message->all)
        return kill_groups(agent, message, ret);
    process = process_find(agent, message->container, message->process, ret);
    return process ? send_signal(process->pid, message->signal, ret) : -1;
}

int process_resize(struct agent *agent, const struct winsize_message *size, struct error **ret)
{
    const struct process *process = process_find(agent, size->container, size->process, ret);

    return process ? terminal_resize(process, size->rows, size->columns, ret) : -1;
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
    process->pid = 0;
    process->status = (uint8_t)(exited ? number : 128 + number);
    input_close(process);
    output_process_ended(process);
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
