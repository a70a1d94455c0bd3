#include "src/run/dns_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/dns_address.h"
#include "src/run/dns_order.h"

struct dns_names {
    struct dns_server *server;
    struct dns_names *next; /* in the order in which they came */
    unsigned id;
    char *title;
    struct dns_names_config config;
    bool waits;  /* for names of others */
    size_t told; /* bytes of the text that are the helper's already */
    void (*served)(void *user, const struct error *error);
    void (*withdrawn)(void *user);
    void *user;
};

/* One step at a time is under way at the helper. */
struct step {
    struct step *next;
    struct dns_names *names;
    bool add;   /* the names; else they are removed */
    bool whole; /* all of it has been told */
};

struct dns_server {
    struct helper *helper;
    struct loop *loop;
    struct log *log;
    enum dns_second second;
    struct zones *zones; /* of those that do not wait */
    struct dns_names *names;
    unsigned last_id;
    struct step *steps;  /* the first is under way */
    struct error *error; /* why the helper has ended, NULL: it has not */
    struct timer *timer; /* to tell of that */
    uint64_t dropped;
    void (*lost)(void *user, const struct error *why);
    void *user;
};

/* ---- steps ---- */

/* The whole step, or one piece of the text. */
static void tell(struct dns_server *server)
{
    static struct dns_order order;
    struct step *step = server->steps;
    struct dns_names *names = step->names;
    size_t left = step->add ? strlen(names->config.text) - names->told : 0;

    if (left > sizeof order.text)
        left = sizeof order.text;
    order.id = names->id;
    order.kind = left ? DNS_TEXT : step->add ? DNS_ADD : DNS_REMOVE;
    memcpy(order.text, names->config.text + names->told, left);
    names->told += left;
    step->whole = !left;
    helper_tell(server->helper, &order, DNS_ORDER_HEAD + left);
}

static void add_step(struct dns_names *names, bool add)
{
    struct dns_server *server = names->server;
    struct step **last = &server->steps, *step = memory_new(sizeof *step);

    *step = (struct step){.names = names, .add = add};
    while (*last)
        last = &(*last)->next;
    *last = step;
    if (server->steps == step && !server->error)
        tell(server);
}

static void names_free(struct dns_names *names)
{
    struct dns_names **link = &names->server->names;

    while (*link != names)
        link = &(*link)->next;
    *link = names->next;
    free(names->title);
    free(names);
}

/* What was to be withdrawn is so, for whatever reason. */
static void finish(struct dns_names *names)
{
    void (*withdrawn)(void *user) = names->withdrawn;
    void *user = names->user;

    names_free(names);
    withdrawn(user);
}

static struct step take_step(struct dns_server *server)
{
    struct step *first = server->steps, step = *first;

    server->steps = first->next;
    free(first);
    return step;
}

static void on_acknowledged(struct dns_server *server)
{
    struct step step;

    if (!server->steps->whole) {
        tell(server);
        return;
    }
    step = take_step(server);
    if (server->steps)
        tell(server);
    if (!step.add)
        finish(step.names);
    else if (!step.names->withdrawn)
        step.names->served(step.names->user, NULL);
}

/* ---- names ---- */

static struct dns_names *find(const struct dns_server *server, unsigned id)
{
    struct dns_names *names = server->names;

    while (names && names->id != id)
        names = names->next;
    return names;
}

static void serve(struct dns_names *names)
{
    names->waits = false;
    zones_add(names->server->zones, names->id, names->config.zone);
    add_step(names, true);
}

static void serve_waiting(struct dns_server *server)
{
    for (struct dns_names *names = server->names; names; names = names->next) {
        cleanup_free char *name = NULL;

        if (names->waits && !zones_overlap(server->zones, names->config.zone, &name))
            serve(names);
    }
}

static struct dns_names *add_names(struct dns_server *server, const struct dns_names_config *config)
{
    struct dns_names **last = &server->names, *names = memory_new(sizeof *names);

    while (*last)
        last = &(*last)->next;
    *last = names;
    *names = (struct dns_names){
        .server = server,
        .id = ++server->last_id,
        .title = text_copy(config->title),
        .config = *config,
    };
    return names;
}

static void refuse(const struct dns_names *owner, const char *name, struct error **ret)
{
    bool may_wait = !owner->config.lasting, waits = owner->server->second == DNS_SECOND_STEPS_BACK;

    error_set(ret, ERROR_INPUT, ZONE_FILE ": %s is a name of %s, too, which %s%s", name, owner->title,
              may_wait ? "is running" : "has it to the end of the run",
              may_wait && !waits ? "; with --dns-wait this one would wait" : "");
    if (may_wait && waits && ret)
        (*ret)->sys = EAGAIN;
}

struct dns_names *dns_names_serve(struct dns_server *server, const struct dns_names_config *config,
                                  void (*served)(void *user, const struct error *error), void *user,
                                  char **ret_waits, struct error **ret)
{
    cleanup_free char *name = NULL;
    unsigned id = zones_overlap(server->zones, config->zone, &name);
    const struct dns_names *owner = id ? find(server, id) : NULL;
    struct dns_names *names;

    if (server->error) {
        error_set(ret, ERROR_FAILED, "%s", error_text(server->error));
        return NULL;
    }
    if (owner && (server->second != DNS_SECOND_WAITS || owner->config.lasting)) {
        refuse(owner, name, ret);
        return NULL;
    }
    names = add_names(server, config);
    names->served = served;
    names->user = user;
    names->waits = owner != NULL;
    if (owner)
        *ret_waits = text_format("waits for %s, which has the name %s", owner->title, name);
    else
        serve(names);
    return names;
}

