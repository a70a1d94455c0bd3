/* Zones side by side, as one server answers for them: each question is answered from one zone, and that as if
 * it were alone. Every name belongs to one of them, then; zones_overlap() tells which would not. */
#pragma once

#include "netns/resolver/zone.h"

struct zones;

struct zones *zones_new(void);
void zones_free(struct zones *zones); /* but not what was added; NULL is fine */

/* Adds a zone, which stays the caller's; `id` is not 0 and not in use. */
void zones_add(struct zones *zones, unsigned id, struct zone *zone);
struct zone *zones_remove(struct zones *zones, unsigned id); /* which it was; NULL: it is not there */

/* The zone that answers for `name` (lower case): the one that has records for it, by a wildcard, too; else
 * one that has names below it; else the one whose SOA record is nearest above. *ret_id is its id, or 0 and
 * the zone is an empty one. */
const struct zone *zones_find(const struct zones *zones, const uint8_t *name, size_t length,
                              unsigned *ret_id);

/* The first zone, in the order in which they were added, that has records for a name for which `zone` has
 * some, too: its id, and *ret_name is the name, to be freed. 0: there is none. */
unsigned zones_overlap(const struct zones *zones, const struct zone *zone, char **ret_name);
