/* Theory of operation
 *
 * capture.c holds a libpcap handle an interface, stream.c the file. Whenever the kernel hands a block of
 * frames over, they are appended to the file, and written before anything else is waited for: a file that
 * SIGKILL cuts off lacks the last 0.2 s, and is valid up to there.
 *
 * The end has to lose nothing and to wait for nothing. What was sent before the stop sits in blocks that are
 * not full, and that the kernel would keep until its timer runs out. So for each interface:
 *
 * - On a loopback frames may not even have reached the capture (counter.h). Its counters are looked at with
 *   every tick until they have; there is no event for that, and mostly there is nothing to wait for.
 *
 * - What was handed over is read. That was all if the kernel's counters say that nothing else is stored.
 *
 * - Else a marker frame is sent. It comes out behind all that was stored before it. Markers as long as the
 *   MTU follow until the block is full and handed over: 4 on a loopback (0.1 ms), 160 on an Ethernet
 *   (0.5 ms).
 *
 * - If the interface is down or gone and takes no marker, the timer has to be waited for, until the
 *   counters say that nothing is left.
 *
 * - A marker for which there was no room is sent again with every tick. After a second what is there is all:
 *   nothing that other processes send or do makes the end wait longer.
 *
 * Markers are neither written nor counted. They need a socket of their own: a packet socket does not see what
 * it sends itself.
 *
 * Limits: a frame that is on its way in from outside when the stop comes is in the file or not. A frame that
 * is younger than the stop may be in it. */
#include "netns/sniffer/sniffer.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "netns/sniffer/assemble.h"
#include "netns/sniffer/capture.h"
#include "netns/sniffer/keys.h"
#include "netns/sniffer/marker.h"
#include "netns/sniffer/stream.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/text.h"
#include "src/packet/pcap.h"

#define TICK_MS       5
#define DRAIN_MS      1000  /* then the end is not waited for any longer */
#define FILL_MOST     512   /* markers in one go: more than the smallest usual MTU needs for a block */
#define FILL_LENGTH   65535 /* and no longer than this, whatever the MTU */
#define READS_MOST    16    /* of some hundred frames each: more than the ring holds */
#define FAILURES_MOST 16

enum state {
    CAPTURING,
    COMING,  /* frames sent before the stop have not reached the capture */
    MARKED,  /* a marker is on its way, or will be sent with the next tick */
    DOWN,    /* the interface takes no marker: the block timer has to run out */
    DRAINED, /* all is read that was there when the stop came; what comes later is written too */
};

struct source {
    struct sniffer *sniffer;
    struct capture *capture;
    struct watch *watch;
    enum state state;
    uint64_t markers;  /* sent */
    unsigned failures; /* of libpcap in a row */
};

struct sniffer {
    int folder;
    char *keys; /* name of the key log in it, NULL: none */
    struct loop *loop;
    struct marker marker;
    struct stream stream;
    struct source *sources; /* one an interface */
    size_t count;
    struct watch *control; /* until the stop */
    struct timer *tick;    /* from then on */
    int64_t give_up_ns;
};

static void on_packet(void *user, const struct pcapng_packet *packet)
{
    struct source *source = user;

    if (!marker_matches(&source->sniffer->marker, packet->data, packet->captured))
        stream_packet(&source->sniffer->stream, packet);
    else if (source->state == MARKED)
        source->state = DRAINED;
}

/* An error means that the interface went down or away. What it had seen before may still come, and it may
 * come back; but a handle that does nothing but fail is left alone, or the loop would spin. */
static void read_source(struct source *source)
{
    if (capture_read(source->capture, on_packet, source) >= 0)
        source->failures = 0;
    else if (++source->failures == FAILURES_MOST)
        watch_stop(&source->watch);
    stream_flush(&source->sniffer->stream);
    if (source->state == DOWN && capture_unread(source->capture) == 0)
        source->state = DRAINED;
}

static bool send_marker(struct source *source, size_t length)
{
    if (marker_send(&source->sniffer->marker, capture_index(source->capture), length) < 0)
        return false;
    source->markers++;
    return true;
}

/* Makes the kernel hand over the block in which a marker lies: the one that it is filling, or the one after
 * if that was read and brought none. */
