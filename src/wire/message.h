/* hyperstart's JSON payloads as C structures, both ways. Field names are those on the wire. Unknown fields
 * are ignored; a mandatory one that is missing, or any that has the wrong type, is an error that names it.
 *
 * sippod's own additions, which other agents ignore, are listed in docs/hyperstart.md: NetworkIface.type,
 * Route.source and Route.gatewayMac, Container.listen, Process.id and Process.noStdin, and
 * PROCESSASYNCEVENT's events "listening", "exited" (status: exit code), "signalled" (status: the signal) and
 * "notice" (info: what the pod has to do without). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/text.h"

struct address_message {
    char *address; /* ipAddress */
    char *mask;    /* netMask: "24", or "255.255.255.0" */
};

struct interface_message {
    char *device;
    char *new_name; /* newDeviceName, NULL: keep */
    char *mac;      /* macAddr, NULL: keep */
    char *type;     /* NULL, or "dummy" */
    uint32_t mtu;   /* 0: keep */
    struct address_message *addresses;
    size_t address_count;
};

struct route_message {
    char *destination; /* dest: "default", an address, or a prefix */
    char *gateway;     /* NULL: none */
    char *gateway_mac; /* gatewayMac: it becomes a permanent neighbour, NULL: it is asked for as usual */
    char *source;      /* what is sent over it comes from there unless the sender says, NULL: any address */
    char *device;
};

struct environment_message {
    char *name, *value;
};

struct limit_message {
    char *type; /* "nofile", "RLIMIT_NOFILE" … */
    uint64_t soft, hard;
};

struct process_message {
    char *id;                      /* NULL: the container's */
    uint64_t stdio, stderr_stream; /* I/O channel sequences; stderr 0: the stdio one takes both */
    struct strings args;
    struct environment_message *envs;
    size_t env_count;
    struct limit_message *limits;
    size_t limit_count;
    char *user, *group;          /* by name or number, NULL: the agent's */
    struct strings groups;       /* additionalGroups */
    char *workdir;               /* NULL: / */
    struct strings capabilities; /* ambient ones: "CAP_NET_RAW" … */
    struct strings bounding, effective, inheritable, permitted;
    bool terminal; /* its three standard streams are a terminal */
    bool input;    /* the stdio stream is its standard input, too; else that is /dev/null */
};

struct listen_message {
    char *address;  /* NULL: nothing is waited for */
    char *protocol; /* "udp", "tcp", or "any" of them */
    uint16_t port;
};

struct container_message {
    char *id;
    struct process_message process;
    struct listen_message listen;
    struct environment_message *settings; /* sysctl */
    size_t setting_count;
};

struct pod_message {
    char *hostname;
    struct interface_message *interfaces;
    size_t interface_count;
    struct route_message *routes;
    size_t route_count;
    struct strings dns; /* addresses of name servers */
    struct container_message *containers;
    size_t container_count;
};

struct remove_message {
    char *container;
};

/* READFILE and WRITEFILE: JSON and, to write, a NUL and the bytes. */
struct file_message {
    char *container;
    char *path;          /* file */
    const uint8_t *data; /* points into what was decoded; NULL: there was no NUL */
    size_t length;
};

struct kill_message {
    char *container;
    char *process; /* SIGNALPROCESS only */
    int signal;
    bool all; /* allProcesses */
};

struct winsize_message {
    char *container;
    char *process; /* NULL: the container's own */
    uint16_t rows, columns;
};

struct event_message {
    char *container;
    char *process; /* NULL: the container's only one */
    char *event;   /* "listening", "exited", "signalled", "notice" */
    char *info;
    int status;
};

/* Each encoder returns a NUL-terminated text that the caller frees. */
char *pod_message_encode(const struct pod_message *pod);
char *interface_message_encode(const struct interface_message *interface);
char *container_message_encode(const struct container_message *container);
char *exec_message_encode(const struct container_message *exec); /* EXECCMD {container, process} */
char *kill_message_encode(const struct kill_message *kill);
char *remove_message_encode(const struct remove_message *removal);
void file_message_encode(struct buffer *out, const struct file_message *file);
char *winsize_message_encode(const struct winsize_message *size);
char *event_message_encode(const struct event_message *event);

/* Each decoder fills what `ret_…` points to (zeroed by the caller) and is matched by a …_free, to be called
 * after failure too. */
int pod_message_decode(const void *json, size_t length, struct pod_message *ret_pod, struct error **ret);
int interface_message_decode(const void *json, size_t length, struct interface_message *ret_interface,
                             struct error **ret);
int routes_message_decode(const void *json, size_t length, struct pod_message *ret_routes,
                          struct error **ret);
int container_message_decode(const void *json, size_t length, struct container_message *ret_container,
                             struct error **ret);
int exec_message_decode(const void *json, size_t length, struct container_message *ret_exec,
                        struct error **ret);
int kill_message_decode(const void *json, size_t length, struct kill_message *ret_kill, struct error **ret);
int remove_message_decode(const void *json, size_t length, struct remove_message *ret_removal,
                          struct error **ret);
int file_message_decode(const void *payload, size_t length, struct file_message *ret_file,
                        struct error **ret);
int winsize_message_decode(const void *json, size_t length, struct winsize_message *ret_size,
                           struct error **ret);
int event_message_decode(const void *json, size_t length, struct event_message *ret_event,
                         struct error **ret);

void pod_message_free(struct pod_message *pod);
void interface_message_free(struct interface_message *interface);
void container_message_free(struct container_message *container);
void kill_message_free(struct kill_message *kill);
void remove_message_free(struct remove_message *removal);
void file_message_free(struct file_message *file);
void winsize_message_free(struct winsize_message *size);
void event_message_free(struct event_message *event);
