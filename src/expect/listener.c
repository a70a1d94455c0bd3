/* A libpcap handle, and the futures that listen to it.
 *
 * It is not in libpcap's immediate mode: that gives every frame a slot of the ring as large as the largest
 * frame may be, so that a ring of 8 MiB holds 124 and loses the rest of any burst. In the other mode frames
 * lie closely in blocks of 256 KiB, and the kernel hands a block over when it is full or BLOCK_MS old: a
 * packet is seen so much later. With a trickle of packets a nearly empty block goes each BLOCK_MS, and they
 * are all used up if the worker does not get to run for RING / 256 KiB * BLOCK_MS, which is 64 ms.
 *
 * libpcap waits in silence for an interface that has gone down to come back, and may have taken the news off
 * its socket before anybody else sees it. So each listener has a socket beside it that gets no packets, but
 * that error. What was captured before it is read until DOWN_NS later. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/expect/context.h"

#define RING      (8 * 1024 * 1024) /* bytes */
#define BLOCK_MS  2
#define DOWN_NS   (uint64_t)30000000
#define SNAPLEN   65535
#define READ_MOST 512 /* packets, before other interfaces get their turn */

static const pcap_direction_t directions[] = {
    [SIPPOD_BOTH] = PCAP_D_INOUT,
    [SIPPOD_IN] = PCAP_D_IN,
    [SIPPOD_OUT] = PCAP_D_OUT,
};

static int cannot(const struct listener *listener, int status, char *error)
{
    const char *words = listener->handle ? pcap_geterr(listener->handle) : "";

    if (status == PCAP_ERROR_PERM_DENIED)
        match_wrong(
            error,
            "cannot capture: it takes CAP_NET_RAW; be root, give the program that file capability, or run it "
            "by `sippod exec --script-caps net_raw -- PROGRAM`");
    else
        match_wrong(error, "cannot capture: %s", *words ? words : pcap_statustostr(status));
    return -1;
}

/* No promiscuous mode: it would change the interface. */
static int activate(struct listener *listener, char *error)
{
    pcap_t *handle = listener->handle;
    int status;

    if ((status = pcap_set_snaplen(handle, SNAPLEN)) < 0 ||
        (status = pcap_set_buffer_size(handle, RING)) < 0 ||
        (status = pcap_set_timeout(handle, BLOCK_MS)) < 0)
        return cannot(listener, status, error);
    (void)pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO); /* if it can */
    if ((status = pcap_activate(handle)) < 0)
        return cannot(listener, status, error);
    if (listener->direction != SIPPOD_BOTH &&
        (status = pcap_setdirection(handle, directions[listener->direction])) < 0)
        return cannot(listener, status, error);
    listener->unit = pcap_get_tstamp_precision(handle) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
    listener->linktype = pcap_datalink(handle) == DLT_RAW ? 101 : (uint32_t)pcap_datalink(handle);
    return 0;
}

/* A socket for the news that the interface went down; -1 with errno. */
static int open_state(const char *interface)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_802_EX1),
                                  .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* libpcap's "any" is no interface. */
static int watch(struct listener *listener, char *error)
{
    struct epoll_event packets = {.events = EPOLLIN, .data.ptr = listener}, state = {.data.ptr = listener};
    int epoll = listener->context->epoll, fd = pcap_get_selectable_fd(listener->handle);
    char words[PCAP_ERRBUF_SIZE];

    if (pcap_setnonblock(listener->handle, 1, words) < 0) {
        match_wrong(error, "cannot capture: %s", words);
        return -1;
    }
    if (fcntl(pcap_fileno(listener->handle), F_SETFD, FD_CLOEXEC) == 0 &&
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &packets) == 0 &&
        (strcmp(listener->interface, "any") == 0 ||
         ((listener->state_fd = open_state(listener->interface)) >= 0 &&
          epoll_ctl(epoll, EPOLL_CTL_ADD, listener->state_fd, &state) == 0)))
        return 0;
    match_wrong(error, "cannot capture: %m");
    return -1;
}

static void close_state(struct listener *listener)
{
    if (listener->state_fd >= 0)
        close(listener->state_fd); /* epoll forgets it, as it does libpcap's */
    listener->state_fd = -1;
}

static void listener_free(struct listener *listener)
{
    if (listener->handle)
        pcap_close(listener->handle);
    close_state(listener);
    free(listener->interface);
    free(listener);
}

static void note_down(struct listener *listener)
{
    listener->down_ns = clock_ns(CLOCK_MONOTONIC) + DOWN_NS;
    close_state(listener);
}

