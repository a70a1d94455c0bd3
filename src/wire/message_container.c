/* Reading hyperstart's JSON: containers and processes. */
#include "src/wire/message_container.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

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

/* The kernel's sets; the ambient one is what remains of them when a program is run. */
static int read_capabilities(const json_t *json, struct process_message *process, struct error **ret)
{
    return get_strings(json, "ambient", &process->capabilities, ret) < 0 ||
                   get_strings(json, "bounding", &process->bounding, ret) < 0 ||
                   get_strings(json, "effective", &process->effective, ret) < 0 ||
                   get_strings(json, "inheritable", &process->inheritable, ret) < 0 ||
                   get_strings(json, "permitted", &process->permitted, ret) < 0
               ? -1
               : 0;
}

static int read_lists(const json_t *json, struct process_message *process, struct error **ret)
{
    void *envs = NULL, *limits = NULL;
    int result =
        get_array(json, "envs", sizeof *process->envs, &envs, &process->env_count, read_environment, ret);

    process->envs = envs;
    if (result < 0)
        return -1;
    result =
        get_array(json, "rlimits", sizeof *process->limits, &limits, &process->limit_count, read_limit, ret);
    process->limits = limits;
    return result < 0 ? -1 : get_strings(json, "additionalGroups", &process->groups, ret);
}

static int read_streams(const json_t *json, struct process_message *process, struct error **ret)
{
    json_int_t stdio = 0, stderr_stream = 0;
    bool no_input;

    if (get_number(json, "stdio", OPTIONAL, 0, INT64_MAX, &stdio, ret) < 0 ||
        get_number(json, "stderr", OPTIONAL, 0, INT64_MAX, &stderr_stream, ret) < 0 ||
        get_bool(json, "terminal", &process->terminal, ret) < 0 ||
        get_bool(json, "noStdin", &no_input, ret) < 0)
        return -1;
    process->input = !no_input;
    process->stdio = (uint64_t)stdio;
    process->stderr_stream = (uint64_t)stderr_stream;
    return 0;
}

static int read_process(const json_t *json, struct process_message *process, struct error **ret)
{
    json_t *capabilities;

    if (read_streams(json, process, ret) < 0 || get_text(json, "id", OPTIONAL, &process->id, ret) < 0 ||
        get_text(json, "user", OPTIONAL, &process->user, ret) < 0 ||
        get_text(json, "group", OPTIONAL, &process->group, ret) < 0 ||
        get_text(json, "workdir", OPTIONAL, &process->workdir, ret) < 0 ||
        get_strings(json, "args", &process->args, ret) < 0)
        return -1;
    if (!process->args.count)
        return error_set(ret, ERROR_INPUT, "the field \"args\" is missing");
    if (read_lists(json, process, ret) < 0 ||
        get_field(json, "capabilities", OPTIONAL, JSON_OBJECT, &capabilities, ret) < 0)
        return -1;
    return capabilities ? read_capabilities(capabilities, process, ret) : 0;
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

static int read_settings(const json_t *json, struct container_message *container, struct error **ret)
{
    const char *name;
    json_t *sysctl, *value;

    if (get_field(json, "sysctl", OPTIONAL, JSON_OBJECT, &sysctl, ret) < 0)
        return -1;
    if (json_object_size(sysctl))
        container->settings = memory_new(json_object_size(sysctl) * sizeof *container->settings);
    json_object_foreach(sysctl, name, value)
    {
        struct environment_message *setting = &container->settings[container->setting_count++];

        if (!json_is_string(value) || json_string_length(value) != strlen(json_string_value(value)))
            return error_set(ret, ERROR_INPUT, "the field \"%s\" of \"sysctl\" has the wrong type", name);
        setting->name = text_copy(name);
        setting->value = text_copy(json_string_value(value));
    }
    return 0;
}

/* What a client believes to be mounted has to be. */
static int refuse_mounts(const json_t *json, struct error **ret)
{
    static const char *const names[] = {"fsmap", "volumes"};
    json_t *array;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (get_field(json, names[i], OPTIONAL, JSON_ARRAY, &array, ret) < 0)
            return -1;
        if (json_array_size(array))
            return error_set(ret, ERROR_INPUT,
                             "the field \"%s\" is not empty: nothing can be mounted for a container",
                             names[i]);
    }
    return 0;
}

int read_container(const json_t *json, void *item, struct error **ret)
{
    struct container_message *container = item;
    json_t *process, *listen;

    if (get_text(json, "id", MANDATORY, &container->id, ret) < 0 ||
        get_field(json, "process", MANDATORY, JSON_OBJECT, &process, ret) < 0 ||
        get_field(json, "listen", OPTIONAL, JSON_OBJECT, &listen, ret) < 0 ||
        read_settings(json, container, ret) < 0 || refuse_mounts(json, ret) < 0)
        return -1;
    if (read_process(process, &container->process, ret) < 0)
        return error_prefix(ret, "process");
    if (listen && read_listen(listen, &container->listen, ret) < 0)
        return error_prefix(ret, "listen");
    return 0;
}

int container_message_decode(const void *text, size_t length, struct container_message *container,
                             struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);

    return json ? read_container(json, container, ret) : -1;
}

int exec_message_decode(const void *text, size_t length, struct container_message *exec, struct error **ret)
{
    cleanup_json json_t *json = json_parse(text, length, ret);
    json_t *process;

    if (!json || get_text(json, "container", MANDATORY, &exec->id, ret) < 0 ||
        get_field(json, "process", MANDATORY, JSON_OBJECT, &process, ret) < 0)
        return -1;
    return read_process(process, &exec->process, ret) < 0 ? error_prefix(ret, "process") : 0;
}