static void fill_block(struct source *source)
{
    size_t length = capture_mtu(source->capture);

    if (length > FILL_LENGTH)
        length = FILL_LENGTH;
    if (length < MARKER_NONCE)
        length = MARKER_NONCE;
    for (int i = 0; i < FILL_MOST && !capture_readable(source->capture); i++)
        if (!send_marker(source, length))
            return;
}

/* As far as it goes now. The ring is emptied first, so that there is room for the marker; but not for ever,
 * if somebody keeps filling it. */
static void drain(struct source *source)
{
    read_source(source);
    for (int i = 0; i < READS_MOST && capture_readable(source->capture); i++)
        read_source(source);
    if (source->state == DRAINED)
        return;
    if (capture_coming(source->capture) > 0) {
        source->state = COMING;
    } else if (capture_unread(source->capture) == 0) {
        source->state = DRAINED;
    } else if (send_marker(source, MARKER_NONCE)) {
        source->state = MARKED;
        fill_block(source);
    } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
        source->state = MARKED; /* no room for it: again with the next tick */
    } else {
        source->state = DOWN;
    }
}

static void quit_if_drained(struct sniffer *sniffer)
{
    for (size_t i = 0; i < sniffer->count; i++)
        if (sniffer->sources[i].state != DRAINED)
            return;
    loop_quit(sniffer->loop);
}

static void on_frames(void *user, uint32_t events)
{
    struct source *source = user;

    (void)events; /* libpcap finds errors itself */
    read_source(source);
    if (source->state == MARKED)
        fill_block(source);
    quit_if_drained(source->sniffer);
}

static void on_tick(void *user)
{
    struct sniffer *sniffer = user;
    bool last = loop_now_ns() >= sniffer->give_up_ns;

    sniffer->tick = NULL;
    for (size_t i = 0; i < sniffer->count; i++) {
        struct source *source = &sniffer->sources[i];

        if (source->state == DRAINED)
            continue;
        if (last)
            source->state = DRAINED;
        drain(source);
    }
    if (!last)
        sniffer->tick = loop_after(sniffer->loop, TICK_MS, on_tick, sniffer);
    quit_if_drained(sniffer);
}

static void on_control(void *user, uint32_t events)
{
    struct sniffer *sniffer = user;

    (void)events; /* a message and the end mean the same */
    watch_stop(&sniffer->control);
    sniffer->give_up_ns = loop_now_ns() + DRAIN_MS * (int64_t)1000000;
    for (size_t i = 0; i < sniffer->count; i++) {
        capture_stop(sniffer->sources[i].capture);
        drain(&sniffer->sources[i]);
    }
    sniffer->tick = loop_after(sniffer->loop, TICK_MS, on_tick, sniffer);
    quit_if_drained(sniffer);
}

/* The section header, the interface blocks, and the names: they are known by now, so that no copy has to be
 * made at the end. */
static int describe(const struct sniffer *sniffer, const struct buffer *names, struct buffer *head,
                    struct error **ret)
{
    cleanup_free char *os = NULL;
    struct utsname host;

    if (uname(&host) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot ask for the name of the system");
    os = text_format("%s %s", host.sysname, host.release);
    pcapng_add_section(head, &(struct pcapng_section){
                                 .hardware = host.machine,
                                 .os = os,
                                 .application = "sippod " SIPPOD_VERSION,
                             });
    for (size_t i = 0; i < sniffer->count; i++) {
        struct pcapng_interface interface;

        capture_describe(sniffer->sources[i].capture, &interface);
        pcapng_add_interface(head, &interface);
    }
    if (names)
        buffer_add(head, names->data, names->length);
    return 0;
}

/* A classic file has one link type for all: so do a pod's interfaces. */
static int write_head(struct sniffer *sniffer, const struct buffer *names, struct error **ret)
{
    cleanup_buffer struct buffer head = {0};

    if (sniffer->stream.classic)
        pcap_add_header(&head, PCAPNG_LINKTYPE_ETHERNET);
    else if (describe(sniffer, names, &head, ret) < 0)
        return -1;
    stream_add(&sniffer->stream, head.data, head.length);
    return stream_finish(&sniffer->stream, ret);
}

static int start_captures(struct sniffer *sniffer, const struct sniffer_config *config, struct error **ret)
{
    cleanup_free struct capture **captures = memory_array(NULL, config->interface_count, sizeof *captures);

    if (captures_open(config->interfaces, config->interface_count, captures, ret) < 0)
        return -1;
    sniffer->sources = memory_new(config->interface_count * sizeof *sniffer->sources);
    sniffer->count = config->interface_count;
    for (size_t i = 0; i < sniffer->count; i++)
        sniffer->sources[i] = (struct source){.sniffer = sniffer, .capture = captures[i]};
    for (size_t i = 0; i < sniffer->count; i++) {
        struct source *source = &sniffer->sources[i];

        source->watch =
            loop_watch(sniffer->loop, capture_fd(source->capture), EPOLLIN, on_frames, source, ret);
        if (!source->watch)
            return -1;
    }
    return 0;
}

struct sniffer *sniffer_open(const struct sniffer_config *config, struct error **ret)
{
    struct sniffer *sniffer = memory_new(sizeof *sniffer);

