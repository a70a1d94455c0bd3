#include "netns/router/wire.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

struct wire_header {
    uint32_t type, serial;
};
struct wire_hello {
    struct wire_header header;
    uint32_t version;
};
struct wire_pod {
    struct wire_header header;
    char run_id[8]; /* the rest is zero */
};
struct wire_network {
    uint32_t family, prefix;
    uint8_t bytes[16];
};
struct wire_address {
    struct wire_pod pod;
    struct wire_network network;
    uint32_t shared;
};
struct wire_open {
    struct wire_header header;
    struct wire_network network;
};
struct wire_reply {
    struct wire_header header;
    uint32_t status, sys, version;
    uint8_t mac[ROUTER_MAC_LENGTH];
    uint8_t zero[2];
    struct wire_network network;
    char device[ROUTER_DEVICE_MOST + 1]; /* ends with at least one NUL */
    char text[ROUTER_TEXT_MOST + 1];     /* the same */
};
static_assert(sizeof(struct wire_hello) == 12, "no padding");
static_assert(sizeof(struct wire_pod) == 16, "no padding");
static_assert(sizeof(struct wire_open) == 32, "no padding");
static_assert(sizeof(struct wire_address) == ROUTER_REQUEST_MOST, "no padding");
static_assert(sizeof(struct wire_reply) == ROUTER_REPLY_LENGTH, "no padding");

static const struct {
    const char *name;
    size_t length;
} types[ROUTER_TYPES] = {
    [ROUTER_HELLO] = {.name = "hello", .length = sizeof(struct wire_hello)},
    [ROUTER_POD_ADD] = {.name = "pod add", .length = sizeof(struct wire_pod)},
    [ROUTER_POD_REMOVE] = {.name = "pod remove", .length = sizeof(struct wire_pod)},
    [ROUTER_POD_UP] = {.name = "pod up", .length = sizeof(struct wire_pod)},
    [ROUTER_ADDRESS_ADD] = {.name = "address add", .length = sizeof(struct wire_address)},
    [ROUTER_ADDRESS_REMOVE] = {.name = "address remove", .length = sizeof(struct wire_address)},
    [ROUTER_OPEN] = {.name = "open", .length = sizeof(struct wire_open)},
    [ROUTER_ALLOW] = {.name = "allow", .length = sizeof(struct wire_open)},
};

const char *router_type_name(uint32_t type)
{
    return type < ROUTER_TYPES && types[type].name ? types[type].name : "unknown";
}

static bool run_id_valid(const char run_id[8])
{
    for (size_t i = 0; i < 8; i++)
        if (i < ROUTER_RUN_ID_LENGTH ? run_id[i] < 'a' || run_id[i] > 'z' : run_id[i] != '\0')
            return false;
    return true;
}

/* Families go by their version: AF_… numbers are the system's. */
static struct wire_network network_encode(const struct network *network)
{
    struct wire_network wire = {.prefix = network->prefix};

    wire.family = network->family == AF_INET6 ? 6 : network->family == AF_INET ? 4 : 0;
    memcpy(wire.bytes, network->bytes, sizeof wire.bytes);
    return wire;
}

/* Whether it is one; a family of 0 is none, and then all of it is 0. */
static bool network_decode(const struct wire_network *wire, struct network *network)
{
    static const uint8_t zero[16];
    size_t length = wire->family == 4 ? 4 : wire->family == 6 ? 16 : 0;

    if ((wire->family && !length) || wire->prefix > length * 8 ||
        memcmp(wire->bytes + length, zero, sizeof zero - length) != 0)
        return false;
    network->family = wire->family == 6 ? AF_INET6 : wire->family == 4 ? AF_INET : 0;
    network->prefix = wire->prefix;
    memcpy(network->bytes, wire->bytes, sizeof network->bytes);
    return true;
}

size_t router_request_encode(const struct router_request *request, uint8_t ret_bytes[ROUTER_REQUEST_MOST])
{
    const struct wire_header header = {.type = request->type, .serial = request->serial};
    const struct wire_network network = network_encode(&request->network);
    const struct wire_hello hello = {.header = header, .version = request->version};
    const struct wire_open open = {.header = header, .network = network};
    struct wire_address address = {.pod.header = header, .network = network, .shared = request->shared};

    memcpy(address.pod.run_id, request->run_id, ROUTER_RUN_ID_LENGTH);
    if (request->type == ROUTER_HELLO)
        memcpy(ret_bytes, &hello, sizeof hello);
    else if (request->type == ROUTER_OPEN || request->type == ROUTER_ALLOW)
        memcpy(ret_bytes, &open, sizeof open);
    else /* one of a pod begins like one of an address */
        memcpy(ret_bytes, &address, types[request->type].length);
    return types[request->type].length;
}

