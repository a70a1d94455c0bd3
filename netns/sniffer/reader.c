/* Theory of operation
 *
 * capture.c holds a libpcap handle an interface. Whenever the kernel hands a block of frames over, they are
 * read.
 *
 * A drain has to lose nothing and to wait for nothing. What was sent before it sits in blocks that are not
 * full, and that the kernel would keep until its timer runs out. So for each interface:
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
 *   nothing that other processes send or do makes the drain wait longer.
 *
 * Markers are neither handed out nor counted. They need a socket of their own: a packet socket does not see
 * what it sends itself. Those that filled the block may come out long after their drain: each has the number
 * of its drain in it, so that they do not end the next one.
 *
 * Limits: a frame that is on its way in from outside when the drain begins is read or not. */
#include "netns/sniffer/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "netns/sniffer/capture.h"
#include "netns/sniffer/marker.h"
#include "src/base/memory.h"

#define TICK_MS       5
#define DRAIN_MS      1000  /* then the end is not waited for any longer */
#define FILL_MOST     512   /* markers in one go: more than the smallest usual MTU needs for a block */
#define FILL_LENGTH   65535 /* and no longer than this, whatever the MTU */
#define READS_MOST    16    /* of some hundred frames each: more than the ring holds */
#define FAILURES_MOST 16

enum state {
    CAPTURING, /* nothing that was there when a drain began is unread */
    COMING,    /* frames sent before the drain have not reached the capture */
    MARKED,    /* a marker is on its way, or will be sent with the next tick */
    DOWN,      /* the interface takes no marker: the block timer has to run out */
};

struct source {
    struct reader *reader;
    struct capture *capture;
    struct watch *watch;
    enum state state;
    uint64_t markers;  /* sent */
    unsigned failures; /* of libpcap in a row */
};

struct reader {
    struct loop *loop;
    struct marker marker;
    struct source *sources; /* one an interface */
    size_t count;
    const struct reader_callbacks *callbacks;
    void *user;
    void (*done)(void *user, bool complete); /* of a drain; NULL: there is none */
    struct timer *tick;                      /* from its beginning on */
    int64_t give_up_ns;
};

static void on_packet(void *user, const struct pcapng_packet *packet)
{
    struct source *source = user;
    struct reader *reader = source->reader;
    uint32_t drain;

    if (!marker_matches(&reader->marker, packet->data, packet->captured, &drain))
        reader->callbacks->packet(reader->user, packet);
    else if (source->state == MARKED && drain == reader->marker.drain)
        source->state = CAPTURING;
}

/* An error means that the interface went down or away. What it had seen before may still come, and it may
 * come back; but a handle that does nothing but fail is left alone, or the loop would spin. */
static void read_source(struct source *source)
{
    struct reader *reader = source->reader;

    if (reader->callbacks->before)
        reader->callbacks->before(reader->user, (size_t)(source - reader->sources));
    if (capture_read(source->capture, on_packet, source) >= 0)
        source->failures = 0;
    else if (++source->failures == FAILURES_MOST)
        watch_stop(&source->watch);
    reader->callbacks->after(reader->user);
    if (source->state == DOWN && capture_unread(source->capture) == 0)
        source->state = CAPTURING;
}

static bool send_marker(struct source *source, size_t length)
{
    if (marker_send(&source->reader->marker, capture_index(source->capture), length) < 0)
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
    if (length < MARKER_LENGTH)
        length = MARKER_LENGTH;
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
    if (source->state == CAPTURING)
        return;
    if (capture_coming(source->capture) > 0) {
        source->state = COMING;
    } else if (capture_unread(source->capture) == 0) {
        source->state = CAPTURING;
    } else if (send_marker(source, MARKER_LENGTH)) {
        source->state = MARKED;
        fill_block(source);
    } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
        source->state = MARKED; /* no room for it: again with the next tick */
    } else {
        source->state = DOWN;
    }
}

