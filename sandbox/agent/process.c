/* Processes of the pod: started by NEWCONTAINER (a UA) or EXECCMD (a script), each in a session of its own.
 */
#include <sys/wait.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"
#include "src/base/process.h"

/* ---- starting ---- */

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

static int run(struct process *process, const struct process_message *message, uint64_t container,
               const struct ends *ends, struct error **ret)
{
    struct spawn spawn_as = {
        .process = message,
        .container = container,
        .terminal = process->terminal >= 0,
        .input = ends->input,
        .output = ends->output,
        .errors = ends->errors < 0 ? ends->output : ends->errors,
    };
    pid_t pid;

    if (spawn_as.terminal)
        spawn_as.input = spawn_as.output = spawn_as.errors = process->terminal;
    if (identity_capabilities(message, process->agent->grantable, &spawn_as.capabilities, ret) < 0)
        return -1;
    pid = spawn(&spawn_as, ret);
    if (pid < 0)
        return -1;
    process->pid = pid;
    return 0;
}

static int launch(struct process *process, const struct process_message *message, uint64_t container,
                  struct error **ret)
{
    struct ends ends = {-1, -1, -1};
    int result = message->terminal ? terminal_open(process, message->stdio, ret)
                                   : connect_pipes(process, message, &ends, ret);

    if (result == 0)
        result = run(process, message, container, &ends, ret);
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

static struct process *start(struct agent *agent, const struct container_message *message, uint64_t container,
                             bool exec, struct error **ret)
{
    const char *id = message->process.id ? message->process.id : message->id;
    struct process *process = process_new(agent, message->id, id, exec);

    if (launch(process, &message->process, container, ret) == 0)
        return process;
    undo(process);
    return NULL;
}

static void wait_for_socket(struct process *process, const struct listen_message *listen)
{
    process->listen = (struct listen_message){
        .address = text_copy(listen->address),
        .protocol = text_copy(listen->protocol),
        .port = listen->port,
    };
    listen_watch(process->agent);
}

int process_start(struct agent *agent, const struct container_message *message, bool exec, struct error **ret)
{
    uint64_t made = agent->containers_made;
    struct container *container;
    struct process *process;

    if (!exec && process_own(agent, message->id))
        return error_set(ret, ERROR_INPUT, "the container %s exists already", message->id);
    if (settings_apply(message, ret) < 0 || !(container = container_get(agent, message->id, ret)))
        return -1;
    process = start(agent, message, container->number, exec, ret);
    if (!process) {
        if (container->number > made) /* nothing has ever run in it */
            container_forget(agent, container);
        return -1;
    }
    if (message->listen.address)
        wait_for_socket(process, &message->listen);
    return 0;
}

/* ---- ending ---- */

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
