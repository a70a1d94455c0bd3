/* Does to the client of `sippod mock-agent` what options and the script say. The mock holds each command
 * until it is answered here, so that everything comes in the order in which it is written. */
#pragma once

#include "include/sippod/hyperstart_mock.h"
#include "src/commands/mock_script.h"

/* What an option says of one command. */
struct mock_setting {
    uint32_t code;
    int delay_ms; /* -1: nothing */
    bool drop;
    char *error; /* NULL: none */
};

struct mock_actor {
    struct hyperstart_mock *mock;
    struct mock_script script;
    struct mock_setting *settings;
    size_t count;
    /* The last process that was to be started. */
    uint64_t stdio, stderr_stream;
    char *container;
};

/* The setting of that command; it is made if there is none. */
struct mock_setting *mock_actor_setting(struct mock_actor *actor, uint32_t code);

void mock_actor_connected(struct mock_actor *actor);
void mock_actor_command(struct mock_actor *actor, const struct hyperstart_mock_message *message);
void mock_actor_free(struct mock_actor *actor);
