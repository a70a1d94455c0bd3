/* sippod-agent, PID 1 of a pod: what its parts share. */
#pragma once

#include <sys/types.h>

#include "netns/netlink.h"
#include "netns/sockdiag.h"
#include "src/base/channel.h"
#include "src/base/loop.h"
#include "src/wire/frame.h"
#include "src/wire/message.h"

/* A process that was started by a command, and the two pipes that its output comes from. */
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
    } output[2]; /* standard output, error; the second is unused when one stream takes both */
    struct input {
        int fd; /* the pipe to its standard input, -1: closed, or /dev/null */
        struct watch *watch;
        struct buffer waiting; /* what the pipe has not taken yet */
        bool ended;            /* no more is to come */
    } input;
    struct listen_message listen; /* address NULL: not, or no more, waited for */
    struct process *next;
};

struct agent {
    struct loop *loop;
    struct channel *ctl, *io;
    void (*command)(struct agent *agent, const struct ctl_frame *frame);
    void (*drained)(struct agent *agent);
    struct process *processes;
    struct netlink *netlink;
    struct sockdiag *sockdiag;  /* opened when first needed */
    struct timer *listen_timer; /* runs while somebody waits for a bound socket */
    uint64_t grantable;         /* capabilities that processes may be given */
    int child_signal;           /* signalfd for SIGCHLD */
    int exit_code;
};

/* channels.c: what goes to the client, and what comes from it: command(agent, frame) for each whole frame,
 * drained(agent) when all output is on its way */
int channels_open(struct agent *agent, int ctl, int io,
                  void (*command)(struct agent *agent, const struct ctl_frame *frame),
                  void (*drained)(struct agent *agent), struct error **ret);
void channels_close(struct agent *agent);
void agent_send(struct agent *agent, uint32_t code, const void *payload, size_t length);
void agent_event(struct agent *agent, const struct event_message *event);
void agent_output(struct agent *agent, uint64_t sequence, const void *data,
                  size_t length); /* empty: its end */

/* commands.c: one command of the control channel, answered with ACK or ERROR */
void command_run(struct agent *agent, const struct ctl_frame *frame);

/* network.c: the pod's side of the network; the capability is raised around each call */
int network_interface(struct agent *agent, const struct interface_message *interface, struct error **ret);
int network_route(struct agent *agent, const struct route_message *route, struct error **ret);

/* process.c: processes of the pod */
int process_start(struct agent *agent, const struct container_message *container, bool exec,
                  struct error **ret);
int process_kill(struct agent *agent, const struct kill_message *kill, struct error **ret);
void process_reap_all(struct agent *agent); /* SIGCHLD came */
void process_output_drained(struct agent *agent);

/* input.c: what goes to the standard input of processes */
int input_open(struct process *process, int *ret_reader, struct error **ret);
void input_close(struct process *process);
void input_take(struct agent *agent, uint64_t sequence, const uint8_t *data, size_t length);

/* spawn.c: what a new process does between fork and exec */
struct spawn {
    const struct process_message *process;
    int input;             /* its standard input, -1: /dev/null */
    int output, errors;    /* its standard output and error */
    uint64_t capabilities; /* what it gets of them */
};
pid_t spawn(const struct spawn *spawn, struct error **ret);

/* listen.c: telling when the socket is bound that a process was started with */
void listen_watch(struct agent *agent);
