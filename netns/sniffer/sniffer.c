/* Theory of operation
 *
 * reader.c reads the interfaces, stream.c is the file. What is read is appended to the file, and written
 * before anything else is waited for: a file that SIGKILL cuts off lacks the last 0.2 s, and is valid up to
 * there. The stop drains the reader. A frame that is younger than the stop may be in the file.
 *
 * judge.c has the expectations, if there are any. They begin when the order to begin is read; who gave it
 * waits for that, so that no packet that is to count has come before. At the scenario's end the reader is
 * drained without an end to the capture, and if something is undecided then, once more when the time of the
 * last such has come. */
#include "netns/sniffer/sniffer.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "netns/sniffer/assemble.h"
#include "netns/sniffer/judge.h"
#include "netns/sniffer/keys.h"
#include "netns/sniffer/reader.h"
#include "netns/sniffer/stream.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/text.h"
#include "src/packet/pcap.h"

struct sniffer {
    int folder;
    char *keys; /* name of the key log in it, NULL: none */
    struct loop *loop;
    struct reader *reader;
    size_t count;         /* of interfaces */
    bool has_file;        /* else nothing is written */
    struct stream stream; /* of it */
    struct watch *control;

    struct judge *judge; /* NULL: nothing is expected */
    const struct sniffer_orders *orders;
    bool begun;
    uint64_t *dropped_before;  /* on each interface, when it began */
    uint64_t checked_ns;       /* up to here the reader is being drained */
    struct timer *settle_time; /* until the next check */
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now); /* the clock of packets */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- expectations ---- */

static void begin(struct sniffer *sniffer)
{
    uint64_t received;

    sniffer->begun = true;
    for (size_t i = 0; i < sniffer->count; i++)
        reader_statistics(sniffer->reader, i, &received, &sniffer->dropped_before[i]);
    judge_begin(sniffer->judge, now_ns());
    sniffer->orders->begun(sniffer->orders->user);
}

static void tell_lost(struct sniffer *sniffer, size_t interface)
{
    uint64_t received, dropped;

    reader_statistics(sniffer->reader, interface, &received, &dropped);
    judge_lost(sniffer->judge, interface, dropped - sniffer->dropped_before[interface]);
}

/* What was not seen cannot be judged: that goes for whatever the other packets have not decided. */
static void tell_failures(struct sniffer *sniffer, bool complete)
{
    for (size_t i = 0; i < sniffer->count; i++) {
        tell_lost(sniffer, i);
        if (reader_has_lost(sniffer->reader, i))
            judge_fail(sniffer->judge, i, "the interface has gone");
        if (!complete)
            judge_fail(sniffer->judge, i, "packets come faster than they can be looked at");
    }
}

static void on_settled(void *user);

static void on_checked(void *user, bool complete)
{
    struct sniffer *sniffer = user;
    uint64_t due_ns, wait_ms;

    tell_failures(sniffer, complete);
    due_ns = judge_time_out(sniffer->judge, sniffer->checked_ns);
    if (!due_ns) {
        sniffer->orders->judged(sniffer->orders->user);
        return;
    }
    wait_ms = (due_ns - sniffer->checked_ns) / 1000000 + 1;
    sniffer->checked_ns = due_ns;
    sniffer->settle_time = loop_after(sniffer->loop, (int64_t)wait_ms, on_settled, sniffer);
}

static void on_settled(void *user)
{
    struct sniffer *sniffer = user;

    sniffer->settle_time = NULL;
    reader_drain(sniffer->reader, on_checked);
}

static void settle(struct sniffer *sniffer)
{
    sniffer->checked_ns = now_ns();
    judge_settle(sniffer->judge, sniffer->checked_ns);
    if (judge_is_done(sniffer->judge))
        sniffer->orders->judged(sniffer->orders->user);
    else
        reader_drain(sniffer->reader, on_checked);
}

/* ---- orders ---- */

static void on_stopped(void *user, bool complete)
{
    struct sniffer *sniffer = user;

    (void)complete; /* what is missing is counted */
    loop_quit(sniffer->loop);
}

static void on_control(void *user, uint32_t events)
{
    struct sniffer *sniffer = user;
    const struct sniffer_orders *orders = sniffer->orders;

    (void)events; /* a message and the end mean the same, if nobody knows better */
    switch (orders ? orders->next(orders->user) : SNIFFER_STOP) {
    case SNIFFER_NONE:
        break;
    case SNIFFER_BEGIN:
        begin(sniffer);
        break;
    case SNIFFER_SETTLE:
        settle(sniffer);
        break;
    case SNIFFER_STOP:
        watch_stop(&sniffer->control);
        timer_stop(&sniffer->settle_time);
        reader_drain(sniffer->reader, on_stopped);
        break;
    }
}

