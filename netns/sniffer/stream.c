#include "netns/sniffer/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/packet/pcap.h"

#define COALESCE 65536 /* bytes that are collected before they are written in any case */

static bool is_classic(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ".pcap") == 0;
}

int stream_open(struct stream *stream, int folder, const char *name, mode_t mode, struct error **ret)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot create %s", name);
    *stream = (struct stream){.fd = fd, .name = text_copy(name), .classic = is_classic(name), .mode = mode};
    return 0;
}

void stream_close(struct stream *stream)
{
    close_fd(&stream->fd);
    free(stream->name);
    free(stream->records);
    buffer_free(&stream->pending);
    error_free(stream->error);
    *stream = (struct stream){.fd = -1};
}

static int write_all(int fd, const uint8_t *data, size_t length)
{
    while (length) {
        ssize_t written = write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Forgets the packets that were still pending. */
static void lose_pending(struct stream *stream)
{
    buffer_drop(&stream->pending, stream->pending.length);
    while (stream->count && stream->records[stream->count - 1].offset >= stream->written) {
        stream->count--;
        stream->lost++;
    }
}

void stream_flush(struct stream *stream)
{
    if (stream->failed)
        return;
    if (write_all(stream->fd, stream->pending.data, stream->pending.length) == 0) {
        stream->written += stream->pending.length;
        buffer_drop(&stream->pending, stream->pending.length);
        return;
    }
    stream->failed = true;
    error_sys(&stream->error, ERROR_FAILED, errno, "cannot write %s", stream->name);
    if (ftruncate(stream->fd, (off_t)stream->written) < 0)
        error_prefix(&stream->error, "half a packet remains at the end of %s", stream->name);
    lose_pending(stream);
}

int stream_finish(struct stream *stream, struct error **ret)
{
    stream_flush(stream);
    if (!stream->failed)
        return 0;
    if (stream->error && ret)
        *ret = steal_pointer(&stream->error);
    return -1;
}

void stream_add(struct stream *stream, const void *data, size_t length)
{
    if (stream->failed)
        return;
    buffer_add(&stream->pending, data, length);
    if (stream->pending.length >= COALESCE)
        stream_flush(stream);
}

void stream_packet(struct stream *stream, const struct pcapng_packet *packet)
{
    struct record record = {.timestamp = packet->timestamp};
    size_t start = stream->pending.length;

    if (stream->failed) {
        stream->lost++;
        return;
    }
    record.offset = stream->written + start;
    if (stream->classic)
        pcap_add_packet(&stream->pending, packet);
    else
        pcapng_add_packet(&stream->pending, packet);
    record.length = (uint32_t)(stream->pending.length - start);
    if (!stream->count)
        stream->head = record.offset;
    else if (record.timestamp < stream->records[stream->count - 1].timestamp)
        stream->unordered = true;
    if (stream->count == stream->room) {
        stream->room = stream->room ? stream->room * 2 : 1024;
        stream->records = memory_array(stream->records, stream->room, sizeof *stream->records);
    }
    stream->records[stream->count++] = record;
    if (stream->pending.length >= COALESCE)
        stream_flush(stream);
}
