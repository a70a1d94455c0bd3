/* What a test of the sniffer plays in: a folder, the sniffer, and sockets that send numbered datagrams; and
 * the capture file, read back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "netns/sniffer/sniffer.h"
#include "tests/unit/netns/interfaces.h"

#define FILE_NAME "sipp-abcdef.pcapng"
#define MOST      4096 /* numbers of an interface */

struct scene {
    char *path; /* of the folder */
    int folder;
    int sink; /* receives what is sent to ON_LO, so that no ICMP answers it */
    int sender;
    int ends[2];         /* of the control socket: ours, the sniffer's */
    bool have_eth0;      /* some kernels make no veth pair */
    struct buffer names; /* for the sniffer */
    const char *keys;
    struct sniffer *sniffer;
};

/* For cmocka; *state becomes the scene. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* Opens the sniffer on lo, or on lo and eth0; closes our end of the control socket; makes all new but the
 * folder. */
void scene_open(struct scene *scene, bool both);
void scene_stop(struct scene *scene);
void scene_reset(struct scene *scene);

/* sniffer_run(), which has to succeed; returns how long it took, in milliseconds. */
int64_t scene_run(struct scene *scene, struct sniffer_counts *ret);

/* Sends `count` numbers from `first` on. False if that fails: no assertion, as child processes send too. */
bool scene_send(const struct scene *scene, const char *to, uint32_t first, uint32_t count);

/* A child that runs `fn` and exits with 0 if it returned true. It alone holds our end of the control socket.
 * It does not outlive a test that fails. */
pid_t scene_child(struct scene *scene, bool (*fn)(const struct scene *scene));
void assert_child_succeeds(pid_t pid);

/* The file, as libpcap shows it. */
struct seen {
    uint64_t packets, markers;
    uint32_t lo[MOST], eth0[MOST]; /* the numbers that were sent */
    size_t lo_count, eth0_count;
    bool ordered; /* in time */
    bool whole;   /* no error up to the end */
};
void scene_read(const struct scene *scene, struct seen *seen);

/* Reads it, too: whole, ordered, nothing of ours in it, no file beside it, as many packets as were counted.
 */
void assert_good_file(const struct scene *scene, const struct sniffer_counts *counts, struct seen *seen);

/* 0, 1, 2 … count - 1, each once. */
void assert_numbers(const uint32_t *numbers, size_t count, size_t expected);

/* What libpcap does not show: how many blocks of which type, where in the file the first of them begins, and
 * the statistics of each interface. */
struct outline {
    unsigned types[16];
    size_t first[16];
    uint64_t received[2], dropped[2];
};
void scene_outline(const struct scene *scene, struct outline *outline);
