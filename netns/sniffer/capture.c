#include "netns/sniffer/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "netns/sniffer/counter.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#ifndef PACKET_IGNORE_OUTGOING /* Linux 4.20 */
#define PACKET_IGNORE_OUTGOING 23
#endif

#define RING (512 * 1024) /* bytes: two of the blocks that libpcap makes */

/* The kernel hands a block of the ring over when it is full or this old. Long, for two reasons:
 * - So long this process may be kept from running. While both blocks are handed over and not read, however
 *   few frames they hold, the kernel has nowhere to put the next one. On a busy machine 50 ms lost frames.
 * - The timer runs while nothing happens too. For 50 pods of two handles each, 4 ms took 13 % of two idle
 *   processors, and 17 % of two busy ones.
 * Nothing waits for it at the end of a capture (see reader.c); but SIGKILL costs the frames of this time,
 * and the end takes up to twice as long if an interface has gone. */
#define BLOCK_MS 200

/* Frames that are read before other events get their turn. */
#define READ_MOST 512

struct capture {
    char *interface;
    uint32_t number;
    pcap_t *handle;
    uint64_t unit; /* nanoseconds in the smaller part of libpcap's time stamps */
    unsigned index;
    size_t mtu;
    bool loopback;
    uint16_t linktype;
    uint32_t handed; /* frames that came out of the handle; wraps as libpcap's counters do */

    struct counter counter; /* of a loopback */
    struct error *error;    /* of the thread that opens it */

    void (*fn)(void *user, const struct pcapng_packet *packet); /* during capture_read() */
    void *user;
};

/* libpcap's words: those of the handle if it has any, else those for the status. */
static int pcap_failed(struct capture *capture, int status)
{
    const char *words = pcap_geterr(capture->handle);

    return error_set(&capture->error, status == PCAP_ERROR_PERM_DENIED ? ERROR_HOST : ERROR_FAILED,
                     "cannot capture on %s: %s", capture->interface,
                     words && *words ? words : pcap_statustostr(status));
}

static int configure(struct capture *capture)
{
    pcap_t *handle = capture->handle;
    int status;

    /* No promiscuous mode: it would change the interface, and nothing else comes to a pod's ends anyway. */
    if ((status = pcap_set_snaplen(handle, CAPTURE_SNAPLEN)) < 0 ||
        (status = pcap_set_buffer_size(handle, RING)) < 0 ||
        (status = pcap_set_timeout(handle, BLOCK_MS)) < 0 || (status = pcap_set_promisc(handle, 0)) < 0)
        return pcap_failed(capture, status);
    status = pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
    if (status < 0 && status != PCAP_ERROR_TSTAMP_PRECISION_NOTSUP)
        return pcap_failed(capture, status);
    return 0;
}

/* libpcap's numbers for link-layer types are those of files but for a few old ones, of which one can be an
 * interface of Linux: raw IP (tun). */
static uint16_t linktype(int dlt)
{
    return dlt == DLT_RAW ? 101 : (uint16_t)dlt;
}

static struct ifreq ask_for(const struct capture *capture)
{
    struct ifreq request = {0};

    memcpy(request.ifr_name, capture->interface, strnlen(capture->interface, IFNAMSIZ - 1));
    return request;
}

static int look_at_interface(struct capture *capture)
{
    struct ifreq request = ask_for(capture);
    int fd = pcap_fileno(capture->handle);

    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return error_sys(&capture->error, ERROR_FAILED, errno, "cannot get flags of %s", capture->interface);
    capture->loopback = request.ifr_flags & IFF_LOOPBACK;
    if (ioctl(fd, SIOCGIFMTU, &request) < 0)
        return error_sys(&capture->error, ERROR_FAILED, errno, "cannot get MTU of %s", capture->interface);
    capture->mtu = (size_t)request.ifr_mtu;
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
        return error_sys(&capture->error, ERROR_FAILED, errno, "cannot find %s", capture->interface);
    capture->index = (unsigned)request.ifr_ifindex;
    return 0;
}

/* Frames that the kernel brought to the handle, and those of them for which there was room. */
static bool read_seen(const struct capture *capture, uint32_t *ret_seen, uint32_t *ret_stored)
{
    struct pcap_stat counters;

    if (pcap_stats(capture->handle, &counters) < 0)
        return false;
    *ret_seen = counters.ps_recv;
    *ret_stored = counters.ps_recv - counters.ps_drop;
    return true;
}

