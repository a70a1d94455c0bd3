/* What processes say. It is read only as fast as the client takes it: else it waits in the pipe, and in the
 * end the process does.
 *
 * A process is over when it exits, not when the last of its background children closes the pipe: what is in
 * the pipe by then is passed on, however long the client lets it wait, the streams are ended, and the status
 * is told. What such children write later is read and thrown away, so that they live on undisturbed. A
 * terminal is closed then: to them that is a hang-up. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"

#define TERMINAL_MOST ((size_t)128 * 1024) /* more than the kernel holds of a terminal's output */

void output_close(struct output *output)
{
    watch_stop(&output->watch);
    close_fd(&output->fd);
}

/* Until the client has taken some of what is on its way to it. */
static bool has_to_wait(const struct output *output)
{
    return !output->ended && channels_output_full(output->process->agent);
}

/* Passes on one chunk; false at the end, and when there is nothing right now. */
static bool pass_on(struct output *output)
{
    char data[65536];
    bool last = !output->process->pid && !output->ended;
    size_t most = last && output->left < sizeof data ? output->left : sizeof data;
    ssize_t length = read(output->fd, data, most);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0) {
        output_close(output);
        return false;
    }
    if (last)
        output->left -= (size_t)length;
    if (output->sequence && !output->ended)
        agent_output(output->process->agent, output->sequence, data, (size_t)length);
    return true;
}

/* ---- the end ---- */

/* False if the client has to take something first. */
static bool finish_stream(struct output *output)
{
    while (output->fd >= 0 && output->left && !output->ended) {
        if (has_to_wait(output))
            return false;
        if (!pass_on(output))
            break;
    }
    if (output->sequence && !output->ended)
        agent_output(output->process->agent, output->sequence, NULL, 0);
    output->ended = true;
    return true;
}

static void finish(struct process *process)
{
    struct output *output = &process->output[0];

    if (!finish_stream(&process->output[1]) || !finish_stream(output))
        return;
    if (output->sequence)
        agent_output(process->agent, output->sequence, &process->status, 1);
    if (process->terminal >= 0) {
        output_close(output);
        close_fd(&process->terminal);
    }
}

/* Forgets a process of which there is nothing more to tell, or to read. */
static void forget_if_done(struct process *process)
{
    if (!process->pid && process->output[0].ended && process->output[0].fd < 0 && process->output[1].fd < 0)
        process_forget(process);
}

static size_t bytes_held(const struct output *output)
{
    int bytes = 0;

    if (output->process->terminal >= 0)
        return TERMINAL_MOST;
    return output->fd >= 0 && ioctl(output->fd, FIONREAD, &bytes) == 0 ? (size_t)bytes : 0;
}

void output_process_ended(struct process *process)
{
    for (int i = 0; i < 2; i++)
        process->output[i].left = bytes_held(&process->output[i]);
    finish(process);
    forget_if_done(process);
}

/* ---- events ---- */

static void wait_for_client(struct output *output)
{
    /* Not 0: a hang-up is always reported, again and again. */
    if (output->watch && has_to_wait(output))
        watch_events(output->watch, EPOLLONESHOT);
}

static void on_output(void *user, uint32_t events)
{
    struct output *output = user;
    struct process *process = output->process;

    (void)events;
    if (!process->pid && !process->output[0].ended)
        finish(process);
    else if (!has_to_wait(output))
        (void)pass_on(output);
    wait_for_client(output);
    forget_if_done(process);
}

void output_drained(struct agent *agent)
{
    struct process *next;

    for (struct process *process = agent->processes; process; process = next) {
        next = process->next;
        if (!process->pid && !process->output[0].ended)
            finish(process);
        for (int i = 0; i < 2; i++)
            if (process->output[i].watch && !has_to_wait(&process->output[i]))
                watch_events(process->output[i].watch, EPOLLIN);
        forget_if_done(process);
    }
}

/* ---- starting ---- */

int output_use(struct process *process, int number, uint64_t sequence, int fd, struct error **ret)
{
    struct output *output = &process->output[number];

    output->sequence = sequence;
    output->fd = fd;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read what a process says");
    output->watch = loop_watch(process->agent->loop, fd, EPOLLIN, on_output, output, ret);
    return output->watch ? 0 : -1;
}

int output_pipe(struct process *process, int number, uint64_t sequence, int *ret_writer, struct error **ret)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
    *ret_writer = ends[1];
    return output_use(process, number, sequence, ends[0], ret);
}
