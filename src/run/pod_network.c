/* A routed pod sends everything to 169.254.1.1 or fe80::1, which is nobody: a permanent neighbour gives it
 * the Ethernet address of the router's end of the veth, and the router knows the pod's. So no packet waits
 * for ARP. */
#include "src/run/pod_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define IPV4_GATEWAY "169.254.1.1"
#define IPV6_GATEWAY "fe80::1"

static bool is_ipv6(const char *address)
{
    return strchr(address, ':') != NULL;
}

struct pod_network {
    struct host *host;
    char run_id[7];
    const struct pod_network_callbacks *callbacks;
    void *user;
    struct strings addresses, reach;
    size_t claim; /* addresses to be found */
    struct claim *claiming;
    bool routed, shared, nothing;
    char router_mac[18]; /* "ee:ee:ee:ee:ee:ee", known once linked */
    bool known_to_router;
    bool told;     /* `linked` */
    bool orphaned; /* freed, but for the replies that are due */
    size_t due;    /* replies of the router */
};

struct pod_network *pod_network_new(struct host *host, const struct pod_config *config,
                                    const struct pod_network_callbacks *callbacks, void *user)
{
    struct pod_network *network = memory_new(sizeof *network);

    *network = (struct pod_network){
        .host = host,
        .callbacks = callbacks,
        .user = user,
        .claim = config->claim,
        .routed = config->routed,
        .shared = config->shared,
        .nothing = config->no_network,
    };
    memcpy(network->run_id, config->run_id, sizeof network->run_id);
    for (size_t i = 0; i < config->address_count; i++)
        strings_add(&network->addresses, config->addresses[i]);
    for (size_t i = 0; i < config->reach_count; i++)
        strings_add(&network->reach, config->reach[i]);
    return network;
}

/* One reply less is due; false if nobody waits for it any more. */
static bool take_reply(struct pod_network *network)
{
    network->due--;
    if (!network->orphaned)
        return true;
    if (!network->due)
        free(network);
    return false;
}

/* ---- the link, and the addresses ---- */

static void tell_linked(struct pod_network *network, const struct error *error)
{
    if (network->told)
        return;
    network->told = true;
    network->callbacks->linked(network->user, error);
}

static void on_address(void *user, const struct error *error)
{
    struct pod_network *network = user;

    if (take_reply(network) && (error || !network->due))
        tell_linked(network, error);
}

/* In the network outside. */
static void on_found(void *user, const struct strings *addresses, const struct error *error)
{
    struct pod_network *network = user;

    network->claiming = NULL;
    if (!error) {
        for (size_t i = 0; i < addresses->count; i++)
            strings_add(&network->addresses, addresses->list[i]);
        network->callbacks->claimed(network->user, &network->addresses);
    }
    tell_linked(network, error);
}

static void on_linked(void *user, const struct error *error, const uint8_t mac[ROUTER_MAC_LENGTH])
{
    struct pod_network *network = user;
    struct router_client *router = network->host->router;

    if (!take_reply(network))
        return;
    if (error) {
        tell_linked(network, error);
        return;
    }
    snprintf(network->router_mac, sizeof network->router_mac, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
             mac[2], mac[3], mac[4], mac[5]);
    if (network->claim)
        network->claiming =
            claim_start(network->host->claims, router, network->run_id, network->claim, on_found, network);
    else if (network->routed)
        for (size_t i = 0; i < network->addresses.count; i++, network->due++)
            router_client_address_add(router, network->run_id, network->addresses.list[i], network->shared,
                                      on_address, network);
    if (!network->claiming && !network->due)
        tell_linked(network, NULL);
}

void pod_network_link(struct pod_network *network, int namespace)
{
    if (network->nothing) {
        tell_linked(network, NULL);
        return;
    }
    network->known_to_router = true;
    network->due++;
    router_client_pod_add(network->host->router, network->run_id, namespace, on_linked, network);
}

/* ---- the pod's side ---- */

static void add_addresses(const struct pod_network *network, struct interface_message *dummy)
{
    dummy->addresses = memory_array(NULL, network->addresses.count, sizeof *dummy->addresses);
    dummy->address_count = network->addresses.count;
    for (size_t i = 0; i < network->addresses.count; i++)
        dummy->addresses[i] = (struct address_message){
            .address = network->addresses.list[i],
            .mask = (char *)(is_ipv6(network->addresses.list[i]) ? "128" : "32"),
        };
}

/* The pod's first address of that family; NULL: none. */
static char *source(const struct pod_network *network, bool ipv6)
{
    for (size_t i = 0; i < network->addresses.count; i++)
        if (is_ipv6(network->addresses.list[i]) == ipv6)
            return network->addresses.list[i];
    return NULL;
}

static void add_routes(const struct pod_network *network, struct pod_message *message)
{
    message->routes = memory_array(NULL, network->reach.count, sizeof *message->routes);
    message->route_count = network->reach.count;
    for (size_t i = 0; i < network->reach.count; i++) {
        bool ipv6 = is_ipv6(network->reach.list[i]);

        message->routes[i] = (struct route_message){
            .destination = network->reach.list[i],
            .gateway = (char *)(ipv6 ? IPV6_GATEWAY : IPV4_GATEWAY),
            .gateway_mac = (char *)network->router_mac,
            .source = source(network, ipv6),
            .device = (char *)"eth0",
        };
    }
}

char *pod_network_message(const struct pod_network *network)
{
    cleanup_free char *dummy = text_format("sipp-%s", network->run_id);
    struct interface_message interfaces[2] = {{.device = (char *)"eth0"},
                                              {.device = dummy, .type = (char *)"dummy"}};
    struct pod_message message = {.hostname = dummy, .interfaces = interfaces, .interface_count = 2};
    char *json;

    if (network->nothing)
        message.interface_count = 0;
    add_addresses(network, &interfaces[1]);
    add_routes(network, &message);
    json = pod_message_encode(&message);
    free(interfaces[1].addresses);
    free(message.routes);
    return json;
}

static void on_opened(void *user, const struct error *error)
{
    struct pod_network *network = user;

    if (take_reply(network))
        network->callbacks->opened(network->user, error);
}

/* What comes from outside would be lost until the router's end is up, too. */
void pod_network_open(struct pod_network *network)
{
    if (!network->routed) {
        network->callbacks->opened(network->user, NULL);
        return;
    }
    network->due++;
    router_client_pod_up(network->host->router, network->run_id, on_opened, network);
}

/* ---- the end ---- */

static void on_removed(void *user, const struct error *error)
{
    (void)user;
    (void)error;
}

void pod_network_free(struct pod_network *network)
{
    if (network->claiming)
        claim_cancel(network->claiming);
    if (network->known_to_router)
        router_client_pod_remove(network->host->router, network->run_id, on_removed, NULL);
    strings_free(&network->addresses);
    strings_free(&network->reach);
    network->orphaned = true;
    if (!network->due)
        free(network);
}
