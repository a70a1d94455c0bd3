#include "src/run/script.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/hints.h"
#include "src/run/output.h"

struct script {
    char *name;
    struct pod_process *process;
    struct timer *timer;
    bool timed_out;
    struct output out, errors;
    const struct strings *capabilities;
    void (*done)(void *user, const struct error *error);
    void *user;
};

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct script *script = user;

    output_add(errors ? &script->errors : &script->out, data, length);
}

static void explain(const struct script *script, const struct process_end *end, struct error **ret)
{
    cleanup_free char *words = output_last(&script->errors);
    const char *hint = script_hint(words, script->capabilities);
    cleanup_free char *last =
        words ? text_format(": %s%s%s%s", words, hint ? " (" : "", hint ? hint : "", hint ? ")" : "")
              : text_copy("");

    if (script->timed_out)
        error_set(ret, ERROR_FAILED, "%s was not over after %d s%s", script->name, SCRIPT_SECONDS, last);
    else if (end->signal)
        error_set(ret, ERROR_FAILED, "%s was ended by %s%s", script->name, process_signal_name(end->signal),
                  last);
    else
        error_set(ret, ERROR_FAILED, "%s ended with exit code %d%s", script->name, end->exit_code, last);
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct script *script = user;
    void (*done)(void *user, const struct error *error) = script->done;
    void *done_user = script->user;
    cleanup_error struct error *why = NULL;

    timer_stop(&script->timer);
    output_end(&script->out);
    output_end(&script->errors);
    if (error)
        error_set(&why, ERROR_FAILED, "%s: %s", script->name, error_text(error));
    else if (script->timed_out || end->signal || end->exit_code)
        explain(script, end, &why);
    output_free(&script->out);
    output_free(&script->errors);
    free(script->name);
    free(script);
    done(done_user, why);
}

static const struct pod_process_callbacks callbacks = {.output = on_output, .ended = on_ended};

static void on_timeout(void *user)
{
    struct script *script = user;

    script->timer = NULL;
    script->timed_out = true;
    script_kill(script);
}

struct script *script_start(const struct script_config *config,
                            void (*done)(void *user, const struct error *error), void *user)
{
    struct script *script = memory_new(sizeof *script);
    struct limit_message descriptors = config->descriptors;
    struct container_message exec = {
        .id = (char *)"hyperstart",
        .process =
            {
                .id = (char *)config->name,
                .workdir = (char *)config->folder,
                .envs = config->envs,
                .env_count = config->env_count,
                .limits = &descriptors,
                .limit_count = 1,
            },
    };

    *script = (struct script){
        .name = text_copy(config->name),
        .out = {.log = config->log, .prefix = NULL, .level = LOG_LEVEL_DEBUG},
        .errors = {.log = config->log, .prefix = NULL, .level = LOG_LEVEL_ERROR},
        .capabilities = config->capabilities,
        .done = done,
        .user = user,
    };
    if (config->capabilities)
        exec.process.capabilities = *config->capabilities; /* which stay whose they are */
    strings_add(&exec.process.args, "sh");
    strings_add(&exec.process.args, config->name);
    script->timer = loop_after(config->loop, (int64_t)SCRIPT_SECONDS * 1000, on_timeout, script);
    script->process = pod_run(config->pod, &exec, true, &callbacks, script);
    strings_free(&exec.process.args);
    return script;
}

void script_kill(struct script *script)
{
    pod_process_kill(script->process, SIGKILL, true);
}
