#include "src/expect/context.h"

#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now); /* the clocks that are asked for are always there */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void destroy(struct sippod_context *context)
{
    struct sippod_future *future;

    while ((future = context->futures)) {
        context->futures = future->next;
        future_destroy(future);
    }
    close_if_open(context->epoll);
    close_if_open(context->wake);
    close_if_open(context->sender);
    pthread_cond_destroy(&context->ended);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

/* The caller's signals are not the worker's. */
static int start_worker(struct sippod_context *context)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&context->worker, NULL, context_work, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct sippod_context *sippod_context_new(void)
{
    struct sippod_context *context = calloc(1, sizeof *context);
    struct epoll_event event = {.events = EPOLLIN};
    pthread_mutexattr_t recursive;
    int error = 0;

    if (!context)
        return NULL;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&context->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_cond_init(&context->ended, NULL);
    context->sender = -1;
    context->epoll = epoll_create1(EPOLL_CLOEXEC);
    context->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (context->epoll < 0 || context->wake < 0 ||
        epoll_ctl(context->epoll, EPOLL_CTL_ADD, context->wake, &event) < 0)
        error = errno;
    else
        error = start_worker(context);
    if (!error)
        return context;
    destroy(context);
    errno = error;
    return NULL;
}

void sippod_context_free(struct sippod_context *context)
{
    if (!context)
        return;
    pthread_mutex_lock(&context->lock);
    context->stop = true;
    (void)eventfd_write(context->wake, 1);
    pthread_mutex_unlock(&context->lock);
    (void)pthread_join(context->worker, NULL);
    listeners_free(context);
    destroy(context);
}

int sippod_send(struct sippod_context *context, const char *interface, const void *frame, size_t length)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
    ssize_t sent = -1;

    if (!to.sll_ifindex)
        return -1;
    pthread_mutex_lock(&context->lock);
    if (context->sender < 0) /* protocol 0: it receives nothing */
        context->sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (context->sender >= 0)
        sent = sendto(context->sender, frame, length, 0, (struct sockaddr *)&to, sizeof to);
    pthread_mutex_unlock(&context->lock);
    return sent < 0 ? -1 : 0;
}
