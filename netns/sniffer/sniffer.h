/* The packet sniffer of one pod. It runs in a helper process that has joined the pod's network namespace, and
 * writes what passes the pod's interfaces into one file (pcapng or pcap), frame by frame as they come.
 * sniffer.c has the theory of operation. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/text.h"

struct judge;

/* What the sniffer is told, by messages on its control socket. */
enum sniffer_order {
    SNIFFER_NONE,   /* there is no message */
    SNIFFER_BEGIN,  /* the expectations' clock starts; once */
    SNIFFER_SETTLE, /* the scenario is over: it is time for verdicts; once, behind it */
    SNIFFER_STOP,
};

struct sniffer_orders {
    enum sniffer_order (*next)(void *user); /* takes a message that is there */
    void (*begun)(void *user);              /* every packet counts from now on */
    void (*judged)(void *user); /* the judge has a verdict on each expectation, after SNIFFER_SETTLE */
    void *user;
};

struct sniffer_config {
    int folder;       /* where the file goes; stays the caller's, must outlive the sniffer */
    const char *file; /* its name, "sipp-abcdef.pcapng", or .pcap for the classic format; must not
                       * exist yet. NULL: none is written */
    const char *const *interfaces;
    size_t interface_count;
    const struct buffer *names; /* a block of pcapng_add_names(), for pcapng only; NULL: none */
    const char *keys; /* a TLS key log in the folder, which is read at the end, for pcapng only; NULL: none */
    struct judge *judge; /* of these interfaces; stays the caller's. NULL: nothing is expected */
    const struct sniffer_orders *orders; /* must outlive it. NULL: whatever is on the socket is the stop */
};

struct sniffer_counts {
    uint64_t packets;   /* in the file */
    uint64_t dropped;   /* seen, and not in the file: no room in the kernel's ring or on the disk */
    struct error *keys; /* what of the TLS keys is not in the file, and why, to be freed; NULL: nothing */
};

struct sniffer;

/* Starts capturing on all interfaces, which must be up. When it returns, nothing that passes them is missed
 * any more, and the file is a valid one that holds no packet yet. Needs CAP_NET_RAW (effective), and the
 * process in the right network namespace; nothing after it does. Takes about 12 ms, in which threads of its
 * own wait for the kernel; they have ended when it returns. The configuration is not looked at again, but for
 * the folder. NULL on failure, and then there is no file. */
struct sniffer *sniffer_open(const struct sniffer_config *config, struct error **ret);

/* Writes packets until `control` (a socket; stays the caller's) tells it to stop; then what was sent up to
 * that moment, puts all into the order of time and returns. To be called once. Without orders a message is
 * left in the socket. *ret is set in any case. 0, or -1: the file lacks packets (the disk is full: they count
 * as dropped) or the order; it is a valid one all the same. An interface that goes down or vanishes is no
 * error. */
int sniffer_run(struct sniffer *sniffer, int control, struct sniffer_counts *ret, struct error **ret_error);

/* Takes about 35 ms, again waiting for the kernel in threads: report first, close after. NULL is fine. */
void sniffer_close(struct sniffer *sniffer);
