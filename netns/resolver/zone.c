#include "netns/resolver/zone.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/text.h"

struct zone {
    void *names; /* a tree, tsearch(3) */
};

static int compare(const void *a, const void *b)
{
    const struct zone_name *left = a, *right = b;

    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return memcmp(left->name, right->name, left->length);
}

static struct zone_name *look_up(const struct zone *zone, const uint8_t *name, size_t length)
{
    struct zone_name key = {.name = (uint8_t *)name, .length = length};
    struct zone_name *const *found = tfind(&key, &zone->names, compare);

    return found ? *found : NULL;
}

/* The name, and those above it: they exist as well, though they may have no records. */
static struct zone_name *make(struct zone *zone, const uint8_t *name, size_t length)
{
    struct zone_name *entry = look_up(zone, name, length);

    if (entry)
        return entry;
    entry = memory_new(sizeof *entry);
    *entry = (struct zone_name){.name = memory_new(length), .length = length};
    memcpy(entry->name, name, length);
    if (!tsearch(entry, &zone->names, compare))
        abort(); /* out of memory, as memory_new() ends too */
    if (*name)
        (void)make(zone, name + 1 + *name, length - 1 - *name);
    return entry;
}

struct zone *zone_new(void)
{
    struct zone *zone = memory_new(sizeof *zone);

    (void)make(zone, (const uint8_t *)"", 1);
    return zone;
}

static void free_name(void *user)
{
    struct zone_name *name = user;

    for (size_t i = 0; i < name->count; i++)
        free(name->records[i].data);
    free(name->records);
    free(name->name);
    free(name);
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    tdestroy(zone->names, free_name);
    free(zone);
}

struct search {
    uint8_t address[16];
    size_t length; /* of the address */
    struct strings *names;
};

static void add_if_address(const void *node, VISIT visit, void *user)
{
    const struct zone_name *entry = *(const struct zone_name *const *)node;
    const struct search *search = user;

    if (visit != postorder && visit != leaf)
        return;
    for (size_t i = 0; i < entry->count; i++) {
        const struct zone_record *record = &entry->records[i];
        cleanup_free char *text = NULL;

        if ((record->type != LDNS_RR_TYPE_A && record->type != LDNS_RR_TYPE_AAAA) ||
            record->length != search->length || memcmp(record->data, search->address, search->length) != 0)
            continue;
        text = zone_name_text(entry->name, entry->length);
        text[strlen(text) - 1] = '\0';
        if (*text && !strchr(text, '\\'))
            strings_add(search->names, text);
    }
}

void zone_names_of(const struct zone *zone, const char *address, struct strings *ret_names)
{
    struct search search = {.names = ret_names};

    if (inet_pton(AF_INET, address, search.address) == 1)
        search.length = 4;
    else if (inet_pton(AF_INET6, address, search.address) == 1)
        search.length = 16;
    else
        return;
    twalk_r(zone->names, add_if_address, &search);
}

struct hosts {
    void (*fn)(void *user, const char *address, const char *name);
    void *user;
};

static void tell_hosts(const void *node, VISIT visit, void *user)
{
    const struct zone_name *entry = *(const struct zone_name *const *)node;
    const struct hosts *hosts = user;
    cleanup_free char *name = NULL;

    if (visit != postorder && visit != leaf)
        return;
    name = zone_name_text(entry->name, entry->length);
    name[strlen(name) - 1] = '\0';
    if (!*name || strpbrk(name, "\\*"))
        return;
    for (size_t i = 0; i < entry->count; i++) {
        const struct zone_record *record = &entry->records[i];
        char address[INET6_ADDRSTRLEN];

        if ((record->type == LDNS_RR_TYPE_A && record->length == sizeof(struct in_addr) &&
             inet_ntop(AF_INET, record->data, address, sizeof address)) ||
            (record->type == LDNS_RR_TYPE_AAAA && record->length == sizeof(struct in6_addr) &&
             inet_ntop(AF_INET6, record->data, address, sizeof address)))
            hosts->fn(hosts->user, address, name);
    }
}

