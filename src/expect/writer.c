/* A predicate that also saves what passes. The file begins with the link type of the first packet. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/own.h"
#include "src/expect/wrong.h"

struct writer {
    struct own own;
    struct sippod_predicate inner;
    FILE *file; /* until it is the dumper's */
    pcap_dumper_t *dumper;
    bool failed;
    char path[]; /* for the detail */
};

static int begin(struct writer *writer, uint32_t linktype)
{
    pcap_t *dead = pcap_open_dead_with_tstamp_precision(linktype == 101 ? DLT_RAW : (int)linktype, 262144,
                                                        PCAP_TSTAMP_PRECISION_NANO);

    if (dead && (writer->dumper = pcap_dump_fopen(dead, writer->file)))
        writer->file = NULL;
    if (dead)
        pcap_close(dead);
    writer->failed = !writer->dumper;
    return writer->failed ? -1 : 0;
}

static int writer_view(void *state, struct view *view)
{
    struct writer *writer = state;
    const struct sippod_packet *packet = view->packet;
    struct pcap_pkthdr header = {
        .ts.tv_sec = (time_t)(packet->timestamp_ns / 1000000000),
        .ts.tv_usec = (suseconds_t)(packet->timestamp_ns % 1000000000), /* of nanoseconds */
        .caplen = (bpf_u_int32)packet->captured,
        .len = (bpf_u_int32)packet->length,
    };

    if (!writer->dumper && begin(writer, packet->linktype) < 0)
        return -1;
    pcap_dump((u_char *)writer->dumper, &header, packet->data);
    writer->failed = ferror(pcap_dump_file(writer->dumper));
    if (writer->failed)
        return -1;
    return predicate_take(&writer->inner, view);
}

static bool writer_stop(void *state, const struct sippod_packet *packet)
{
    struct writer *writer = state;

    return writer->inner.stop_condition && writer->inner.stop_condition(writer->inner.state, packet);
}

/* A file without packets is one of Ethernet. */
static struct sippod_value writer_finish(void *state, bool timed_out)
{
    struct writer *writer = state;
    struct sippod_value value = writer->inner.on_finish(writer->inner.state, timed_out);

    if ((!writer->dumper && begin(writer, SIPPOD_LINKTYPE_ETHERNET) < 0) ||
        pcap_dump_flush(writer->dumper) < 0) {
        writer->failed = true;
        value = (struct sippod_value){.kind = SIPPOD_ERROR};
    }
    return value;
}

static void writer_detail(const void *state, char *text, size_t size)
{
    const struct writer *writer = state;

    if (writer->failed)
        snprintf(text, size, "writer: cannot write %s: is the disk full?", writer->path);
    else if (writer->inner.detail)
        writer->inner.detail(writer->inner.state, text, size);
}

static void writer_free(void *state)
{
    struct writer *writer = state;

    if (writer->dumper)
        pcap_dump_close(writer->dumper);
    if (writer->file)
        (void)fclose(writer->file); /* nothing was written */
    sippod_predicate_free(&writer->inner);
    free(writer);
}

static const struct own_kind kind = {
    .on_view = writer_view,
    .stop_condition = writer_stop,
    .on_finish = writer_finish,
    .detail = writer_detail,
    .free = writer_free,
};

struct sippod_predicate sippod_writer(const char *path, struct sippod_predicate predicate)
{
    size_t length = path ? strlen(path) + 1 : 0;
    struct writer *writer;
    char error[256];

    if (sippod_predicate_error(&predicate))
        return predicate;
    writer = calloc(1, sizeof *writer + length);
    if (writer && path) {
        memcpy(writer->path, path, length);
        writer->inner = predicate;
        writer->file = fopen(path, "we");
    }
    if (!writer || !writer->file) {
        snprintf(error, sizeof error, "cannot write %s: %s", path ? path : "NULL",
                 path && writer ? strerror(errno) : "no path, or out of memory");
        free(writer);
        sippod_predicate_free(&predicate);
        return predicate_wrong("writer", error);
    }
    return own_predicate(&kind, &writer->own);
}
