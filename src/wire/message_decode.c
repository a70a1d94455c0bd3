/* Reading hyperstart's JSON. */
#include "src/wire/message.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/wire/fields.h"
#include "src/wire/message_container.h"

static int read_address(const json_t *json, void *item, struct error **ret)
{
    struct address_message *address = item;

    return get_text(json, "ipAddress", MANDATORY, &address->address, ret) < 0 ||
                   get_text(json, "netMask", MANDATORY, &address->mask, ret) < 0
               ? -1
               : 0;
}

static int read_interface(const json_t *json, void *item, struct error **ret)
{
    struct interface_message *interface = item;
    void *addresses = NULL;
    json_int_t mtu = 0;
    int result;

    if (get_text(json, "device", MANDATORY, &interface->device, ret) < 0 ||
        get_text(json, "newDeviceName", OPTIONAL, &interface->new_name, ret) < 0 ||
        get_text(json, "macAddr", OPTIONAL, &interface->mac, ret) < 0 ||
        get_text(json, "type", OPTIONAL, &interface->type, ret) < 0 ||
        get_number(json, "mtu", OPTIONAL, 0, 65536, &mtu, ret) < 0)
        return -1;
    interface->mtu = (uint32_t)mtu;
    if (interface->type && strcmp(interface->type, "dummy") != 0)
        return error_set(ret, ERROR_INPUT, "the field \"type\" can only be \"dummy\"");
    result = get_array(json, "ipAddresses", sizeof *interface->addresses, &addresses,
                       &interface->address_count, read_address, ret);
    interface->addresses = addresses;
    return result;
}

static int read_route(const json_t *json, void *item, struct error **ret)
{
    struct route_message *route = item;

    return get_text(json, "dest", MANDATORY, &route->destination, ret) < 0 ||
                   get_text(json, "gateway", OPTIONAL, &route->gateway, ret) < 0 ||
                   get_text(json, "gatewayMac", OPTIONAL, &route->gateway_mac, ret) < 0 ||
                   get_text(json, "source", OPTIONAL, &route->source, ret) < 0 ||
                   get_text(json, "device", MANDATORY, &route->device, ret) < 0
               ? -1
               : 0;
}

static int read_routes(const json_t *json, struct pod_message *pod, struct error **ret)
{
    void *routes = NULL;
    int result = get_array(json, "routes", sizeof *pod->routes, &routes, &pod->route_count, read_route, ret);

    pod->routes = routes;
    return result;
}

int pod_message_decode(const void *text, size_t length, struct pod_message *pod, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);
    void *interfaces = NULL, *containers = NULL;
    int result;

    if (!json || get_text(json, "hostname", OPTIONAL, &pod->hostname, ret) < 0 ||
        get_strings(json, "dns", &pod->dns, ret) < 0)
        return -1;
    result = get_array(json, "interfaces", sizeof *pod->interfaces, &interfaces, &pod->interface_count,
                       read_interface, ret);
    pod->interfaces = interfaces;
    if (result < 0 || read_routes(json, pod, ret) < 0)
        return -1;
    result = get_array(json, "containers", sizeof *pod->containers, &containers, &pod->container_count,
                       read_container, ret);
    pod->containers = containers;
    return result;
}

int routes_message_decode(const void *text, size_t length, struct pod_message *pod, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);

    return json ? read_routes(json, pod, ret) : -1;
}

int interface_message_decode(const void *text, size_t length, struct interface_message *interface,
                             struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);

    return json ? read_interface(json, interface, ret) : -1;
}

int kill_message_decode(const void *text, size_t length, struct kill_message *kill, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);
    json_int_t signal = 0;

    if (!json || get_text(json, "container", MANDATORY, &kill->container, ret) < 0 ||
        get_text(json, "process", OPTIONAL, &kill->process, ret) < 0 ||
        get_number(json, "signal", MANDATORY, 0, 64, &signal, ret) < 0 ||
        get_bool(json, "allProcesses", &kill->all, ret) < 0)
        return -1;
    kill->signal = (int)signal;
    return 0;
}

int remove_message_decode(const void *text, size_t length, struct remove_message *removal, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);

    return json ? get_text(json, "container", MANDATORY, &removal->container, ret) : -1;
}

int file_message_decode(const void *payload, size_t length, struct file_message *file, struct error **ret)
{
    const char *nul = length ? memchr(payload, '\0', length) : NULL;
    size_t text_length = nul ? (size_t)(nul - (const char *)payload) : length;
    cleanup_json json_t *json = json_parse(payload, text_length, ret);

    if (!json || get_text(json, "container", MANDATORY, &file->container, ret) < 0 ||
        get_text(json, "file", MANDATORY, &file->path, ret) < 0)
        return -1;
    if (nul) {
        file->data = (const uint8_t *)nul + 1;
        file->length = length - text_length - 1;
    }
    return 0;
}

int winsize_message_decode(const void *text, size_t length, struct winsize_message *size, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);
    json_int_t rows = 0, columns = 0;

    if (!json || get_text(json, "container", MANDATORY, &size->container, ret) < 0 ||
        get_text(json, "process", OPTIONAL, &size->process, ret) < 0 ||
        get_number(json, "row", MANDATORY, 0, UINT16_MAX, &rows, ret) < 0 ||
        get_number(json, "column", MANDATORY, 0, UINT16_MAX, &columns, ret) < 0)
        return -1;
    size->rows = (uint16_t)rows;
    size->columns = (uint16_t)columns;
    return 0;
}

int event_message_decode(const void *text, size_t length, struct event_message *event, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);
    json_int_t status = 0;

    if (!json || get_text(json, "container", MANDATORY, &event->container, ret) < 0 ||
        get_text(json, "process", OPTIONAL, &event->process, ret) < 0 ||
        get_text(json, "event", MANDATORY, &event->event, ret) < 0 ||
        get_text(json, "info", OPTIONAL, &event->info, ret) < 0 ||
        get_number(json, "status", OPTIONAL, 0, 255, &status, ret) < 0)
        return -1;
    event->status = (int)status;
    return 0;
}
