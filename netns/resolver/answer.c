/* Theory of operation. The records lie in the zone as they are sent, so that an answer is the query's own
 * question, copied with its case, and records behind it. The names of records are not written out: they are
 * the question's, or what a CNAME before them points to, and a pointer to those is enough.
 *
 * One zone answers, that which has the name of the question, and a CNAME is followed in it only.
 *
 * The server has authority over all names. There are no delegations: NS records are data as all others. A
 * CNAME is followed, and the response code is that of the last name (RFC 6604). Where a name or
 * type does not exist, the authority section has the SOA record of the nearest name above, or of the root.
 *
 * What is read is bounded by the query's length at each step, and what is written by the answer's limit: an
 * answer that does not fit is cut back to its question, with TC set. */
#include "netns/resolver/answer.h"

#include <ldns/ldns.h>
#include <string.h>

#define HEADER       12
#define UDP_LEAST    512
#define UDP_MOST     4096 /* a fragment more or less: pods have no long way */
#define CHASE_MOST   16   /* CNAMEs; a loop ends here */
#define POINTER_MOST 0x3fff

#define FLAG_QR     0x8000
#define FLAG_AA     0x0400
#define FLAG_TC     0x0200
#define FLAG_RD     0x0100
#define FLAG_RA     0x0080
#define OPCODE_MASK 0x7800

#define EDNS_DO       0x8000
#define RCODE_BADVERS 16

struct query {
    const uint8_t *bytes;
    uint16_t flags;
    size_t question; /* length of the question section, 0: none that is answered */
    uint8_t name[ZONE_NAME_MOST];
    size_t name_length;
    uint16_t type, class;
    bool edns, edns_do;
    uint16_t edns_size;
    uint8_t edns_version;
    unsigned zone; /* that answers it, 0: none */
};

struct writer {
    uint8_t *bytes;
    size_t length, most;
    bool full;
    uint16_t answers, authorities;
};

const char *answer_rcode_text(uint16_t rcode)
{
    static const char *const names[] = {
        [LDNS_RCODE_NOERROR] = "NOERROR",   [LDNS_RCODE_FORMERR] = "FORMERR",
        [LDNS_RCODE_SERVFAIL] = "SERVFAIL", [LDNS_RCODE_NXDOMAIN] = "NXDOMAIN",
        [LDNS_RCODE_NOTIMPL] = "NOTIMP",    [LDNS_RCODE_REFUSED] = "REFUSED",
        [RCODE_BADVERS] = "BADVERS",
    };
    const char *name = rcode < sizeof names / sizeof *names ? names[rcode] : NULL;

    return name ? name : "?";
}

/* ---- reading ---- */

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The length of an uncompressed name; 0: it is not one. */
static size_t name_length(const uint8_t *bytes, size_t left)
{
    size_t at = 0;

    while (at < left && at < ZONE_NAME_MOST) {
        if (bytes[at] == 0)
            return at + 1;
        if (bytes[at] > 63)
            return 0;
        at += 1 + (size_t)bytes[at];
    }
    return 0;
}

/* The same of one that may end in a pointer, which is not followed. */
static size_t skip_name(const uint8_t *bytes, size_t left)
{
    size_t at = 0;

    while (at < left) {
        if (bytes[at] == 0)
            return at + 1;
        if (bytes[at] >= 0xc0)
            return at + 2 <= left ? at + 2 : 0;
        if (bytes[at] > 63)
            return 0;
        at += 1 + (size_t)bytes[at];
    }
    return 0;
}

static void read_edns(const uint8_t *fixed, struct query *query)
{
    query->edns = true;
    query->edns_size = get16(fixed + 2);
    query->edns_version = fixed[5];
    query->edns_do = get16(fixed + 6) & EDNS_DO;
}

/* The records behind the question, of which only OPT says anything; -1: they are malformed. */
static int read_records(const uint8_t *bytes, size_t length, unsigned count, struct query *query)
{
    size_t at = HEADER + query->question;

    for (; count; count--) {
        size_t name = skip_name(bytes + at, length - at), data;

        if (name == 0 || length - at - name < 10)
            return -1;
        at += name;
        data = get16(bytes + at + 8);
        if (length - at - 10 < data)
            return -1;
        if (get16(bytes + at) == LDNS_RR_TYPE_OPT) {
            if (query->edns)
                return -1; /* a second one */
            read_edns(bytes + at, query);
        }
        at += 10 + data;
    }
    return 0;
}