void zone_hosts(const struct zone *zone, void (*fn)(void *user, const char *address, const char *name),
                void *user)
{
    struct hosts hosts = {.fn = fn, .user = user};

    twalk_r(zone->names, tell_hosts, &hosts);
}

void zone_add(struct zone *zone, const uint8_t *name, size_t length, const struct zone_record *record)
{
    struct zone_name *entry = make(zone, name, length);
    struct zone_record copy = *record;

    for (size_t i = 0; i < entry->count; i++)
        if (entry->records[i].type == record->type && entry->records[i].length == record->length &&
            memcmp(entry->records[i].data, record->data, record->length) == 0)
            return;
    copy.data = memory_new(record->length ? record->length : 1);
    memcpy(copy.data, record->data, record->length);
    entry->records = memory_array(entry->records, entry->count + 1, sizeof *entry->records);
    entry->records[entry->count++] = copy;
}

/* Only the nearest name above that exists may have a wildcard: one further up is hidden by it. */
const struct zone_name *zone_find(const struct zone *zone, const uint8_t *name, size_t length)
{
    const struct zone_name *found = look_up(zone, name, length);
    uint8_t wildcard[2 + ZONE_NAME_MOST];

    if (found)
        return found;
    while (!look_up(zone, name, length)) { /* the root is always there */
        length -= 1 + (size_t)*name;
        name += 1 + *name;
    }
    wildcard[0] = 1;
    wildcard[1] = '*';
    memcpy(wildcard + 2, name, length);
    return look_up(zone, wildcard, length + 2);
}

struct overlap {
    const struct zone *other;
    const struct zone_name *found;
};

static void find_overlap(const void *node, VISIT visit, void *user)
{
    const struct zone_name *entry = *(const struct zone_name *const *)node, *there;
    struct overlap *overlap = user;

    if ((visit != postorder && visit != leaf) || !entry->count || overlap->found)
        return;
    there = zone_find(overlap->other, entry->name, entry->length);
    if (there && there->count)
        overlap->found = entry;
}

const struct zone_name *zone_overlap(const struct zone *zone, const struct zone *other)
{
    struct overlap overlap = {.other = other};

    twalk_r(zone->names, find_overlap, &overlap);
    return overlap.found;
}

static const struct zone_record *soa_of(const struct zone_name *name)
{
    for (size_t i = 0; name && i < name->count; i++)
        if (name->records[i].type == LDNS_RR_TYPE_SOA)
            return &name->records[i];
    return NULL;
}

const struct zone_record *zone_authority(const struct zone *zone, const uint8_t *name, size_t length,
                                         const struct zone_name **ret_owner)
{
    for (;;) {
        const struct zone_record *record;

        *ret_owner = look_up(zone, name, length);
        record = soa_of(*ret_owner);
        if (record || !*name)
            return record;
        length -= 1 + (size_t)*name;
        name += 1 + *name;
    }
}

void zone_fold(uint8_t *name, size_t length)
{
    for (size_t i = 0; i < length; i++) /* a length is at most 63, and no letter */
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] |= 0x20;
}

char *zone_name_text(const uint8_t *name, size_t length)
{
    struct buffer text = {0};

    for (size_t at = 0; at < length && name[at]; at += 1 + (size_t)name[at]) {
        for (size_t i = at + 1; i < length && i <= at + name[at]; i++) {
            if (name[i] <= ' ' || name[i] > '~')
                buffer_addf(&text, "\\%03u", name[i]);
            else if (strchr(".\\\"();@$", name[i]))
                buffer_addf(&text, "\\%c", name[i]);
            else
                buffer_add(&text, &name[i], 1);
        }
        buffer_add(&text, ".", 1);
    }
    if (text.length == 0)
        buffer_add(&text, ".", 1);
    buffer_add(&text, "", 1);
    return (char *)text.data;
}

char *zone_type_text(uint16_t type)
{
    char *from_ldns = ldns_rr_type2str((ldns_rr_type)type);
    char *text = from_ldns ? text_copy(from_ldns) : text_format("TYPE%u", type);

    free(from_ldns);
    return text;
}
