/* The pod's network: its veth, which the router makes; its addresses, which the router routes to it where
 * others are to reach it, or which are first found (claims.h); then STARTPOD, with which the agent does the
 * pod's side.
 *
 * A routed pod sends everything to 169.254.1.1, which is nobody: a permanent neighbour gives it the Ethernet
 * address of the router's end of the veth, and the router knows the pod's. So no packet waits for ARP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/pod_process.h"

#define GATEWAY "169.254.1.1"

/* One reply less is due; NULL if nobody waits for it any more. */
static struct pod *take_reply(struct pod_link *link)
{
    struct pod *pod = link->pod;

    if (--link->due)
        return pod;
    free(link);
    if (pod)
        pod->link = NULL;
    return pod;
}

static struct pod_link *new_link(struct pod *pod)
{
    pod->link = memory_new(sizeof *pod->link);
    *pod->link = (struct pod_link){.pod = pod, .due = 1};
    return pod->link;
}

static void on_up(void *user, const struct error *error)
{
    struct pod *pod = take_reply(user);

    if (pod)
        pod_report_up(pod, error);
}

/* The pod's end is up; what comes from outside would be lost until the router's is, too. */
static void on_started(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct pod *pod = user;

    (void)payload;
    (void)length;
    if (error || !pod->routed)
        pod_report_up(pod, error);
    else if (!pod->stopping)
        router_client_pod_up(pod->host->router, pod->run_id, on_up, new_link(pod));
}

static void add_addresses(const struct pod *pod, struct interface_message *dummy)
{
    dummy->addresses = memory_array(NULL, pod->addresses.count, sizeof *dummy->addresses);
    dummy->address_count = pod->addresses.count;
    for (size_t i = 0; i < pod->addresses.count; i++)
        dummy->addresses[i] =
            (struct address_message){.address = pod->addresses.list[i], .mask = (char *)"32"};
}

static void add_routes(struct pod *pod, struct pod_message *message)
{
    message->routes = memory_array(NULL, pod->reach.count, sizeof *message->routes);
    message->route_count = pod->reach.count;
    for (size_t i = 0; i < pod->reach.count; i++)
        message->routes[i] = (struct route_message){
            .destination = pod->reach.list[i],
            .gateway = (char *)GATEWAY,
            .gateway_mac = pod->router_mac,
            .source = pod->addresses.count ? pod->addresses.list[0] : NULL,
            .device = (char *)"eth0",
        };
}

/* Everything that STARTPOD needs has come together: the agent, and its end of the veth. */
void pod_network_start_when_ready(struct pod *pod)
{
    cleanup_free char *dummy = NULL;
    cleanup_free char *json = NULL;
    struct interface_message interfaces[2] = {{.device = (char *)"eth0"}, {.type = (char *)"dummy"}};
    struct pod_message message = {.interfaces = interfaces, .interface_count = 2};

    if (!pod->ready || !pod->linked || pod->stopping)
        return;
    dummy = text_format("sipp-%s", pod->run_id);
    message.hostname = dummy;
    if (pod->no_network)
        message.interface_count = 0;
    interfaces[1].device = dummy;
    add_addresses(pod, &interfaces[1]);
    add_routes(pod, &message);
    json = pod_message_encode(&message);
    free(interfaces[1].addresses);
    free(message.routes);
    wire_client_send(pod->client, CTL_STARTPOD, json, strlen(json), on_started, pod);
}

static void on_claimed(void *user, const struct error *error)
{
    struct pod *pod = take_reply(user);

    if (!pod)
        return;
    if (error) {
        pod_report_up(pod, error);
        return;
    }
    pod->linked = !pod->link;
    pod_network_start_when_ready(pod);
}

/* In the network outside. */
static void on_found(void *user, const struct strings *addresses, const struct error *error)
{
    struct pod *pod = user;

    pod->claiming = NULL;
    if (error) {
        pod_report_up(pod, error);
        return;
    }
    for (size_t i = 0; i < addresses->count; i++)
        strings_add(&pod->addresses, addresses->list[i]);
    pod->linked = true;
    if (pod->callbacks->claimed && !pod->stopping)
        pod->callbacks->claimed(pod->user, &pod->addresses);
    pod_network_start_when_ready(pod);
}

static void on_linked(void *user, const struct error *error, const uint8_t mac[ROUTER_MAC_LENGTH])
{
    struct pod_link *link = user;
    struct pod *pod = link->pod;

    if (!pod || error) {
        (void)take_reply(link);
        if (pod)
            pod_report_up(pod, error);
        return;
    }
    snprintf(pod->router_mac, sizeof pod->router_mac, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5]);
    if (pod->claim)
        pod->claiming =
            claim_start(pod->host->claims, pod->host->router, pod->run_id, pod->claim, on_found, pod);
    else if (pod->routed)
        for (size_t i = 0; i < pod->addresses.count; i++, link->due++)
            router_client_address_add(pod->host->router, pod->run_id, pod->addresses.list[i], pod->shared,
                                      on_claimed, link);
    (void)take_reply(link);
    pod->linked = !pod->link && !pod->claiming;
    pod_network_start_when_ready(pod);
}

void pod_network_link(struct pod *pod)
{
    if (pod->no_network) {
        pod->linked = true;
        pod_network_start_when_ready(pod);
        return;
    }
    router_client_pod_add(pod->host->router, pod->run_id, pod->network_namespace, on_linked, new_link(pod));
    pod->known_to_router = true;
}
