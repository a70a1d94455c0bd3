#include "src/run/pod_capture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/sniffer/sniffer.h"
#include "src/base/memory.h"
#include "src/run/helper.h"

/* ---- what the two sides say to each other ---- */

/* The first message: the length of the expectations, these, and the block of names. */
static_assert(sizeof(uint32_t) + EXPECTATIONS_MOST < HELPER_MOST,
              "expectations and some names in one message");

/* Then an enum sniffer_order each, and answers. */
struct said {
    enum { BEGUN, VERDICT, COUNTS } kind;
    uint32_t number; /* of the expectation */
    union {
        struct {
            uint64_t packets, dropped;
            char warning[400]; /* "": none */
        } counts;              /* at the end */
        struct judge_verdict verdict;
    };
};

struct pod_capture {
    struct helper *helper;
    struct said last;               /* of COUNTS */
    struct judge_verdict *verdicts; /* one for each expectation */
    size_t expected, judgements;
    void (*running)(void *user, const struct error *error);
    void (*begun)(void *user); /* NULL: nobody waits for it; so is judged() */
    void (*judged)(void *user, const struct judge_verdict *verdicts, const struct error *error);
    void (*done)(void *user, const struct pod_capture_result *result, const struct error *error);
    void *user;
};

/* ---- the helper's side ---- */

enum { FOLDER_FD = HELPER_FIRST };

struct sniffing {
    const char *file, *keys, *folder_path;
    struct sniffer *sniffer;
    struct judge *judge;
};

static enum sniffer_order next_order(void *user)
{
    enum sniffer_order order;
    ptrdiff_t length = helper_hear(&order, sizeof order);

    (void)user;
    if (length < 0)
        return SNIFFER_NONE;
    return length == sizeof order ? order : SNIFFER_STOP;
}

static void say_begun(void *user)
{
    const struct said said = {.kind = BEGUN};

    (void)user;
    helper_say(&said, sizeof said);
}

static void say_verdicts(void *user)
{
    const struct sniffing *sniffing = user;

    for (size_t i = 0; i < judge_count(sniffing->judge); i++) {
        struct said said = {.kind = VERDICT, .number = (uint32_t)i};

        judge_verdict(sniffing->judge, i, &said.verdict);
        helper_say(&said, sizeof said);
    }
}

static void say_counts(const struct sniffer_counts *counts)
{
    struct said said = {.kind = COUNTS, .counts = {.packets = counts->packets, .dropped = counts->dropped}};

    if (counts->keys)
        snprintf(said.counts.warning, sizeof said.counts.warning, "%s", error_text(counts->keys));
    helper_say(&said, sizeof said);
}

/* Takes them off the opening, in which the names remain. */
static int open_judge(struct sniffing *sniffing, struct buffer *opening, const char *const *interfaces,
                      size_t count, struct error **ret)
{
    struct expectations expectations = {0};
    uint32_t length;
    int result = 0;

    memcpy(&length, opening->data, sizeof length);
    buffer_drop(opening, sizeof length);
    if (expectations_decode(opening->data, length, &expectations, ret) < 0)
        return -1;
    buffer_drop(opening, length);
    if (expectations.count) {
        sniffing->judge = judge_new(&expectations, sniffing->folder_path, interfaces, count, ret);
        result = sniffing->judge ? 0 : -1;
    }
    expectations_free(&expectations);
    return result;
}

static int work(void *data, const struct buffer *opening, struct error **ret)
{
    static const char *const interfaces[] = {"lo", "eth0"};
    struct sniffing *sniffing = data;
    const struct sniffer_orders orders = {
        .next = next_order, .begun = say_begun, .judged = say_verdicts, .user = sniffing};
    cleanup_buffer struct buffer names = {0};
    struct sniffer_config config = {
        .folder = FOLDER_FD,
        .file = sniffing->file,
        .interfaces = interfaces,
        .interface_count = sizeof interfaces / sizeof *interfaces,
        .names = &names,
        .keys = sniffing->keys,
        .orders = &orders,
    };
    struct sniffer_counts counts = {0};
    int result;

    buffer_add(&names, opening->data, opening->length);
    if (open_judge(sniffing, &names, interfaces, config.interface_count, ret) < 0)
        return -1;
    config.judge = sniffing->judge;
    sniffing->sniffer = sniffer_open(&config, ret);
    if (!sniffing->sniffer || helper_running(ret) < 0)
        return -1;
    result = sniffer_run(sniffing->sniffer, HELPER_CONTROL, &counts, ret);
    say_counts(&counts);
    error_free(counts.keys);
    return result;
}

/* It takes a while, and nobody has to wait for it. */
static void close_sniffer(void *data)
{
    const struct sniffing *sniffing = data;

    sniffer_close(sniffing->sniffer);
    judge_free(sniffing->judge);
}

/* ---- sippod's side ---- */

static void on_running(void *user, const struct error *error)
{
    const struct pod_capture *capture = user;

    capture->running(capture->user, error);
}

static void tell_begun(struct pod_capture *capture)
{
    void (*begun)(void *user) = steal_pointer(&capture->begun);

    if (begun)
        begun(capture->user);
}

