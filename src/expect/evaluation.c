#include "src/expect/evaluation.h"

#include <stdio.h>
#include <string.h>

#include "src/expect/own.h"

static bool ended(const struct evaluation *evaluation)
{
    return evaluation->verdict.state != SIPPOD_PENDING;
}

/* The predicate's words; its own functions may leave the text alone. */
static void describe(const struct evaluation *evaluation, char *text, size_t size)
{
    snprintf(text, size, "saw %llu packets", (unsigned long long)evaluation->verdict.seen);
    if (evaluation->predicate.detail)
        evaluation->predicate.detail(evaluation->predicate.state, text, size);
}

static bool fail(struct evaluation *evaluation, const char *words, const char *more)
{
    struct sippod_verdict *verdict = &evaluation->verdict;
    const char *place = evaluation->place;

    if (!ended(evaluation)) {
        snprintf(verdict->detail, sizeof verdict->detail, "%s%s%s%s%s", *place ? place + 1 : "",
                 *place ? ": " : "", words, *more ? "; " : "", more);
        verdict->state = SIPPOD_FAILED;
    }
    return true;
}

bool evaluation_fail(struct evaluation *evaluation, const char *why)
{
    char words[SIPPOD_DETAIL / 2]; /* whatever its length, the reason is told */

    if (ended(evaluation))
        return true;
    describe(evaluation, words, sizeof words);
    return fail(evaluation, words, why);
}

bool evaluation_cancel(struct evaluation *evaluation)
{
    if (!ended(evaluation)) {
        snprintf(evaluation->verdict.detail, sizeof evaluation->verdict.detail, "cancelled%s",
                 evaluation->place);
        evaluation->verdict.state = SIPPOD_CANCELLED;
    }
    return true;
}

enum end { STOPPED, LIMITED, TIMED_OUT };

static bool finish(struct evaluation *evaluation, enum end how, uint64_t now_ns)
{
    struct sippod_verdict *verdict = &evaluation->verdict;
    char words[SIPPOD_DETAIL - 128], losses[48] = "";

    verdict->elapsed_ns = now_ns > evaluation->begin_ns ? now_ns - evaluation->begin_ns : 0;
    verdict->value = evaluation->predicate.on_finish(evaluation->predicate.state, how == TIMED_OUT);
    describe(evaluation, words, sizeof words);
    if (ended(evaluation)) /* cancelled by that */
        return true;
    if (verdict->value.kind == SIPPOD_ERROR)
        return fail(evaluation, words, "");
    if (verdict->lost)
        snprintf(losses, sizeof losses, "%llu packet%s lost", (unsigned long long)verdict->lost,
                 verdict->lost == 1 ? " was" : "s were");
    if (verdict->lost && how != STOPPED)
        return fail(evaluation, words, losses);
    snprintf(verdict->detail, sizeof verdict->detail, "%s in %.1f s%s%s%s", words,
             (double)verdict->elapsed_ns / 1e9, evaluation->place, verdict->lost ? "; " : "", losses);
    verdict->state = SIPPOD_DECIDED;
    return true;
}

void evaluation_begin(struct evaluation *evaluation, struct sippod_predicate predicate,
                      const struct sippod_options *options, uint64_t begin_ns, const char *place)
{
    static const struct sippod_options none = {0};
    uint32_t timeout_ms;
    const char *wrong;
    char error[MATCH_ERROR];

    if (!options)
        options = &none;
    *evaluation = (struct evaluation){.predicate = predicate, .packet_limit = options->packet_limit};
    if (place)
        snprintf(evaluation->place, sizeof evaluation->place, " on %s", place);
    timeout_ms = options->timeout_ms ? options->timeout_ms : SIPPOD_TIMEOUT_MS;
    evaluation->begin_ns = begin_ns;
    evaluation->end_ns =
        timeout_ms == SIPPOD_NO_TIMEOUT ? UINT64_MAX : begin_ns + (uint64_t)timeout_ms * 1000000;
    if ((wrong = sippod_predicate_error(&evaluation->predicate)))
        fail(evaluation, wrong, "");
    else if (options->filter && !(evaluation->filter = match_filter(options->filter, error)))
        fail(evaluation, error, "");
}

bool evaluation_time_out(struct evaluation *evaluation, uint64_t now_ns)
{
    return ended(evaluation) || finish(evaluation, TIMED_OUT, now_ns);
}

bool evaluation_view(struct evaluation *evaluation, struct view *view)
{
    const struct sippod_predicate *predicate = &evaluation->predicate;
    const struct sippod_packet *packet = view->packet;
    char words[SIPPOD_DETAIL - 128];
    bool enough;

    if (ended(evaluation))
        return true;
    if (packet->timestamp_ns > evaluation->end_ns)
        return finish(evaluation, TIMED_OUT, evaluation->end_ns);
    if (packet->timestamp_ns < evaluation->begin_ns ||
        (evaluation->filter && !evaluation->filter->matches(evaluation->filter, view)))
        return false;
    evaluation->verdict.seen++;
    if (predicate_take(predicate, view) < 0) {
        describe(evaluation, words, sizeof words);
        return fail(evaluation, words, "");
    }
    if (ended(evaluation)) /* cancelled by that */
        return true;
    enough = predicate->stop_condition && predicate->stop_condition(predicate->state, packet);
    if (ended(evaluation))
        return true;
    if (enough || evaluation->verdict.seen == evaluation->packet_limit)
        return finish(evaluation, enough ? STOPPED : LIMITED, packet->timestamp_ns);
    return false;
}

bool evaluation_packet(struct evaluation *evaluation, const struct sippod_packet *packet)
{
    struct view view;

    view_open(&view, packet);
    return evaluation_view(evaluation, &view);
}

void evaluation_lost(struct evaluation *evaluation, uint64_t packets)
{
    if (!ended(evaluation))
        evaluation->verdict.lost = packets;
}

void evaluation_free(struct evaluation *evaluation)
{
    sippod_predicate_free(&evaluation->predicate);
    match_free(evaluation->filter);
    evaluation->filter = NULL;
}

bool sippod_verdict_is(const struct sippod_verdict *verdict, bool expected)
{
    const struct sippod_value *value = &verdict->value;
    bool truth = value->kind == SIPPOD_POINTER ? value->pointer != NULL : value->integer != 0;

    return verdict->state == SIPPOD_DECIDED && value->kind != SIPPOD_ERROR && truth == expected;
}
