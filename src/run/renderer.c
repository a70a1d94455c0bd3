/* The renderer is asked one file at a time; further ones wait in a queue. Whatever goes wrong with the
 * python3 (a file takes too long, it dies, it talks nonsense) has one way out: the file that it was working
 * on fails, its pod is ended with everything in it, and a new one is started for the files that wait. What is
 * wrong from the start (no python3, no pod) fails all of them; that there is no Jinja2 is asked once only. */
#include "src/run/renderer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/random.h"
#include "src/doctor/ask.h"
#include "src/run/output.h"
#include "src/run/pod.h"
#include "src/suite/render_message.h"

#define MOST_MEMORY ((uint64_t)1024 * 1024 * 1024) /* address space of the python3 */
#define NO_JINJA2                                                                                            \
    "templates with more than plain keywords take Python's Jinja2 (Debian: apt install python3-jinja2)"

extern const char renderer_program[]; /* renderer.py */

struct render {
    char *line, *file; /* the request; the name for errors */
    void (*done)(void *user, const uint8_t *text, size_t length, const struct error *error);
    void *user; /* done NULL: it was cancelled */
    struct render *next;
};

struct renderer {
    struct host *host;
    char *results, *templates;
    struct strings readable;
    char *unusable; /* why nothing can ever be rendered, NULL: it can */
    struct pod *pod;
    struct pod_process *process;
    bool ready, stopping, closing;
    struct timer *timer;          /* of the start to come, or the deadline of what goes on */
    struct render *current;       /* being rendered */
    struct render *first, **last; /* in line */
    struct buffer said;           /* by the python3, not yet taken apart */
    struct output errors;         /* its last words */
};

static void on_start(void *user);

/* ---- requests ---- */

static void answer(struct render *render, const uint8_t *text, size_t length, const struct error *error)
{
    if (render->done)
        render->done(render->user, text, length, error);
    free(render->line);
    free(render->file);
    free(render);
}

static struct render *take(struct renderer *renderer)
{
    struct render *render = renderer->first;

    if (!render)
        return NULL;
    renderer->first = render->next;
    if (!renderer->first)
        renderer->last = &renderer->first;
    return render;
}

/* Only those that wait by now: who hears of it may have a new wish. */
static void fail_all(struct renderer *renderer, const struct error *error)
{
    struct render *render = renderer->first;

    renderer->first = NULL;
    renderer->last = &renderer->first;
    while (render) {
        struct render *next = render->next;

        answer(render, NULL, 0, error);
        render = next;
    }
}

static void start_later(struct renderer *renderer)
{
    if (renderer->first && !renderer->pod && !renderer->timer && !renderer->closing)
        renderer->timer = loop_after(renderer->host->loop, 0, on_start, renderer);
}

/* ---- ending the python3, and its pod ---- */

static void on_stopped(void *user)
{
    struct renderer *renderer = user;

    renderer->pod = NULL;
    renderer->stopping = false;
    if (renderer->closing)
        loop_quit(renderer->host->loop);
    start_later(renderer);
}

static void stop(struct renderer *renderer)
{
    timer_stop(&renderer->timer);
    if (!renderer->pod || renderer->stopping)
        return;
    renderer->process = NULL;
    renderer->ready = false;
    renderer->stopping = true;
    buffer_free(&renderer->said);
    pod_stop(renderer->pod, on_stopped, renderer);
}

/* It did not come as far as rendering. */
static void fail_start(struct renderer *renderer, const struct error *error)
{
    stop(renderer);
    fail_all(renderer, error);
}

/* The file that it was working on takes the blame; for the others there will be a new one. */
static void fail_current(struct renderer *renderer, const char *why)
{
    struct render *render = steal_pointer(&renderer->current);
    cleanup_error struct error *error = NULL;

    stop(renderer);
    if (!render)
        return;
    error_set(&error, ERROR_FAILED, "%s: not rendered %s", render->file, why);
    answer(render, NULL, 0, error);
}

static void on_late(void *user)
{
    struct renderer *renderer = user;
    cleanup_error struct error *error = NULL;
    cleanup_free char *why = text_format("after %d s: a loop that does not end?", RENDER_SECONDS);

    renderer->timer = NULL;
    if (renderer->ready) {
        fail_current(renderer, why);
        return;
    }
    error_set(&error, ERROR_HOST, "python3, which renders templates, has not started after %d s",
              RENDER_SECONDS);
    fail_start(renderer, error);
}

