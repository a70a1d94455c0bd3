/* The capture file while it grows: whole blocks are collected and written at once, and an index of the
 * packets is kept for assemble(). An index entry is 24 bytes, the packet itself is not kept.
 *
 * The first write that fails is the last one: the file is cut back to its last whole block, and stays a valid
 * one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/base/error.h"
#include "src/base/text.h"
#include "src/packet/pcapng.h"

struct record {
    uint64_t timestamp; /* ns */
    uint64_t offset;    /* of the packet's block in the file */
    uint32_t length;    /* of the block */
};

struct stream {
    int fd;       /* readable too */
    bool classic; /* a pcap file, not pcapng */
    mode_t mode;  /* of the file once it is assembled, less the umask */
    char *name;
    struct buffer pending; /* whole blocks that are not written yet */
    uint64_t written;      /* bytes in the file */
    uint64_t head;         /* bytes in front of the first packet */
    struct record *records;
    size_t count, room;
    bool unordered;      /* some packet is older than one before it */
    bool failed;         /* a write did; nothing is written any more */
    uint64_t lost;       /* packets that could not be written */
    struct error *error; /* of the write that failed, until stream_finish() has handed it out */
};

/* Creates `name`, which must not exist, in `folder`; a name that ends in ".pcap" is that of a classic file.
 * What is written before the first stream_packet() is the head. */
int stream_open(struct stream *stream, int folder, const char *name, mode_t mode, struct error **ret);
void stream_close(struct stream *stream);

/* Appends bytes (whole blocks), or the block of a packet; they may stay in memory until the next flush. */
void stream_add(struct stream *stream, const void *data, size_t length);
void stream_packet(struct stream *stream, const struct pcapng_packet *packet);

/* Writes what is pending. */
void stream_flush(struct stream *stream);

/* The same, and says how all the writing went: 0 if everything added is in the file. */
int stream_finish(struct stream *stream, struct error **ret);
