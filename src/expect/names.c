#include "src/expect/names.h"

#include <stdlib.h>
#include <string.h>

#include "src/expect/combine.h"
#include "src/expect/wrong.h"

/* Functions that take a number, a text, a packet. */
#define MAKE(function, arguments_)                                                                           \
    static struct sippod_predicate make_##function(struct argument *list, size_t count, bool check)          \
    {                                                                                                        \
        (void)list;                                                                                          \
        (void)count;                                                                                         \
        (void)check;                                                                                         \
        return sippod_##function arguments_;                                                                 \
    }

#define FRAME list[0].frame, list[0].length

MAKE(received_packet, ())
MAKE(timed_out, ())
MAKE(packet_count, ())
MAKE(packet_count_was, (list[0].number))
MAKE(packet_count_was_less_than, (list[0].number))
MAKE(packet_count_was_at_least, (list[0].number))
MAKE(saw_src_mac, (list[0].text))
MAKE(saw_dst_mac, (list[0].text))
MAKE(did_not_see_src_mac, (list[0].text))
MAKE(did_not_see_dst_mac, (list[0].text))
MAKE(saw_vlan_tag, ((unsigned)list[0].number))
MAKE(did_not_see_vlan_tag, ((unsigned)list[0].number))
MAKE(saw_vlan, ())
MAKE(did_not_see_vlan, ())
MAKE(saw_packet_equaling, (FRAME))
MAKE(did_not_see_packet_equaling, (FRAME))
MAKE(received_count_of, (FRAME, list[1].number))
MAKE(saw_filter, (list[0].text))
MAKE(did_not_see_filter, (list[0].text))
MAKE(saw_sip, (list[0].text, count > 1 ? list[1].text : NULL))
MAKE(saw_rtp, (list[0].number, count > 1 ? (int)list[1].number : -1))

/* These own the predicates that they are given. */
static struct sippod_predicate steal(struct argument *argument)
{
    struct sippod_predicate predicate = argument->predicate;

    argument->predicate = (struct sippod_predicate){0};
    return predicate;
}

static struct sippod_predicate make_group(const char *name, struct argument *list, size_t count)
{
    struct sippod_predicate *parts = calloc(count, sizeof *parts);
    struct sippod_predicate group;

    if (!parts)
        return predicate_wrong(name, "out of memory");
    for (size_t i = 0; i < count; i++)
        parts[i] = steal(&list[i]);
    group = predicate_group(name, strcmp(name, "or") == 0, parts, count);
    free(parts);
    return group;
}

static struct sippod_predicate make_and(struct argument *list, size_t count, bool check)
{
    (void)check;
    return make_group("and", list, count);
}

static struct sippod_predicate make_or(struct argument *list, size_t count, bool check)
{
    (void)check;
    return make_group("or", list, count);
}

static struct sippod_predicate make_not(struct argument *list, size_t count, bool check)
{
    (void)count;
    (void)check;
    return sippod_not(steal(&list[0]));
}

static struct sippod_predicate make_writer(struct argument *list, size_t count, bool check)
{
    struct sippod_predicate inner = steal(&list[1]);

    (void)count;
    return check ? inner : sippod_writer(list[0].text, inner);
}

/* ---- the table ---- */

