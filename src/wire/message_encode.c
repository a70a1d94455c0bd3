/* Writing hyperstart's JSON. */
#include "src/wire/message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

/* Text from outside (file names, environment) may be any bytes, JSON holds UTF-8: what is not is escaped. */
static json_t *text_json(const char *text)
{
    json_t *json = json_string(text);

    if (!json) {
        cleanup_free char *clean = text_printable(text, strlen(text));

        json = json_string(clean);
    }
    return json;
}

static void put_text(json_t *object, const char *name, const char *text)
{
    if (text)
        json_object_set_new(object, name, text_json(text));
}

static void put_texts(json_t *object, const char *name, const struct strings *texts)
{
    json_t *array;

    if (!texts->count)
        return;
    array = json_array();
    for (size_t i = 0; i < texts->count; i++)
        json_array_append_new(array, text_json(texts->list[i]));
    json_object_set_new(object, name, array);
}

/* Takes `part`. */
static void put_part(json_t *object, const char *name, json_t *part)
{
    if (json_object_size(part))
        json_object_set(object, name, part);
    json_decref(part);
}

static json_t *interface_json(const struct interface_message *interface)
{
    json_t *json = json_object(), *addresses = json_array();

    put_text(json, "device", interface->device);
    put_text(json, "newDeviceName", interface->new_name);
    put_text(json, "macAddr", interface->mac);
    put_text(json, "type", interface->type);
    if (interface->mtu)
        json_object_set_new(json, "mtu", json_integer(interface->mtu));
    for (size_t i = 0; i < interface->address_count; i++)
        json_array_append_new(addresses, json_pack("{ssss}", "ipAddress", interface->addresses[i].address,
                                                   "netMask", interface->addresses[i].mask));
    json_object_set_new(json, "ipAddresses", addresses);
    return json;
}

static json_t *capabilities_json(const struct process_message *process)
{
    json_t *json = json_object();

    put_texts(json, "ambient", &process->capabilities);
    put_texts(json, "bounding", &process->bounding);
    put_texts(json, "effective", &process->effective);
    put_texts(json, "inheritable", &process->inheritable);
    put_texts(json, "permitted", &process->permitted);
    return json;
}

static json_t *process_json(const struct process_message *process)
{
    json_t *json = json_object(), *envs = json_array(), *limits = json_array();

    json_object_set_new(json, "stdio", json_integer((json_int_t)process->stdio));
    json_object_set_new(json, "stderr", json_integer((json_int_t)process->stderr_stream));
    put_text(json, "id", process->id);
    put_text(json, "workdir", process->workdir);
    if (process->terminal)
        json_object_set_new(json, "terminal", json_true());
    if (!process->input)
        json_object_set_new(json, "noStdin", json_true());
    put_texts(json, "args", &process->args);
    for (size_t i = 0; i < process->env_count; i++) {
        json_t *env = json_object();

        put_text(env, "env", process->envs[i].name);
        put_text(env, "value", process->envs[i].value ? process->envs[i].value : "");
        json_array_append_new(envs, env);
    }
    json_object_set_new(json, "envs", envs);
    for (size_t i = 0; i < process->limit_count; i++)
        json_array_append_new(limits, json_pack("{sssIsI}", "type", process->limits[i].type, "soft",
                                                (json_int_t)process->limits[i].soft, "hard",
                                                (json_int_t)process->limits[i].hard));
    json_object_set_new(json, "rlimits", limits);
    put_text(json, "user", process->user);
    put_text(json, "group", process->group);
    put_texts(json, "additionalGroups", &process->groups);
    put_part(json, "capabilities", capabilities_json(process));
    return json;
}

static char *dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    if (!text)
        abort(); /* out of memory: all texts are UTF-8 by now */
    return text;
}

static json_t *container_json(const struct container_message *container)
{
    json_t *json = json_object(), *settings = json_object();

    put_text(json, "id", container->id);
    json_object_set_new(json, "process", process_json(&container->process));
    for (size_t i = 0; i < container->setting_count; i++)
        put_text(settings, container->settings[i].name, container->settings[i].value);
    put_part(json, "sysctl", settings);
    if (container->listen.address)
        json_object_set_new(json, "listen",
                            json_pack("{sssssi}", "address", container->listen.address, "protocol",
                                      container->listen.protocol, "port", (int)container->listen.port));
    return json;
}

char *pod_message_encode(const struct pod_message *pod)
{
    json_t *json = json_object(), *interfaces = json_array(), *routes = json_array(),
           *containers = json_array();

    put_text(json, "hostname", pod->hostname);
    for (size_t i = 0; i < pod->interface_count; i++)
        json_array_append_new(interfaces, interface_json(&pod->interfaces[i]));
    json_object_set_new(json, "interfaces", interfaces);
    for (size_t i = 0; i < pod->route_count; i++) {
        json_t *route = json_object();

        put_text(route, "dest", pod->routes[i].destination);
        put_text(route, "gateway", pod->routes[i].gateway);
        put_text(route, "gatewayMac", pod->routes[i].gateway_mac);
        put_text(route, "source", pod->routes[i].source);
        put_text(route, "device", pod->routes[i].device);
        json_array_append_new(routes, route);
    }
    json_object_set_new(json, "routes", routes);
    put_texts(json, "dns", &pod->dns);
    for (size_t i = 0; i < pod->container_count; i++)
        json_array_append_new(containers, container_json(&pod->containers[i]));
    json_object_set_new(json, "containers", containers);
    return dump(json);
}

char *interface_message_encode(const struct interface_message *interface)
{
    return dump(interface_json(interface));
}

char *container_message_encode(const struct container_message *container)
{
    return dump(container_json(container));
}

char *exec_message_encode(const struct container_message *exec)
{
    json_t *json = json_object();

    put_text(json, "container", exec->id);
    json_object_set_new(json, "process", process_json(&exec->process));
    return dump(json);
}

char *kill_message_encode(const struct kill_message *kill)
{
    json_t *json = json_object();

    put_text(json, "container", kill->container);
    put_text(json, "process", kill->process);
    json_object_set_new(json, "signal", json_integer(kill->signal));
    json_object_set_new(json, "allProcesses", json_boolean(kill->all));
    return dump(json);
}

char *remove_message_encode(const struct remove_message *removal)
{
    json_t *json = json_object();

    put_text(json, "container", removal->container);
    return dump(json);
}

void file_message_encode(struct buffer *out, const struct file_message *file)
{
    json_t *json = json_object();
    cleanup_free char *text = NULL;

    put_text(json, "container", file->container);
    put_text(json, "file", file->path);
    text = dump(json);
    buffer_add(out, text, strlen(text) + (file->data ? 1 : 0));
    buffer_add(out, file->data, file->length);
}

char *winsize_message_encode(const struct winsize_message *size)
{
    json_t *json = json_object();

    put_text(json, "container", size->container);
    put_text(json, "process", size->process);
    json_object_set_new(json, "row", json_integer(size->rows));
    json_object_set_new(json, "column", json_integer(size->columns));
    return dump(json);
}

char *event_message_encode(const struct event_message *event)
{
    json_t *json = json_object();

    put_text(json, "container", event->container);
    put_text(json, "process", event->process ? event->process : event->container);
    put_text(json, "event", event->event);
    put_text(json, "info", event->info);
    json_object_set_new(json, "status", json_integer(event->status));
    return dump(json);
}
