/* A host on which pods are played: the agent by the hyperstart mock, the launch of its process and the router
 * by played_pod.c, which is linked in their places (unit_test … WRAP ${PLAYED}). So what is tested is how
 * sippod talks to an agent, without any privilege. */
#pragma once

#include "include/sippod/hyperstart_mock.h"

#include "src/run/host.h"
#include "src/wire/message.h"
#include "tests/unit/support/support.h"

/* A command that the agent got. */
struct played_command {
    uint32_t code;
    const char *payload;
    struct container_message container; /* of NEWCONTAINER and EXECCMD */
};

#define PLAYED_WAIT_MS 25000 /* there are files, threads, and on a busy host not much time for them */

struct played {
    struct host host; /* comes first */
    struct hyperstart_mock *mock;
    struct buffer told; /* what the router was asked for, a word each */
    unsigned killed;    /* how often the launch was asked to */
    /* What is to go wrong. */
    bool no_fork, no_namespaces, no_link;
    bool slow_link; /* the router's answers wait for played_answer_link() */
    struct played_agent *agent;
    struct pod_launch *launch;
    void *waiting; /* an answer of the router */
    struct played_flood *flood;
};

/* `ready`: the agent says READY. DESTROYPOD ends it. */
void played_open(struct played *played, bool ready);
void played_close(struct played *played);

/* Each command is told, in a thread of its own: the mock holds a sender up whose client does not read. */
void played_act(struct played *played, void (*command)(void *user, const struct played_command *command),
                void *user);
/* All that the client has said was told; it has left. */
void played_act_out(struct played *played);

/* Whatever the agent has a time limit for is soon over, until the end of the test. */
void played_hurry(void);

void played_answer_link(struct played *played);
/* The agent ends of itself. */
void played_die(struct played *played);

/* How commands with this code are answered. */
void played_answers(struct played *played, uint32_t code, enum hyperstart_mock_reply reply, const char *text);

/* What the agent says of a process: its end, as agents tell it. */
void played_exit(struct played *played, const struct container_message *process, int exit_code);

#ifdef ADDRESS_SANITIZER
#define FLOOD_BYTES ((size_t)4 * 1024 * 1024) /* it is slow, and of memory says nothing */
#else
#define FLOOD_BYTES ((size_t)40 * 1024 * 1024)
#endif

/* From now on, until the client has left, the agent pours zeros on this stream and on one that nobody knows.
 * Once so many bytes are out, `enough` is called, in a thread of its own, and the flood goes on. */
void played_flood(struct played *played, uint64_t sequence, void (*enough)(void *user), void *user);

/* That sippod keeps no more of it than this process (the mock included) had before, and 10 MiB. */
void played_flood_is_bounded(const struct played *played);
