/* The list of the pod's processes that there is still something to tell of. */
#include <stdlib.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"

struct process *process_new(struct agent *agent, const char *container, const char *id, bool exec)
{
    struct process *process = memory_new(sizeof *process);

    *process = (struct process){
        .agent = agent,
        .container = text_copy(container),
        .id = text_copy(id),
        .exec = exec,
        .output = {{.process = process, .fd = -1}, {.process = process, .fd = -1}},
        .input = {.fd = -1},
        .terminal = -1,
        .next = agent->processes,
    };
    agent->processes = process;
    return process;
}

void process_forget(struct process *process)
{
    struct process **place = &process->agent->processes;

    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    free(process->container);
    free(process->id);
    free(process->listen.address);
    free(process->listen.protocol);
    free(process);
}

struct process *process_own(const struct agent *agent, const char *container)
{
    for (struct process *process = agent->processes; process; process = process->next)
        if (process->pid && !process->exec && text_equal(process->container, container))
            return process;
    return NULL;
}

/* Those of the container that run, with that name if one is given. */
static struct process *first(struct process *process, const char *container, const char *id)
{
    while (process && !(process->pid && text_equal(process->container, container) &&
                        (!id || text_equal(process->id, id))))
        process = process->next;
    return process;
}

struct process *process_find(const struct agent *agent, const char *container, const char *id,
                             struct error **ret)
{
    struct process *own = id ? NULL : process_own(agent, container);
    struct process *found = own ? own : first(agent->processes, container, id);

    if (!found)
        error_set(ret, ERROR_INPUT, "no process %s runs in the pod", id ? id : container);
    else if (!id && !own && first(found->next, container, NULL)) {
        error_set(ret, ERROR_INPUT, "several processes run in %s: the field \"process\" has to say which",
                  container);
        return NULL;
    }
    return found;
}
