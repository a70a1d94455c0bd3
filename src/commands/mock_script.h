/* What `sippod mock-agent --script` reads: a line of JSON for each rule, what to do on which command. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/sippod/hyperstart_mock.h"
#include "src/base/error.h"
#include "src/wire/message.h"

enum mock_action_kind {
    MOCK_ACK,
    MOCK_ERROR,
    MOCK_NEVER,
    MOCK_CLOSE, /* both channels, or one */
    MOCK_DELAY,
    MOCK_READY,
    MOCK_OUTPUT,
    MOCK_ERRORS,
    MOCK_EXIT,
    MOCK_EVENT,
};

struct mock_action {
    enum mock_action_kind kind;
    char *text;
    size_t length;
    int number;  /* milliseconds, an exit status */
    int channel; /* of MOCK_CLOSE: an enum hyperstart_mock_channel, -1: both */
    struct event_message event;
};

struct mock_rule {
    bool connect; /* it is about the client that connects, not about a command */
    uint32_t code;
    unsigned nth, seen; /* nth 0: every one */
    unsigned line;
    struct mock_action *actions;
    size_t count;
};

struct mock_script {
    struct mock_rule *rules;
    size_t count;
};

/* Errors are ERROR_INPUT, with the file and the line. To be freed after failure too. */
int mock_script_read(const char *path, struct mock_script *ret_script, struct error **ret);
/* What is in the file at `path`: `length` bytes, and a NUL behind them. */
int mock_script_parse(const char *path, const char *text, size_t length, struct mock_script *ret_script,
                      struct error **ret);
void mock_script_free(struct mock_script *script);

/* Counts that command (or, with `connect`, the client), and returns what the script says of it; NULL:
 * nothing. */
const struct mock_rule *mock_script_find(struct mock_script *script, bool connect, uint32_t code);

/* Whether the action decides how the command is answered; closing the control channel does. */
bool mock_action_answers(const struct mock_action *action);
