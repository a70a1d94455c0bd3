/* That a socket is bound has no event in the kernel: while somebody waits for one, the agent asks sock_diag
 * (some 50 µs) every millisecond. It is the one poll in the program. */
#include <stdlib.h>
#include <string.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"

#define PERIOD_MS 1

static void tell(struct process *process, const char *event_name, const char *info)
{
    struct event_message event = {
        .container = process->container,
        .process = process->id,
        .event = (char *)event_name,
        .info = (char *)info,
    };

    agent_event(process->agent, &event);
    free(steal_pointer(&process->listen.address));
    free(steal_pointer(&process->listen.protocol));
}

static int is_bound(struct sockdiag *sockdiag, const struct listen_message *listen, struct error **ret)
{
    bool udp = strcmp(listen->protocol, "tcp") != 0, tcp = strcmp(listen->protocol, "udp") != 0;
    int bound = udp ? sockdiag_bound(sockdiag, listen->address, listen->port, false, ret) : 0;

    return bound == 0 && tcp ? sockdiag_bound(sockdiag, listen->address, listen->port, true, ret) : bound;
}

/* True as long as there is something to wait for. */
static bool look(struct agent *agent)
{
    bool waiting = false;

    for (struct process *process = agent->processes; process; process = process->next) {
        const struct listen_message *listen = &process->listen;
        cleanup_error struct error *error = NULL;
        int bound;

        if (!listen->address || !process->pid)
            continue;
        bound = is_bound(agent->sockdiag, listen, &error);
        if (bound < 0) /* the client then goes on as if it were bound */
            tell(process, "listening", error_text(error));
        else if (bound)
            tell(process, "listening", NULL);
        else
            waiting = true;
    }
    return waiting;
}

static void on_time(void *user)
{
    struct agent *agent = user;

    agent->listen_timer = NULL;
    if (look(agent))
        agent->listen_timer = loop_after(agent->loop, PERIOD_MS, on_time, agent);
}

void listen_watch(struct agent *agent)
{
    cleanup_error struct error *error = NULL;

    if (!agent->sockdiag)
        agent->sockdiag = sockdiag_open(&error);
    if (!agent->sockdiag) {
        for (struct process *process = agent->processes; process; process = process->next)
            if (process->listen.address)
                tell(process, "listening", error_text(error));
        return;
    }
    if (!agent->listen_timer)
        agent->listen_timer = loop_after(agent->loop, PERIOD_MS, on_time, agent);
}