/* The worker may not have got to the news yet. */
static bool is_down(struct listener *listener)
{
    struct pollfd state = {.fd = listener->state_fd};

    if (listener->down_ns == UINT64_MAX && poll(&state, 1, 0) == 1)
        note_down(listener);
    return listener->down_ns != UINT64_MAX;
}

/* One whose interface has gone down is of no use, even if that comes back. */
static struct listener *find(const struct sippod_context *context, const char *interface,
                             enum sippod_direction direction)
{
    struct listener *listener = context->listeners;

    while (listener && (listener->direction != direction || strcmp(listener->interface, interface) != 0 ||
                        is_down(listener)))
        listener = listener->next;
    return listener;
}

struct listener *listener_get(struct sippod_context *context, const char *interface,
                              enum sippod_direction direction, char error[MATCH_ERROR])
{
    char words[PCAP_ERRBUF_SIZE];
    struct listener *listener;

    if (!interface || (unsigned)direction >= sizeof directions / sizeof *directions)
        return match_wrong(error, "no interface, or no direction that there is");
    if ((listener = find(context, interface, direction)))
        return listener;
    listener = calloc(1, sizeof *listener);
    if (!listener || !(listener->interface = strdup(interface))) {
        free(listener);
        return match_wrong(error, "out of memory");
    }
    listener->context = context;
    listener->direction = direction;
    listener->state_fd = -1;
    listener->down_ns = UINT64_MAX;
    listener->handle = pcap_create(interface, words);
    if (!listener->handle)
        match_wrong(error, "cannot capture: %s", words);
    if (!listener->handle || activate(listener, error) < 0 || watch(listener, error) < 0) {
        listener_free(listener);
        return NULL;
    }
    listener->next = context->listeners;
    context->listeners = listener;
    return listener;
}

/* Tells all futures what has been lost. The kernel counts from one question to the next, libpcap adds up. */
static void count_losses(struct listener *listener)
{
    struct pcap_stat statistics;

    if (pcap_stats(listener->handle, &statistics) < 0 || statistics.ps_drop == listener->lost)
        return;
    listener->lost = statistics.ps_drop;
    for (struct sippod_future *future = listener->pending; future; future = future->next_pending)
        evaluation_lost(&future->evaluation, listener->lost - future->lost_before);
}

void listener_add(struct listener *listener, struct sippod_future *future)
{
    count_losses(listener);
    future->lost_before = listener->lost;
    future->listener = listener;
    future->next_pending = listener->pending;
    future->pending_at = &listener->pending;
    if (listener->pending)
        listener->pending->pending_at = &future->next_pending;
    listener->pending = future;
}

void listener_remove(struct sippod_future *future)
{
    if (!future->listener)
        return;
    *future->pending_at = future->next_pending;
    if (future->next_pending)
        future->next_pending->pending_at = future->pending_at;
    future->listener = NULL;
}

static void on_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    struct listener *listener = (struct listener *)user;
    struct sippod_packet packet = {
        .data = data,
        .captured = header->caplen,
        .length = header->len,
        .timestamp_ns =
            (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec * listener->unit,
        .linktype = listener->linktype,
    };
    struct view view;

    view_open(&view, &packet);
    for (struct sippod_future *future = listener->pending; future; future = future->next_pending) {
        if (packet.timestamp_ns > future->evaluation.end_ns)
            count_losses(listener); /* it ends with this */
        if (evaluation_view(&future->evaluation, &view))
            future_tell(future);
    }
}

void listener_fail(struct listener *listener)
{
    char why[PCAP_ERRBUF_SIZE + 32];

    snprintf(why, sizeof why, "the capture broke off: %s",
             listener->broken ? pcap_geterr(listener->handle) : "the interface went down or vanished");
    for (struct sippod_future *future = listener->pending; future; future = future->next_pending) {
        evaluation_fail(&future->evaluation, why);
        future_tell(future);
    }
    for (struct listener **at = &listener->context->listeners; *at; at = &(*at)->next)
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    listener_free(listener);
}

int listener_read(struct listener *listener)
{
    int count = 0;

    count_losses(listener);
    if (!listener->broken)
        count = pcap_dispatch(listener->handle, READ_MOST, on_packet, (u_char *)listener);
    if (count >= 0)
        return count;
    listener->broken = true;
    listener->down_ns = 0;
    return 0;
}

void listener_event(struct listener *listener, uint32_t events)
{
    if (events & EPOLLERR && listener->down_ns == UINT64_MAX)
        note_down(listener);
    listener_read(listener);
}

void listeners_free(struct sippod_context *context)
{
    struct listener *listener;

    while ((listener = context->listeners)) {
        context->listeners = listener->next;
        listener_free(listener);
    }
}
