/* A mock: made, started, stopped. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "src/base/memory.h"
#include "src/base/random.h"
#include "src/mock/mock.h"

#define SUFFIX 9

const char *hyperstart_mock_code_name(uint32_t code)
{
    return ctl_name(code);
}

int hyperstart_mock_code(const char *name, uint32_t *ret_code)
{
    long number;

    if (ctl_code_by_name(name, ret_code))
        return 0;
    if (!text_number(name, 0, UINT32_MAX, &number))
        return -1;
    *ret_code = (uint32_t)number;
    return 0;
}

/* ---- made ---- */

/* NULL with errno. */
static char *socket_path(const char *given, size_t side)
{
    const char *folder = secure_getenv("TMPDIR");
    char suffix[SUFFIX + 1];

    if (given)
        return text_copy(given);
    if (random_text(suffix, SUFFIX, "0123456789", NULL) < 0)
        return NULL;
    return text_format("%s/mock.hyper.%s.%zu.sock", folder && *folder ? folder : "/tmp", suffix, side);
}

static void make_lock(struct hyperstart_mock *mock)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&mock->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&mock->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct hyperstart_mock *hyperstart_mock_new(const struct hyperstart_mock_options *options)
{
    struct hyperstart_mock *mock = memory_new(sizeof *mock);

    if (options)
        mock->options = *options;
    make_lock(mock);
    mock->paths[0] = socket_path(mock->options.ctl_path, 0);
    mock->paths[1] = socket_path(mock->options.io_path, 1);
    if (mock->paths[0] && mock->paths[1])
        return mock;
    hyperstart_mock_free(mock);
    return NULL;
}

void hyperstart_mock_free(struct hyperstart_mock *mock)
{
    int saved = errno;

    if (!mock)
        return;
    (void)hyperstart_mock_stop(mock, 0);
    queue_free(&mock->messages);
    queue_free(&mock->packets);
    rules_free(mock->rules);
    pthread_cond_destroy(&mock->changed);
    pthread_mutex_destroy(&mock->lock);
    free(mock->paths[0]);
    free(mock->paths[1]);
    free(mock);
    errno = saved;
}

const char *hyperstart_mock_ctl_path(const struct hyperstart_mock *mock)
{
    return mock->paths[0];
}

const char *hyperstart_mock_io_path(const struct hyperstart_mock *mock)
{
    return mock->paths[1];
}

/* ---- started ---- */

/* The caller's signals are not the worker's. */
static int start_worker(struct hyperstart_mock *mock, struct error **ret)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&mock->thread, NULL, worker_run, mock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? error_sys(ret, ERROR_HOST, error, "cannot start a thread") : 0;
}

static void forget_last_client(struct hyperstart_mock *mock)
{
    mock->connected = false;
    memset(mock->closed, false, sizeof mock->closed);
    memset(mock->finished, false, sizeof mock->finished);
    memset(mock->pending, 0, sizeof mock->pending);
    memset(mock->ordered, 0, sizeof mock->ordered);
    mock->forgotten = 0;
    queue_free(&mock->messages);
    queue_free(&mock->packets);
}

static int start(struct hyperstart_mock *mock, struct error **ret)
{
    if (mock->phase != IDLE)
        return error_sys(ret, ERROR_INPUT, EALREADY, "the mock is running");
    forget_last_client(mock);
    if (worker_prepare(mock, ret) == 0) {
        mock->phase = RUNNING;
        if (start_worker(mock, ret) == 0)
            return 0;
        mock->phase = IDLE;
    }
    worker_clean_up(mock);
    return -1;
}

int hyperstart_mock_start(struct hyperstart_mock *mock, char detail[HYPERSTART_MOCK_DETAIL])
{
    cleanup_error struct error *error = NULL;

    pthread_mutex_lock(&mock->lock);
    if (start(mock, &error) == 0)
        return mock_unlock(mock, 0);
    if (detail)
        (void)snprintf(detail, HYPERSTART_MOCK_DETAIL, "%s", error_text(error));
    return mock_unlock(mock, error->sys);
}

/* ---- stopped ---- */

/* The client has come, and has taken what was sent. */
static bool done(const struct hyperstart_mock *mock)
{
    for (size_t i = 0; i < SIDES; i++)
        if (!mock->connected || (!mock->closed[i] && mock->ordered[i] + mock->pending[i]))
            return false;
    return true;
}

/* Waits, and makes the worker end. False if somebody else does so, or there is none. */
static bool end_worker(struct hyperstart_mock *mock, int timeout_ms, int *ret_error)
{
    struct wait wait = wait_for(timeout_ms);

    while (mock->phase == RUNNING && !done(mock) && *ret_error != ETIMEDOUT && *ret_error != EDEADLK)
        *ret_error = wait_change(mock, &wait);
    while (mock->phase == STOPPING)
        pthread_cond_wait(&mock->changed, &mock->lock);
    if (mock->phase != RUNNING)
        return false;
    mock->phase = STOPPING;
    (void)eventfd_write(mock->wake, 1);
    mock_changed(mock);
    return true;
}

int hyperstart_mock_stop(struct hyperstart_mock *mock, int timeout_ms)
{
    int error = 0;

    pthread_mutex_lock(&mock->lock);
    if (mock->working && pthread_equal(mock->self, pthread_self()))
        return mock_unlock(mock, EDEADLK);
    if (!end_worker(mock, timeout_ms, &error))
        return mock_unlock(mock, 0);
    pthread_mutex_unlock(&mock->lock);
    (void)pthread_join(mock->thread, NULL); /* it is ours, and joined nowhere else */
    mock_log(mock, "stopped");
    pthread_mutex_lock(&mock->lock);
    worker_clean_up(mock);
    mock->phase = IDLE;
    mock_changed(mock);
    return mock_unlock(mock, error);
}

/* ---- waited for ---- */

static int wait_until(struct hyperstart_mock *mock, int timeout_ms,
                      bool (*true_now)(const struct hyperstart_mock *mock))
{
    struct wait wait = wait_for(timeout_ms);
    int error = 0;

    pthread_mutex_lock(&mock->lock);
    while (!error && !true_now(mock))
        error = wait_change(mock, &wait);
    return mock_unlock(mock, true_now(mock) ? 0 : error);
}

static bool is_connected(const struct hyperstart_mock *mock)
{
    return mock->connected;
}

static bool has_left(const struct hyperstart_mock *mock)
{
    return mock->closed[0] && mock->closed[1];
}

int hyperstart_mock_wait_connected(struct hyperstart_mock *mock, int timeout_ms)
{
    return wait_until(mock, timeout_ms, is_connected);
}

int hyperstart_mock_wait_left(struct hyperstart_mock *mock, int timeout_ms)
{
    return wait_until(mock, timeout_ms, has_left);
}
