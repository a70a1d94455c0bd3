/* Nearly all predicates are one: so many packets of a kind. To have seen one is to have seen at least one,
 * not to have seen it is to have seen fewer than one. They differ in what they count (match.h) and in the
 * rule. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/match.h"
#include "src/expect/own.h"
#include "src/expect/wrong.h"

enum rule {
    AT_LEAST,  /* true as soon as so many came, false when the time is over */
    LESS_THAN, /* false as soon as so many came */
    EXACTLY,   /* false as soon as one more came */
    HOW_MANY,  /* an integer */
    TIMED_OUT, /* true if time ended it */
};

struct tally {
    struct own own;
    char name[128]; /* as it was called, in the detail */
    enum rule rule;
    uint64_t wanted;
    struct match *match;
    uint64_t packets, matched;
    uint64_t first; /* the number of the first that matched, from 1 */
};

static int tally_view(void *state, struct view *view)
{
    struct tally *tally = state;

    tally->packets++;
    if (tally->match->matches(tally->match, view) && !tally->matched++)
        tally->first = tally->packets;
    return 0;
}

static bool tally_stop(void *state, const struct sippod_packet *packet)
{
    const struct tally *tally = state;

    (void)packet;
    switch (tally->rule) {
    case AT_LEAST:
    case LESS_THAN:
        return tally->matched >= tally->wanted;
    case EXACTLY:
        return tally->matched > tally->wanted;
    default:
        return false;
    }
}

static struct sippod_value tally_finish(void *state, bool timed_out)
{
    const struct tally *tally = state;
    struct sippod_value value = {.kind = SIPPOD_BOOL};

    switch (tally->rule) {
    case AT_LEAST:
        value.integer = tally->matched >= tally->wanted;
        break;
    case LESS_THAN:
        value.integer = tally->matched < tally->wanted;
        break;
    case EXACTLY:
        value.integer = tally->matched == tally->wanted;
        break;
    case HOW_MANY:
        value.kind = SIPPOD_INTEGER;
        value.integer = (int64_t)tally->matched;
        break;
    case TIMED_OUT:
        value.integer = timed_out;
        break;
    }
    return value;
}

static void tally_detail(const void *state, char *text, size_t size)
{
    const struct tally *tally = state;
    unsigned long long matched = tally->matched, wanted = tally->wanted, packets = tally->packets;

    if (tally->rule == HOW_MANY || tally->rule == TIMED_OUT || (tally->rule == LESS_THAN && wanted > 1))
        snprintf(text, size, "%s: saw %llu packet%s", tally->name, matched, matched == 1 ? "" : "s");
    else if (tally->rule == EXACTLY || wanted != 1)
        snprintf(text, size, "%s: saw %llu of %llu", tally->name, matched, wanted);
    else if (matched)
        snprintf(text, size, "%s: saw it in packet %llu", tally->name, (unsigned long long)tally->first);
    else
        snprintf(text, size, "%s: saw none among %llu packet%s", tally->name, packets,
                 packets == 1 ? "" : "s");
}

static void tally_free(void *state)
{
    struct tally *tally = state;

    match_free(tally->match);
    free(tally);
}

static const struct own_kind kind = {
    .on_view = tally_view,
    .stop_condition = tally_stop,
    .on_finish = tally_finish,
    .detail = tally_detail,
    .free = tally_free,
};

/* Takes the match; NULL: it was wrong, as `error` says. */
__attribute__((format(printf, 5, 6))) static struct sippod_predicate
make(enum rule rule, uint64_t wanted, struct match *match, const char *error, const char *name, ...)
{
    struct tally *tally = calloc(1, sizeof *tally);
    char called[sizeof tally->name];
    va_list args;

    va_start(args, name);
    if (vsnprintf(called, sizeof called, name, args) >= (int)sizeof called)
        memcpy(called + sizeof called - 5, "...)", 5);
    va_end(args);
    if (!tally || !match) {
        match_free(match);
        free(tally);
        return predicate_wrong(called, match ? "out of memory" : error);
    }
    *tally = (struct tally){.rule = rule, .wanted = wanted, .match = match};
    memcpy(tally->name, called, sizeof called);
    return own_predicate(&kind, &tally->own);
}

#define WRITTEN(text) ((text) ? (text) : "NULL")

struct sippod_predicate sippod_received_packet(void)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_any(error), error, "received_packet()");
}

