/* The pod's processes that there is still something to tell of, and its containers. */
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

/* ---- containers ---- */

#define CONTAINERS_MOST 10000 /* known at a time */

static struct container *find_container(const struct agent *agent, const char *id)
{
    struct container *container = agent->containers;

    while (container && !text_equal(container->id, id))
        container = container->next;
    return container;
}

struct container *container_find(const struct agent *agent, const char *id, struct error **ret)
{
    struct container *container = find_container(agent, id);

    if (!container)
        error_set(ret, ERROR_INPUT, "no container %s is in the pod", id);
    return container;
}

struct container *container_get(struct agent *agent, const char *id, struct error **ret)
{
    struct container *container = find_container(agent, id);

    if (container)
        return container;
    if (agent->container_count == CONTAINERS_MOST) {
        error_set(ret, ERROR_INPUT, "%d containers are in the pod: some have to be removed first",
                  CONTAINERS_MOST);
        return NULL;
    }
    container = memory_new(sizeof *container);
    *container = (struct container){
        .id = text_copy(id), .number = ++agent->containers_made, .next = agent->containers};
    agent->containers = container;
    agent->container_count++;
    return container;
}

void container_forget(struct agent *agent, struct container *container)
{
    struct container **place = &agent->containers;

    while (*place != container)
        place = &(*place)->next;
    *place = container->next;
    agent->container_count--;
    free(container->id);
    free(container);
}
