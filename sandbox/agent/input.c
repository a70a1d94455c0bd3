/* What goes to the standard input of processes. A pipe takes what it can; the rest waits here, and when a
 * process lets too much of it wait, the I/O channel is not read until it has taken some, or has ended: memory
 * stays bounded, nothing is lost, and all other work goes on. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"

#define INPUT_HIGH ((size_t)1024 * 1024) /* bytes that may wait for one process */

static void update(struct agent *agent)
{
    agent->input_full = false;
    for (const struct process *process = agent->processes; process; process = process->next)
        agent->input_full |= process->input.waiting.length > INPUT_HIGH;
    channels_update(agent);
}

static void close_pipe(struct input *input)
{
    watch_stop(&input->watch);
    close_fd(&input->fd);
    buffer_free(&input->waiting);
}

void input_close(struct process *process)
{
    close_pipe(&process->input);
    update(process->agent);
}

/* Gives the pipe what it takes; closes it when all has been given, and when nobody will read any more. */
static void pass_on(struct input *input)
{
    while (input->waiting.length) {
        ssize_t written = write(input->fd, input->waiting.data, input->waiting.length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            break;
        if (written < 0) {
            close_pipe(input);
            return;
        }
        buffer_drop(&input->waiting, (size_t)written);
    }
    if (input->ended && !input->waiting.length)
        close_pipe(input);
    else
        watch_events(input->watch, input->waiting.length ? EPOLLOUT : 0);
}

static void on_event(void *user, uint32_t events)
{
    struct process *process = user;

    if (events & EPOLLERR) /* its last reader has gone */
        close_pipe(&process->input);
    else
        pass_on(&process->input);
    update(process->agent);
}

int input_use(struct process *process, int fd, struct error **ret)
{
    process->input.fd = fd;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot write to a process");
    process->input.watch = loop_watch(process->agent->loop, fd, 0, on_event, process, ret);
    return process->input.watch ? 0 : -1;
}

int input_pipe(struct process *process, int *ret_reader, struct error **ret)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
    *ret_reader = ends[0];
    return input_use(process, ends[1], ret);
}

static struct process *find(struct agent *agent, uint64_t sequence)
{
    for (struct process *process = agent->processes; process && sequence; process = process->next)
        if (process->pid && process->output[0].sequence == sequence)
            return process;
    return NULL;
}

/* A pipe is closed; to a terminal a user would type ^D, which ends the line that he is in first. */
static void end(struct process *process)
{
    struct input *input = &process->input;
    struct termios settings;

    input->ended = true;
    if (process->terminal < 0 || tcgetattr(process->terminal, &settings) < 0)
        return;
    if (input->in_line && settings.c_lflag & ICANON)
        buffer_add(&input->waiting, &settings.c_cc[VEOF], 1);
    buffer_add(&input->waiting, &settings.c_cc[VEOF], 1);
}

void input_take(struct agent *agent, uint64_t sequence, const uint8_t *data, size_t length)
{
    struct process *process = find(agent, sequence);
    struct input *input = process ? &process->input : NULL;

    if (!process && length)
        agent_output(agent, sequence, NULL, 0);
    if (!process || input->fd < 0 || input->ended)
        return;
    buffer_add(&input->waiting, data, length);
    if (length)
        input->in_line = data[length - 1] != '\n' && data[length - 1] != '\r';
    else
        end(process);
    pass_on(input);
    update(agent);
}
