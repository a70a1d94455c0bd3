/* Futures, the command and signals are events of one loop; it ends when nothing is left to wait for. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "include/sippod/expect.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/commands/expect.h"
#include "src/run/signals.h"

struct expectation {
    struct live *live;
    struct sippod_future *future;
    struct watch *watch; /* until it is decided */
};

struct live {
    const struct expect_options *options;
    struct expect_outcome *outcome;
    struct loop *loop;
    struct signals *signals;
    sigset_t blocked; /* before we came */
    struct sippod_context *context;
    struct expectation *list;
    size_t pending;
    int command;                 /* pidfd, -1: none */
    struct watch *command_watch; /* while it runs */
    struct timer *settle;
    struct error *error; /* that made it end */
};

static void leave_if_done(struct live *live)
{
    if (!live->pending && !live->command_watch)
        loop_quit(live->loop);
}

/* ---- expectations ---- */

static void on_decided(void *user, uint32_t events)
{
    struct expectation *expectation = user;
    struct live *live = expectation->live;
    size_t number = (size_t)(expectation - live->list);
    struct sippod_verdict *verdict = &live->outcome->verdicts[number];

    (void)events;
    watch_stop(&expectation->watch);
    (void)sippod_future_wait(expectation->future, verdict);
    expect_tell(live->options, number, verdict);
    live->pending--;
    leave_if_done(live);
}

/* Whatever is wrong from the beginning has made a future that failed at once. */
static int expect_one(struct live *live, size_t number, struct sippod_predicate predicate, struct error **ret)
{
    struct sippod_options limits = expect_limits(live->options);
    struct expectation *expectation = &live->list[number];
    int fd;

    expectation->live = live;
    expectation->future = sippod_expect(live->context, live->options->interface, predicate, &limits);
    if (!expectation->future)
        return error_set(ret, ERROR_HOST, "out of memory");
    if (sippod_future_ready(expectation->future) &&
        sippod_future_wait(expectation->future, NULL) == SIPPOD_FAILED)
        return error_set(ret, ERROR_HOST, "%s", sippod_future_detail(expectation->future));
    fd = sippod_future_fd(expectation->future);
    if (fd < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot wait for packets");
    expectation->watch = loop_watch(live->loop, fd, EPOLLIN, on_decided, expectation, ret);
    live->pending += expectation->watch != NULL;
    return expectation->watch ? 0 : -1;
}

static int expect_all(struct live *live, struct error **ret)
{
    size_t count = live->options->predicates.count;
    cleanup_free struct sippod_predicate *predicates = memory_array(NULL, count, sizeof *predicates);
    int result = 0;

    if (expect_predicates(live->options, predicates, ret) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (result == 0)
            result = expect_one(live, i, predicates[i], ret);
        else
            sippod_predicate_free(&predicates[i]);
    return result;
}

/* ---- the command ---- */

static void on_settled(void *user)
{
    struct live *live = user;

    live->settle = NULL;
    for (size_t i = 0; i < live->options->predicates.count; i++)
        sippod_future_finish(live->list[i].future);
}

static void on_command_ended(void *user, uint32_t events)
{
    struct live *live = user;
    struct expect_outcome *outcome = live->outcome;
    int ended = process_reap(live->command, &outcome->command, &live->error);

    (void)events;
    if (ended == 0)
        return;
    watch_stop(&live->command_watch);
    outcome->command_ended = ended > 0;
    if (ended < 0)
        loop_quit(live->loop);
    if (live->pending && live->options->settle_s >= 0)
        live->settle = loop_after(live->loop, (int64_t)(live->options->settle_s * 1000), on_settled, live);
    leave_if_done(live);
}

/* JSON has standard output for itself. */
static int start_command(struct live *live, struct error **ret)
{
    const struct expect_options *options = live->options;

    if (!options->command.count)
        return 0;
    if (process_spawn(options->command.list, options->json ? STDERR_FILENO : -1, &live->blocked,
                      &live->command, ret) < 0)
        return -1;
    live->command_watch = loop_watch(live->loop, live->command, EPOLLIN, on_command_ended, live, ret);
    return live->command_watch ? 0 : -1;
}

/* ---- signals ---- */

static void on_signal(void *user, int signal)
{
    struct live *live = user;
    bool first = !live->outcome->signal;

    if (first)
        live->outcome->signal = signal;
    for (size_t i = 0; i < live->options->predicates.count; i++)
        sippod_future_cancel(live->list[i].future);
    if (live->command_watch && process_signal(live->command, first ? signal : SIGKILL, &live->error) < 0)
        loop_quit(live->loop);
}

/* ---- all of it ---- */

static int begin(struct live *live, struct error **ret)
{
    if (sigprocmask(SIG_BLOCK, NULL, &live->blocked) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot watch for signals");
    if (!(live->loop = loop_new(ret)) || !(live->signals = signals_watch(live->loop, on_signal, live, ret)))
        return -1;
    if (!(live->context = sippod_context_new()))
        return error_sys(ret, ERROR_HOST, errno, "cannot capture");
    return expect_all(live, ret) < 0 || start_command(live, ret) < 0 ? -1 : 0;
}

static void end(struct live *live)
{
    for (size_t i = 0; i < live->options->predicates.count; i++)
        watch_stop(&live->list[i].watch);
    watch_stop(&live->command_watch);
    timer_stop(&live->settle);
    signals_free(live->signals);
    loop_free(live->loop);
    sippod_context_free(live->context);
    close_fd(&live->command);
    free(live->list);
}

int expect_live(const struct expect_options *options, struct expect_outcome *outcome, struct error **ret)
{
    struct live live = {
        .options = options,
        .outcome = outcome,
        .list = memory_new(options->predicates.count * sizeof *live.list),
        .command = -1,
    };
    int result = begin(&live, ret) < 0 ? -1 : loop_run(live.loop, ret);

    if (live.error) {
        error_free(*ret);
        *ret = live.error;
        result = -1;
    }
    end(&live);
    return result;
}
