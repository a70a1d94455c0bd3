/* What sippod and sippod-router say to each other, as bytes. Pure: no descriptor is touched.
 *
 * One message of a SOCK_SEQPACKET socket is one request or one reply; numbers have the byte order of the host
 * that both run on. Each request has one length, by its type; all replies have the same. The serial number of
 * a request comes back in its reply. What is not exactly so is an error: a length, a byte of padding that is
 * not zero, a run id that is not six lower-case letters, a flag that is neither 0 nor 1, a text that does not
 * end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/network.h"

#define ROUTER_PROTOCOL      4
#define ROUTER_REQUEST_MOST  44   /* bytes of the longest request */
#define ROUTER_REPLY_LENGTH  4676 /* bytes of a reply */
#define ROUTER_TEXT_MOST     4607 /* bytes of the text in a reply: a sentence and a path (PATH_MAX) */
#define ROUTER_RUN_ID_LENGTH 6
#define ROUTER_MAC_LENGTH    6
#define ROUTER_DEVICE_MOST   15

enum router_type {
    ROUTER_HELLO = 1,      /* first, once: version. Refused unless the router speaks that version */
    ROUTER_POD_ADD = 2,    /* run_id, and beside it one descriptor: the pod's network namespace. Reply: mac */
    ROUTER_POD_REMOVE = 3, /* run_id, of a pod that has been added and whose namespace is about to end */
    ROUTER_ADDRESS_ADD = 4, /* run_id, network (an address: the whole length), shared: claims it for a pod and
                               routes it there. Without OPEN, an address that is not shared is reached by pods
                               with a shared one only, and a shared one by all. Refused with EEXIST if a pod
                               has it, after OPEN also with EADDRINUSE if somebody else on the network has,
                               with EADDRNOTAVAIL if it can be no pod's, EDQUOT or EACCES by the policy */
    ROUTER_POD_UP = 5,      /* run_id, of a pod whose end is up: answered once packets get there */
    ROUTER_OPEN = 6,        /* network: the address of a device under test outside, and how long the network
                               part is that addresses of pods have in common with it (0: not said); before the
                               first pod, once. Reply: network, that they are in, and device, if it is reached
                               over one */
    ROUTER_ALLOW = 7,       /* network: pods are to reach that, too; after OPEN, before the first pod */
    ROUTER_ADDRESS_REMOVE = 8, /* run_id, network (an address): it is not needed after all */
    ROUTER_TYPES               /* one more than the last */
};

struct router_request {
    uint32_t type, serial;
    uint32_t version;                      /* HELLO only */
    char run_id[ROUTER_RUN_ID_LENGTH + 1]; /* POD and ADDRESS */
    struct network network;                /* ADDRESS, OPEN, ALLOW */
    bool shared;                           /* ADDRESS only */
};

struct router_reply {
    uint32_t type, serial;               /* of the request; both 0: the router ends, and says why */
    uint32_t status;                     /* 0, or why not: an enum error_code … */
    uint32_t sys;                        /* … its errno value or 0 … */
    char text[ROUTER_TEXT_MOST + 1];     /* … and its words; empty with status 0 */
    uint32_t version;                    /* the router's, in every reply */
    uint8_t mac[ROUTER_MAC_LENGTH];      /* POD_ADD: the router's end of the pair */
    struct network network;              /* OPEN; its family is 0 in other replies */
    char device[ROUTER_DEVICE_MOST + 1]; /* OPEN, empty: none */
};

/* "hello" and the like; "unknown" for what has no name. */
const char *router_type_name(uint32_t type);

/* The length of the encoded request, which is well-formed. */
size_t router_request_encode(const struct router_request *request, uint8_t ret_bytes[ROUTER_REQUEST_MOST]);
void router_reply_encode(const struct router_reply *reply, uint8_t ret_bytes[ROUTER_REPLY_LENGTH]);

/* 0, or -1 (ERROR_INPUT) for anything that the encoders above cannot have made. */
int router_request_decode(const void *bytes, size_t length, struct router_request *ret_request,
                          struct error **ret);
int router_reply_decode(const void *bytes, size_t length, struct router_reply *ret_reply, struct error **ret);
