#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/dns_order.h"

struct worker {
    struct question_batch batch; /* first: it is what the resolver's callbacks for questions are given */
    const struct dns_work *work;
    struct zones *zones;
    struct buffer text; /* of the zone to come */
    struct network strangers[DNS_STRANGERS_MOST];
    size_t stranger_count;
};

/* ---- who may ask ---- */

static bool is_in(const struct network *networks, size_t count, const struct network *one)
{
    for (size_t i = 0; i < count; i++)
        if (network_holds(&networks[i], one))
            return true;
    return false;
}

static bool is_allowed(void *user, const struct sockaddr_storage *from)
{
    struct worker *worker = user;
    struct network one = network_of_socket(from);

    if (is_in(worker->work->allowed, worker->work->allowed_count, &one))
        return true;
    if (worker->stranger_count < DNS_STRANGERS_MOST &&
        !is_in(worker->strangers, worker->stranger_count, &one)) {
        worker->strangers[worker->stranger_count++] = one;
        question_refused(&worker->batch, from);
    }
    return false;
}

/* ---- orders ---- */

static int add_zone(struct worker *worker, unsigned id, struct error **ret)
{
    struct zone *zone;

    buffer_add(&worker->text, "", 1);
    zone = zone_parse((const char *)worker->text.data, ret);
    buffer_free(&worker->text);
    if (zone)
        zones_add(worker->zones, id, zone);
    return zone ? 0 : -1;
}

static int obey(struct worker *worker, const struct dns_order *order, size_t length, struct error **ret)
{
    switch (order->kind) {
    case DNS_TEXT:
        buffer_add(&worker->text, order->text, length - DNS_ORDER_HEAD);
        return 0;
    case DNS_ADD:
        return add_zone(worker, order->id, ret);
    case DNS_REMOVE:
        zone_free(zones_remove(worker->zones, order->id));
        return 0;
    }
    return error_set(ret, ERROR_FAILED, "it was told what it does not understand");
}

/* 1: there may be more to come, 0: that was the last word, -1: an error. */
static int take_order(struct worker *worker, struct error **ret)
{
    static struct dns_order order;
    ptrdiff_t length = helper_hear(&order, sizeof order);

    if (length <= 0)
        return length < 0 ? 1 : 0;
    if ((size_t)length < DNS_ORDER_HEAD)
        return error_set(ret, ERROR_FAILED, "it was told half an order");
    if (obey(worker, &order, (size_t)length, ret) < 0)
        return -1;
    helper_say("", 1);
    return 1;
}

int dns_work(void *data, const struct buffer *opening, struct error **ret)
{
    static const struct resolver_callbacks callbacks = {.allowed = is_allowed,
                                                        .answered = question_answered,
                                                        .dropped = question_dropped,
                                                        .pause = question_batch_send};
    static const int sockets[2] = {HELPER_FIRST, HELPER_FIRST + 1};
    static struct worker worker;
    struct resolver *resolver;
    int result = -1;

    (void)opening;
    worker.work = data;
    worker.zones = zones_new();
    resolver = resolver_open_on(sockets, worker.zones, &callbacks, &worker, ret);
    if (resolver && helper_running(ret) == 0)
        do
            result = resolver_run(resolver, HELPER_CONTROL, ret) < 0 ? -1 : take_order(&worker, ret);
        while (result > 0);
    question_batch_send(&worker.batch);
    resolver_close(resolver);
    return result;
}
