/* Predicates: what is expected of the packets of an interface, or of a file.
 *
 * For each packet on_packet() is called and then, always after it, stop_condition(); the first that returns
 * true ends the expectation. At the end, on_finish() says what came of it. All calls for one predicate come
 * from one thread, one after another: state needs no lock.
 *
 * The functions below that make predicates copy what they are given. They cannot fail: of wrong arguments
 * they make a predicate that ends as an error and says why (sippod_predicate_error() tells before that).
 * Whoever takes a predicate by value owns its state from then on, and frees it. */
#ifndef SIPPOD_PREDICATE_H
#define SIPPOD_PREDICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sippod_kind {
    SIPPOD_ERROR, /* neither true nor false: it could not be found out */
    SIPPOD_BOOL,
    SIPPOD_INTEGER,
    SIPPOD_POINTER
};

/* What came of an expectation. */
struct sippod_value {
    enum sippod_kind kind;
    int64_t integer; /* of a bool, 0 or 1 */
    void *pointer;   /* the user's own; the library only hands it on */
};

struct sippod_predicate {
    /* Takes a packet in; returns 0, or -1 if it cannot: the expectation then ends as an error. May be NULL.
     */
    int (*on_packet)(void *state, const struct sippod_packet *packet);
    /* True: no more packets are needed. NULL: it takes the whole time, or as many packets as are allowed. */
    bool (*stop_condition)(void *state, const struct sippod_packet *packet);
    /* The result. timed_out: neither a stop condition nor the limit of packets ended it. Called once, and not
     * if on_packet() failed or the expectation was cancelled. */
    struct sippod_value (*on_finish)(void *state, bool timed_out);
    /* Writes what was seen, as in "packet_count_was(42): saw 17 of 42", cut off to `size` bytes with its NUL.
     * May be NULL. */
    void (*detail)(const void *state, char *text, size_t size);
    void (*free)(void *state); /* may be NULL */
    void *state;
};

/* NULL, or why the predicate was wrong from the beginning. Lasts as long as the predicate. */
const char *sippod_predicate_error(const struct sippod_predicate *predicate);

/* Frees one that was not handed on. */
void sippod_predicate_free(struct sippod_predicate *predicate);

/* ---- any packet ---- */

struct sippod_predicate sippod_received_packet(void); /* at least one */
struct sippod_predicate sippod_timed_out(void);       /* the time ran out before the limit of packets */
struct sippod_predicate sippod_packet_count(void);    /* an integer: how many came */
struct sippod_predicate sippod_packet_count_was(uint64_t count); /* exactly so many: takes the whole time */
struct sippod_predicate sippod_packet_count_was_less_than(uint64_t count);
struct sippod_predicate sippod_packet_count_was_at_least(uint64_t count);

/* ---- one packet like this, or none in the whole time ---- */

/* An address of Ethernet: "02:00:5e:10:00:01", in any case, with ':' or '-'. */
struct sippod_predicate sippod_saw_src_mac(const char *mac);
struct sippod_predicate sippod_saw_dst_mac(const char *mac);
struct sippod_predicate sippod_did_not_see_src_mac(const char *mac);
struct sippod_predicate sippod_did_not_see_dst_mac(const char *mac);

/* A VLAN tag with this identifier (0 to 4095) at any depth; and any tag at all. */
struct sippod_predicate sippod_saw_vlan_tag(unsigned vlan);
struct sippod_predicate sippod_did_not_see_vlan_tag(unsigned vlan);
struct sippod_predicate sippod_saw_vlan(void);
struct sippod_predicate sippod_did_not_see_vlan(void);

/* This very frame, byte by byte from its link-layer header; one that was captured in part equals none. Of a
 * frame of 1 to 262,144 bytes. */
struct sippod_predicate sippod_saw_packet_equaling(const void *frame, size_t length);
struct sippod_predicate sippod_did_not_see_packet_equaling(const void *frame, size_t length);
struct sippod_predicate sippod_received_count_of(const void *frame, size_t length,
                                                 uint64_t count); /* exactly */

/* What a filter of libpcap lets through (pcap-filter(7)). */
struct sippod_predicate sippod_saw_filter(const char *filter);
struct sippod_predicate sippod_did_not_see_filter(const char *filter);

/* A SIP message over UDP, or at the beginning of a segment of TCP. `what`: a method ("INVITE"), a status
 * ("486") or a class of them ("4xx"). `header`: NULL, or a Perl-compatible regular expression that the header
 * has to match; ^ and $ match at its lines, upper and lower case are the same ("^Call-ID: *42@"). */
struct sippod_predicate sippod_saw_sip(const char *what, const char *header);

/* At least so many packets of RTP over UDP, with the given payload type (0 to 127; -1: any). */
struct sippod_predicate sippod_saw_rtp(uint64_t count, int payload_type);

/* ---- predicates of predicates, which they own ---- */

/* True or false as soon as one or both of them settle it. What is not 0 (NULL) is true; an error of one is an
 * error of both. */
struct sippod_predicate sippod_and(struct sippod_predicate a, struct sippod_predicate b);
struct sippod_predicate sippod_or(struct sippod_predicate a, struct sippod_predicate b);
struct sippod_predicate sippod_not(struct sippod_predicate predicate);

/* As `predicate`, and saves every packet up to its decision to a pcap file, which is made or emptied at once.
 */
struct sippod_predicate sippod_writer(const char *path, struct sippod_predicate predicate);

/* ---- predicates that are written as text ---- */

/* A name, or a name with its arguments: "received_packet", "saw_vlan_tag(102)", "and(saw_sip(INVITE),
 * not(saw_rtp(10, 8)))". The names are those of the functions above, without sippod_. An argument ends at the
 * next comma or closing parenthesis that is not inside of parentheses of its own, so that
 * saw_filter(udp and (port 5060 or port 5061)) is one; between quotes "…" it may be anything, with \" for a
 * quote and \\ for a backslash. A packet is FILE.pcap#INDEX, the first of a capture file being 0 and of
 * Ethernet, or its bytes in hexadecimal digits; "and" and "or" take two predicates or more. Of at most 65,535
 * characters. A packet that was captured in part is refused. Wrong text makes a predicate that says why. */
struct sippod_predicate sippod_predicate_parse(const char *text);

struct sippod_predicate_name {
    const char *name;      /* "saw_rtp" */
    const char *arguments; /* "N[, TYPE]"; "": none */
    const char *meaning;   /* one line */
};

/* What there is, from 0 on; NULL: no more. */
const struct sippod_predicate_name *sippod_predicate_name(size_t index);

#ifdef __cplusplus
}
#endif

#endif
