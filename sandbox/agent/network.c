#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netns/link.h"
#include "netns/route.h"
#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"
#include "src/base/text.h"

/* "24", or "255.255.255.0" (ones, then zeros); -1 for anything else. */
static int prefix_length(const char *mask)
{
    unsigned part[4];
    uint32_t bits = 0;
    long number;
    char rest;

    if (text_number(mask, 0, 128, &number))
        return (int)number;
    /* NOLINTNEXTLINE(cert-err34-c): three digits do not overflow */
    if (sscanf(mask, "%3u.%3u.%3u.%3u%c", &part[0], &part[1], &part[2], &part[3], &rest) != 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        if (part[i] > 255)
            return -1;
        bits = bits << 8 | part[i];
    }
    if (bits & (~bits >> 1)) /* a zero with a one to its right */
        return -1;
    return __builtin_popcount(bits);
}

static int configure(struct netlink *netlink, const struct interface_message *interface, struct error **ret)
{
    const char *device = interface->device, *kind;

    if (interface->type && link_add_dummy(netlink, device, &kind, ret) < 0)
        return -1;
    if (interface->new_name) {
        if (link_rename(netlink, device, interface->new_name, ret) < 0)
            return -1;
        device = interface->new_name;
    }
    if (interface->mac && link_set_mac(netlink, device, interface->mac, ret) < 0)
        return -1;
    if (interface->mtu && link_set_mtu(netlink, device, interface->mtu, ret) < 0)
        return -1;
    for (size_t i = 0; i < interface->address_count; i++) {
        const struct address_message *address = &interface->addresses[i];
        int length = prefix_length(address->mask);

        if (length < 0)
            return error_set(ret, ERROR_INPUT, "%s is no network mask", address->mask);
        if (address_add(netlink, device, address->address, length, ret) < 0)
            return -1;
    }
    return link_up(netlink, device, ret);
}

int network_interface(struct agent *agent, const struct interface_message *interface, struct error **ret)
{
    int result;

    if (capabilities_raise(CAPABILITY(CAP_NET_ADMIN), ret) < 0)
        return -1;
    result = configure(agent->netlink, interface, ret);
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}

/* The neighbour comes first: with the route there, somebody may already send. */
static int configure_route(struct netlink *netlink, const struct route_message *message, struct error **ret)
{
    const struct route route = {
        .destination = message->destination,
        .gateway = message->gateway,
        .source = message->source,
        .device = message->device,
    };
    uint8_t mac[MAC_LENGTH];

    if (message->gateway_mac && !message->gateway)
        return error_set(ret, ERROR_INPUT, "the field \"gatewayMac\" without a \"gateway\"");
    if (message->gateway_mac && !link_parse_mac(message->gateway_mac, mac))
        return error_set(ret, ERROR_INPUT, "\"%s\" is not an Ethernet address", message->gateway_mac);
    if (message->gateway_mac && neighbour_add(netlink, message->device, message->gateway, mac, ret) < 0)
        return -1;
    return route_add(netlink, &route, ret);
}

int network_route(struct agent *agent, const struct route_message *route, struct error **ret)
{
    int result;

    if (capabilities_raise(CAPABILITY(CAP_NET_ADMIN), ret) < 0)
        return -1;
    result = configure_route(agent->netlink, route, ret);
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}

int network_delete(struct agent *agent, const char *device, struct error **ret)
{
    int result;

    if (capabilities_raise(CAPABILITY(CAP_NET_ADMIN), ret) < 0)
        return -1;
    result = link_delete(agent->netlink, device, ret);
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}
