/* Every block is: type, length, body, length again; all of it in units of four bytes. block_begin() and
 * block_end() write that frame round a body, so that a further kind of block is one function more. The length
 * is patched in at the end: nobody has to count a body beforehand. */
#include "src/packet/pcapng.h"

#include <arpa/inet.h>
#include <string.h>

enum block_type {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_NAMES = 4,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BLOCK_SECRETS = 10,
};

enum record {
    RECORD_END = 0,
    RECORD_IPV4 = 1,
    RECORD_IPV6 = 2,
};

/* Codes of options; each kind of block counts its own from 2. */
enum option {
    OPTION_END = 0,
    SECTION_HARDWARE = 2,
    SECTION_OS = 3,
    SECTION_APPLICATION = 4,
    INTERFACE_NAME = 2,
    INTERFACE_TSRESOL = 9,
    STATISTICS_RECEIVED = 4,
    STATISTICS_DROPPED = 5,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define NANOSECONDS      9 /* if_tsresol: units of 10^-9 s */
#define OPTION_MOST      UINT16_MAX
#define RECORD_MOST      ((size_t)UINT16_MAX)
#define TLS_KEY_LOG      0x544c534b

static void put_u16(struct buffer *out, uint16_t number)
{
    buffer_add(out, &number, sizeof number);
}

static void put_u32(struct buffer *out, uint32_t number)
{
    buffer_add(out, &number, sizeof number);
}

/* A point in time is two numbers of 32 bits, the high one first whatever the byte order. */
static void put_time(struct buffer *out, uint64_t timestamp)
{
    put_u32(out, (uint32_t)(timestamp >> 32));
    put_u32(out, (uint32_t)timestamp);
}

static void put_padding(struct buffer *out, size_t length)
{
    static const uint8_t zeros[4];

    buffer_add(out, zeros, -length & 3);
}

static void put_padded(struct buffer *out, const void *data, size_t length)
{
    buffer_add(out, data, length);
    put_padding(out, length);
}

static void put_option(struct buffer *out, enum option code, const void *value, size_t length)
{
    if (length > OPTION_MOST)
        length = OPTION_MOST;
    put_u16(out, (uint16_t)code);
    put_u16(out, (uint16_t)length);
    put_padded(out, value, length);
}

static void put_text(struct buffer *out, enum option code, const char *text)
{
    if (text)
        put_option(out, code, text, strlen(text));
}

/* Returns where the block begins; block_end() wants it. */
static size_t block_begin(struct buffer *out, enum block_type type)
{
    size_t start = out->length;

    put_u32(out, (uint32_t)type);
    put_u32(out, 0);
    return start;
}

static void block_end(struct buffer *out, size_t start)
{
    uint32_t length = (uint32_t)(out->length - start + sizeof length);

    put_u32(out, length);
    memcpy(out->data + start + sizeof(uint32_t), &length, sizeof length);
}

void pcapng_add_section(struct buffer *out, const struct pcapng_section *section)
{
    size_t start = block_begin(out, BLOCK_SECTION);
    int64_t open_end = -1;

    put_u32(out, BYTE_ORDER_MAGIC);
    put_u16(out, 1); /* version 1.0 */
    put_u16(out, 0);
    buffer_add(out, &open_end, sizeof open_end);
    put_text(out, SECTION_HARDWARE, section->hardware);
    put_text(out, SECTION_OS, section->os);
    put_text(out, SECTION_APPLICATION, section->application);
    put_option(out, OPTION_END, NULL, 0);
    block_end(out, start);
}

void pcapng_add_interface(struct buffer *out, const struct pcapng_interface *interface)
{
    size_t start = block_begin(out, BLOCK_INTERFACE);
    uint8_t resolution = NANOSECONDS;

    put_u16(out, interface->linktype);
    put_u16(out, 0);
    put_u32(out, interface->snaplen);
    put_text(out, INTERFACE_NAME, interface->name);
    put_option(out, INTERFACE_TSRESOL, &resolution, sizeof resolution);
    put_option(out, OPTION_END, NULL, 0);
    block_end(out, start);
}

void pcapng_add_packet(struct buffer *out, const struct pcapng_packet *packet)
{
    size_t start = block_begin(out, BLOCK_PACKET);

    put_u32(out, packet->interface);
    put_time(out, packet->timestamp);
    put_u32(out, packet->captured);
    put_u32(out, packet->original);
    put_padded(out, packet->data, packet->captured);
    block_end(out, start);
}

void pcapng_add_statistics(struct buffer *out, const struct pcapng_statistics *statistics)
{
    size_t start = block_begin(out, BLOCK_STATISTICS);

    put_u32(out, statistics->interface);
    put_time(out, statistics->timestamp);
    put_option(out, STATISTICS_RECEIVED, &statistics->received, sizeof statistics->received);
    put_option(out, STATISTICS_DROPPED, &statistics->dropped, sizeof statistics->dropped);
    put_option(out, OPTION_END, NULL, 0);
    block_end(out, start);
}

/* What an address is in a record; 0 if `text` is none. */
static size_t parse_address(const char *text, uint8_t ret[16], enum record *ret_record)
{
    *ret_record = strchr(text, ':') ? RECORD_IPV6 : RECORD_IPV4;
    if (inet_pton(*ret_record == RECORD_IPV6 ? AF_INET6 : AF_INET, text, ret) != 1)
        return 0;
    return *ret_record == RECORD_IPV6 ? 16 : 4;
}

/* One record: the first address, and as many names as it has and as there is room for. Returns how many that
 * were, with those that no record can hold. */
static size_t put_record(struct buffer *out, const struct pcapng_name *names, size_t count)
{
    size_t start = out->length, body = start + 4, taken = 0, bytes;
    uint8_t address[16];
    enum record record;
    uint16_t length;

    bytes = parse_address(names->address, address, &record);
    if (!bytes)
        return 1;
    put_u16(out, (uint16_t)record);
    put_u16(out, 0);
    buffer_add(out, address, bytes);
    for (; taken < count && strcmp(names[taken].address, names->address) == 0; taken++) {
        size_t size = strlen(names[taken].name) + 1;

        if (size == 1 || bytes + size > RECORD_MOST)
            continue;
        if (out->length - body + size > RECORD_MOST)
            break;
        buffer_add(out, names[taken].name, size);
    }
    length = (uint16_t)(out->length - body);
    memcpy(out->data + start + sizeof length, &length, sizeof length);
    put_padding(out, length);
    if (length == bytes)
        out->length = start;
    return taken;
}

void pcapng_add_names(struct buffer *out, const struct pcapng_name *names, size_t count)
{
    size_t start = block_begin(out, BLOCK_NAMES), records = out->length;

    for (size_t i = 0; i < count && out->length - start < PCAPNG_BLOCK_MOST - 2 * RECORD_MOST;)
        i += put_record(out, names + i, count - i);
    if (out->length == records) {
        out->length = start;
        return;
    }
    put_u16(out, RECORD_END);
    put_u16(out, 0);
    block_end(out, start);
}

void pcapng_add_secrets(struct buffer *out, const void *keys, size_t length)
{
    size_t start = block_begin(out, BLOCK_SECRETS);

    if (length > PCAPNG_SECRETS_MOST)
        length = PCAPNG_SECRETS_MOST;
    put_u32(out, TLS_KEY_LOG);
    put_u32(out, (uint32_t)length);
    put_padded(out, keys, length);
    block_end(out, start);
}
