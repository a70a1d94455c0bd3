/* pcapng blocks, encoded (draft-ietf-opsawg-pcapng). Pure: they are appended to a buffer, no descriptor is
 * touched. A file is one section header, an interface block for each interface (numbered from 0 in the order
 * in which they stand), then packets and statistics in any order; names and keys hold for what stands behind
 * them. Numbers are in the byte order of this host,
 * which the section header announces; time is nanoseconds since 1970 UTC.
 *
 * Texts in options are cut off after 65,535 bytes, which is all that an option holds. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "src/base/text.h"

#define PCAPNG_BLOCK_MOST   ((size_t)16 << 20)       /* bytes; libpcap reads no file with a longer block */
#define PCAPNG_SECRETS_MOST (PCAPNG_BLOCK_MOST - 20) /* of them, in a block of keys */

#define PCAPNG_LINKTYPE_ETHERNET 1 /* tcpdump.org/linktypes.html has the others */

/* What is said about the file as a whole; NULL for what is not known. */
struct pcapng_section {
    const char *hardware;    /* "x86_64" */
    const char *os;          /* "Linux 6.1.0" */
    const char *application; /* "sippod 0.1.0" */
};

struct pcapng_interface {
    const char *name; /* "eth0"; NULL: it has none */
    uint16_t linktype;
    uint32_t snaplen; /* bytes; 0: no limit */
};

struct pcapng_packet {
    uint32_t interface; /* number of its interface block */
    uint64_t timestamp;
    uint32_t captured; /* bytes at `data`; may be 0 */
    uint32_t original; /* bytes that the frame had on the wire */
    const void *data;
};

struct pcapng_statistics {
    uint32_t interface;
    uint64_t timestamp; /* when the counters were read */
    uint64_t received;  /* frames since the capture began, those that were dropped included */
    uint64_t dropped;   /* frames for which there was no room */
};

struct pcapng_name {
    const char *address; /* "198.18.1.0", "fd00::1" */
    const char *name;
};

/* The section header: it opens a file. Its length is left open, as the end is not known yet. */
void pcapng_add_section(struct buffer *out, const struct pcapng_section *section);

void pcapng_add_interface(struct buffer *out, const struct pcapng_interface *interface);
void pcapng_add_packet(struct buffer *out, const struct pcapng_packet *packet);
void pcapng_add_statistics(struct buffer *out, const struct pcapng_statistics *statistics);

/* A name-resolution block. Names of one address that follow each other share a record; Wireshark shows the
 * last one of an address. What is no address and a name that is empty or longer than a record (64 KiB) are
 * left out, and so is what goes beyond PCAPNG_BLOCK_MOST; nothing is added if no name is left. */
void pcapng_add_names(struct buffer *out, const struct pcapng_name *names, size_t count);

/* A decryption-secrets block: the text of a TLS key log (the format of SSLKEYLOGFILE), cut off after
 * PCAPNG_SECRETS_MOST bytes. */
void pcapng_add_secrets(struct buffer *out, const void *keys, size_t length);
