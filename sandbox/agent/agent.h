/* sippod-agent, PID 1 of a pod: what its parts share. */
#pragma once

#include <sys/types.h>

#include "netns/netlink.h"
#include "netns/sockdiag.h"
#include "sandbox/capabilities.h"
#include "sandbox/mounts.h"
#include "src/base/channel.h"
#include "src/base/loop.h"
#include "src/wire/frame.h"
#include "src/wire/message.h"

/* A process that was started by a command, and what its input and output go through: pipes, or a terminal. */
struct process {
    struct agent *agent;
    char *container, *id;
    pid_t pid; /* also its session and process group; 0 once reaped */
    bool exec; /* started by EXECCMD */
    struct output {
        struct process *process;
        uint64_t sequence;
        int fd; /* -1: closed */
        struct watch *watch;
        size_t left; /* once the process has ended: bytes of it that may still be passed on */
        bool ended;  /* the end of the stream has been told */
    } output[2];     /* standard output, error; the second is unused when one stream takes both */
    struct input {
        int fd; /* to its standard input, -1: closed, or /dev/null */
        struct watch *watch;
        struct buffer waiting; /* what that has not taken yet */
        bool ended;            /* no more is to come */
        bool in_line;          /* the last byte was no end of a line */
    } input;
    int terminal;   /* its end of a pseudo-terminal, which the agent holds too, -1: it has none */
    uint8_t status; /* its exit status, once reaped */
    struct listen_message listen; /* address NULL: not, or no more, waited for */
    struct process *next;
};

/* What processes are started in. It is known from its first process on until REMOVECONTAINER. */
struct container {
    char *id;
    uint64_t number; /* from 1; what its processes are marked with */
    struct container *next;
};

struct agent {
    struct loop *loop;
    struct channel *ctl, *io;
    const struct channels_callbacks *callbacks;
    struct process *processes;
    struct container *containers;
    uint64_t containers_made;
    size_t container_count;
    enum mounts_mode file_system;
    struct netlink *netlink;
    struct sockdiag *sockdiag;  /* opened when first needed */
    struct timer *listen_timer; /* runs while somebody waits for a bound socket */
    uint64_t grantable;         /* capabilities that processes may be given */
    int stage;                  /* to sippod, while the pod is set up, -1: none */
    int child_signal;           /* signalfd for SIGCHLD */
    bool events;                /* the client wants PROCESSASYNCEVENT */
    bool input_full;            /* too much input waits for a process: none is read */
    bool busy;                  /* a command is still at work: none is read */
    int exit_code;
};

/* channels.c: what goes to the client, and what comes from it */
struct channels_callbacks {
    void (*command)(struct agent *agent, const struct ctl_frame *frame); /* one whole frame */
    void (*input)(struct agent *agent, uint64_t sequence, const uint8_t *data, size_t length);
    void (*drained)(struct agent *agent); /* all output is on its way */
};
int channels_open(struct agent *agent, int ctl, int io, const struct channels_callbacks *callbacks,
                  struct error **ret);
void channels_close(struct agent *agent);
void channels_update(struct agent *agent); /* input_full or busy has changed */
bool channels_output_full(const struct agent *agent);
void agent_send(struct agent *agent, uint32_t code, const void *payload, size_t length);
void agent_event(struct agent *agent, const struct event_message *event);
void agent_output(struct agent *agent, uint64_t sequence, const void *data,
                  size_t length); /* empty: its end */

/* commands.c: one command of the control channel, answered with ACK or ERROR */
void command_run(struct agent *agent, const struct ctl_frame *frame);

/* network.c: the pod's side of the network; the capability is raised around each call */
int network_interface(struct agent *agent, const struct interface_message *interface, struct error **ret);
int network_route(struct agent *agent, const struct route_message *route, struct error **ret);
int network_delete(struct agent *agent, const char *device, struct error **ret);

/* process.c: starting processes, and their end */
int process_start(struct agent *agent, const struct container_message *container, bool exec,
                  struct error **ret);
void process_reap_all(struct agent *agent); /* SIGCHLD came */

/* kill.c: signals */
void kill_mark(
    uint64_t container); /* in a new process: it, and all that it starts, belong to this container */
int kill_process(pid_t pid, int signal, struct error **ret);
int kill_container(struct agent *agent, const struct container *container, int signal, size_t *ret_found,
                   struct error **ret);

/* table.c: all processes, all containers */
struct process *process_new(struct agent *agent, const char *container, const char *id, bool exec);
void process_forget(struct process *process); /* everything of it is closed */
/* The one that the container was started with, NULL if it has ended. */
struct process *process_own(const struct agent *agent, const char *container);
/* That with this id; with NULL the container's own, or the only one that runs in it. */
struct process *process_find(const struct agent *agent, const char *container, const char *id,
                             struct error **ret);

/* NULL if none of that name is known; container_get() makes it. */
struct container *container_find(const struct agent *agent, const char *id, struct error **ret);
struct container *container_get(struct agent *agent, const char *id, struct error **ret);
void container_forget(struct agent *agent, struct container *container);

/* output.c: what processes say, and that they have ended. output_use() takes `fd`, on failure too. */
int output_pipe(struct process *process, int number, uint64_t sequence, int *ret_writer, struct error **ret);
int output_use(struct process *process, int number, uint64_t sequence, int fd, struct error **ret);
void output_close(struct output *output);
/* It has been reaped: tells all that it said, and its status, as fast as the client takes it, and forgets it.
 */
void output_process_ended(struct process *process);
void output_drained(struct agent *agent);

/* input.c: what goes to the standard input of processes */
int input_pipe(struct process *process, int *ret_reader, struct error **ret);
int input_use(struct process *process, int fd, struct error **ret); /* takes `fd`, on failure too */
void input_close(struct process *process);
void input_take(struct agent *agent, uint64_t sequence, const uint8_t *data, size_t length);

/* terminal.c: a pseudo-terminal for the three standard streams of a process */
int terminal_open(struct process *process, uint64_t sequence, struct error **ret);
int terminal_resize(const struct process *process, uint16_t rows, uint16_t columns, struct error **ret);

/* spawn.c: what a new process does between fork and exec */
struct spawn {
    const struct process_message *process;
    uint64_t container; /* its number */
    int input;          /* its standard input, -1: /dev/null */
    int output, errors; /* its standard output and error */
    bool terminal;      /* they are one, and it becomes the controlling one */
    struct capability_sets capabilities;
};
pid_t spawn(const struct spawn *spawn, struct error **ret);

/* identity.c: user and groups of a new process, and what it may do */
bool identity_can_change(void); /* this pod has more than one user */
int identity_capabilities(const struct process_message *process, uint64_t grantable,
                          struct capability_sets *ret_sets, struct error **ret);
int identity_assume(const struct process_message *process, struct error **ret); /* in the new process */

/* settings.c: the pod's settings: those of its network in /proc/sys, and its name servers */
int settings_apply(const struct container_message *container, struct error **ret);
int settings_dns(const struct agent *agent, const struct strings *servers, struct error **ret);

/* files.c: READFILE and WRITEFILE, which are answered when they are done */
int files_read(struct agent *agent, const struct file_message *file, struct error **ret);
int files_write(struct agent *agent, const struct file_message *file, struct error **ret);

/* listen.c: telling when the socket is bound that a process was started with */
void listen_watch(struct agent *agent);
