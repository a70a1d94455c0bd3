/* The built sippod-agent in a pod, started as sippod starts it: first process of new user, pid, network,
 * mount, ipc and uts namespaces, with ambient capabilities and two socket pairs. What it says is noted down.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/wire/client.h"

/* Steps into a user namespace of its own, whose children pods are. False, after saying why, if this host does
 * not let us. */
bool pods_possible(void);

struct pod {
    struct loop *loop;
    struct wire_client *client; /* NULL where the test speaks for itself */
    int ctl, io;                /* the sockets; the client has copies */
    pid_t pid;
    int pidfd;
    struct strings notes;   /* events, "c/p exited 3", and ends of channels, "closed: …" */
    struct strings notices; /* what the pod has to do without */
    bool ready;
    char *answer; /* to the last command: NULL for ACK, else the words of the ERROR */
    struct buffer payload;
};

/* `arguments` are those behind the program's name, NULL-terminated; NULL for --fs=host. */
struct pod *pod_open_raw(char *const *arguments); /* without a client */
struct pod *pod_open(char *const *arguments);     /* and waits for READY */
void pod_use_client(struct pod *pod);
void pod_free(struct pod *pod);

/* Waits until somebody has noted that, all of it; fails the test if nobody does. */
void pod_wait(struct pod *pod, const char *note);
bool pod_noted(const struct pod *pod, const char *note);
/* The exit code of the agent, which has to end within a few seconds. */
int pod_end(struct pod *pod);

/* Sends a command and waits for its answer. */
void pod_command(struct pod *pod, uint32_t code, const char *payload);
void pod_command_bytes(struct pod *pod, uint32_t code, const void *payload, size_t length);
void pod_acks(struct pod *pod, uint32_t code, const char *payload);
void pod_refuses(struct pod *pod, uint32_t code, const char *payload, const char *words);

/* Commands that are sent without waiting, and what they are answered: the payload, or "ERROR <words>". */
struct answers {
    struct strings texts;
};
void pod_queue(struct pod *pod, uint32_t code, const void *payload, size_t length, struct answers *answers);
void pod_answers(struct pod *pod, const struct answers *answers, size_t count);

/* A stream of a process. */
struct output {
    struct pod *pod;
    uint64_t sequence;
    struct buffer data;
    int status; /* -1 as long as it goes on */
};
void output_open(struct output *output, struct pod *pod, bool errors);
void output_wait(struct output *output); /* until the status has come; `data` then ends with a NUL */
void output_free(struct output *output);

/* Starts a process and waits for the answer, which has to be ACK. `out` and `errors` are opened; errors may
 * be NULL: one stream for both. */
void pod_run(struct pod *pod, struct container_message *container, bool exec, struct output *out,
             struct output *errors);
/* The same for `sh -c script` in the container `id`. */
void pod_sh(struct pod *pod, const char *id, const char *script, struct output *out);
/* What `sh -c script` says, run by EXECCMD and waited for; to be freed. */
char *pod_ask(struct pod *pod, const char *script);

/* Words for a process's args, and what it has to have said in the end. */
#define POD_ARGS(container, ...) pod_args(container, (const char *const[]){__VA_ARGS__, NULL})
void pod_args(struct container_message *container, const char *const *words);
#define output_says(output, expected) output_says_check(output, expected, __FILE__, __LINE__)
void output_says_check(struct output *output, const char *expected, const char *file, int line);

/* For cmocka: a pod, and a pod with a folder that its scripts share with the test. */
int pod_setup(void **state);
int pod_teardown(void **state);
struct shared {
    struct pod *pod;
    char *folder;
};
int shared_setup(void **state);
int shared_teardown(void **state);
char *in_folder(const struct shared *shared, const char *script); /* to be freed */
void wait_for_file(struct shared *shared, const char *name);