/* ---- packets ---- */

/* Packets are lost behind those that are there to be read: the loss is told too early rather than too late.
 */
static void before_packets(void *user, size_t interface)
{
    struct sniffer *sniffer = user;

    if (sniffer->begun)
        tell_lost(sniffer, interface);
}

static void on_packet(void *user, const struct pcapng_packet *packet)
{
    struct sniffer *sniffer = user;

    if (sniffer->has_file)
        stream_packet(&sniffer->stream, packet);
    if (sniffer->begun)
        judge_packet(sniffer->judge, packet);
}

static void after_packets(void *user)
{
    struct sniffer *sniffer = user;

    if (sniffer->has_file)
        stream_flush(&sniffer->stream);
    if (!sniffer->settle_time || !judge_is_done(sniffer->judge))
        return;
    timer_stop(&sniffer->settle_time); /* the last that was waited for has come */
    sniffer->orders->judged(sniffer->orders->user);
}

static const struct reader_callbacks reader_callbacks = {
    .before = before_packets, .packet = on_packet, .after = after_packets};

/* ---- the file ---- */

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

        reader_describe(sniffer->reader, i, &interface);
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

static int open_file(struct sniffer *sniffer, const struct sniffer_config *config, struct error **ret)
{
    if (!config->file)
        return 0;
    if (stream_open(&sniffer->stream, config->folder, config->file, 0644, ret) < 0)
        return -1;
    sniffer->has_file = true;
    if (write_head(sniffer, config->names, ret) == 0)
        return 0;
    (void)unlinkat(config->folder, config->file, 0);
    return -1;
}

struct sniffer *sniffer_open(const struct sniffer_config *config, struct error **ret)
{
    struct sniffer *sniffer = memory_new(sizeof *sniffer);

    *sniffer = (struct sniffer){
        .folder = config->folder,
        .keys = text_copy(config->keys),
        .count = config->interface_count,
        .stream.fd = -1,
        .judge = config->judge,
        .orders = config->orders,
        .dropped_before = memory_new(config->interface_count * sizeof(uint64_t)),
    };
    sniffer->loop = loop_new(ret);
    if (sniffer->loop)
        sniffer->reader =
            reader_open(sniffer->loop, config->interfaces, sniffer->count, &reader_callbacks, sniffer, ret);
    if (sniffer->reader && open_file(sniffer, config, ret) == 0)
        return sniffer;
    sniffer_close(sniffer);
    return NULL;
}

/* The statistics blocks, and the sum of the frames that were dropped. */
static uint64_t collect_statistics(const struct sniffer *sniffer, struct buffer *tail)
{
    uint64_t dropped = 0, now = now_ns();

    for (size_t i = 0; i < sniffer->count; i++) {
        struct pcapng_statistics statistics = {.interface = (uint32_t)i, .timestamp = now};

        reader_statistics(sniffer->reader, i, &statistics.received, &statistics.dropped);
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

static void finish_file(struct sniffer *sniffer, struct sniffer_counts *ret, struct error **ret_error)
{
    cleanup_buffer struct buffer ahead = {0}, tail = {0};

    ret->dropped = collect_statistics(sniffer, &tail);
    collect_keys(sniffer, &ahead, &ret->keys);
    (void)assemble(&sniffer->stream, sniffer->folder, &ahead, &tail, *ret_error ? NULL : ret_error);
    ret->packets = sniffer->stream.count;
    ret->dropped += sniffer->stream.lost;
}

int sniffer_run(struct sniffer *sniffer, int control, struct sniffer_counts *ret, struct error **ret_error)
{
    struct error *error = NULL;

    *ret = (struct sniffer_counts){0};
    sniffer->control = loop_watch(sniffer->loop, control, EPOLLIN, on_control, sniffer, &error);
    if (sniffer->control)
        (void)loop_run(sniffer->loop, &error);
    watch_stop(&sniffer->control);
    if (sniffer->has_file)
        finish_file(sniffer, ret, &error);
    if (!error)
        return 0;
    if (ret_error)
        *ret_error = steal_pointer(&error);
    error_free(error);
    return -1;
}

void sniffer_close(struct sniffer *sniffer)
{
    if (!sniffer)
        return;
    reader_close(sniffer->reader);
    loop_free(sniffer->loop);
    stream_close(&sniffer->stream);
    free(sniffer->dropped_before);
    free(sniffer->keys);
    free(sniffer);
}
