/* What sippod tells the helper that serves the names of all running tests, one order at a time: the next
 * comes when the last one has been acknowledged, with a message of one byte. */
#pragma once

#include "src/base/network.h"
#include "src/run/questions.h"

struct dns_order {
    enum {
        DNS_TEXT,   /* a piece of a dns.txt, */
        DNS_ADD,    /* which is now whole: its names are served as those of the zone `id` */
        DNS_REMOVE, /* and now no more */
    } kind;
    unsigned id;
    char text[HELPER_MOST - 2 * sizeof(unsigned)];
};
#define DNS_ORDER_HEAD offsetof(struct dns_order, text)

#define DNS_STRANGERS_MOST 8 /* that are told of, of those who may not ask */

struct dns_work {
    const struct network *allowed; /* to ask */
    size_t allowed_count;
};

/* The helper's work (helper_config), with a struct dns_work as its data. Its first descriptors are the
 * sockets of dns_address_bind(). */
int dns_work(void *data, const struct buffer *opening, struct error **ret);