/* ---- talking to it ---- */

static void ask_next(struct renderer *renderer)
{
    if (!renderer->ready || renderer->current)
        return;
    while (renderer->first && !renderer->first->done)
        answer(take(renderer), NULL, 0, NULL);
    timer_stop(&renderer->timer);
    renderer->current = take(renderer);
    if (!renderer->current)
        return;
    renderer->timer = loop_after(renderer->host->loop, (int64_t)RENDER_SECONDS * 1000, on_late, renderer);
    pod_process_input(renderer->process, renderer->current->line, strlen(renderer->current->line));
}

static void on_first_words(struct renderer *renderer, const struct render_reply *reply)
{
    cleanup_error struct error *error = NULL;

    if (reply->ready) {
        renderer->ready = true;
        ask_next(renderer);
        return;
    }
    renderer->unusable =
        text_format("%s; python3 says: %s", NO_JINJA2, reply->error ? reply->error : "nothing");
    error_set(&error, ERROR_HOST, "%s", renderer->unusable);
    fail_start(renderer, error);
}

static void on_reply(struct renderer *renderer, const struct render_reply *reply)
{
    struct render *render = steal_pointer(&renderer->current);
    cleanup_error struct error *error = NULL;

    timer_stop(&renderer->timer);
    if (reply->error)
        error_set(&error, ERROR_INPUT, "%s", reply->error);
    answer(render, reply->text, reply->length, error);
    ask_next(renderer);
}

static void on_nonsense(struct renderer *renderer, const struct error *what)
{
    cleanup_free char *why =
        text_format("because python3 said %s", what ? error_text(what) : "more than it was asked for");
    cleanup_error struct error *error = NULL;

    if (renderer->ready) {
        fail_current(renderer, why);
        return;
    }
    error_set(&error, ERROR_HOST, "templates cannot be rendered %s", why);
    fail_start(renderer, error);
}

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct renderer *renderer = user;
    cleanup_error struct error *error = NULL;
    struct render_reply reply = {0};
    size_t used;
    int result;

    if (errors) {
        output_add(&renderer->errors, data, length);
        return;
    }
    buffer_add(&renderer->said, data, length);
    result = render_reply_decode(renderer->said.data, renderer->said.length, &reply, &used, &error);
    if (result == 0)
        return;
    /* It speaks when it is spoken to, but for its first words. */
    if (result < 0 || used != renderer->said.length || (renderer->ready && !renderer->current)) {
        on_nonsense(renderer, error);
    } else {
        struct buffer said = renderer->said; /* the reply points into it */

        renderer->said = (struct buffer){0};
        (renderer->ready ? on_reply : on_first_words)(renderer, &reply);
        buffer_free(&said);
    }
    free(reply.error);
}

/* "python3 ended with exit code 1: out of memory" */
static char *end_words(struct renderer *renderer, const struct process_end *end)
{
    cleanup_free char *words = NULL;
    cleanup_free char *how = end->signal ? text_format("was ended by %s", process_signal_name(end->signal))
                                         : text_format("ended with exit code %d", end->exit_code);

    output_end(&renderer->errors);
    words = output_last(&renderer->errors);
    return text_format("python3 %s%s%s", how, words ? ": " : "", words ? words : "");
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct renderer *renderer = user;
    cleanup_free char *how = error ? text_copy(error_text(error)) : end_words(renderer, end);
    cleanup_free char *why = text_format("because %s", how);
    cleanup_error struct error *failure = NULL;

    renderer->process = NULL;
    if (renderer->ready) {
        fail_current(renderer, why);
        return;
    }
    error_set(&failure, ERROR_HOST, "templates cannot be rendered: %s", how);
    fail_start(renderer, failure);
}

/* ---- starting it ---- */

static const struct pod_process_callbacks process_callbacks = {.output = on_output, .ended = on_ended};

static void run_python(struct renderer *renderer, const char *python)
{
    struct limit_message limits[] = {
        {.type = (char *)"as", .soft = MOST_MEMORY, .hard = MOST_MEMORY},
        {.type = (char *)"fsize"},
        {.type = (char *)"nproc"},
        {.type = (char *)"core"},
    };
    struct container_message container = {
        .id = (char *)"renderer",
        .process =
            {
                .workdir = renderer->results,
                .limits = limits,
                .limit_count = sizeof limits / sizeof *limits,
                .input = true,
            },
    };

    strings_add(&container.process.args, python);
    strings_add(&container.process.args, "-I");
    strings_add(&container.process.args, "-c");
    strings_add(&container.process.args, renderer_program);
    output_free(&renderer->errors);
    renderer->errors = (struct output){0};
    renderer->process = pod_run(renderer->pod, &container, false, &process_callbacks, renderer);
    strings_free(&container.process.args);
}