/* Is over, unless some interface is not drained. */
static void end_drain(struct reader *reader, bool give_up)
{
    void (*done)(void *user, bool complete) = reader->done;
    bool complete = true;

    for (size_t i = 0; i < reader->count; i++)
        complete = complete && reader->sources[i].state == CAPTURING;
    if (!done || (!complete && !give_up))
        return;
    for (size_t i = 0; i < reader->count; i++)
        reader->sources[i].state = CAPTURING;
    timer_stop(&reader->tick);
    reader->done = NULL;
    done(reader->user, complete);
}

static void on_frames(void *user, uint32_t events)
{
    struct source *source = user;

    (void)events; /* libpcap finds errors itself */
    read_source(source);
    if (source->state == MARKED)
        fill_block(source);
    end_drain(source->reader, false);
}

static void on_tick(void *user)
{
    struct reader *reader = user;

    reader->tick = loop_after(reader->loop, TICK_MS, on_tick, reader);
    for (size_t i = 0; i < reader->count; i++)
        if (reader->sources[i].state != CAPTURING)
            drain(&reader->sources[i]);
    end_drain(reader, loop_now_ns() >= reader->give_up_ns);
}

void reader_drain(struct reader *reader, void (*done)(void *user, bool complete))
{
    reader->done = done;
    reader->give_up_ns = loop_now_ns() + DRAIN_MS * (int64_t)1000000;
    reader->marker.drain++;
    for (size_t i = 0; i < reader->count; i++) {
        reader->sources[i].state = COMING;
        capture_checkpoint(reader->sources[i].capture);
        drain(&reader->sources[i]);
    }
    timer_stop(&reader->tick);
    reader->tick = loop_after(reader->loop, TICK_MS, on_tick, reader);
    end_drain(reader, false);
}

static int start_captures(struct reader *reader, const char *const *interfaces, size_t count,
                          struct error **ret)
{
    cleanup_free struct capture **captures = memory_array(NULL, count, sizeof *captures);

    if (captures_open(interfaces, count, captures, ret) < 0)
        return -1;
    reader->sources = memory_new(count * sizeof *reader->sources);
    reader->count = count;
    for (size_t i = 0; i < count; i++)
        reader->sources[i] = (struct source){.reader = reader, .capture = captures[i]};
    for (size_t i = 0; i < count; i++) {
        struct source *source = &reader->sources[i];

        source->watch =
            loop_watch(reader->loop, capture_fd(source->capture), EPOLLIN, on_frames, source, ret);
        if (!source->watch)
            return -1;
    }
    return 0;
}

struct reader *reader_open(struct loop *loop, const char *const *interfaces, size_t count,
                           const struct reader_callbacks *callbacks, void *user, struct error **ret)
{
    struct reader *reader = memory_new(sizeof *reader);

    *reader = (struct reader){.loop = loop, .marker.socket = -1, .callbacks = callbacks, .user = user};
    if (marker_open(&reader->marker, ret) == 0 && start_captures(reader, interfaces, count, ret) == 0)
        return reader;
    reader_close(reader);
    return NULL;
}

void reader_describe(const struct reader *reader, size_t interface, struct pcapng_interface *ret)
{
    capture_describe(reader->sources[interface].capture, ret);
}

void reader_statistics(const struct reader *reader, size_t interface, uint64_t *ret_received,
                       uint64_t *ret_dropped)
{
    const struct source *source = &reader->sources[interface];

    capture_statistics(source->capture, ret_received, ret_dropped);
    if (*ret_received >= source->markers)
        *ret_received -= source->markers;
}

bool reader_has_lost(const struct reader *reader, size_t interface)
{
    return !capture_is_there(reader->sources[interface].capture);
}

void reader_close(struct reader *reader)
{
    cleanup_free struct capture **captures = NULL;

    if (!reader)
        return;
    timer_stop(&reader->tick);
    captures = memory_array(NULL, reader->count, sizeof *captures);
    for (size_t i = 0; i < reader->count; i++) {
        watch_stop(&reader->sources[i].watch);
        captures[i] = reader->sources[i].capture;
    }
    captures_close(captures, reader->count);
    marker_close(&reader->marker);
    free(reader->sources);
    free(reader);
}
