/* What filters are made of: classic BPF programs. Shared by filter.c, which hands them to the kernel, and
 * those that make them only. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "netns/filter.h"

#define PROGRAM_MOST (BPF_MAXINSNS - 64) /* instructions that match networks; the rest is for all else */

struct program {
    struct sock_filter code[BPF_MAXINSNS];
    uint16_t length;
};

void program_add(struct program *program, const struct sock_filter *code, size_t count);

#define ADD(program, ...)                                                                                    \
    program_add(program, (const struct sock_filter[]){__VA_ARGS__},                                          \
                sizeof((const struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))

#define DROP BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT)
#define PASS BPF_STMT(BPF_RET | BPF_K, TC_ACT_OK)

/* All of one family. */
struct networks {
    const struct filter_network *own, *peers;
    size_t own_count, peer_count;
};

/* What the pod sends, and what is sent to it. */
void ipv4_ingress(struct program *program, const struct networks *networks);
void ipv4_egress(struct program *program, const struct networks *networks);
void ipv6_ingress(struct program *program, const struct networks *networks);
void ipv6_egress(struct program *program, const struct networks *networks);