#define NONE(name_, meaning_)                                                                                \
    {                                                                                                        \
        .shown = {#name_, "", meaning_}, .make = make_##name_                                                \
    }
#define ONE(name_, kind_, argument_, meaning_)                                                               \
    {                                                                                                        \
        .shown = {#name_, argument_, meaning_}, .least = 1, .most = 1, .kinds = {kind_},                     \
        .make = make_##name_                                                                                 \
    }

static const struct name names[] = {
    NONE(received_packet, "at least one packet"),
    NONE(timed_out, "the time ran out, before the limit of packets"),
    NONE(packet_count, "how many packets came: an integer"),
    ONE(packet_count_was, ARGUMENT_COUNT, "N", "exactly N packets; takes the whole time"),
    ONE(packet_count_was_less_than, ARGUMENT_COUNT, "N", "fewer than N packets"),
    ONE(packet_count_was_at_least, ARGUMENT_COUNT, "N", "N packets or more"),
    ONE(saw_src_mac, ARGUMENT_MAC, "MAC", "a packet from this MAC address, as in 02:00:5e:10:00:01"),
    ONE(saw_dst_mac, ARGUMENT_MAC, "MAC", "a packet to this MAC address"),
    ONE(did_not_see_src_mac, ARGUMENT_MAC, "MAC", "none from it"),
    ONE(did_not_see_dst_mac, ARGUMENT_MAC, "MAC", "none to it"),
    ONE(saw_vlan_tag, ARGUMENT_VLAN, "VLAN", "a tag with this identifier, 0 to 4095, at any depth"),
    ONE(did_not_see_vlan_tag, ARGUMENT_VLAN, "VLAN", "no such tag"),
    NONE(saw_vlan, "a packet with a VLAN tag"),
    NONE(did_not_see_vlan, "no VLAN tag"),
    ONE(saw_packet_equaling, ARGUMENT_FRAME, "PACKET", "this very frame, byte by byte"),
    ONE(did_not_see_packet_equaling, ARGUMENT_FRAME, "PACKET", "no such frame"),
    {
        .shown = {"received_count_of", "PACKET, N", "exactly N such frames; takes the whole time"},
        .least = 2,
        .most = 2,
        .kinds = {ARGUMENT_FRAME, ARGUMENT_COUNT},
        .make = make_received_count_of,
    },
    ONE(saw_filter, ARGUMENT_FILTER, "FILTER", "a packet that a filter of libpcap lets through"),
    ONE(did_not_see_filter, ARGUMENT_FILTER, "FILTER", "no such packet"),
    {
        .shown = {"saw_sip", "WHAT[, REGEX]",
                  "SIP: a method, a status or 4xx; a header that matches, as in ^Call-ID: 42"},
        .least = 1,
        .most = 2,
        .kinds = {ARGUMENT_SIP, ARGUMENT_HEADER},
        .make = make_saw_sip,
    },
    {
        .shown = {"saw_rtp", "N[, TYPE]", "N packets of RTP or more, of a payload type, 0 to 127"},
        .least = 1,
        .most = 2,
        .kinds = {ARGUMENT_COUNT, ARGUMENT_PAYLOAD_TYPE},
        .make = make_saw_rtp,
    },
    {
        .shown = {"and", "PREDICATE, PREDICATE...", "all of them"},
        .least = 2,
        .most = SIZE_MAX,
        .kinds = {ARGUMENT_PREDICATE, ARGUMENT_PREDICATE},
        .make = make_and,
    },
    {
        .shown = {"or", "PREDICATE, PREDICATE...", "one of them"},
        .least = 2,
        .most = SIZE_MAX,
        .kinds = {ARGUMENT_PREDICATE, ARGUMENT_PREDICATE},
        .make = make_or,
    },
    ONE(not, ARGUMENT_PREDICATE, "PREDICATE", "not that"),
    {
        .shown = {"writer", "FILE, PREDICATE", "that, and saves the packets up to its decision to a pcap"},
        .least = 2,
        .most = 2,
        .kinds = {ARGUMENT_FILE, ARGUMENT_PREDICATE},
        .make = make_writer,
    },
};

#define COUNT (sizeof names / sizeof *names)

const struct sippod_predicate_name *sippod_predicate_name(size_t index)
{
    return index < COUNT ? &names[index].shown : NULL;
}

enum argument_kind name_kind(const struct name *name, size_t argument)
{
    return name->kinds[argument > 0];
}

const struct name *name_find(const char *text, size_t length)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strlen(names[i].shown.name) == length && memcmp(names[i].shown.name, text, length) == 0)
            return &names[i];
    return NULL;
}

/* ---- what was meant ---- */

#define LONGEST 32 /* characters of a word that may be one of these */

/* How many characters have to be changed, put in or left out (Levenshtein). `a` has at most LONGEST. */
static size_t slips(const char *a, size_t length, const char *b)
{
    size_t row[LONGEST + 1], left, corner;

    for (size_t i = 0; i <= length; i++)
        row[i] = i;
    for (; *b; b++) {
        corner = row[0]++;
        for (size_t i = 1; i <= length; i++) {
            left = row[i];
            row[i] = a[i - 1] == *b ? corner : corner + 1;
            if (row[i] > left + 1)
                row[i] = left + 1;
            if (row[i] > row[i - 1] + 1)
                row[i] = row[i - 1] + 1;
            corner = left;
        }
    }
    return row[length];
}

const struct name *name_nearest(const char *text, size_t length)
{
    const struct name *nearest = NULL;
    size_t fewest = length / 3 + 1;

    for (size_t i = 0; i < COUNT && length <= LONGEST; i++) {
        size_t count = slips(text, length, names[i].shown.name);

        if (count < fewest) {
            fewest = count;
            nearest = &names[i];
        }
    }
    return nearest;
}