static void tell_judged(struct pod_capture *capture, const struct error *error)
{
    void (*judged)(void *user, const struct judge_verdict *verdicts, const struct error *error) =
        steal_pointer(&capture->judged);

    if (judged)
        judged(capture->user, capture->verdicts, error);
}

/* Who reads packets is not believed in everything. */
static void take_verdict(struct pod_capture *capture, const struct said *said)
{
    struct judge_verdict *verdict;

    if (said->number != capture->judgements || capture->judgements == capture->expected ||
        (unsigned)said->verdict.judgement > JUDGED_ERROR)
        return;
    verdict = &capture->verdicts[capture->judgements++];
    *verdict = said->verdict;
    verdict->detail[sizeof verdict->detail - 1] = '\0';
    if (capture->judgements == capture->expected)
        tell_judged(capture, NULL);
}

static void on_said(void *user, const unsigned char *data, size_t length)
{
    struct pod_capture *capture = user;
    struct said said;

    if (length != sizeof said)
        return;
    memcpy(&said, data, sizeof said);
    if (said.kind == BEGUN)
        tell_begun(capture);
    else if (said.kind == VERDICT)
        take_verdict(capture, &said);
    else
        capture->last = said;
}

static void on_lost(void *user, const struct error *error)
{
    tell_begun(user);
    tell_judged(user, error);
}

static void on_done(void *user, const struct error *error)
{
    struct pod_capture *capture = user;
    const struct said *last = &capture->last;
    size_t length = strnlen(last->counts.warning, sizeof last->counts.warning);
    cleanup_free char *warning = length ? text_printable(last->counts.warning, length) : NULL;
    struct pod_capture_result result = {
        .packets = last->counts.packets,
        .dropped = last->counts.dropped,
        .warning = warning,
    };

    capture->done(capture->user, &result, error);
    free(capture->verdicts);
    free(capture);
}

struct pod_capture *pod_capture_start(const struct pod_capture_config *config,
                                      void (*running)(void *user, const struct error *error), void *user,
                                      struct error **ret)
{
    static const struct helper_callbacks callbacks = {
        .running = on_running, .said = on_said, .lost = on_lost, .done = on_done};
    struct sniffing sniffing = {
        .file = config->file, .keys = config->keys, .folder_path = config->folder_path};
    const struct helper_config helper = {
        .host = config->host,
        .name = "sippod-sniffer",
        .title = "the sniffer",
        .user_namespace = config->user_namespace,
        .network_namespace = config->network_namespace,
        .fds = &config->folder,
        .fd_count = 1,
        .work = work,
        .close = close_sniffer,
        .data = &sniffing,
    };
    struct pod_capture *capture = memory_new(sizeof *capture);

    *capture = (struct pod_capture){.running = running, .user = user};
    capture->helper = helper_start(&helper, &callbacks, capture, ret);
    if (!capture->helper) {
        free(capture);
        return NULL;
    }
    return capture;
}

/* Of more names than there is room for, the last ones, which rank first. */
static void add_names(struct buffer *opening, const struct pcapng_name *names, size_t total)
{
    for (size_t count = total;; count /= 2) {
        cleanup_buffer struct buffer block = {0};

        pcapng_add_names(&block, names + (total - count), count);
        if (opening->length + block.length > HELPER_MOST)
            continue;
        buffer_add(opening, block.data, block.length);
        return;
    }
}

void pod_capture_open(struct pod_capture *capture, const struct pcapng_name *names, size_t count,
                      const struct expectations *expectations)
{
    cleanup_buffer struct buffer opening = {0};
    cleanup_buffer struct buffer texts = {0};
    uint32_t length;

    if (expectations) {
        expectations_encode(expectations, &texts);
        capture->expected = expectations->count;
        capture->verdicts = memory_new(capture->expected * sizeof *capture->verdicts);
    }
    length = (uint32_t)texts.length;
    buffer_add(&opening, &length, sizeof length);
    buffer_add(&opening, texts.data, texts.length);
    add_names(&opening, names, count);
    helper_open(capture->helper, &opening);
}

static void tell(struct pod_capture *capture, enum sniffer_order order)
{
    helper_tell(capture->helper, &order, sizeof order);
}

void pod_capture_begin(struct pod_capture *capture, void (*begun)(void *user))
{
    capture->begun = begun;
    if (helper_error(capture->helper))
        tell_begun(capture);
    else
        tell(capture, SNIFFER_BEGIN);
}

void pod_capture_settle(struct pod_capture *capture,
                        void (*judged)(void *user, const struct judge_verdict *verdicts,
                                       const struct error *error))
{
    const struct error *error = helper_error(capture->helper);

    capture->judged = judged;
    if (error)
        tell_judged(capture, error);
    else
        tell(capture, SNIFFER_SETTLE);
}

void pod_capture_stop(struct pod_capture *capture,
                      void (*done)(void *user, const struct pod_capture_result *result,
                                   const struct error *error),
                      void *user)
{
    capture->begun = NULL;
    capture->judged = NULL;
    capture->done = done;
    capture->user = user;
    helper_stop(capture->helper);
}
