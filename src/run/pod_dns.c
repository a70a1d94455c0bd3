#include "src/run/pod_dns.h"

#include <arpa/inet.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/resolver.h"
#include "src/base/memory.h"

#define COUNTED_MOST 10000 /* different questions in the results */

/* What the helper tells about one question. */
struct told {
    struct answer_note note;
    uint8_t from[sizeof(struct in6_addr)];
    bool six, udp, dropped;
};
#define BATCH 50 /* questions in one message */
_Static_assert(BATCH * sizeof(struct told) <= HELPER_MOST, "a message holds it");

struct counted {
    char *name;
    uint16_t type, rcode;
    uint64_t count;
};

struct pod_dns {
    struct helper *helper;
    struct log *log;
    struct test_result *result;
    void *counted; /* a tree, tsearch(3) */
    size_t counted_count;
    uint64_t dropped;
    void (*running)(void *user, const struct error *error);
    void (*done)(void *user, const struct error *error);
    void *user;
};

/* ---- the helper's side ---- */

struct batch {
    struct told told[BATCH];
    size_t count;
};

static void send_batch(void *user)
{
    struct batch *batch = user;

    if (batch->count)
        helper_say(batch->told, batch->count * sizeof *batch->told);
    batch->count = 0;
}

static void tell(struct batch *batch, const struct told *told)
{
    batch->told[batch->count++] = *told;
    if (batch->count == BATCH)
        send_batch(batch);
}

static void on_answered(void *user, const struct sockaddr_storage *from, bool udp,
                        const struct answer_note *note)
{
    struct told told = {.note = *note, .six = from->ss_family == AF_INET6, .udp = udp};

    if (told.six)
        memcpy(told.from, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(struct in6_addr));
    else
        memcpy(told.from, &((const struct sockaddr_in *)from)->sin_addr, sizeof(struct in_addr));
    tell(user, &told);
}

static void on_dropped(void *user)
{
    tell(user, &(struct told){.dropped = true});
}

static int work(void *data, const struct buffer *opening, struct error **ret)
{
    static const struct resolver_callbacks callbacks = {
        .answered = on_answered, .dropped = on_dropped, .pause = send_batch};
    static struct batch batch;
    struct resolver *resolver = resolver_open(data, &callbacks, &batch, ret);
    int result;

    (void)opening;
    if (!resolver)
        return -1;
    result = helper_running(ret);
    if (result == 0)
        result = resolver_run(resolver, HELPER_CONTROL, ret);
    send_batch(&batch);
    resolver_close(resolver);
    return result;
}

/* ---- sippod's side ---- */

static int compare(const void *a, const void *b)
{
    const struct counted *left = a, *right = b;
    int names = strcmp(left->name, right->name);

    if (names)
        return names;
    if (left->type != right->type)
        return left->type < right->type ? -1 : 1;
    return (int)left->rcode - (int)right->rcode;
}

/* Takes the name. What is new when there are too many is not counted: a test may ask for anything. */
static void count(struct pod_dns *dns, char *name, const struct answer_note *note)
{
    struct counted key = {.name = name, .type = note->type, .rcode = note->rcode}, *entry;
    struct counted **found = tfind(&key, &dns->counted, compare);

    if (found) {
        (*found)->count++;
        free(name);
        return;
    }
    if (dns->counted_count == COUNTED_MOST) {
        free(name);
        return;
    }
    entry = memory_new(sizeof *entry);
    *entry = key;
    entry->count = 1;
    if (!tsearch(entry, &dns->counted, compare))
        abort(); /* out of memory, as memory_new() ends too */
    if (++dns->counted_count == COUNTED_MOST)
        log_line(dns->log, LOG_LEVEL_WARNING, "dns: from here on new questions are not counted");
}

static void take_note(struct pod_dns *dns, const struct told *told)
{
    struct answer_note note = told->note;
    cleanup_free char *asked = zone_name_text(note.name, note.name_length);
    cleanup_free char *type = zone_type_text(note.type);
    char from[INET6_ADDRSTRLEN];

    (void)inet_ntop(told->six ? AF_INET6 : AF_INET, told->from, from, sizeof from);
    log_output(dns->log, LOG_LEVEL_INFO, "dns: %s %s from %s (%s): %s, %u answer%s%s", type, asked, from,
               told->udp ? "UDP" : "TCP", answer_rcode_text(note.rcode), note.records,
               note.records == 1 ? "" : "s", note.truncated ? ", truncated" : "");
    zone_fold(note.name, note.name_length);
    count(dns, zone_name_text(note.name, note.name_length), &note);
}

static void on_said(void *user, const unsigned char *data, size_t length)
{
    struct pod_dns *dns = user;
    struct told told;

    for (; length >= sizeof told; data += sizeof told, length -= sizeof told) {
        memcpy(&told, data, sizeof told);
        if (told.dropped)
            dns->dropped++;
        else
            take_note(dns, &told);
    }
}

static void add_result(const void *node, VISIT which, void *user)
{
    const struct counted *counted = *(struct counted *const *)node;
    struct test_result *result = user;

    if (which == postorder || which == leaf)
        result->dns[result->dns_count++] = (struct dns_result){
            .name = text_copy(counted->name),
            .type = zone_type_text(counted->type),
            .rcode = text_copy(answer_rcode_text(counted->rcode)),
            .count = counted->count,
        };
}

static void free_counted(void *user)
{
    struct counted *counted = user;

    free(counted->name);
    free(counted);
}

static void on_done(void *user, const struct error *error)
{
    struct pod_dns *dns = user;

    if (dns->dropped)
        log_line(dns->log, LOG_LEVEL_WARNING, "dns: %llu malformed packet%s dropped",
                 (unsigned long long)dns->dropped, dns->dropped == 1 ? " was" : "s were");
    dns->result->dns = memory_array(dns->result->dns, dns->counted_count, sizeof *dns->result->dns);
    twalk_r(dns->counted, add_result, dns->result);
    tdestroy(dns->counted, free_counted);
    dns->done(dns->user, error);
    free(dns);
}

static void on_running(void *user, const struct error *error)
{
    const struct pod_dns *dns = user;

    dns->running(dns->user, error);
}

struct pod_dns *pod_dns_start(const struct pod_dns_config *config,
                              void (*running)(void *user, const struct error *error), void *user,
                              struct error **ret)
{
    static const struct helper_callbacks callbacks = {
        .running = on_running, .said = on_said, .done = on_done};
    struct helper_config helper = {
        .host = config->host,
        .name = "sippod-resolver",
        .title = "the resolver",
        .user_namespace = config->user_namespace,
        .network_namespace = config->network_namespace,
        .work = work,
        .data = (void *)config->zone,
    };
    struct pod_dns *dns = memory_new(sizeof *dns);

    *dns = (struct pod_dns){.log = config->log, .result = config->result, .running = running, .user = user};
    dns->helper = helper_start(&helper, &callbacks, dns, ret);
    if (!dns->helper) {
        free(dns);
        return NULL;
    }
    return dns;
}

void pod_dns_open(struct pod_dns *dns)
{
    helper_open(dns->helper, &(struct buffer){0});
}

void pod_dns_stop(struct pod_dns *dns, void (*done)(void *user, const struct error *error), void *user)
{
    dns->done = done;
    dns->user = user;
    helper_stop(dns->helper);
}