struct sippod_predicate sippod_timed_out(void)
{
    char error[MATCH_ERROR];

    return make(TIMED_OUT, 0, match_any(error), error, "timed_out()");
}

struct sippod_predicate sippod_packet_count(void)
{
    char error[MATCH_ERROR];

    return make(HOW_MANY, 0, match_any(error), error, "packet_count()");
}

struct sippod_predicate sippod_packet_count_was(uint64_t count)
{
    char error[MATCH_ERROR];

    return make(EXACTLY, count, match_any(error), error, "packet_count_was(%llu)", (unsigned long long)count);
}

struct sippod_predicate sippod_packet_count_was_less_than(uint64_t count)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, count, match_any(error), error, "packet_count_was_less_than(%llu)",
                (unsigned long long)count);
}

struct sippod_predicate sippod_packet_count_was_at_least(uint64_t count)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, count, match_any(error), error, "packet_count_was_at_least(%llu)",
                (unsigned long long)count);
}

struct sippod_predicate sippod_saw_src_mac(const char *mac)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_mac(mac, true, error), error, "saw_src_mac(%s)", WRITTEN(mac));
}

struct sippod_predicate sippod_saw_dst_mac(const char *mac)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_mac(mac, false, error), error, "saw_dst_mac(%s)", WRITTEN(mac));
}

struct sippod_predicate sippod_did_not_see_src_mac(const char *mac)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, 1, match_mac(mac, true, error), error, "did_not_see_src_mac(%s)", WRITTEN(mac));
}

struct sippod_predicate sippod_did_not_see_dst_mac(const char *mac)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, 1, match_mac(mac, false, error), error, "did_not_see_dst_mac(%s)", WRITTEN(mac));
}

/* -1 stands for any; what is no VLAN must not become it. */
static int vlan_number(unsigned vlan)
{
    return vlan > 4095 ? 4096 : (int)vlan;
}

struct sippod_predicate sippod_saw_vlan_tag(unsigned vlan)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_vlan(vlan_number(vlan), error), error, "saw_vlan_tag(%u)", vlan);
}

struct sippod_predicate sippod_did_not_see_vlan_tag(unsigned vlan)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, 1, match_vlan(vlan_number(vlan), error), error, "did_not_see_vlan_tag(%u)", vlan);
}

struct sippod_predicate sippod_saw_vlan(void)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_vlan(-1, error), error, "saw_vlan()");
}

struct sippod_predicate sippod_did_not_see_vlan(void)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, 1, match_vlan(-1, error), error, "did_not_see_vlan()");
}

struct sippod_predicate sippod_saw_packet_equaling(const void *frame, size_t length)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_equal(frame, length, error), error, "saw_packet_equaling(%zu bytes)",
                length);
}

struct sippod_predicate sippod_did_not_see_packet_equaling(const void *frame, size_t length)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, 1, match_equal(frame, length, error), error,
                "did_not_see_packet_equaling(%zu bytes)", length);
}

struct sippod_predicate sippod_received_count_of(const void *frame, size_t length, uint64_t count)
{
    char error[MATCH_ERROR];

    return make(EXACTLY, count, match_equal(frame, length, error), error,
                "received_count_of(%zu bytes, %llu)", length, (unsigned long long)count);
}

struct sippod_predicate sippod_saw_filter(const char *filter)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_filter(filter, error), error, "saw_filter(%s)", WRITTEN(filter));
}

struct sippod_predicate sippod_did_not_see_filter(const char *filter)
{
    char error[MATCH_ERROR];

    return make(LESS_THAN, 1, match_filter(filter, error), error, "did_not_see_filter(%s)", WRITTEN(filter));
}

struct sippod_predicate sippod_saw_sip(const char *what, const char *header)
{
    char error[MATCH_ERROR];

    return make(AT_LEAST, 1, match_sip(what, header, error), error, "saw_sip(%s%s%s)", WRITTEN(what),
                header ? ", " : "", header ? header : "");
}

struct sippod_predicate sippod_saw_rtp(uint64_t count, int payload_type)
{
    char error[MATCH_ERROR];
    struct match *match = match_rtp(payload_type, error);

    if (payload_type == -1)
        return make(AT_LEAST, count, match, error, "saw_rtp(%llu)", (unsigned long long)count);
    return make(AT_LEAST, count, match, error, "saw_rtp(%llu, %d)", (unsigned long long)count, payload_type);
}
