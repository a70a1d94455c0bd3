#include <errno.h>

#include "src/mock/mock.h"

struct wait wait_for(int timeout_ms)
{
    struct wait wait = {.timeout_ms = timeout_ms};

    if (timeout_ms <= 0)
        return wait;
    (void)clock_gettime(CLOCK_MONOTONIC, &wait.end); /* this clock is always there */
    wait.end.tv_sec += timeout_ms / 1000;
    wait.end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (wait.end.tv_nsec >= 1000000000) {
        wait.end.tv_sec++;
        wait.end.tv_nsec -= 1000000000;
    }
    return wait;
}

int wait_change(struct hyperstart_mock *mock, const struct wait *wait)
{
    if (mock->phase != RUNNING)
        return ESHUTDOWN;
    if (wait->timeout_ms == 0)
        return ETIMEDOUT;
    if (mock->working && pthread_equal(mock->self, pthread_self()))
        return EDEADLK;
    if (wait->timeout_ms < 0)
        return pthread_cond_wait(&mock->changed, &mock->lock);
    return pthread_cond_timedwait(&mock->changed, &mock->lock, &wait->end);
}

int wait_more(struct hyperstart_mock *mock, enum hyperstart_mock_channel side, const struct wait *wait)
{
    return mock->phase == RUNNING && mock->finished[side] ? EPIPE : wait_change(mock, wait);
}

void mock_changed(struct hyperstart_mock *mock)
{
    pthread_cond_broadcast(&mock->changed);
}

int mock_unlock(struct hyperstart_mock *mock, int error)
{
    pthread_mutex_unlock(&mock->lock);
    if (!error)
        return 0;
    errno = error;
    return -1;
}
