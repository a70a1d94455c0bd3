#include "src/run/parts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/output.h"

#define SIP_PORT     5060
#define GRACE_MS     5000 /* after SIGUSR1, which SIPp may answer by waiting for its call to end */
#define IMPATIENT_MS 1000 /* after SIGTERM */

struct ua_run {
    struct parts *parts;
    const struct scenario *scenario;
    struct ua_result *result;
    struct pod_process *process; /* NULL: not started, or over */
    bool bound;                  /* a UAS whose socket is there */
    struct output out, errors;
};

struct parts {
    struct parts_config config;
    struct ua_run *runs; /* one for each scenario */
    size_t first, end;   /* the scenarios of the part that runs */
    size_t running;
    bool uacs_started;
    char *failure; /* set: nothing is started any more */
    struct timer *timer;
    void (*done)(void *user, const char *failure);
    void *user;
};

static void start_part(struct parts *parts);

static const char *part_words(const struct parts *parts, char **ret_text)
{
    const char *part = parts->config.test->scenarios[parts->first].part;

    *ret_text = *part ? text_format("part %s", part) : text_copy("SIPp");
    return *ret_text;
}

/* ---- ending ---- */

static void signal_all(struct parts *parts, int signal)
{
    for (size_t i = parts->first; i < parts->end; i++)
        if (parts->runs[i].process)
            pod_process_kill(parts->runs[i].process, signal, signal == SIGKILL);
}

static void on_grace_over(void *user)
{
    struct parts *parts = user;

    parts->timer = NULL;
    signal_all(parts, SIGKILL);
}

/* The first reason is the one that counts. */
static void fail(struct parts *parts, char *reason, int signal, int64_t grace_ms)
{
    if (parts->failure) {
        free(reason);
    } else {
        parts->failure = reason;
        log_line(parts->config.log, LOG_LEVEL_ERROR, "%s", reason);
    }
    signal_all(parts, signal);
    timer_stop(&parts->timer);
    parts->timer = loop_after(parts->config.loop, grace_ms, on_grace_over, parts);
}

static void finish(struct parts *parts)
{
    void (*done)(void *user, const char *failure) = parts->done;
    char *failure = parts->failure;
    void *user = parts->user;

    timer_stop(&parts->timer);
    for (size_t i = 0; i < parts->config.test->scenario_count; i++) {
        output_free(&parts->runs[i].out);
        output_free(&parts->runs[i].errors);
    }
    free(parts->runs);
    free(parts);
    done(user, failure);
    free(failure);
}

void parts_stop(struct parts *parts, const char *reason)
{
    fail(parts, text_copy(reason), SIGTERM, IMPATIENT_MS);
}

void parts_hurry(struct parts *parts)
{
    signal_all(parts, SIGKILL);
}

static void on_part_timeout(void *user)
{
    struct parts *parts = user;
    cleanup_free char *part = NULL;

    parts->timer = NULL;
    fail(parts, text_format("%s was not over after %d s", part_words(parts, &part), PART_SECONDS), SIGTERM,
         GRACE_MS);
}

/* ---- one SIPp ---- */

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct ua_run *run = user;

    output_add(errors ? &run->errors : &run->out, data, length);
}

/* Why this SIPp ended as it did: its error log says it best, else what it said last. */
static char *explain(const struct ua_run *run, const struct process_end *end)
{
    cleanup_free char *how = end->signal ? text_format("was ended by %s", process_signal_name(end->signal))
                                         : text_format("ended with exit code %d, %s", end->exit_code,
                                                       sipp_exit_text(end->exit_code));
    cleanup_free char *words = sipp_complaint(run->parts->config.folder_fd, run->scenario);

    if (!words)
        words = output_last(&run->errors);
    return text_format("%s (%s) %s%s%s", run->scenario->ua, run->scenario->file, how, words ? ": " : "",
                       words ? words : "");
}

static void judge(struct ua_run *run, const struct process_end *end, const struct error *error)
{
    struct parts *parts = run->parts;

    if (error)
        fail(parts, text_format("%s (%s): %s", run->scenario->ua, run->scenario->file, error_text(error)),
             SIGUSR1, GRACE_MS);
    else if (end->exit_code || end->signal)
        fail(parts, explain(run, end), SIGUSR1, GRACE_MS);
    else if (run->scenario->server && !run->bound)
        fail(parts,
             text_format("%s (%s) ended before its socket was bound", run->scenario->ua, run->scenario->file),
             SIGUSR1, GRACE_MS);
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct ua_run *run = user;
    struct parts *parts = run->parts;

    run->process = NULL;
    output_end(&run->out);
    output_end(&run->errors);
    if (!error) {
        run->result->started = true;
        run->result->exit_code = end->exit_code;
        run->result->signal = end->signal;
        log_line(parts->config.log, LOG_LEVEL_INFO, "%s ended with exit code %d", run->scenario->ua,
                 end->exit_code);
    }
    parts->running--;
    if (!parts->failure) /* afterwards they end because they were told to */
        judge(run, end, error);
    if (parts->running)
        return;
    if (parts->failure || parts->end == parts->config.test->scenario_count) {
        finish(parts);
        return;
    }
    parts->first = parts->end;
    start_part(parts);
}

