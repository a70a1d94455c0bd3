/* A libpcap handle, and the futures that listen to it.
 *
 * It is not in libpcap's immediate mode: that gives every frame a slot of the ring as large as the largest
 * frame may be, so that a ring of 2 MiB holds 31 and loses the rest of any burst. In the other mode frames
 * lie closely in 8 blocks, and the kernel hands a block over when it is full or BLOCK_MS old: a packet is
 * seen so much later. */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "src/expect/context.h"

#define RING      (2 * 1024 * 1024) /* bytes */
#define BLOCK_MS  10
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

static int watch(struct listener *listener, char *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    char words[PCAP_ERRBUF_SIZE];

    if (pcap_setnonblock(listener->handle, 1, words) < 0) {
        match_wrong(error, "cannot capture: %s", words);
        return -1;
    }
    if (fcntl(pcap_fileno(listener->handle), F_SETFD, FD_CLOEXEC) < 0 ||
        epoll_ctl(listener->context->epoll, EPOLL_CTL_ADD, pcap_get_selectable_fd(listener->handle), &event) <
            0) {
        match_wrong(error, "cannot capture: %m");
        return -1;
    }
    return 0;
}

static void listener_free(struct listener *listener)
{
    if (listener->handle)
        pcap_close(listener->handle); /* epoll forgets it */
    free(listener->interface);
    free(listener);
}

struct listener *listener_get(struct sippod_context *context, const char *interface,
                              enum sippod_direction direction, char error[MATCH_ERROR])
{
    char words[PCAP_ERRBUF_SIZE];
    struct listener *listener;

    if (!interface || (unsigned)direction >= sizeof directions / sizeof *directions)
        return match_wrong(error, "no interface, or no direction that there is");
    for (listener = context->listeners; listener; listener = listener->next)
        if (strcmp(listener->interface, interface) == 0 && listener->direction == direction)
            return listener;
    listener = calloc(1, sizeof *listener);
    if (!listener || !(listener->interface = strdup(interface))) {
        free(listener);
        return match_wrong(error, "out of memory");
    }
    listener->context = context;
    listener->direction = direction;
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

void listener_add(struct listener *listener, struct sippod_future *future)
{
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
    for (struct sippod_future *future = listener->pending; future; future = future->next_pending)
        if (evaluation_view(&future->evaluation, &view))
            future_tell(future);
}

/* The interface is gone, and the handle of no more use. */
static void fail(struct listener *listener)
{
    struct sippod_context *context = listener->context;
    char why[PCAP_ERRBUF_SIZE + 32];

    snprintf(why, sizeof why, "the capture broke off: %s", pcap_geterr(listener->handle));
    for (struct sippod_future *future = listener->pending; future; future = future->next_pending) {
        evaluation_fail(&future->evaluation, why);
        future_tell(future);
    }
    for (struct listener **at = &context->listeners; *at; at = &(*at)->next)
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    listener_free(listener);
}

int listener_read(struct listener *listener)
{
    int count = pcap_dispatch(listener->handle, READ_MOST, on_packet, (u_char *)listener);

    if (count < 0)
        fail(listener);
    return count;
}

void listeners_free(struct sippod_context *context)
{
    struct listener *listener;

    while ((listener = context->listeners)) {
        context->listeners = listener->next;
        listener_free(listener);
    }
}