static int ill_formed(const struct router_request *request, const char *what, struct error **ret)
{
    return error_set(ret, ERROR_INPUT, "a request \"%s\" %s", router_type_name(request->type), what);
}

static int decode_network(const struct wire_network *wire, struct router_request *request, struct error **ret)
{
    if (!wire->family || !network_decode(wire, &request->network))
        return ill_formed(request, "whose address is none", ret);
    return 0;
}

/* Those of pods and addresses; the length is right. */
static int decode_pod(const void *bytes, size_t length, struct router_request *request, struct error **ret)
{
    struct wire_address wire = {0};

    memcpy(&wire, bytes, length);
    if (!run_id_valid(wire.pod.run_id))
        return ill_formed(request, "whose run id is not six lower-case letters", ret);
    memcpy(request->run_id, wire.pod.run_id, ROUTER_RUN_ID_LENGTH);
    if (length < sizeof wire)
        return 0;
    if (wire.shared > 1)
        return ill_formed(request, "whose flag is neither 0 nor 1", ret);
    request->shared = wire.shared;
    return decode_network(&wire.network, request, ret);
}

static int decode_body(const void *bytes, size_t length, struct router_request *request, struct error **ret)
{
    struct wire_hello hello;
    struct wire_open open;

    switch (request->type) {
    case ROUTER_HELLO:
        memcpy(&hello, bytes, sizeof hello);
        request->version = hello.version;
        return 0;
    case ROUTER_OPEN:
    case ROUTER_ALLOW:
        memcpy(&open, bytes, sizeof open);
        return decode_network(&open.network, request, ret);
    default:
        return decode_pod(bytes, length, request, ret);
    }
}

int router_request_decode(const void *bytes, size_t length, struct router_request *ret_request,
                          struct error **ret)
{
    struct router_request request = {0};
    struct wire_header header;

    if (length < sizeof header)
        return error_set(ret, ERROR_INPUT, "a request of %zu bytes is none", length);
    memcpy(&header, bytes, sizeof header);
    if (header.type >= ROUTER_TYPES || !types[header.type].length)
        return error_set(ret, ERROR_INPUT, "unknown request %u", header.type);
    if (length != types[header.type].length)
        return error_set(ret, ERROR_INPUT, "a request \"%s\" of %zu bytes, must be %zu",
                         router_type_name(header.type), length, types[header.type].length);
    request.type = header.type;
    request.serial = header.serial;
    if (decode_body(bytes, length, &request, ret) < 0)
        return -1;
    *ret_request = request;
    return 0;
}

void router_reply_encode(const struct router_reply *reply, uint8_t ret_bytes[ROUTER_REPLY_LENGTH])
{
    struct wire_reply wire = {
        .header = {.type = reply->type, .serial = reply->serial},
        .status = reply->status,
        .sys = reply->sys,
        .version = reply->version,
        .network = network_encode(&reply->network),
    };

    memcpy(wire.device, reply->device, strnlen(reply->device, ROUTER_DEVICE_MOST));
    memcpy(wire.mac, reply->mac, sizeof wire.mac);
    memcpy(wire.text, reply->text, strnlen(reply->text, ROUTER_TEXT_MOST));
    memcpy(ret_bytes, &wire, sizeof wire);
}

int router_reply_decode(const void *bytes, size_t length, struct router_reply *ret_reply, struct error **ret)
{
    struct router_reply reply = {0};
    struct wire_reply wire;

    if (length != sizeof wire)
        return error_set(ret, ERROR_INPUT, "a reply of %zu bytes, must be %zu", length, sizeof wire);
    memcpy(&wire, bytes, sizeof wire);
    if (wire.header.type >= ROUTER_TYPES || (wire.header.type && !types[wire.header.type].length))
        return error_set(ret, ERROR_INPUT, "a reply to the unknown request %u", wire.header.type);
    if (wire.status > ERROR_HOST || wire.zero[0] || wire.zero[1] ||
        !memchr(wire.text, '\0', sizeof wire.text) || !memchr(wire.device, '\0', sizeof wire.device) ||
        !network_decode(&wire.network, &reply.network))
        return error_set(ret, ERROR_INPUT, "a reply that does not read");
    reply.type = wire.header.type;
    reply.serial = wire.header.serial;
    reply.status = wire.status;
    reply.sys = wire.sys;
    reply.version = wire.version;
    memcpy(reply.device, wire.device, strlen(wire.device));
    memcpy(reply.mac, wire.mac, sizeof reply.mac);
    memcpy(reply.text, wire.text, strlen(wire.text));
    *ret_reply = reply;
    return 0;
}