/* -1: malformed. */
static int read_query(const uint8_t *bytes, size_t length, struct query *query)
{
    size_t name;

    *query = (struct query){.bytes = bytes};
    if (length < HEADER)
        return -1;
    query->flags = get16(bytes + 2);
    if (query->flags & FLAG_QR)
        return -1; /* an answer: answering those would go on for ever */
    if (query->flags & OPCODE_MASK || get16(bytes + 4) != 1)
        return 0;
    name = name_length(bytes + HEADER, length - HEADER);
    if (name == 0 || length - HEADER - name < 4)
        return -1;
    memcpy(query->name, bytes + HEADER, name);
    query->name_length = name;
    query->type = get16(bytes + HEADER + name);
    query->class = get16(bytes + HEADER + name + 2);
    query->question = name + 4;
    return read_records(bytes, length, (unsigned)get16(bytes + 6) + get16(bytes + 8) + get16(bytes + 10),
                        query);
}

/* ---- writing ---- */

static void put(struct writer *writer, const void *bytes, size_t length)
{
    if (writer->full || writer->most - writer->length < length) {
        writer->full = true;
        return;
    }
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void set16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void put16(struct writer *writer, uint16_t value)
{
    uint8_t bytes[2];

    set16(bytes, value);
    put(writer, bytes, sizeof bytes);
}

/* A name that stands at `offset` already, or is too far away to be pointed to. */
static void put_name(struct writer *writer, size_t offset, const uint8_t *name, size_t length)
{
    if (offset <= POINTER_MOST)
        put16(writer, (uint16_t)(0xc000 | offset));
    else
        put(writer, name, length);
}

static void put_record(struct writer *writer, const struct zone_record *record, uint32_t ttl)
{
    put16(writer, record->type);
    put16(writer, LDNS_RR_CLASS_IN);
    put16(writer, (uint16_t)(ttl >> 16));
    put16(writer, (uint16_t)ttl);
    put16(writer, record->length);
    put(writer, record->data, record->length);
}

static void put_edns(struct writer *writer, const struct query *query, uint16_t rcode)
{
    put(writer, "", 1);
    put16(writer, LDNS_RR_TYPE_OPT);
    put16(writer, UDP_MOST);
    put16(writer, (uint16_t)((rcode >> 4) << 8));
    put16(writer, query->edns_do ? EDNS_DO : 0);
    put16(writer, 0);
}

/* ---- answering ---- */

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

/* What does not exist may be kept as long as the SOA record says (RFC 2308). A made-up one says: not at all.
 */
static void put_authority(struct writer *writer, const struct zone *zone, const uint8_t *name, size_t length)
{
    static const uint8_t made_up[] =
        "\x09localhost\0\x0ahostmaster\x09localhost\0"
        "\0\0\0\1\0\0\x0e\x10\0\0\x03\x84\0\x09\x3a\x80\0\0\0"; /* and a last 0 */
    const struct zone_record substitute = {
        .type = LDNS_RR_TYPE_SOA, .length = sizeof made_up, .data = (uint8_t *)made_up};
    const struct zone_name *owner;
    const struct zone_record *record = zone_authority(zone, name, length, &owner);
    uint32_t ttl = 0;

    if (record) {
        uint32_t minimum = get32(record->data + record->length - 4);

        ttl = record->ttl < minimum ? record->ttl : minimum;
        put(writer, owner->name, owner->length);
    } else {
        record = &substitute;
        put(writer, "", 1);
    }
    put_record(writer, record, ttl);
    writer->authorities++;
}

/* Puts the records of the type; returns how many there are. */
static unsigned put_matching(struct writer *writer, const struct zone_name *found, uint16_t type,
                             size_t offset, const uint8_t *name, size_t length)
{
    unsigned count = 0;

    for (size_t i = 0; i < found->count; i++) {
        const struct zone_record *record = &found->records[i];

        if (record->type != type && type != LDNS_RR_TYPE_ANY)
            continue;
        put_name(writer, offset, name, length);
        put_record(writer, record, record->ttl);
        writer->answers++;
        count++;
    }
    return count;
}

static const struct zone_record *cname_of(const struct zone_name *name)
{
    for (size_t i = 0; i < name->count; i++)
        if (name->records[i].type == LDNS_RR_TYPE_CNAME)
            return &name->records[i];
    return NULL;
}

/* Fills the answer and authority sections; returns the response code. */
static uint16_t look_up(const struct zone *zone, const struct query *query, struct writer *writer)
{
    uint8_t name[ZONE_NAME_MOST];
    size_t length = query->name_length, offset = HEADER;

    memcpy(name, query->name, length);
    for (int links = 0; links <= CHASE_MOST; links++) {
        const struct zone_name *found;
        const struct zone_record *cname;

        zone_fold(name, length);
        found = zone_find(zone, name, length);
        if (found && put_matching(writer, found, query->type, offset, name, length))
            return LDNS_RCODE_NOERROR;
        cname = found ? cname_of(found) : NULL;
        if (!cname) {
            put_authority(writer, zone, name, length);
            return found ? LDNS_RCODE_NOERROR : LDNS_RCODE_NXDOMAIN;
        }
        put_name(writer, offset, name, length);
        put_record(writer, cname, cname->ttl);
        writer->answers++;
        offset = writer->length - cname->length; /* if it is full, nothing of it will be sent */
        length = cname->length;
        memcpy(name, cname->data, length);
    }
    return LDNS_RCODE_SERVFAIL;
}

static uint16_t respond(const struct zones *zones, struct query *query, struct writer *writer)
{
    uint8_t name[ZONE_NAME_MOST];

    if (query->flags & OPCODE_MASK)
        return LDNS_RCODE_NOTIMPL;
    if (!query->question)
        return LDNS_RCODE_FORMERR;
    if (query->edns_version > 0)
        return RCODE_BADVERS;
    if ((query->class != LDNS_RR_CLASS_IN && query->class != LDNS_RR_CLASS_ANY) ||
        (query->type >= 128 && query->type != LDNS_RR_TYPE_ANY && query->type < 256))
        return LDNS_RCODE_REFUSED; /* zone transfers, and what is no type of record */
    memcpy(name, query->name, query->name_length);
    zone_fold(name, query->name_length);
    return look_up(zones_find(zones, name, query->name_length, &query->zone), query, writer);
}

static size_t limit_of(const struct query *query, bool udp)
{
    if (!udp)
        return ANSWER_MOST;
    if (!query->edns || query->edns_size < UDP_LEAST)
        return UDP_LEAST;
    return query->edns_size < UDP_MOST ? query->edns_size : UDP_MOST;
}

static void write_header(const struct query *query, const struct writer *writer, uint16_t rcode)
{
    uint8_t *bytes = writer->bytes;
    uint16_t flags = FLAG_QR | (query->flags & (OPCODE_MASK | FLAG_RD)) | FLAG_AA | FLAG_RA | (rcode & 0xf);

    memcpy(bytes, query->bytes, 2); /* its id */
    set16(bytes + 2, (uint16_t)(writer->full ? flags | FLAG_TC : flags));
    set16(bytes + 4, query->question ? 1 : 0);
    set16(bytes + 6, writer->answers);
    set16(bytes + 8, writer->authorities);
    set16(bytes + 10, query->edns ? 1 : 0);
}

size_t answer(const struct zones *zones, const uint8_t *query_bytes, size_t length, bool udp,
              uint8_t ret_answer[ANSWER_MOST], struct answer_note *ret_note)
{
    static const size_t edns_length = 11;
    struct query query;
    struct writer writer = {.bytes = ret_answer, .length = HEADER};
    uint16_t rcode;

    if (read_query(query_bytes, length, &query) < 0)
        return 0;
    writer.most = limit_of(&query, udp) - (query.edns ? edns_length : 0);
    put(&writer, query_bytes + HEADER, query.question);
    rcode = respond(zones, &query, &writer);
    if (writer.full) {
        writer.length = HEADER + query.question;
        writer.answers = writer.authorities = 0;
    }
    write_header(&query, &writer, rcode);
    *ret_note = (struct answer_note){
        .name_length = (uint8_t)query.name_length,
        .type = query.type,
        .rcode = rcode,
        .records = writer.answers,
        .truncated = writer.full,
        .zone = query.zone,
    };
    memcpy(ret_note->name, query.name, query.name_length);
    if (query.edns) {
        writer.full = false;
        writer.most += edns_length;
        put_edns(&writer, &query, rcode);
    }
    return writer.length;
}
