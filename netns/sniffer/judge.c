/* Interfaces are read one after the other, so that a packet may be seen before an older one. A packet that is
 * beyond the time of an expectation is therefore passed over and does not end it: that is done when
 * everything up to then has been seen. */
#include "netns/sniffer/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/expect/evaluation.h"
#include "src/expect/parse.h"

#define ANY SIZE_MAX

struct matter {
    struct evaluation evaluation;
    size_t interface; /* ANY: each */
    uint64_t timeout_ns, settle_ns;
    bool negated;
};

struct judge {
    struct matter *matters;
    size_t count;
    const char *const *interfaces;
    size_t interface_count;
    uint64_t *lost; /* of each interface */
};

static bool has_ended(const struct matter *matter)
{
    return matter->evaluation.verdict.state != SIPPOD_PENDING;
}

static size_t interface_number(const char *name, const char *const *interfaces, size_t count)
{
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(name, interfaces[i]) == 0)
            return i;
    return ANY;
}

/* Nothing counts until it begins. */
static int open_matter(struct matter *matter, const struct expectation *expectation, const char *folder,
                       struct error **ret)
{
    const struct sippod_options options = {
        .timeout_ms = SIPPOD_NO_TIMEOUT,
        .packet_limit = expectation->limit,
        .filter = expectation->filter,
    };

    matter->timeout_ns = expectation->timeout_ns;
    matter->settle_ns = expectation->settle_ns;
    matter->negated = expectation->negated;
    evaluation_begin(&matter->evaluation, predicate_parse(expectation->predicate, folder, false), &options,
                     UINT64_MAX, expectation->interface);
    if (has_ended(matter))
        return error_set(ret, ERROR_FAILED, "expectation \"%s\": %s", expectation->title,
                         matter->evaluation.verdict.detail);
    return 0;
}

struct judge *judge_new(const struct expectations *expectations, const char *folder,
                        const char *const *interfaces, size_t interface_count, struct error **ret)
{
    struct judge *judge = memory_new(sizeof *judge);

    *judge = (struct judge){.matters = memory_new(expectations->count * sizeof *judge->matters),
                            .interfaces = interfaces,
                            .interface_count = interface_count,
                            .lost = memory_new(interface_count * sizeof *judge->lost)};
    for (size_t i = 0; i < expectations->count; i++) {
        const struct expectation *expectation = &expectations->list[i];
        struct matter *matter = &judge->matters[judge->count++];

        matter->interface = interface_number(expectation->interface, interfaces, interface_count);
        if (open_matter(matter, expectation, folder, ret) < 0) {
            judge_free(judge);
            return NULL;
        }
    }
    return judge;
}

void judge_free(struct judge *judge)
{
    if (!judge)
        return;
    for (size_t i = 0; i < judge->count; i++)
        evaluation_free(&judge->matters[i].evaluation);
    free(judge->matters);
    free(judge->lost);
    free(judge);
}

void judge_begin(struct judge *judge, uint64_t now_ns)
{
    for (size_t i = 0; i < judge->count; i++) {
        struct matter *matter = &judge->matters[i];

        matter->evaluation.begin_ns = now_ns;
        matter->evaluation.end_ns = matter->timeout_ns ? now_ns + matter->timeout_ns : UINT64_MAX;
    }
}

void judge_packet(struct judge *judge, const struct pcapng_packet *packet)
{
    const struct sippod_packet frame = {
        .data = packet->data,
        .captured = packet->captured,
        .length = packet->original,
        .timestamp_ns = packet->timestamp,
        .linktype = SIPPOD_LINKTYPE_ETHERNET, /* as a pod's interfaces are */
    };
    struct view view;

    view_open(&view, &frame);
    for (size_t i = 0; i < judge->count; i++) {
        struct matter *matter = &judge->matters[i];

        if ((matter->interface == ANY || matter->interface == packet->interface) &&
            packet->timestamp <= matter->evaluation.end_ns)
            (void)evaluation_view(&matter->evaluation, &view);
    }
}

void judge_settle(struct judge *judge, uint64_t now_ns)
{
    for (size_t i = 0; i < judge->count; i++) {
        struct matter *matter = &judge->matters[i];

        if (matter->evaluation.end_ns > now_ns + matter->settle_ns)
            matter->evaluation.end_ns = now_ns + matter->settle_ns;
    }
}

void judge_lost(struct judge *judge, size_t interface, uint64_t packets)
{
    uint64_t all = 0;

    if (judge->lost[interface] == packets)
        return;
    judge->lost[interface] = packets;
    for (size_t i = 0; i < judge->interface_count; i++)
        all += judge->lost[i];
    for (size_t i = 0; i < judge->count; i++) {
        struct matter *matter = &judge->matters[i];

        evaluation_lost(&matter->evaluation, matter->interface == ANY ? all : judge->lost[matter->interface]);
    }
}

void judge_fail(struct judge *judge, size_t interface, const char *why)
{
    char words[SIPPOD_DETAIL];

    for (size_t i = 0; i < judge->count; i++) {
        struct matter *matter = &judge->matters[i];

        if (matter->interface != ANY && matter->interface != interface)
            continue;
        if (matter->interface == ANY) /* else its own words say so */
            snprintf(words, sizeof words, "%s: %s", judge->interfaces[interface], why);
        else
            snprintf(words, sizeof words, "%s", why);
        (void)evaluation_fail(&matter->evaluation, words);
    }
}

uint64_t judge_time_out(struct judge *judge, uint64_t now_ns)
{
    uint64_t last = 0;

    for (size_t i = 0; i < judge->count; i++) {
        struct evaluation *evaluation = &judge->matters[i].evaluation;

        if (evaluation->end_ns <= now_ns)
            (void)evaluation_time_out(evaluation, evaluation->end_ns);
        else if (!has_ended(&judge->matters[i]) && evaluation->end_ns > last)
            last = evaluation->end_ns;
    }
    return last;
}

bool judge_is_done(const struct judge *judge)
{
    for (size_t i = 0; i < judge->count; i++)
        if (!has_ended(&judge->matters[i]))
            return false;
    return true;
}

size_t judge_count(const struct judge *judge)
{
    return judge->count;
}

void judge_verdict(const struct judge *judge, size_t number, struct judge_verdict *ret)
{
    const struct matter *matter = &judge->matters[number];
    const struct sippod_verdict *verdict = &matter->evaluation.verdict;
    bool passed = sippod_verdict_is(verdict, !matter->negated);

    *ret = (struct judge_verdict){
        .judgement = passed                                        ? JUDGED_PASS
                     : sippod_verdict_is(verdict, matter->negated) ? JUDGED_FAIL
                                                                   : JUDGED_ERROR,
        .seen = verdict->seen,
        .elapsed_ns = verdict->elapsed_ns,
    };
    snprintf(ret->detail, sizeof ret->detail, "%s%s", verdict->detail,
             matter->negated && ret->judgement == JUDGED_FAIL ? ", and was expected not to" : "");
}
