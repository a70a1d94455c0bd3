/* sippod-agent, PID 1 of a pod: what its parts share. */
#pragma once

#include <sys/types.h>

#include "netns/netlink.h"
#include "netns/sockdiag.h"
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

struct agent {
    struct loop *loop;
    struct channel *ctl, *io;
    const struct channels_callbacks *callbacks;
    struct process *processes;
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

/* process.c: processes of the pod */
int process_start(struct agent *agent, const struct container_message *container, bool exec,
                  struct error **ret);
int process_kill(struct agent *agent, const struct kill_message *kill, struct error **ret);
int process_resize(struct agent *agent, const struct winsize_message *size, struct error **ret);
void process_reap_all(struct agent *agent); /* SIGCHLD came */

/* table.c: all of them */
struct process *process_new(struct agent *agent, const char *container, const char *id, bool exec);
void process_forget(struct process *process); /* everything of it is closed */
/* The one that the container was started with, NULL if it has ended. */
struct process *process_own(const struct agent *agent, const char *container);
/* That with this id; with NULL the container's own, or the only one that runs in it. */
struct process *process_find(const struct agent *agent, const char *container, const char *id,
                             struct error **ret);

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
    int input;             /* its standard input, -1: /dev/null */
    int output, errors;    /* its standard output and error */
    bool terminal;         /* they are one, and it becomes the controlling one */
    uint64_t capabilities; /* what it gets of them */
};
pid_t spawn(const struct spawn *spawn, struct error **ret);

/* listen.c: telling when the socket is bound that a process was started with */
void listen_watch(struct agent *agent);
