#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"

/* Each answers itself only when its ACK carries something (*ret_answered). */
typedef int command_fn(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                       struct error **ret);

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

static int apply_pod(struct agent *agent, const struct pod_message *pod, struct error **ret)
{
    if (pod->hostname && set_hostname(pod->hostname, ret) < 0)
        return -1;
    for (size_t i = 0; i < pod->interface_count; i++)
        if (network_interface(agent, &pod->interfaces[i], ret) < 0)
            return -1;
    return set_up_routes(agent, pod, ret);
}

static int start_pod(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                     struct error **ret)
{
    struct pod_message pod = {0};
    int result = pod_message_decode(frame->payload, frame->length, &pod, ret);

    (void)ret_answered;
    if (result == 0)
        result = apply_pod(agent, &pod, ret);
    pod_message_free(&pod);
    return result;
}

static int destroy_pod(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                       struct error **ret)
{
    (void)frame;
    (void)ret_answered;
    (void)ret;
    loop_quit(agent->loop);
    return 0;
}

static int start_container(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                           struct error **ret)
{
    struct container_message container = {0};
    int result = container_message_decode(frame->payload, frame->length, &container, ret);

    (void)ret_answered;
    if (result == 0)
        result = process_start(agent, &container, false, ret);
    container_message_free(&container);
    return result;
}

static int exec_command(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                        struct error **ret)
{
    struct container_message exec = {0};
    int result = exec_message_decode(frame->payload, frame->length, &exec, ret);

    (void)ret_answered;
    if (result == 0)
        result = process_start(agent, &exec, true, ret);
    container_message_free(&exec);
    return result;
}

static int kill_container(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                          struct error **ret)
{
    struct kill_message kill = {0};
    int result = kill_message_decode(frame->payload, frame->length, &kill, ret);

    (void)ret_answered;
    if (result == 0)
        result = process_kill(agent, &kill, ret);
    kill_message_free(&kill);
    return result;
}

static int resize_terminal(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                           struct error **ret)
{
    struct winsize_message size = {0};
    int result = winsize_message_decode(frame->payload, frame->length, &size, ret);

    (void)ret_answered;
    if (result == 0)
        result = process_resize(agent, &size, ret);
    winsize_message_free(&size);
    return result;
}

static int set_up_interface(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                            struct error **ret)
{
    struct interface_message interface = {0};
    int result = interface_message_decode(frame->payload, frame->length, &interface, ret);

    (void)ret_answered;
    if (result == 0)
        result = network_interface(agent, &interface, ret);
    interface_message_free(&interface);
    return result;
}

static int set_up_route(struct agent *agent, const struct ctl_frame *frame, bool *ret_answered,
                        struct error **ret)
{
    struct pod_message routes = {0};
    int result = routes_message_decode(frame->payload, frame->length, &routes, ret);

    (void)ret_answered;
    if (result == 0)
        result = set_up_routes(agent, &routes, ret);
    pod_message_free(&routes);
    return result;
}

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
    [CTL_NEWCONTAINER] = start_container,
    [CTL_KILLCONTAINER] = kill_container,
    [CTL_SIGNALPROCESS] = kill_container,
    [CTL_SETUPINTERFACE] = set_up_interface,
    [CTL_SETUPROUTE] = set_up_route,
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