static int set_up_socket(struct capture *capture)
{
    char words[PCAP_ERRBUF_SIZE];
    int fd = pcap_fileno(capture->handle);
    uint32_t seen, stored;
    int yes = 1;

    /* libpcap opens it without. The event descriptor that it has beside it is closed by pcap_setnonblock().
     */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_sys(&capture->error, ERROR_FAILED, errno, "cannot set up a capture on %s",
                         capture->interface);
    if (pcap_setnonblock(capture->handle, 1, words) < 0)
        return error_set(&capture->error, ERROR_FAILED, "cannot capture on %s: %s", capture->interface,
                         words);
    if (pcap_get_selectable_fd(capture->handle) < 0)
        return error_set(&capture->error, ERROR_FAILED, "captures on %s cannot be waited for",
                         capture->interface);
    if (look_at_interface(capture) < 0)
        return -1;
    if (!capture->loopback)
        return 0;
    /* On a loopback every frame passes going out and again coming in. libpcap drops the first, but only after
     * it has taken room in the ring and was counted. Kernels that cannot do this leave it at that. */
    (void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
    if (read_seen(capture, &seen, &stored))
        counter_begin(&capture->counter, capture->interface, seen);
    return 0;
}

static void *open_capture(void *user)
{
    struct capture *capture = user;
    char words[PCAP_ERRBUF_SIZE];
    int status;

    capture->handle = pcap_create(capture->interface, words);
    if (!capture->handle) {
        error_set(&capture->error, ERROR_FAILED, "cannot capture on %s: %s", capture->interface, words);
        return NULL;
    }
    if (configure(capture) < 0)
        return NULL;
    status = pcap_activate(capture->handle);
    if (status < 0) { /* above 0 is a warning */
        pcap_failed(capture, status);
        return NULL;
    }
    capture->unit = pcap_get_tstamp_precision(capture->handle) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
    capture->linktype = linktype(pcap_datalink(capture->handle));
    (void)set_up_socket(capture); /* leaves its error */
    return NULL;
}

static void *close_capture(void *user)
{
    struct capture *capture = user;

    if (capture->handle)
        pcap_close(capture->handle);
    counter_end(&capture->counter);
    error_free(capture->error);
    free(capture->interface);
    free(capture);
    return NULL;
}

/* Opening a handle takes the kernel about 8 ms and closing it about 25 ms, in which it does nothing but wait
 * until all processors have passed a point where they cannot be using the old state any more (RCU). Handles
 * that wait at the same time wait once. The last runs in this thread, as do all for which no thread can be
 * had. */
static void in_parallel(void *(*fn)(void *user), struct capture **captures, size_t count)
{
    pthread_t *threads = memory_array(NULL, count, sizeof *threads);
    bool *started = memory_array(NULL, count, sizeof *started);

    for (size_t i = 0; i < count; i++) {
        started[i] = i + 1 < count && pthread_create(&threads[i], NULL, fn, captures[i]) == 0;
        if (!started[i])
            fn(captures[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (started[i])
            (void)pthread_join(threads[i], NULL); /* cannot fail for a thread that was never joined */
    free(threads);
    free(started);
}

int captures_open(const char *const *interfaces, size_t count, struct capture **ret_captures,
                  struct error **ret)
{
    struct error *error = NULL;

    for (size_t i = 0; i < count; i++) {
        ret_captures[i] = memory_new(sizeof *ret_captures[i]);
        *ret_captures[i] = (struct capture){
            .interface = text_copy(interfaces[i]),
            .number = (uint32_t)i,
            .counter.fd = -1,
        };
    }
    in_parallel(open_capture, ret_captures, count);
    for (size_t i = 0; i < count && !error; i++)
        error = steal_pointer(&ret_captures[i]->error);
    if (!error)
        return 0;
    captures_close(ret_captures, count);
    if (ret)
        *ret = steal_pointer(&error);
    error_free(error);
    return -1;
}

void captures_close(struct capture **captures, size_t count)
{
    in_parallel(close_capture, captures, count);
    memset(captures, 0, count * sizeof *captures);
}

/* libpcap gives no more than `caplen` bytes at `data`, whatever `len` says. */
static void on_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    struct capture *capture = (struct capture *)user;
    struct pcapng_packet packet = {
        .interface = capture->number,
        .timestamp = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec * capture->unit,
        .captured = header->caplen,
        .original = header->len,
        .data = data,
    };

    capture->handed++;
    capture->fn(capture->user, &packet);
}

int capture_read(struct capture *capture, void (*fn)(void *user, const struct pcapng_packet *packet),
                 void *user)
{
    int count;

    capture->fn = fn;
    capture->user = user;
    count = pcap_dispatch(capture->handle, READ_MOST, on_packet, (u_char *)capture);
    return count < 0 ? -1 : count;
}

uint32_t capture_unread(const struct capture *capture)
{
    uint32_t seen, stored;

    return read_seen(capture, &seen, &stored) ? stored - capture->handed : UINT32_MAX;
}

void capture_checkpoint(struct capture *capture)
{
    counter_checkpoint(&capture->counter);
}

uint32_t capture_coming(const struct capture *capture)
{
    uint32_t seen, stored;

    return read_seen(capture, &seen, &stored) ? counter_coming(&capture->counter, seen) : 0;
}

void capture_statistics(const struct capture *capture, uint64_t *ret_received, uint64_t *ret_dropped)
{
    struct pcap_stat counters = {.ps_recv = capture->handed};

    /* ps_ifdrop is left alone: libpcap reads it in /sys, which may be that of another network namespace. */
    if (pcap_stats(capture->handle, &counters) < 0)
        counters = (struct pcap_stat){.ps_recv = capture->handed};
    *ret_received = counters.ps_recv;
    *ret_dropped = counters.ps_drop;
}

int capture_fd(const struct capture *capture)
{
    return pcap_get_selectable_fd(capture->handle);
}

bool capture_readable(const struct capture *capture)
{
    struct pollfd ready = {.fd = capture_fd(capture), .events = POLLIN};

    return poll(&ready, 1, 0) > 0;
}

void capture_describe(const struct capture *capture, struct pcapng_interface *ret)
{
    *ret = (struct pcapng_interface){
        .name = capture->interface,
        .linktype = capture->linktype,
        .snaplen = (uint32_t)pcap_snapshot(capture->handle),
    };
}

unsigned capture_index(const struct capture *capture)
{
    return capture->index;
}

bool capture_is_there(const struct capture *capture)
{
    struct ifreq request = ask_for(capture);

    return ioctl(pcap_fileno(capture->handle), SIOCGIFINDEX, &request) == 0 &&
           (unsigned)request.ifr_ifindex == capture->index;
}

size_t capture_mtu(const struct capture *capture)
{
    return capture->mtu;
}
