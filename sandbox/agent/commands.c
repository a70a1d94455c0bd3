#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"

/* *ret_answered: it answers itself, now or later; else it is answered ACK, or ERROR when it fails. */
typedef int command_fn(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                       struct error **ret);

/* A command that is a message for act(agent, &message, ret), and is answered by `later` itself. */
#define COMMAND(name, type, decode, act, later)                                                              \
    static int name(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,                  \
                    struct error **ret)                                                                      \
    {                                                                                                        \
        struct type message = {0};                                                                           \
        int result = decode(frame->payload, frame->length, &message, ret);                                   \
                                                                                                             \
        *ret_answered = later;                                                                               \
        if (result == 0)                                                                                     \
            result = act(agent, &message, ret);                                                              \
        type##_free(&message);                                                                               \
        return result;                                                                                       \
    }

/* ---- the pod ---- */

static int set_hostname(const char *hostname, struct error **ret)
{
    int result;

    if (capabilities_raise(CAPABILITY(CAP_SYS_ADMIN), ret) < 0)
        return -1;
    result = sethostname(hostname, strlen(hostname));
    if (result < 0)
        error_sys(ret, ERROR_INPUT, errno, "cannot set the hostname %s", hostname);
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}

static int set_up_routes(struct agent *agent, const struct pod_message *pod, struct error **ret)
{
    for (size_t i = 0; i < pod->route_count; i++)
        if (network_route(agent, &pod->routes[i], ret) < 0)
            return -1;
    return 0;
}

static int start_containers(struct agent *agent, const struct pod_message *pod, struct error **ret)
{
    for (size_t i = 0; i < pod->container_count; i++)
        if (process_start(agent, &pod->containers[i], false, ret) < 0)
            return error_prefix(ret, "containers[%zu]", i);
    return 0;
}

static int apply_pod(struct agent *agent, const struct pod_message *pod, struct error **ret)
{
    if (pod->hostname && set_hostname(pod->hostname, ret) < 0)
        return -1;
    for (size_t i = 0; i < pod->interface_count; i++)
        if (network_interface(agent, &pod->interfaces[i], ret) < 0)
            return -1;
    return set_up_routes(agent, pod, ret) < 0 || settings_dns(agent, &pod->dns, ret) < 0
               ? -1
               : start_containers(agent, pod, ret);
}

COMMAND(start_pod, pod_message, pod_message_decode, apply_pod, false)
COMMAND(set_up_interface, interface_message, interface_message_decode, network_interface, false)
COMMAND(set_up_route, pod_message, routes_message_decode, set_up_routes, false)

static int apply_deletion(struct agent *agent, const struct interface_message *interface, struct error **ret)
{
    return network_delete(agent, interface->device, ret);
}
COMMAND(delete_interface, interface_message, interface_message_decode, apply_deletion, false)

static int destroy_pod(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                       struct error **ret)
{
    (void)frame;
    (void)ret_answered;
    (void)ret;
    loop_quit(agent->loop);
    return 0;
}

/* ---- containers and processes ---- */

static int start_container(struct agent *agent, const struct container_message *container, struct error **ret)
{
    return process_start(agent, container, false, ret);
}
COMMAND(new_container, container_message, container_message_decode, start_container, false)

static int start_process(struct agent *agent, const struct container_message *exec, struct error **ret)
{
    return process_start(agent, exec, true, ret);
}
COMMAND(exec_command, container_message, exec_message_decode, start_process, false)

static int kill_all(struct agent *agent, const struct kill_message *message, struct error **ret)
{
    const struct container *container = container_find(agent, message->container, ret);
    size_t found;

    if (!container || kill_container(agent, container, message->signal, &found, ret) < 0)
        return -1;
    return found ? 0 : error_set(ret, ERROR_INPUT, "no process of %s runs in the pod", message->container);
}

static int send_signal(struct agent *agent, const struct kill_message *message, struct error **ret)
{
    const struct process *process;

    if (message->all)
        return kill_all(agent, message, ret);
    process = process_find(agent, message->container, message->process, ret);
    return process ? kill_process(process->pid, message->signal, ret) : -1;
}
COMMAND(signal_processes, kill_message, kill_message_decode, send_signal, false)

static int remove_container(struct agent *agent, const struct remove_message *removal, struct error **ret)
{
    struct container *container = container_find(agent, removal->container, ret);
    size_t found;

    if (!container || kill_container(agent, container, SIGKILL, &found, ret) < 0)
        return -1;
    container_forget(agent, container);
    return 0;
}
COMMAND(forget_container, remove_message, remove_message_decode, remove_container, false)

static int resize(struct agent *agent, const struct winsize_message *size, struct error **ret)
{
    const struct process *process = process_find(agent, size->container, size->process, ret);

    return process ? terminal_resize(process, size->rows, size->columns, ret) : -1;
}
COMMAND(resize_terminal, winsize_message, winsize_message_decode, resize, false)

COMMAND(read_file, file_message, file_message_decode, files_read, true)
COMMAND(write_file, file_message, file_message_decode, files_write, true)

/* ---- the agent ---- */

static int get_version(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                       struct error **ret)
{
    uint32_t version = htobe32(API_VERSION);

    (void)frame;
    (void)ret;
    *ret_answered = true;
    agent_send(agent, CTL_ACK, &version, sizeof version);
    return 0;
}

static int nothing(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered, struct error **ret)
{
    (void)agent;
    (void)frame;
    (void)ret_answered;
    (void)ret;
    return 0;
}

static command_fn *const commands[] = {
    [CTL_GETVERSION] = get_version,
    [CTL_STARTPOD] = start_pod,
    [CTL_DESTROYPOD] = destroy_pod,
    [CTL_EXECCMD] = exec_command,
    [CTL_READY] = nothing,
    [CTL_WINSIZE] = resize_terminal,
    [CTL_PING] = nothing,
    [CTL_WRITEFILE] = write_file,
    [CTL_READFILE] = read_file,
    [CTL_NEWCONTAINER] = new_container,
    [CTL_KILLCONTAINER] = signal_processes,
    [CTL_ONLINECPUMEM] = nothing, /* a pod has its host's */
    [CTL_SETUPINTERFACE] = set_up_interface,
    [CTL_SETUPROUTE] = set_up_route,
    [CTL_REMOVECONTAINER] = forget_container,
    [CTL_SIGNALPROCESS] = signal_processes,
    [CTL_DELETEINTERFACE] = delete_interface,
};

void command_run(struct agent *agent, const struct ctl_frame *frame)
{
    command_fn *command = frame->code < sizeof commands / sizeof *commands ? commands[frame->code] : NULL;
    cleanup_error struct error *error = NULL;
    bool answered = false;
    int result = command ? command(agent, frame, &answered, &error)
                         : error_set(&error, ERROR_INPUT, "this agent has no command %s (%u)",
                                     ctl_name(frame->code), frame->code);

    if (result < 0)
        agent_send(agent, CTL_ERROR, error_text(error), strlen(error_text(error)));
    else if (!answered)
        agent_send(agent, CTL_ACK, NULL, 0);
}
