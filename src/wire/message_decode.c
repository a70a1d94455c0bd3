/* Reading hyperstart's JSON: every getter names the field that it cannot use. */
#include "src/wire/message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

static void json_free(json_t **json)
{
    json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(json_free)))

enum need { OPTIONAL, MANDATORY };

/* *ret_value is NULL where the field is absent and may be. */
static int field(const json_t *object, const char *name, enum need need, json_type type, json_t **ret_value,
                 struct error **ret)
{
    json_t *value = json_object_get(object, name);

    *ret_value = NULL;
    if (!value || json_is_null(value)) {
        if (need == MANDATORY)
            return error_set(ret, ERROR_INPUT, "the field \"%s\" is missing", name);
        return 0;
    }
    if (json_typeof(value) != type)
        return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
    *ret_value = value;
    return 0;
}

static int get_text(const json_t *object, const char *name, enum need need, char **ret_text,
                    struct error **ret)
{
    json_t *value;

    if (field(object, name, need, JSON_STRING, &value, ret) < 0)
        return -1;
    if (value && json_string_length(value) != strlen(json_string_value(value)))
        return error_set(ret, ERROR_INPUT, "the field \"%s\" holds a NUL byte", name);
    if (value && *json_string_value(value))
        *ret_text = text_copy(json_string_value(value));
    else if (need == MANDATORY)
        return error_set(ret, ERROR_INPUT, "the field \"%s\" is empty", name);
    return 0;
}

static int get_number(const json_t *object, const char *name, enum need need, json_int_t low, json_int_t high,
                      json_int_t *ret_number, struct error **ret)
{
    json_t *value;

    if (field(object, name, need, JSON_INTEGER, &value, ret) < 0)
        return -1;
    if (!value)
        return 0;
    if (json_integer_value(value) < low || json_integer_value(value) > high)
        return error_set(ret, ERROR_INPUT, "the field \"%s\" is out of range", name);
    *ret_number = json_integer_value(value);
    return 0;
}

static int get_bool(const json_t *object, const char *name, bool *ret_value, struct error **ret)
{
    json_t *value = json_object_get(object, name);

    if (value && !json_is_null(value) && !json_is_boolean(value))
        return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
    *ret_value = json_is_true(value);
    return 0;
}

static int get_strings(const json_t *object, const char *name, struct strings *ret_strings,
                       struct error **ret)
{
    json_t *array, *entry;
    size_t i;

    if (field(object, name, OPTIONAL, JSON_ARRAY, &array, ret) < 0)
        return -1;
    json_array_foreach(array, i, entry)
    {
        if (!json_is_string(entry) || json_string_length(entry) != strlen(json_string_value(entry)))
            return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
        strings_add(ret_strings, json_string_value(entry));
    }
    return 0;
}

/* An optional array of objects: read(user, index, entry) for each. *ret_items gets room for all, zeroed. */
static int get_array(const json_t *object, const char *name, size_t item_size, void **ret_items,
                     size_t *ret_count, int (*read)(const json_t *entry, void *item, struct error **ret),
                     struct error **ret)
{
    json_t *array, *entry;
    size_t i;

    if (field(object, name, OPTIONAL, JSON_ARRAY, &array, ret) < 0)
        return -1;
    if (!json_array_size(array))
        return 0;
    *ret_items = memory_new(json_array_size(array) * item_size);
    *ret_count = json_array_size(array);
    json_array_foreach(array, i, entry)
    {
        if (!json_is_object(entry))
            return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
        if (read(entry, (char *)*ret_items + i * item_size, ret) < 0)
            return error_prefix(ret, "%s[%zu]", name, i);
    }
    return 0;
}

static json_t *parse(const void *text, size_t length, struct error **ret)
{
    json_error_t problem;
    json_t *json = json_loadb(text ? text : "", length, JSON_REJECT_DUPLICATES, &problem);

    if (!json)
        error_set(ret, ERROR_INPUT, "not JSON: %s", problem.text);
    else if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
        error_set(ret, ERROR_INPUT, "not a JSON object");
    }
    return json;
}

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

static int read_environment(const json_t *json, void *item, struct error **ret)
{
    struct environment_message *environment = item;

    if (get_text(json, "env", MANDATORY, &environment->name, ret) < 0 ||
        get_text(json, "value", OPTIONAL, &environment->value, ret) < 0)
        return -1;
    if (strchr(environment->name, '='))
        return error_set(ret, ERROR_INPUT, "the field \"env\" holds a \"=\"");
    return 0;
}

static int read_limit(const json_t *json, void *item, struct error **ret)
{
    struct limit_message *limit = item;
    json_int_t soft = 0, hard = 0;

    if (get_text(json, "type", MANDATORY, &limit->type, ret) < 0 ||
        get_number(json, "soft", MANDATORY, -1, INT64_MAX, &soft, ret) < 0 ||
        get_number(json, "hard", MANDATORY, -1, INT64_MAX, &hard, ret) < 0)
        return -1;
    limit->soft = (uint64_t)soft; /* -1, as RLIM_INFINITY is written by some */
    limit->hard = (uint64_t)hard;
    return 0;
}

