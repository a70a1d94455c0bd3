/* What a test's dns.txt says, as a table of names. It has all there is to know: a name that is not in it does
 * not exist, so that the table is one zone, whose apex is the root. */
#pragma once

#include <stdbool.h> /* before ldns, which would make its own bool */
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/text.h"

#define ZONE_FILE      "dns.txt"
#define ZONE_NAME_MOST 255 /* bytes of a name as it is sent */

struct zone;

struct zone_record {
    uint16_t type, length;
    uint32_t ttl;
    uint8_t *data; /* as it is sent, names in it not compressed */
};

/* Names are those of RFC 1035: labels behind their lengths, with the empty one at the end; in lower case. */
struct zone_name {
    uint8_t *name;
    size_t length;
    struct zone_record *records; /* none, if there are only names below it */
    size_t count;
};

struct zone *zone_new(void);
void zone_free(struct zone *zone); /* NULL is fine */

/* Adds a copy of the record, unless it is there already. */
void zone_add(struct zone *zone, const uint8_t *name, size_t length, const struct zone_record *record);

/* The name, or the wildcard that stands for it (RFC 4592); NULL: it does not exist. */
const struct zone_name *zone_find(const struct zone *zone, const uint8_t *name, size_t length);

/* A name of `zone` that both have records for, `other` perhaps by a wildcard; NULL: there is none. */
const struct zone_name *zone_overlap(const struct zone *zone, const struct zone *other);

/* The SOA record of the nearest name above (or at) `name` that has one, and whose it is; NULL: there is none.
 */
const struct zone_record *zone_authority(const struct zone *zone, const uint8_t *name, size_t length,
                                         const struct zone_name **ret_owner);

/* The names that have `address` (IPv4 or IPv6, text) as an A or AAAA record, without the final dot; those
 * that are no host names are left out. */
void zone_names_of(const struct zone *zone, const char *address, struct strings *ret_names);

/* Calls fn(user, address, name) for each A and AAAA record, both as text, the name without the final dot.
 * Wildcards and other names that no host can have are left out. */
void zone_hosts(const struct zone *zone, void (*fn)(void *user, const char *address, const char *name),
                void *user);

/* In lower case, in place. */
void zone_fold(uint8_t *name, size_t length);

/* "www.example.com.", with \. and \ddd for what would be misread; the caller frees it. */
char *zone_name_text(const uint8_t *name, size_t length);
char *zone_type_text(uint16_t type); /* "AAAA", "TYPE4711"; the caller frees it */

/* The zone that the text of a dns.txt describes (zone_text.c); NULL: "dns.txt:LINE: …". */
struct zone *zone_parse(const char *text, struct error **ret);

/* "AAAA" to 28, in any case, for the types that dns.txt may have; 0: it is none of them. */
uint16_t zone_type_by_name(const char *name);