void dns_names_withdraw(struct dns_names *names, void (*withdrawn)(void *user), void *user)
{
    struct dns_server *server = names->server;

    names->withdrawn = withdrawn;
    names->user = user;
    if (!names->waits)
        (void)zones_remove(server->zones, names->id);
    if (names->waits || server->error) {
        finish(names);
        return;
    }
    add_step(names, false);
    serve_waiting(server);
}

/* ---- what the helper tells ---- */

static void tell_stranger(const struct dns_server *server, const struct question *question)
{
    char from[INET6_ADDRSTRLEN];

    (void)inet_ntop(question->six ? AF_INET6 : AF_INET, question->from, from, sizeof from);
    log_line(server->log, LOG_LEVEL_WARNING,
             "dns: %s asks and is not answered: it is neither the DUT nor in --allow-net", from);
    fprintf(stderr,
            "sippod: --dns-listen: %s asks and is not answered: it is neither the DUT nor in --allow-net\n",
            from);
}

/* A name that nobody has may be a fault of any test that runs. */
static void take_question(void *user, const struct question *question)
{
    struct dns_server *server = user;

    if (question->kind == QUESTION_REFUSED)
        tell_stranger(server, question);
    else if (question->kind == QUESTION_DROPPED)
        server->dropped++;
    else
        for (struct dns_names *names = server->names; names; names = names->next)
            if (!names->waits && (!question->note.zone || question->note.zone == names->id))
                questions_take(names->config.questions, question);
}

static void on_said(void *user, const unsigned char *data, size_t length)
{
    struct dns_server *server = user;

    if (length == 1 && server->steps)
        on_acknowledged(server);
    else
        questions_each(data, length, take_question, server);
}

/* Never from the middle of what a test does. */
static void tell_lost(void *user)
{
    struct dns_server *server = user;

    server->timer = NULL;
    while (server->steps) {
        struct step step = take_step(server);

        if (!step.add)
            finish(step.names);
    }
    server->lost(server->user, server->error);
}

static void on_lost(void *user, const struct error *error)
{
    struct dns_server *server = user;

    error_set(&server->error, ERROR_FAILED, "--dns-listen: %s", error_text(error));
    server->timer = loop_after(server->loop, 0, tell_lost, server);
}

static void on_running(void *user, const struct error *error)
{
    if (error)
        on_lost(user, error);
}

/* ---- the whole ---- */

static void on_done(void *user, const struct error *error)
{
    struct dns_server *server = user;

    (void)error; /* if there is one, lost() has told it */
    server->helper = NULL;
    loop_quit(server->loop);
}

/* Texts that have been checked. */
static struct network *allowed_networks(const struct dns_server_config *config, size_t *ret_count)
{
    struct network *list = memory_array(NULL, config->allow->count + 2, sizeof *list);
    uint8_t dut[sizeof(struct in6_addr)] = {0};
    int family = strchr(config->dut, ':') ? AF_INET6 : AF_INET;
    struct sockaddr_storage own;

    (void)dns_address_parse(config->address, &own, NULL);
    (void)inet_pton(family, config->dut, dut);
    list[0] = network_of_socket(&own);
    list[1] = network_of(family, dut);
    for (size_t i = 0; i < config->allow->count; i++)
        (void)network_parse(config->allow->list[i], &list[2 + i], NULL);
    *ret_count = config->allow->count + 2;
    return list;
}

static void server_free(struct dns_server *server)
{
    timer_stop(&server->timer);
    zones_free(server->zones);
    error_free(server->error);
    free(server);
}

struct dns_server *dns_server_start(const struct dns_server_config *config, struct error **ret)
{
    static const struct helper_callbacks callbacks = {
        .running = on_running, .said = on_said, .lost = on_lost, .done = on_done};
    struct dns_server *server = memory_new(sizeof *server);
    struct dns_work work = {0};
    cleanup_free struct network *allowed = allowed_networks(config, &work.allowed_count);
    const struct helper_config helper = {
        .host = config->host,
        .name = "sippod-dns",
        .title = "the resolver for all tests",
        .stays = true,
        .fds = config->sockets,
        .fd_count = 2,
        .work = dns_work,
        .data = &work,
    };

    work.allowed = allowed;
    *server = (struct dns_server){
        .loop = config->host->loop,
        .log = config->log,
        .second = config->second,
        .zones = zones_new(),
        .lost = config->lost,
        .user = config->user,
    };
    server->helper = helper_start(&helper, &callbacks, server, ret);
    if (!server->helper) {
        server_free(server);
        return NULL;
    }
    helper_open(server->helper, &(struct buffer){0});
    return server;
}

void dns_server_stop(struct dns_server *server)
{
    if (!server)
        return;
    helper_stop(server->helper);
    (void)loop_run(server->loop, NULL); /* up to on_done(), which may have been called already */
    if (server->dropped)
        log_line(server->log, LOG_LEVEL_WARNING, "dns: %llu malformed packet%s dropped",
                 (unsigned long long)server->dropped, server->dropped == 1 ? " was" : "s were");
    server_free(server);
}