static int read_process(const json_t *json, struct process_message *process, struct error **ret)
{
    json_int_t stdio = 0, stderr_stream = 0;
    void *envs = NULL, *limits = NULL;
    json_t *capabilities;
    bool no_input;
    int result;

    if (get_number(json, "stdio", OPTIONAL, 0, INT64_MAX, &stdio, ret) < 0 ||
        get_number(json, "stderr", OPTIONAL, 0, INT64_MAX, &stderr_stream, ret) < 0 ||
        get_text(json, "id", OPTIONAL, &process->id, ret) < 0 ||
        get_text(json, "workdir", OPTIONAL, &process->workdir, ret) < 0 ||
        get_bool(json, "terminal", &process->terminal, ret) < 0 ||
        get_bool(json, "noStdin", &no_input, ret) < 0 || get_strings(json, "args", &process->args, ret) < 0)
        return -1;
    process->input = !no_input;
    process->stdio = (uint64_t)stdio;
    process->stderr_stream = (uint64_t)stderr_stream;
    if (!process->args.count)
        return error_set(ret, ERROR_INPUT, "the field \"args\" is missing");
    result =
        get_array(json, "envs", sizeof *process->envs, &envs, &process->env_count, read_environment, ret);
    process->envs = envs;
    if (result < 0)
        return -1;
    result =
        get_array(json, "rlimits", sizeof *process->limits, &limits, &process->limit_count, read_limit, ret);
    process->limits = limits;
    if (result < 0 || field(json, "capabilities", OPTIONAL, JSON_OBJECT, &capabilities, ret) < 0)
        return -1;
    return capabilities ? get_strings(capabilities, "ambient", &process->capabilities, ret) : 0;
}

static int read_listen(const json_t *json, struct listen_message *listen, struct error **ret)
{
    json_int_t port = 0;

    if (get_text(json, "address", MANDATORY, &listen->address, ret) < 0 ||
        get_text(json, "protocol", MANDATORY, &listen->protocol, ret) < 0 ||
        get_number(json, "port", MANDATORY, 1, 65535, &port, ret) < 0)
        return -1;
    listen->port = (uint16_t)port;
    if (strcmp(listen->protocol, "udp") != 0 && strcmp(listen->protocol, "tcp") != 0 &&
        strcmp(listen->protocol, "any") != 0)
        return error_set(ret, ERROR_INPUT, "the field \"protocol\" can only be \"udp\", \"tcp\" or \"any\"");
    return 0;
}

int pod_message_decode(const void *text, size_t length, struct pod_message *pod, struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);
    void *interfaces = NULL;
    int result;

    if (!json || get_text(json, "hostname", OPTIONAL, &pod->hostname, ret) < 0)
        return -1;
    result = get_array(json, "interfaces", sizeof *pod->interfaces, &interfaces, &pod->interface_count,
                       read_interface, ret);
    pod->interfaces = interfaces;
    return result < 0 ? -1 : routes_message_decode(text, length, pod, ret);
}

int routes_message_decode(const void *text, size_t length, struct pod_message *pod, struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);
    void *routes = NULL;
    int result;

    if (!json)
        return -1;
    result = get_array(json, "routes", sizeof *pod->routes, &routes, &pod->route_count, read_route, ret);
    pod->routes = routes;
    return result;
}

int interface_message_decode(const void *text, size_t length, struct interface_message *interface,
                             struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);

    return json ? read_interface(json, interface, ret) : -1;
}

int container_message_decode(const void *text, size_t length, struct container_message *container,
                             struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);
    json_t *process, *listen;

    if (!json || get_text(json, "id", MANDATORY, &container->id, ret) < 0 ||
        field(json, "process", MANDATORY, JSON_OBJECT, &process, ret) < 0 ||
        field(json, "listen", OPTIONAL, JSON_OBJECT, &listen, ret) < 0)
        return -1;
    if (read_process(process, &container->process, ret) < 0)
        return error_prefix(ret, "process");
    if (listen && read_listen(listen, &container->listen, ret) < 0)
        return error_prefix(ret, "listen");
    return 0;
}

int exec_message_decode(const void *text, size_t length, struct container_message *exec, struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);
    json_t *process;

    if (!json || get_text(json, "container", MANDATORY, &exec->id, ret) < 0 ||
        field(json, "process", MANDATORY, JSON_OBJECT, &process, ret) < 0)
        return -1;
    return read_process(process, &exec->process, ret) < 0 ? error_prefix(ret, "process") : 0;
}

int kill_message_decode(const void *text, size_t length, struct kill_message *kill, struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);
    json_int_t signal = 0;

    if (!json || get_text(json, "container", MANDATORY, &kill->container, ret) < 0 ||
        get_text(json, "process", OPTIONAL, &kill->process, ret) < 0 ||
        get_number(json, "signal", MANDATORY, 0, 64, &signal, ret) < 0 ||
        get_bool(json, "allProcesses", &kill->all, ret) < 0)
        return -1;
    kill->signal = (int)signal;
    return 0;
}

int winsize_message_decode(const void *text, size_t length, struct winsize_message *size, struct error **ret)
{
    cleanup_json json_t *json = parse(text, length, ret);
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
    cleanup_json json_t *json = parse(text, length, ret);
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
