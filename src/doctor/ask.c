#include "src/doctor/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/process.h"

#define DEADLINE_NS ((int64_t)5 * 1000 * 1000 * 1000)
#define MOST_BYTES  ((size_t)64 * 1024)

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

char *ask_find(const char *name)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = text_copy(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *rest = copy, *folder;

    if (strchr(name, '/'))
        return is_program(name) ? text_copy(name) : NULL;
    while ((folder = strsep(&rest, ":"))) {
        cleanup_free char *candidate = text_format("%s/%s", *folder ? folder : ".", name);

        if (is_program(candidate))
            return steal_pointer(&candidate);
    }
    return NULL;
}

/* ---- starting ---- */

/* The caller's environment without what changes how programs are loaded. */
static char **environment(void)
{
    size_t count = 0, kept = 0;
    char **copy;

    while (environ[count])
        count++;
    copy = memory_new((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "LD_", 3) != 0)
            copy[kept++] = environ[i];
    return copy;
}

/* What cannot be told through an exit code is told on the pipe, as if the program had printed it. */
static void child(const char *program, char *const arguments[], int output)
{
    struct error *error = NULL;

    process_reset_signals();
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* best effort: it has a deadline, too */
    if (process_standard_streams(output, output, &error) == 0) {
        execve(program, arguments, environment());
        error_sys(&error, ERROR_HOST, errno, "cannot be executed");
    }
    dprintf(output, "%s\n", error_text(error));
    _exit(126);
}

int ask_start(struct ask *ask, const char *program, char *const arguments[], struct error **ret)
{
    int ends[2];

    *ask = (struct ask){.output = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
    ask->deadline_ns = loop_now_ns() + DEADLINE_NS;
    ask->pid = fork();
    if (ask->pid == 0)
        child(program, arguments, ends[1]);
    close(ends[1]);
    ask->output = ends[0];
    if (ask->pid > 0)
        return 0;
    error_sys(ret, ERROR_HOST, errno, "cannot start a process");
    close_fd(&ask->output);
    return -1;
}

/* ---- hearing it out ---- */

/* Waits until one of them is ready, which is then known by its revents. False: not before the deadline; what
 * is ready by then is not too late. */
static bool wait_for(struct pollfd watched[2], int64_t deadline_ns)
{
    int64_t left;
    int result;

    do {
        left = deadline_ns - loop_now_ns();
        result = poll(watched, 2, left > 0 ? (int)(left / 1000000 + 1) : 0);
    } while (result < 0 && errno == EINTR);
    return result > 0;
}

/* 1 for some bytes, 0 at the end. */
static int take(int fd, struct buffer *text)
{
    char chunk[4096];
    ssize_t length = read(fd, chunk, sizeof chunk);

    if (length < 0)
        return errno == EINTR;
    if (text->length < MOST_BYTES) /* the rest is read and forgotten */
        buffer_add(text, chunk, (size_t)length);
    return length > 0;
}

/* Until it has ended and there is no more of its output (which may be held open by what it has left running),
 * or, where there are no pidfds, until its output ends. False: not in time. */
static bool hear(const struct ask *ask, struct buffer *text)
{
    cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, ask->pid, 0);
    struct pollfd watched[2] = {{.fd = ask->output, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};

    while (wait_for(watched, ask->deadline_ns)) {
        if (watched[0].revents && !take(ask->output, text))
            watched[0].fd = -1; /* poll passes over it */
        else if (watched[0].revents)
            continue;
        if (watched[1].revents || pidfd < 0)
            return true;
    }
    return false;
}

int ask_finish(struct ask *ask, char **ret_text, int *ret_exit_code, struct error **ret)
{
    cleanup_buffer struct buffer text = {0};
    bool in_time = hear(ask, &text);
    int status = 0;

    /* Nobody has reaped it, so that the number is still the one of its session. */
    (void)kill(-ask->pid, SIGKILL);
    while (waitpid(ask->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close_fd(&ask->output);
    if (!in_time)
        return error_set(ret, ERROR_HOST, "did not answer within %d seconds",
                         (int)(DEADLINE_NS / 1000000000));
    buffer_add(&text, "", 1);
    *ret_text = (char *)steal_pointer(&text.data);
    *ret_exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

char *ask_first_line(const char *text)
{
    const char *line = text + strspn(text, " \t\r\n");
    size_t length = strcspn(line, "\r\n");

    return length ? text_printable(line, length) : text_copy("it printed nothing");
}
