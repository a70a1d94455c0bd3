#include "src/run/pod_dns.h"

#include <stdlib.h>

#include "src/base/memory.h"

struct pod_dns {
    struct helper *helper;
    struct questions *questions;
    void (*running)(void *user, const struct error *error);
    void (*done)(void *user, const struct error *error);
    void *user;
};

/* In the helper. */
static int work(void *data, const struct buffer *opening, struct error **ret)
{
    static const struct resolver_callbacks callbacks = {
        .answered = question_answered, .dropped = question_dropped, .pause = question_batch_send};
    static struct question_batch batch;
    struct zones *zones = zones_new();
    struct resolver *resolver = resolver_open(zones, &callbacks, &batch, ret);
    int result = -1;

    (void)opening;
    zones_add(zones, 1, data);
    if (resolver)
        result = helper_running(ret);
    if (result == 0)
        result = resolver_run(resolver, HELPER_CONTROL, ret);
    question_batch_send(&batch);
    resolver_close(resolver);
    zones_free(zones);
    return result;
}

static void take(void *user, const struct question *question)
{
    questions_take(user, question);
}

static void on_said(void *user, const unsigned char *data, size_t length)
{
    questions_each(data, length, take, ((struct pod_dns *)user)->questions);
}

static void on_done(void *user, const struct error *error)
{
    struct pod_dns *dns = user;

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

    *dns = (struct pod_dns){.questions = config->questions, .running = running, .user = user};
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