    *sniffer = (struct sniffer){
        .folder = config->folder, .keys = text_copy(config->keys), .marker.socket = -1, .stream.fd = -1};
    sniffer->loop = loop_new(ret);
    if (!sniffer->loop || marker_open(&sniffer->marker, ret) < 0 ||
        start_captures(sniffer, config, ret) < 0 ||
        stream_open(&sniffer->stream, config->folder, config->file, 0644, ret) < 0) {
        sniffer_close(sniffer);
        return NULL;
    }
    if (write_head(sniffer, config->names, ret) < 0) {
        (void)unlinkat(config->folder, config->file, 0);
        sniffer_close(sniffer);
        return NULL;
    }
    return sniffer;
}

/* The statistics blocks, and the sum of the frames that were dropped. */
static uint64_t collect_statistics(const struct sniffer *sniffer, struct buffer *tail)
{
    struct timespec now;
    uint64_t dropped = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < sniffer->count; i++) {
        const struct source *source = &sniffer->sources[i];
        struct pcapng_statistics statistics = {
            .interface = (uint32_t)i,
            .timestamp = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
        };

        capture_statistics(source->capture, &statistics.received, &statistics.dropped);
        if (statistics.received >= source->markers)
            statistics.received -= source->markers;
        if (!sniffer->stream.classic)
            pcapng_add_statistics(tail, &statistics);
        dropped += statistics.dropped;
    }
    return dropped;
}

/* The keys are complete only now. They go in front of the packets, as a reader decrypts while it reads. Who
 * may not read the log they come from may not read the file with them either. */
static void collect_keys(struct sniffer *sniffer, struct buffer *ahead, struct error **ret)
{
    cleanup_buffer struct buffer lines = {0};
    mode_t mode = 0;

    if (!sniffer->keys || sniffer->stream.classic)
        return;
    (void)keys_read(sniffer->folder, sniffer->keys, &lines, &mode, ret);
    if (!lines.length)
        return;
    pcapng_add_secrets(ahead, lines.data, lines.length);
    sniffer->stream.mode &= mode;
}

int sniffer_run(struct sniffer *sniffer, int control, struct sniffer_counts *ret, struct error **ret_error)
{
    cleanup_buffer struct buffer ahead = {0}, tail = {0};
    struct error *error = NULL;

    sniffer->control = loop_watch(sniffer->loop, control, EPOLLIN, on_control, sniffer, &error);
    if (sniffer->control)
        (void)loop_run(sniffer->loop, &error);
    timer_stop(&sniffer->tick);
    watch_stop(&sniffer->control);
    ret->dropped = collect_statistics(sniffer, &tail);
    ret->keys = NULL;
    collect_keys(sniffer, &ahead, &ret->keys);
    (void)assemble(&sniffer->stream, sniffer->folder, &ahead, &tail, error ? NULL : &error);
    ret->packets = sniffer->stream.count;
    ret->dropped += sniffer->stream.lost;
    if (!error)
        return 0;
    if (ret_error)
        *ret_error = steal_pointer(&error);
    error_free(error);
    return -1;
}

void sniffer_close(struct sniffer *sniffer)
{
    cleanup_free struct capture **captures = NULL;

    if (!sniffer)
        return;
    loop_free(sniffer->loop);
    captures = memory_array(NULL, sniffer->count, sizeof *captures);
    for (size_t i = 0; i < sniffer->count; i++)
        captures[i] = sniffer->sources[i].capture;
    captures_close(captures, sniffer->count);
    free(sniffer->sources);
    marker_close(&sniffer->marker);
    stream_close(&sniffer->stream);
    free(sniffer->keys);
    free(sniffer);
}
