#include "src/run/parts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define GRACE_MS     5000 /* after SIGUSR1, which SIPp may answer by waiting for its call to end */
#define IMPATIENT_MS 1000 /* after SIGTERM */

/* Who is started together, once those before are bound. */
enum stage { STAGE_UAS, STAGE_UAC, STAGE_MASTER };

struct place {
    struct parts *parts;
    struct ua_result *result;
    struct ua_process ua;
};

struct parts {
    struct parts_config config;
    struct place *places; /* one for each scenario */
    size_t first, end;    /* the scenarios of the part that runs */
    unsigned call, calls; /* this one, from 1, and how many times the parts are run */
    size_t running;
    enum stage stage;
    char *failure; /* set: nothing is started any more */
    struct timer *timer;
    void (*done)(void *user, const char *failure);
    void *user;
};

static void start_part(struct parts *parts);

/* ---- words ---- */

static bool are_several(const struct test *test)
{
    return strcmp(test->scenarios[0].part, test->scenarios[test->scenario_count - 1].part) != 0;
}

/* "part 02, call 3 of 5", or less where there is but one; NULL: there is nothing to tell. */
static char *where(const struct parts *parts)
{
    const struct test *test = parts->config.ua.test;
    const char *part = test->scenarios[parts->first].part;
    cleanup_buffer struct buffer text = {0};

    if (!are_several(test))
        return NULL;
    if (*part)
        buffer_addf(&text, "part %s", part);
    else
        buffer_addf(&text, "the part without a name");
    if (parts->calls > 1)
        buffer_addf(&text, ", call %u of %u", parts->call, parts->calls);
    buffer_add(&text, "", 1);
    return (char *)steal_pointer(&text.data);
}

char *parts_running(const struct parts *parts)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = parts->first; i < parts->end; i++) {
        const struct ua_process *ua = &parts->places[i].ua;

        if (ua->process)
            buffer_addf(&text, "%s%s (%s)", text.length ? ", " : "", ua->scenario->ua, ua->scenario->file);
    }
    buffer_add(&text, "", 1);
    return (char *)steal_pointer(&text.data);
}

/* ---- ending ---- */

static void signal_all(struct parts *parts, int signal)
{
    for (size_t i = parts->first; i < parts->end; i++)
        ua_process_kill(&parts->places[i].ua, signal);
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
        log_line(parts->config.ua.log, LOG_LEVEL_ERROR, "%s", reason);
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
    for (size_t i = 0; i < parts->config.ua.test->scenario_count; i++)
        ua_process_free(&parts->places[i].ua);
    free(parts->places);
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
    cleanup_free char *place = where(parts);
    cleanup_free char *running = parts_running(parts);

    parts->timer = NULL;
    fail(parts,
         text_format("%s was not over after %d s; still running: %s", place ? place : "SIPp", PART_SECONDS,
                     running),
         SIGTERM, GRACE_MS);
}

/* The next part, or the first one of the next call; false: that was the last. */
static bool go_on(struct parts *parts)
{
    parts->first = parts->end;
    if (parts->first == parts->config.ua.test->scenario_count) {
        parts->first = 0;
        if (parts->call++ == parts->calls)
            return false;
    }
    start_part(parts);
    return true;
}

static void on_ended(void *user, const struct process_end *end, const char *problem)
{
    struct place *place = user;
    struct parts *parts = place->parts;

    if (end) {
        place->result->started = true;
        place->result->exit_code = end->exit_code;
        place->result->signal = end->signal;
    }
    parts->running--;
    if (problem && !parts->failure) { /* afterwards they end because they were told to */
        cleanup_free char *text = where(parts);

        fail(parts, text_format("%s%s%s", text ? text : "", text ? ": " : "", problem), SIGUSR1, GRACE_MS);
    }
    if (parts->running)
        return;
    if (parts->failure || !go_on(parts))
        finish(parts);
}

/* ---- one part ---- */

static enum stage stage_of(const struct ua_process *ua)
{
    return ua_process_is_master(ua) ? STAGE_MASTER : ua->scenario->server ? STAGE_UAS : STAGE_UAC;
}

