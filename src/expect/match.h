/* Which packets a predicate is about. Constructors return NULL and a sentence in `error` if an argument is
 * wrong. No state but what filters keep to be quick: one thread at a time. */
#pragma once

#include <stdbool.h>

#include "src/packet/view.h"

#define MATCH_ERROR 256 /* bytes for an error */
#define MATCH_FILTER_MOST                                                                                    \
    4096 /* characters of a filter that is read from a text: libpcap itself sets no end */

struct match {
    bool (*matches)(struct match *match, struct view *view);
    void (*free)(struct match *match); /* NULL: free() will do */
};

struct match *match_any(char *error);
struct match *match_mac(const char *mac, bool source, char *error);
struct match *match_vlan(int vlan, char *error); /* -1: any */
struct match *match_equal(const void *frame, size_t length, char *error);
struct match *match_filter(const char *filter, char *error);
struct match *match_sip(const char *what, const char *header, char *error);
struct match *match_rtp(int payload_type, char *error);

void match_free(struct match *match);

/* An error, whose text is cut off to MATCH_ERROR bytes; NULL. */
void *match_wrong(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

int hex_digit(char c); /* 0 to 15; -1: it is none */
