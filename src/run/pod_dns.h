/* The DNS of a pod: the resolver helper, which answers with the names of the test's dns.txt. */
#pragma once

#include "src/run/questions.h"

struct pod_dns;

struct pod_dns_config {
    struct host *host;
    int user_namespace, network_namespace;
    const struct zone *zone;     /* used during pod_dns_start() only */
    struct questions *questions; /* stay the caller's */
};

/* To be ended with pod_dns_stop(), unless it is NULL. running(user, error) is called once, after
 * pod_dns_open(): questions are answered from then on. */
struct pod_dns *pod_dns_start(const struct pod_dns_config *config,
                              void (*running)(void *user, const struct error *error), void *user,
                              struct error **ret);
void pod_dns_open(struct pod_dns *dns); /* the pod's interfaces are up */

/* done(user, error) when the last question has been told. It is freed. */
void pod_dns_stop(struct pod_dns *dns, void (*done)(void *user, const struct error *error), void *user);
