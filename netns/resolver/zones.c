#include "netns/resolver/zones.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

struct member {
    unsigned id;
    struct zone *zone;
};

struct zones {
    struct member *members; /* in the order in which they were added */
    size_t count;
    struct zone *none; /* without a name */
};

struct zones *zones_new(void)
{
    struct zones *zones = memory_new(sizeof *zones);

    *zones = (struct zones){.none = zone_new()};
    return zones;
}

void zones_free(struct zones *zones)
{
    if (!zones)
        return;
    zone_free(zones->none);
    free(zones->members);
    free(zones);
}

void zones_add(struct zones *zones, unsigned id, struct zone *zone)
{
    zones->members = memory_array(zones->members, zones->count + 1, sizeof *zones->members);
    zones->members[zones->count++] = (struct member){.id = id, .zone = zone};
}

struct zone *zones_remove(struct zones *zones, unsigned id)
{
    for (size_t i = 0; i < zones->count; i++) {
        struct member *member = &zones->members[i];
        struct zone *zone = member->zone;

        if (member->id != id)
            continue;
        zones->count--;
        memmove(member, member + 1, (zones->count - i) * sizeof *member);
        return zone;
    }
    return NULL;
}

/* How well a zone knows a name: not at all, by a SOA record above it (the nearer, the better), by names below
 * it, by records. */
static size_t knows(const struct zone *zone, const uint8_t *name, size_t length)
{
    const struct zone_name *found = zone_find(zone, name, length), *owner;

    if (found)
        return ZONE_NAME_MOST + (found->count ? 2 : 1);
    return zone_authority(zone, name, length, &owner) ? owner->length : 0;
}

const struct zone *zones_find(const struct zones *zones, const uint8_t *name, size_t length, unsigned *ret_id)
{
    const struct member *best = NULL;
    size_t most = 0;

    for (size_t i = 0; i < zones->count; i++) {
        const struct member *member = &zones->members[i];
        size_t known = knows(member->zone, name, length);

        if (known > most) {
            most = known;
            best = member;
        }
    }
    *ret_id = best ? best->id : 0;
    return best ? best->zone : zones->none;
}

unsigned zones_overlap(const struct zones *zones, const struct zone *zone, char **ret_name)
{
    for (size_t i = 0; i < zones->count; i++) {
        const struct zone_name *name = zone_overlap(zone, zones->members[i].zone);

        if (!name) /* a wildcard here may stand for a name there */
            name = zone_overlap(zones->members[i].zone, zone);
        if (!name)
            continue;
        *ret_name = zone_name_text(name->name, name->length);
        return zones->members[i].id;
    }
    return 0;
}
