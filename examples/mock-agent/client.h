/* A client of the hyperstart protocol, as small as can be: what is tested here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { STARTPOD = 1, ACK = 9, ERROR = 10, NEXT = 14, NEWCONTAINER = 17 };

struct client {
    int ctl, io;
    char error[256]; /* why something has failed */
};

/* Waits for so many milliseconds, at most, for whatever comes later. 0, or -1 with client->error. */
int client_connect(struct client *client, const char *ctl, const char *io, int timeout_ms);
void client_close(struct client *client);

/* Sends a command, and takes its answer. */
int client_command(struct client *client, uint32_t code, const char *json);

/* To the end of the process that has this stream: its exit status, or -1. `output` becomes a string, cut off
 * where it does not fit. */
int client_wait(struct client *client, uint64_t stream, char *output, size_t size);
