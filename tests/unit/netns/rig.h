/* What tests of the built sippod-router play in: the arrangement of a run without privilege. This process
 * steps into a user namespace of its own, the router is a child in a new network namespace with two ambient
 * capabilities, and pods are children with user and network namespaces of theirs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "netns/router/client.h"

#define WAIT_MS 5000

/* The user namespace; false, after saying so, if this host does not let us. Once, before all else. */
bool rig_enter(void);

/* ---- processes ---- */

struct child {
    pid_t pid;
    int pidfd;
};

/* Waits for its end; the exit code (128 + n for signal n), -1 if it goes on. */
int end_of(struct child *child);
void kill_child(struct child *child);

/* A process that does nothing but keep its namespaces. `uid`: whose they are, if not the caller's own. */
struct child idle(int flags, uid_t uid);
struct child new_pod(void);
int open_namespace(const struct child *child, const char *kind);
/* The exit code of `fn`, run by a process that joins the pod. */
int run_in(const struct child *pod, int (*fn)(void));

/* ---- the router ---- */

struct router {
    struct child child;
    int socket; /* ours, until a client has it */
    int errors; /* the read end of its standard error */
    struct loop *loop;
    struct router_client *client;
    int answered, closed;
    struct error *error; /* of the last answer */
    uint8_t mac[ROUTER_MAC_LENGTH];
    struct network network; /* of the last answer to open_outside() */
    char device[16];
};

struct start {
    char *const *environment; /* NULL: this one's */
    uint64_t capabilities, namespaces;
    int type; /* of the socket */
    const char *argument;
};
extern const struct start proper;

void start(struct router *router, const struct start *how);
void start_greeted(struct router *router);
void greet(struct router *router); /* one that was started in another way; our end becomes a client's */
void stop(struct router *router);

/* It has to end by itself, with that exit code and one line that holds those words. */
void ends_with(struct router *router, int exit_code, const char *words);

/* 0 if the request succeeds, -1 (router->error) if it is refused. */
int add(struct router *router, const char *run_id, int network);
int add_pod(struct router *router, const char *run_id, const struct child *pod);
int remove_pod(struct router *router, const char *run_id);
int await_pod(struct router *router, const char *run_id);
int claim(struct router *router, const char *run_id, const char *address, bool shared);
int give_up(struct router *router, const char *run_id, const char *address);
/* A device under test outside, and its network (the length of its part, 0: the router's choice). */
int open_outside(struct router *router, const char *dut, unsigned prefix);
int allow(struct router *router, const char *network);
