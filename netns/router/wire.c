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
struct wire_address {
    struct wire_pod pod;
    uint8_t address[4];
    uint32_t shared;
};
struct wire_reply {
    struct wire_header header;
    uint32_t status, sys, version;
    uint8_t mac[ROUTER_MAC_LENGTH];
    uint8_t zero[2];
    char text[ROUTER_TEXT_MOST + 1]; /* ends with at least one NUL */
};
static_assert(sizeof(struct wire_hello) == 12, "no padding");
static_assert(sizeof(struct wire_pod) == 16, "no padding");
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

size_t router_request_encode(const struct router_request *request, uint8_t ret_bytes[ROUTER_REQUEST_MOST])
{
    struct wire_header header = {.type = request->type, .serial = request->serial};
    struct wire_hello hello = {.header = header, .version = request->version};
    struct wire_address address = {.pod.header = header, .shared = request->shared};

    memcpy(address.pod.run_id, request->run_id, ROUTER_RUN_ID_LENGTH);
    memcpy(address.address, request->address, sizeof address.address);
    if (request->type == ROUTER_HELLO)
        memcpy(ret_bytes, &hello, sizeof hello);
    else /* the one begins like the other */
        memcpy(ret_bytes, &address, types[request->type].length);
    return types[request->type].length;
}

/* All but HELLO; the length is right. */
static int decode_pod(const void *bytes, size_t length, struct router_request *request, struct error **ret)
{
    struct wire_address wire = {0};

    memcpy(&wire, bytes, length);
    if (!run_id_valid(wire.pod.run_id))
        return error_set(ret, ERROR_INPUT, "a request \"%s\" whose run id is not six lower-case letters",
                         router_type_name(request->type));
    if (wire.shared > 1)
        return error_set(ret, ERROR_INPUT, "a request \"%s\" whose flag is %u",
                         router_type_name(request->type), wire.shared);
    memcpy(request->run_id, wire.pod.run_id, ROUTER_RUN_ID_LENGTH);
    memcpy(request->address, wire.address, sizeof request->address);
    request->shared = wire.shared;
    return 0;
}

int router_request_decode(const void *bytes, size_t length, struct router_request *ret_request,
                          struct error **ret)
{
    struct router_request request = {0};
    struct wire_header header;
    struct wire_hello hello;

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
    if (header.type == ROUTER_HELLO) {
        memcpy(&hello, bytes, sizeof hello);
        request.version = hello.version;
    } else if (decode_pod(bytes, length, &request, ret) < 0) {
        return -1;
    }
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
    };

    memcpy(wire.mac, reply->mac, sizeof wire.mac);
    memcpy(wire.text, reply->text, strnlen(reply->text, ROUTER_TEXT_MOST));
    memcpy(ret_bytes, &wire, sizeof wire);
}

int router_reply_decode(const void *bytes, size_t length, struct router_reply *ret_reply, struct error **ret)
{
    struct router_reply reply;
    struct wire_reply wire;

    if (length != sizeof wire)
        return error_set(ret, ERROR_INPUT, "a reply of %zu bytes, must be %zu", length, sizeof wire);
    memcpy(&wire, bytes, sizeof wire);
    if (wire.header.type >= ROUTER_TYPES || !types[wire.header.type].length)
        return error_set(ret, ERROR_INPUT, "a reply to the unknown request %u", wire.header.type);
    if (wire.status > ERROR_HOST || wire.zero[0] || wire.zero[1] ||
        !memchr(wire.text, '\0', sizeof wire.text))
        return error_set(ret, ERROR_INPUT, "a reply that does not read");
    reply = (struct router_reply){
        .type = wire.header.type,
        .serial = wire.header.serial,
        .status = wire.status,
        .sys = wire.sys,
        .version = wire.version,
    };
    memcpy(reply.mac, wire.mac, sizeof reply.mac);
    memcpy(reply.text, wire.text, strlen(wire.text));
    *ret_reply = reply;
    return 0;
}