static void on_namespaces(void *user)
{
    (void)user;
}

static void on_up(void *user, const struct error *error)
{
    struct renderer *renderer = user;
    cleanup_free char *python = ask_find("python3");

    if (error)
        fail_start(renderer, error);
    else
        run_python(renderer, python ? python : "python3");
}

static void on_lost(void *user, const struct error *why)
{
    cleanup_free char *because = text_format("because %s", error_text(why));

    fail_current(user, because);
}

static void on_notice(void *user, const char *text)
{
    (void)user; /* the tests' pods say the same */
    (void)text;
}

static const struct pod_callbacks pod_callbacks = {
    .namespaces = on_namespaces,
    .up = on_up,
    .lost = on_lost,
    .notice = on_notice,
};

static int start_pod(struct renderer *renderer, struct error **ret)
{
    struct mounts_plan mounts = {.mode = MOUNTS_READONLY, .readable = renderer->readable};
    struct pod_config config = {.mounts = &mounts, .no_network = true};

    if (random_run_id(config.run_id, ret) < 0)
        return -1;
    renderer->pod = pod_start(renderer->host, &config, &pod_callbacks, renderer, ret);
    return renderer->pod ? 0 : -1;
}

static void on_start(void *user)
{
    struct renderer *renderer = user;
    cleanup_error struct error *error = NULL;
    cleanup_free char *python = ask_find("python3");

    renderer->timer = NULL;
    if (!python && !renderer->unusable)
        renderer->unusable = text_format("%s, and python3 is not in PATH", NO_JINJA2);
    if (renderer->unusable)
        error_set(&error, ERROR_HOST, "%s", renderer->unusable);
    if (renderer->unusable || start_pod(renderer, &error) < 0) {
        fail_all(renderer, error);
        return;
    }
    renderer->timer = loop_after(renderer->host->loop, (int64_t)RENDER_SECONDS * 1000, on_late, renderer);
}

/* ---- from outside ---- */

struct renderer *renderer_new(const struct renderer_config *config)
{
    struct renderer *renderer = memory_new(sizeof *renderer);

    *renderer = (struct renderer){
        .host = config->host,
        .results = text_copy(config->results),
        .templates = text_copy(config->templates),
        .last = &renderer->first,
    };
    for (size_t i = 0; i < config->readable->count; i++)
        strings_add(&renderer->readable, config->readable->list[i]);
    strings_add(&renderer->readable, config->results);
    if (config->templates)
        strings_add(&renderer->readable, config->templates);
    return renderer;
}

void renderer_close(struct renderer *renderer)
{
    if (!renderer)
        return;
    renderer->closing = true;
    stop(renderer);
    if (renderer->pod)
        (void)loop_run(renderer->host->loop, NULL);
    for (struct render *render = renderer->first; render; render = render->next)
        render_cancel(render);
    fail_all(renderer, NULL);
    if (renderer->current) {
        render_cancel(renderer->current);
        answer(renderer->current, NULL, 0, NULL);
    }
    output_free(&renderer->errors);
    strings_free(&renderer->readable);
    free(renderer->unusable);
    free(renderer->results);
    free(renderer->templates);
    free(renderer);
}

struct render *renderer_render(struct renderer *renderer, const char *folder, const char *file,
                               const struct keywords *keywords,
                               void (*done)(void *user, const uint8_t *text, size_t length,
                                            const struct error *error),
                               void *user, struct error **ret)
{
    const struct render_request request = {
        .folder = folder, .file = file, .templates = renderer->templates, .keywords = keywords};
    char *line = render_request_encode(&request, ret);
    struct render *render;

    if (!line)
        return NULL;
    render = memory_new(sizeof *render);
    *render = (struct render){.line = line, .file = text_copy(file), .done = done, .user = user};
    *renderer->last = render;
    renderer->last = &render->next;
    ask_next(renderer);
    start_later(renderer);
    return render;
}

void render_cancel(struct render *render)
{
    render->done = NULL;
}
