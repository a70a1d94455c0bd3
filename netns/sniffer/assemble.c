#include "netns/sniffer/assemble.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/memory.h"

/* Total, as no two records have one offset: so any sort is a stable one. */
static int by_time(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    if (x->timestamp != y->timestamp)
        return x->timestamp < y->timestamp ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Reads, rather than maps, what is copied: a process of the pod that cuts the file short must not be able to
 * end this one by SIGBUS. */
static int copy(const struct stream *from, uint64_t offset, uint64_t length, struct stream *to,
                struct error **ret)
{
    while (length) {
        uint8_t chunk[16384];
        size_t want = length < sizeof chunk ? (size_t)length : sizeof chunk;
        ssize_t got = pread(from->fd, chunk, want, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot read %s", from->name);
        if (got == 0)
            return error_set(ret, ERROR_FAILED, "%s has been cut short by someone else", from->name);
        stream_add(to, chunk, (size_t)got);
        offset += (uint64_t)got;
        length -= (uint64_t)got;
    }
    return 0;
}

/* What came in the right order already is copied in one piece: the frames of one interface mostly did. */
static int copy_packets(const struct stream *from, struct stream *to, struct error **ret)
{
    for (size_t i = 0; i < from->count;) {
        uint64_t offset = from->records[i].offset, end = offset;

        for (; i < from->count && from->records[i].offset == end; i++)
            end += from->records[i].length;
        if (copy(from, offset, end - offset, to, ret) < 0)
            return -1;
    }
    return 0;
}

static int write_sorted(struct stream *stream, struct stream *to, const struct buffer *ahead,
                        const struct buffer *tail, struct error **ret)
{
    if (stream->count)
        qsort(stream->records, stream->count, sizeof *stream->records, by_time);
    if (copy(stream, 0, stream->count ? stream->head : stream->written, to, ret) < 0)
        return -1;
    stream_add(to, ahead->data, ahead->length);
    if (copy_packets(stream, to, ret) < 0)
        return -1;
    stream_add(to, tail->data, tail->length);
    return stream_finish(to, ret);
}

static int rewrite(struct stream *stream, int folder, const struct buffer *ahead, const struct buffer *tail,
                   struct error **ret)
{
    cleanup_free char *temporary = text_format("%s.new", stream->name);
    struct stream to;
    int result;

    (void)unlinkat(folder, temporary, 0); /* nobody else has a use for this name */
    if (stream_open(&to, folder, temporary, stream->mode, ret) < 0)
        return -1;
    result = write_sorted(stream, &to, ahead, tail, ret);
    if (result == 0 && renameat(folder, temporary, folder, stream->name) < 0)
        result = error_sys(ret, ERROR_FAILED, errno, "cannot rename %s", temporary);
    if (result < 0)
        (void)unlinkat(folder, temporary, 0);
    stream_close(&to);
    return result;
}

int assemble(struct stream *stream, int folder, const struct buffer *ahead, const struct buffer *tail,
             struct error **ret)
{
    if (stream_finish(stream, ret) < 0)
        return -1;
    if (stream->unordered || ahead->length) {
        if (rewrite(stream, folder, ahead, tail, ret) == 0)
            return 0;
        return error_prefix(ret,
                            stream->unordered ? "cannot put the packets of %s into order"
                                              : "cannot put the keys into %s",
                            stream->name);
    }
    stream_add(stream, tail->data, tail->length);
    return stream_finish(stream, ret);
}
