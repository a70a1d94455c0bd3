#include "src/run/turns.h"

#include <stdlib.h>

#include "src/base/memory.h"
#include "src/run/state.h"

void turns_open(struct turns *turns, const struct test_context *context, const struct suite *suite,
                struct results *results, size_t total, bool random, unsigned long seed)
{
    *turns = (struct turns){
        .context = context,
        .suite = suite,
        .results = results,
        .count = total ? total : suite->test_count,
        .random = random,
        .state = {0x330e, (unsigned short)(seed & 0xffff), (unsigned short)(seed >> 16 & 0xffff)},
    };
}

static void tell(const struct turns *turns, const struct test_result *result, const char *state,
                 enum progress_tone tone)
{
    struct progress_line line = {
        .state = state,
        .test = result->name,
        .run_id = *result->run_id ? result->run_id : "------",
        .index = result->index,
        .tone = tone,
        .took_s = tone == TONE_BAD ? result->prepare_s : -1,
        .cps = -1,
        .reason = result->reason,
    };

    progress_state(turns->context->progress, &line);
}

void turns_tell_no_room(const struct turns *turns, const struct test_result *result)
{
    tell(turns, result, state_name(STATE_NOT_READY), state_tone(STATE_NOT_READY));
}

static void skip(struct turns *turns, const struct turn *turn)
{
    struct test_result *result = memory_new(sizeof *result);

    *result = (struct test_result){
        .name = text_copy(turn->test->name),
        .run_id = text_copy(""),
        .index = turn->index,
        .verdict = VERDICT_SKIP,
        .outcome = OUTCOME_SKIPPED,
        .clean = true,
        .reason = text_copy(turn->test->config.skip),
    };
    tell(turns, result, "SKIPPED", TONE_GOOD);
    results_add(turns->results, result);
}

bool turns_next(struct turns *turns, struct turn *ret_turn)
{
    while (turns->next < turns->count) {
        size_t number = turns->random ? (size_t)nrand48(turns->state) : turns->next;

        *ret_turn = (struct turn){
            .test = &turns->suite->tests[number % turns->suite->test_count],
            .index = (unsigned)++turns->next,
        };
        if (!ret_turn->test->config.skip)
            return true;
        skip(turns, ret_turn);
    }
    return false;
}

void turns_again(struct turns *turns, struct test_result *result)
{
    if (result->folder)
        strings_add(&turns->results->earlier, result->folder);
    test_result_free(result);
}

void turns_ended(struct turns *turns, struct test_result *result)
{
    if (result->verdict == VERDICT_FAIL)
        turns->failed = true;
    results_add(turns->results, result);
}
