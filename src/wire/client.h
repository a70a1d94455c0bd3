/* The client's end of the hyperstart channels, on the loop: commands are answered in order, processes' output
 * comes by stream, and an exit status ends a stream. */
#pragma once

#include <stdint.h>

#include "src/base/loop.h"
#include "src/wire/frame.h"
#include "src/wire/message.h"

struct wire_client;

struct wire_client_callbacks {
    void (*ready)(void *user);                                    /* the agent said READY */
    void (*event)(void *user, const struct event_message *event); /* PROCESSASYNCEVENT */
    /* A channel ended or broke. Called once; commands without an answer have been answered with that error.
     * The client is still to be freed, which may be done here. */
    void (*closed)(void *user, const struct error *why);
    void (*input_sent)(void *user); /* nothing of wire_client_input() waits any more; may be NULL */
};

/* Takes both sockets, on failure too. NULL on failure. */
struct wire_client *wire_client_new(struct loop *loop, int ctl, int io,
                                    const struct wire_client_callbacks *callbacks, void *user,
                                    struct error **ret);
void wire_client_free(struct wire_client *client); /* answers nothing any more; NULL is fine */

/* From now on READY, if it has not been said, and then each answer in its turn have to come within so many
 * milliseconds, or the channels count as broken. Without it they are waited for for ever. */
void wire_client_limit(struct wire_client *client, int64_t ms);

/* Sends a command. `reply` (may be NULL) is called once: error is NULL after ACK, whose payload it gets;
 * after ERROR it holds the agent's words, and after the end why there is nobody to answer. */
void wire_client_send(struct wire_client *client, uint32_t code, const void *payload, size_t length,
                      void (*reply)(void *user, const struct error *error, const uint8_t *payload,
                                    size_t length),
                      void *user);

/* Answers that are still due to `user` are swallowed. */
void wire_client_ignore(struct wire_client *client, const void *user);

/* A stream for a process to come; returns its sequence, for Process.stdio or .stderr. `data` gets the output
 * as it comes. With `ended` this is an stdio stream, and ended(user, exit status) is its last call; without
 * it is a stderr stream. */
uint64_t wire_client_stream(struct wire_client *client,
                            void (*data)(void *user, const uint8_t *data, size_t length),
                            void (*ended)(void *user, int status), void *user);
/* Sends bytes to the standard input of the process with this stdio stream, whose start has been answered; no
 * bytes: their end. */
void wire_client_input(struct wire_client *client, uint64_t sequence, const void *data, size_t length);
/* How many of them wait here. */
size_t wire_client_input_waiting(const struct wire_client *client);
/* While it is held back no stream's output comes, and the agent has to wait with it. */
void wire_client_hold_output(struct wire_client *client, bool hold);
/* Nobody wants to hear from this stream any more. */
void wire_client_forget(struct wire_client *client, uint64_t sequence);
