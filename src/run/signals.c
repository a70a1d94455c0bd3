#include "src/run/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "src/base/memory.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM};

struct signals {
    int fd;
    struct watch *watch;
    void (*arrived)(void *user, int signal);
    void *user;
};

static void on_signal(void *user, uint32_t events)
{
    struct signals *signals = user;
    struct signalfd_siginfo info;

    (void)events;
    while (read(signals->fd, &info, sizeof info) == sizeof info)
        signals->arrived(signals->user, (int)info.ssi_signo);
}

struct signals *signals_watch(struct loop *loop, void (*arrived)(void *user, int signal), void *user,
                              struct error **ret)
{
    struct signals *signals = memory_new(sizeof *signals);
    sigset_t set;

    *signals = (struct signals){.fd = -1, .arrived = arrived, .user = user};
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction action;

        if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, ending[i]);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        error_sys(ret, ERROR_HOST, errno, "cannot watch for signals");
    else
        signals->watch = loop_watch(loop, signals->fd, EPOLLIN, on_signal, signals, ret);
    if (signals->watch)
        return signals;
    signals_free(signals);
    return NULL;
}

void signals_free(struct signals *signals)
{
    if (!signals)
        return;
    watch_stop(&signals->watch);
    close_fd(&signals->fd);
    free(signals);
}
