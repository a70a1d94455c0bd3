/* Standard input and output are shared with whoever started sippod. O_NONBLOCK on them would be his problem
 * too, and stay if sippod is killed: the output is opened a second time instead. */
#include "src/run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define KEYS_MOST ((size_t)1024 * 1024) /* dropped; somebody may go on typing */

struct terminal {
    int output;
    int kept;    /* what sippod prints meanwhile */
    int real[2]; /* standard output and error, while they lead there; -1: they do not */
    int signals;
    struct watch *watch;
    void (*resized)(void *user);
    void *user;
};

bool terminal_is_there(void)
{
    return isatty(STDIN_FILENO) == 1;
}

/* Else it would stop us to read, or to set it. */
static bool is_ours(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* tcflush(3) leaves behind what the line discipline had no room for. */
void terminal_drop_keys(void)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char data[4096];

    for (size_t dropped = 0; dropped < KEYS_MOST && is_ours() && poll(&keys, 1, 0) == 1;) {
        ssize_t length = read(STDIN_FILENO, data, sizeof data);

        if (length <= 0)
            return;
        dropped += (size_t)length;
    }
}

void terminal_size(unsigned *rows, unsigned *columns)
{
    struct winsize size = {0};

    (void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    *rows = size.ws_row;
    *columns = size.ws_col;
}

int terminal_output(const struct terminal *terminal)
{
    return terminal->output;
}

/* ---- raw ---- */

static struct {
    volatile sig_atomic_t raw;
    struct termios before;
} lent;

/* Not drained first: a terminal that takes nothing would hold sippod. */
static void restore(void)
{
    if (lent.raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &lent.before);
    lent.raw = 0;
}

/* The one handler that does something: after a crash there is no loop to come back to. */
static void on_crash(int signal)
{
    restore();
    (void)raise(signal); /* by default again */
}

static void watch_for_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND};
    struct sigaction old;

    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        if (sigaction(crashes[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            (void)sigaction(crashes[i], &action, NULL);
}

static int make_raw(struct error **ret)
{
    static bool watched;
    struct termios raw = lent.before;

    if (!watched) {
        watch_for_crashes();
        (void)atexit(restore);
        watched = true;
    }
    cfmakeraw(&raw);
    lent.raw = 1;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0)
        return 0;
    lent.raw = 0;
    return error_sys(ret, ERROR_FAILED, errno, "cannot use the terminal");
}

/* ---- its signals ---- */

/* After SIGSTOP, or SIGTSTP of another process, its modes are those of whoever had it meanwhile. */
static void on_signal(void *user, uint32_t events)
{
    struct terminal *terminal = user;
    struct signalfd_siginfo info;

    (void)events;
    while (read(terminal->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGCONT && is_ours())
            (void)make_raw(NULL);
    terminal->resized(terminal->user);
}

static void terminal_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGWINCH);
    sigaddset(set, SIGCONT);
}

static int watch_signals(struct terminal *terminal, struct loop *loop, struct error **ret)
{
    sigset_t set;

    terminal_signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (terminal->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot watch for signals");
    terminal->watch = loop_watch(loop, terminal->signals, EPOLLIN, on_signal, terminal, ret);
    return terminal->watch ? 0 : -1;
}

/* ---- output ---- */

/* A terminal that belongs to another user, after su, cannot be opened by its own name. */
static int open_output(void)
{
    int fd = -1;

    if (isatty(STDOUT_FILENO))
        fd = open("/proc/self/fd/1", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && isatty(STDOUT_FILENO) && tcgetsid(STDOUT_FILENO) == getsid(0))
        fd = open("/dev/tty", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

static int hold_output(struct terminal *terminal, struct error **ret)
{
    (void)fflush(stdout);
    terminal->output = open_output();
    terminal->kept = memfd_create("sippod-output", MFD_CLOEXEC);
    if (terminal->output < 0 || terminal->kept < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot use the terminal");
    for (int i = 0; i < 2; i++) {
        int fd = STDOUT_FILENO + i;

        if (!isatty(fd))
            continue;
        terminal->real[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (terminal->real[i] < 0 || dup2(terminal->kept, fd) < 0)
            return error_sys(ret, ERROR_HOST, errno, "cannot use the terminal");
    }
    return 0;
}

static void release_output(struct terminal *terminal)
{
    int shown = -1;
    char data[4096];
    ssize_t length;

    (void)fflush(stdout);
    for (int i = 0; i < 2; i++)
        if (terminal->real[i] >= 0) {
            shown = STDOUT_FILENO + i;
            (void)dup2(terminal->real[i], shown);
            close_fd(&terminal->real[i]);
        }
    if (shown >= 0 && lseek(terminal->kept, 0, SEEK_SET) == 0)
        while ((length = read(terminal->kept, data, sizeof data)) > 0)
            (void)file_write_all(shown, data, (size_t)length);
    close_fd(&terminal->kept);
    close_fd(&terminal->output);
}

/* ---- all of it ---- */

struct terminal *terminal_borrow(struct loop *loop, void (*resized)(void *user), void *user,
                                 struct error **ret)
{
    struct terminal *terminal = memory_new(sizeof *terminal);

    *terminal = (struct terminal){
        .output = -1,
        .kept = -1,
        .real = {-1, -1},
        .signals = -1,
        .resized = resized,
        .user = user,
    };
    if (tcgetattr(STDIN_FILENO, &lent.before) < 0)
        error_sys(ret, ERROR_FAILED, errno, "cannot use the terminal");
    else if (watch_signals(terminal, loop, ret) == 0 && hold_output(terminal, ret) == 0 && make_raw(ret) == 0)
        return terminal;
    terminal_give_back(terminal);
    return NULL;
}

void terminal_give_back(struct terminal *terminal)
{
    sigset_t set;

    if (!terminal)
        return;
    restore();
    release_output(terminal);
    watch_stop(&terminal->watch);
    close_fd(&terminal->signals);
    terminal_signals(&set);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    free(terminal);
}
