#include "src/wire/message.h"

#include <stdlib.h>

void interface_message_free(struct interface_message *interface)
{
    free(interface->device);
    free(interface->new_name);
    free(interface->mac);
    free(interface->type);
    for (size_t i = 0; i < interface->address_count; i++) {
        free(interface->addresses[i].address);
        free(interface->addresses[i].mask);
    }
    free(interface->addresses);
    *interface = (struct interface_message){0};
}

void pod_message_free(struct pod_message *pod)
{
    free(pod->hostname);
    for (size_t i = 0; i < pod->interface_count; i++)
        interface_message_free(&pod->interfaces[i]);
    free(pod->interfaces);
    for (size_t i = 0; i < pod->route_count; i++) {
        free(pod->routes[i].destination);
        free(pod->routes[i].gateway);
        free(pod->routes[i].gateway_mac);
        free(pod->routes[i].source);
        free(pod->routes[i].device);
    }
    free(pod->routes);
    *pod = (struct pod_message){0};
}

void container_message_free(struct container_message *container)
{
    struct process_message *process = &container->process;

    free(container->id);
    strings_free(&process->args);
    strings_free(&process->capabilities);
    for (size_t i = 0; i < process->env_count; i++) {
        free(process->envs[i].name);
        free(process->envs[i].value);
    }
    free(process->envs);
    for (size_t i = 0; i < process->limit_count; i++)
        free(process->limits[i].type);
    free(process->limits);
    free(process->id);
    free(process->workdir);
    free(container->listen.address);
    free(container->listen.protocol);
    *container = (struct container_message){0};
}

void kill_message_free(struct kill_message *kill)
{
    free(kill->container);
    free(kill->process);
    *kill = (struct kill_message){0};
}

void winsize_message_free(struct winsize_message *size)
{
    free(size->container);
    free(size->process);
    *size = (struct winsize_message){0};
}

void event_message_free(struct event_message *event)
{
    free(event->container);
    free(event->process);
    free(event->event);
    free(event->info);
    *event = (struct event_message){0};
}