static void on_listening(void *user, const char *problem);

static const struct pod_process_callbacks callbacks = {
    .listening = on_listening,
    .output = on_output,
    .ended = on_ended,
};

static void log_command(struct parts *parts, const char *ua, const struct strings *arguments)
{
    cleanup_buffer struct buffer line = {0};

    for (size_t i = 0; i < arguments->count; i++)
        buffer_addf(&line, "%s%s", i ? " " : "", arguments->list[i]);
    log_line(parts->config.launch_log, LOG_LEVEL_INFO, "%s: %.*s", ua, (int)line.length,
             (const char *)line.data);
}

static void start(struct parts *parts, struct ua_run *run)
{
    const struct parts_config *config = &parts->config;
    const char *transport =
        config->test->config.transport ? config->test->config.transport : config->sipp->transport;
    struct limit_message limit = {
        .type = (char *)"nofile",
        .soft = config->descriptor_limit,
        .hard = config->descriptor_most,
    };
    struct container_message container = {
        .id = run->scenario->ua,
        .process =
            {
                .workdir = (char *)config->folder,
                .envs = config->envs,
                .env_count = config->env_count,
                .limits = &limit,
                .limit_count = 1,
            },
    };

    if (run->scenario->server)
        container.listen = (struct listen_message){
            .address = test_ua(config->test, run->scenario->ua)->address,
            .protocol = (char *)sipp_protocol(transport),
            .port = SIP_PORT,
        };
    sipp_arguments(config->sipp, config->test, run->scenario, config->dut, &container.process.args);
    if (sipp_needs_raw_socket(config->folder_fd, run->scenario))
        strings_add(&container.process.capabilities, "CAP_NET_RAW");
    log_command(parts, run->scenario->ua, &container.process.args);
    parts->running++;
    run->process = pod_run(config->pod, &container, false, &callbacks, run);
    strings_free(&container.process.args);
    strings_free(&container.process.capabilities);
}

/* ---- one part ---- */

static void start_role(struct parts *parts, bool server)
{
    for (size_t i = parts->first; i < parts->end; i++)
        if (parts->runs[i].scenario->server == server)
            start(parts, &parts->runs[i]);
}

static void start_uacs_when_bound(struct parts *parts)
{
    if (parts->uacs_started || parts->failure)
        return;
    for (size_t i = parts->first; i < parts->end; i++)
        if (parts->runs[i].scenario->server && !parts->runs[i].bound)
            return;
    parts->uacs_started = true;
    start_role(parts, false);
}

static void on_listening(void *user, const char *problem)
{
    struct ua_run *run = user;

    if (problem)
        log_line(run->parts->config.log, LOG_LEVEL_WARNING, "cannot tell whether %s is bound: %s",
                 run->scenario->ua, problem);
    run->bound = true;
    start_uacs_when_bound(run->parts);
}

static void start_part(struct parts *parts)
{
    const struct test *test = parts->config.test;

    for (parts->end = parts->first; parts->end < test->scenario_count; parts->end++)
        if (strcmp(test->scenarios[parts->end].part, test->scenarios[parts->first].part) != 0)
            break;
    parts->uacs_started = false;
    timer_stop(&parts->timer);
    parts->timer = loop_after(parts->config.loop, (int64_t)PART_SECONDS * 1000, on_part_timeout, parts);
    start_role(parts, true);
    start_uacs_when_bound(parts);
}

struct parts *parts_start(const struct parts_config *config, void (*done)(void *user, const char *failure),
                          void *user)
{
    struct parts *parts = memory_new(sizeof *parts);

    *parts = (struct parts){.config = *config, .done = done, .user = user};
    parts->runs = memory_new(config->test->scenario_count * sizeof *parts->runs);
    for (size_t i = 0; i < config->test->scenario_count; i++) {
        const struct scenario *scenario = &config->test->scenarios[i];

        parts->runs[i] = (struct ua_run){
            .parts = parts,
            .scenario = scenario,
            .result = &config->results[i],
            .out = {.log = config->launch_log, .prefix = scenario->ua, .level = LOG_LEVEL_DEBUG},
            .errors = {.log = config->launch_log, .prefix = scenario->ua, .level = LOG_LEVEL_ERROR},
        };
    }
    start_part(parts);
    return parts;
}
