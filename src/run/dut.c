#include "src/run/dut.h"

#include <signal.h>
#include <stdlib.h>

#include "src/base/memory.h"
#include "src/run/hints.h"
#include "src/run/output.h"

#define STOP_MS 5000 /* between SIGTERM and SIGKILL */

struct dut {
    struct loop *loop;
    const char *address;
    unsigned port;
    struct pod_process *process; /* NULL: it has ended */
    const struct dut_callbacks *callbacks;
    void *user;
    struct log *log;
    struct output output;
    const struct strings *capabilities;
    struct timer *timer;
    bool ready, stopping;
    void (*done)(void *user);
};

static void finish(struct dut *dut)
{
    void (*done)(void *user) = dut->done;
    void *user = dut->user;

    timer_stop(&dut->timer);
    output_free(&dut->output);
    log_close(dut->log);
    free(dut);
    done(user);
}

static void on_finish_timer(void *user)
{
    struct dut *dut = user;

    dut->timer = NULL;
    finish(dut);
}

/* What went wrong, with the last lines that it said. */
static void explain(const struct dut *dut, const char *what, struct error **ret)
{
    cleanup_free char *words = output_last(&dut->output);
    const char *hint = script_hint(words, dut->capabilities);

    error_set(ret, ERROR_FAILED, "%s%s%s%s%s%s", what, words ? ": " : "", words ? words : "",
              hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
}

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct dut *dut = user;

    (void)errors;
    output_add(&dut->output, data, length);
}

static void on_listening(void *user, const char *problem)
{
    struct dut *dut = user;

    if (dut->stopping)
        return;
    if (problem)
        log_line(dut->log, LOG_LEVEL_WARNING, "cannot tell whether the DUT is bound: %s", problem);
    timer_stop(&dut->timer);
    dut->ready = true;
    dut->callbacks->ready(dut->user, NULL);
}

static char *end_words(const struct process_end *end, const struct error *error)
{
    if (error)
        return text_format("the DUT could not be run: %s", error_text(error));
    if (end->signal)
        return text_format("the DUT was ended by %s", process_signal_name(end->signal));
    return text_format("the DUT ended with exit code %d", end->exit_code);
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct dut *dut = user;
    cleanup_free char *what = end_words(end, error);
    cleanup_error struct error *why = NULL;

    dut->process = NULL;
    timer_stop(&dut->timer);
    output_end(&dut->output);
    if (dut->stopping) {
        finish(dut);
        return;
    }
    explain(dut, what, &why);
    if (dut->ready)
        dut->callbacks->ended(dut->user, why);
    else
        dut->callbacks->ready(dut->user, why);
}

static const struct pod_process_callbacks callbacks = {
    .listening = on_listening,
    .output = on_output,
    .ended = on_ended,
};

static void on_late(void *user)
{
    struct dut *dut = user;
    cleanup_free char *host = family_uri_host(dut->address);
    cleanup_free char *what = text_format("the DUT was not bound to %s:%u (UDP or TCP) after %d s", host,
                                          dut->port, DUT_READY_SECONDS);
    cleanup_error struct error *why = NULL;

    dut->timer = NULL;
    explain(dut, what, &why);
    dut->callbacks->ready(dut->user, why);
}

static void run(struct dut *dut, const struct dut_config *config)
{
    struct container_message container = {
        .id = (char *)"dut",
        .process =
            {
                .workdir = (char *)config->folder,
                .envs = config->envs,
                .env_count = config->env_count,
            },
        .listen =
            {
                .address = (char *)config->address,
                .protocol = (char *)"any",
                .port = (uint16_t)config->port,
            },
    };

    if (config->capabilities)
        container.process.capabilities = *config->capabilities; /* which stay whose they are */
    strings_add(&container.process.args, "sh");
    strings_add(&container.process.args, "dut.sh");
    dut->timer = loop_after(config->loop, (int64_t)DUT_READY_SECONDS * 1000, on_late, dut);
    dut->process = pod_run(config->pod, &container, false, &callbacks, dut);
    strings_free(&container.process.args);
}

struct dut *dut_start(const struct dut_config *config, const struct dut_callbacks *dut_callbacks, void *user,
                      struct error **ret)
{
    struct log *log = log_open(config->folder_fd, "dut.log", "dut", config->log_style, ret);
    struct dut *dut;

    if (!log)
        return NULL;
    dut = memory_new(sizeof *dut);
    *dut = (struct dut){
        .loop = config->loop,
        .capabilities = config->capabilities,
        .address = config->address,
        .port = config->port,
        .callbacks = dut_callbacks,
        .user = user,
        .log = log,
        .output = {.log = log, .level = LOG_LEVEL_INFO},
    };
    run(dut, config);
    return dut;
}

static void on_stubborn(void *user)
{
    struct dut *dut = user;

    dut->timer = NULL;
    if (dut->process)
        pod_process_kill(dut->process, SIGKILL, true);
}

void dut_stop(struct dut *dut, void (*done)(void *user), void *user)
{
    dut->stopping = true;
    dut->done = done;
    dut->user = user;
    timer_stop(&dut->timer);
    if (!dut->process) { /* never from in here: the caller may stand in one of the DUT's callbacks */
        dut->timer = loop_after(dut->loop, 0, on_finish_timer, dut);
        return;
    }
    pod_process_kill(dut->process, SIGTERM, true);
    dut->timer = loop_after(dut->loop, STOP_MS, on_stubborn, dut);
}
