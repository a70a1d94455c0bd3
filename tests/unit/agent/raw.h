/* The agent's control channel without a client: frames as they come. */
#pragma once

#include "tests/unit/agent/pod.h"

void raw_ready(
    struct pod *pod); /* waits for READY; from then on nothing is waited for longer than five seconds */
/* The next frame's code; its payload, and a NUL, are in `payload`. */
uint32_t raw_next(struct pod *pod, struct buffer *payload);
uint32_t raw_number(const struct buffer *payload); /* that a NEXT holds */

/* Sends what the agent takes, until it has taken nothing for a while; returns how much that was. */
size_t raw_flood(int fd, const struct buffer *bytes);

size_t pod_memory(const struct pod *pod); /* the most that the agent has ever had, in bytes */
