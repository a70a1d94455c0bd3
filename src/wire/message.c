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

static void process_message_free(struct process_message *process)
{
    strings_free(&process->args);
    strings_free(&process->groups);
    strings_free(&process->capabilities);
    strings_free(&process->bounding);
    strings_free(&process->effective);
    strings_free(&process->inheritable);
    strings_free(&process->permitted);
    for (size_t i = 0; i < process->env_count; i++) {
        free(process->envs[i].name);
        free(process->envs[i].value);
    }
    free(process->envs);
    for (size_t i = 0; i < process->limit_count; i++)
        free(process->limits[i].type);
    free(process->limits);
    free(process->id);
    free(process->user);
    free(process->group);
    free(process->workdir);
}

void container_message_free(struct container_message *container)
{
    free(container->id);
    process_message_free(&container->process);
    for (size_t i = 0; i < container->setting_count; i++) {
        free(container->settings[i].name);
        free(container->settings[i].value);
    }
    free(container->settings);
    free(container->listen.address);
    free(container->listen.protocol);
    *container = (struct container_message){0};
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
    strings_free(&pod->dns);
    for (size_t i = 0; i < pod->container_count; i++)
        container_message_free(&pod->containers[i]);
    free(pod->containers);
    *pod = (struct pod_message){0};
}

void kill_message_free(struct kill_message *kill)
{
    free(kill->container);
    free(kill->process);
    *kill = (struct kill_message){0};
}

void remove_message_free(struct remove_message *removal)
{
    free(removal->container);
    *removal = (struct remove_message){0};
}

void file_message_free(struct file_message *file)
{
    free(file->container);
    free(file->path);
    *file = (struct file_message){0};
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