/* Where there are several parts, SIPp is started for each call anew. */
static unsigned calls_at_once(const struct ua_config *config)
{
    return are_several(config->test) || !config->sipp->calls ? 1 : config->sipp->calls;
}

static void start_stage(struct parts *parts)
{
    for (size_t i = parts->first; i < parts->end; i++) {
        struct ua_process *ua = &parts->places[i].ua;

        if (stage_of(ua) != parts->stage)
            continue;
        parts->running++;
        ua_process_start(ua, calls_at_once(&parts->config.ua));
    }
}

static bool all_are_bound(const struct parts *parts)
{
    for (size_t i = parts->first; i < parts->end; i++)
        if (stage_of(&parts->places[i].ua) <= parts->stage && !parts->places[i].ua.bound)
            return false;
    return true;
}

static void start_who_may(struct parts *parts)
{
    while (!parts->failure && parts->stage < STAGE_MASTER && all_are_bound(parts)) {
        parts->stage++;
        start_stage(parts);
    }
}

static void on_bound(void *user)
{
    start_who_may(((struct place *)user)->parts);
}

static size_t end_of_part(const struct test *test, size_t first)
{
    size_t end = first;

    while (end < test->scenario_count && strcmp(test->scenarios[end].part, test->scenarios[first].part) == 0)
        end++;
    return end;
}

static void start_part(struct parts *parts)
{
    cleanup_free char *text = where(parts);

    if (text)
        log_line(parts->config.ua.log, LOG_LEVEL_INFO, "%s", text);
    parts->end = end_of_part(parts->config.ua.test, parts->first);
    timer_stop(&parts->timer);
    parts->timer = loop_after(parts->config.loop, (int64_t)PART_SECONDS * 1000, on_part_timeout, parts);
    parts->stage = STAGE_UAS;
    start_stage(parts);
    start_who_may(parts);
}

static const struct ua_callbacks callbacks = {.bound = on_bound, .ended = on_ended};

struct parts *parts_start(const struct parts_config *config, void (*done)(void *user, const char *failure),
                          void *user)
{
    const struct test *test = config->ua.test;
    struct parts *parts = memory_new(sizeof *parts);

    *parts = (struct parts){.config = *config, .call = 1, .calls = 1, .done = done, .user = user};
    if (are_several(test) && config->ua.sipp->calls)
        parts->calls = config->ua.sipp->calls;
    parts->places = memory_new(test->scenario_count * sizeof *parts->places);
    for (size_t i = 0; i < test->scenario_count; i++) {
        struct place *place = &parts->places[i];

        place->parts = parts;
        place->result = &config->results[i];
        ua_process_init(&place->ua, &parts->config.ua, &test->scenarios[i], &callbacks, place);
    }
    start_part(parts);
    return parts;
}

/* ---- telling ---- */

static void tell_part(const struct ua_config *config, size_t first, size_t end,
                      void (*tell)(void *user, const struct part_command *command), void *user)
{
    size_t told = 0;

    for (enum stage stage = STAGE_UAS; stage <= STAGE_MASTER; stage++)
        for (size_t i = first; i < end; i++) {
            cleanup_strings struct strings arguments = {0};
            struct ua_process ua;

            ua_process_init(&ua, config, &config->test->scenarios[i], NULL, NULL);
            if (stage_of(&ua) == stage) {
                struct part_command command = {
                    .scenario = ua.scenario,
                    .arguments = &arguments,
                    .first = told == 0,
                    .last = told + 1 == end - first,
                };

                ua_process_arguments(&ua, calls_at_once(config), &arguments);
                told++;
                tell(user, &command);
            }
            ua_process_free(&ua);
        }
}

void parts_tell(const struct ua_config *config, void (*tell)(void *user, const struct part_command *command),
                void *user)
{
    for (size_t first = 0, end; first < config->test->scenario_count; first = end) {
        end = end_of_part(config->test, first);
        tell_part(config, first, end, tell, user);
    }
}
