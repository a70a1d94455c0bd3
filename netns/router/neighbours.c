/* One packet socket. Every address is an object of its own in a hash table, with a timer while it is probed.
 *
 * What is heard is checked against the table, whoever sent it: packets of ours are not heard, since the
 * kernel gives what is sent to sockets for all protocols only; those with our own MAC are not believed to be
 * somebody else's. Frames for other hosts (a promiscuous device) and of other VLANs are passed over.
 *
 * Nothing is ever waited for: a packet that cannot be sent is lost, as it could be on the wire, and what
 * matters is sent three times. */
#include "netns/router/neighbours.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netns/router/neighbours_protocol.h"
#include "src/base/memory.h"

#define PROBES       3
#define PROBE_MS     30                         /* between two */
#define DEFEND_NS    (10 * INT64_C(1000000000)) /* between two defences (RFC 5227 2.4) */
#define PACKETS_MOST 64                         /* that are read at once */
#define BYTES_MOST   256                        /* of a packet that is read, which may be cut */
#define BUCKETS      1024

struct entry {
    struct neighbours *neighbours;
    uint8_t address[16];
    void (*done)(void *user, const uint8_t *conflict_mac); /* NULL once it is ours */
    void *user;
    struct timer *timer;
    bool joined;         /* who asks for it is heard */
    int probes;          /* that were tried */
    bool asked;          /* one of them went out */
    int64_t defended_ns; /* 0: never */
    struct entry *next;
};

struct neighbours {
    struct loop *loop;
    struct watch *watch;
    const struct protocol *protocol;
    struct neighbours_link link;
    int groups; /* a socket that is a member of them; -1: there are none */
    struct entry *buckets[BUCKETS];
};

static const uint8_t nobody[6];
static const uint8_t no_address[16];

/* ---- table ---- */

static struct entry **bucket_of(struct neighbours *neighbours, const uint8_t address[16])
{
    size_t length = neighbours->protocol->length;

    return &neighbours->buckets[(address[length - 1] | (size_t)address[length - 2] << 8) % BUCKETS];
}

/* Where the entry is linked, or where it would be. */
static struct entry **find(struct neighbours *neighbours, const uint8_t address[16])
{
    struct entry **place = bucket_of(neighbours, address);

    while (*place && memcmp((*place)->address, address, sizeof(*place)->address) != 0)
        place = &(*place)->next;
    return place;
}

/* Whether another address has its group, which follows from the last three bytes: so it is in the same
 * bucket.
 */
static bool shares_group(struct neighbours *neighbours, const uint8_t address[16])
{
    for (const struct entry *other = *bucket_of(neighbours, address); other; other = other->next)
        if (other->joined && memcmp(other->address + 13, address + 13, 3) == 0)
            return true;
    return false;
}

static void join(struct entry *entry)
{
    struct neighbours *neighbours = entry->neighbours;

    entry->joined = !neighbours->protocol->join || shares_group(neighbours, entry->address) ||
                    neighbours->protocol->join(neighbours->groups, neighbours->link.device, entry->address);
}

static void forget(struct entry *entry)
{
    struct neighbours *neighbours = entry->neighbours;

    *find(neighbours, entry->address) = entry->next;
    timer_stop(&entry->timer);
    if (entry->joined && neighbours->protocol->leave && !shares_group(neighbours, entry->address))
        neighbours->protocol->leave(neighbours->groups, neighbours->link.device, entry->address);
    free(entry);
}

static void copy(const struct neighbours *neighbours, const uint8_t *address, uint8_t ret[16])
{
    memset(ret, 0, 16);
    memcpy(ret, address, neighbours->protocol->length);
}

void neighbours_forget(struct neighbours *neighbours, const uint8_t *address)
{
    struct entry *entry;
    uint8_t key[16];

    copy(neighbours, address, key);
    entry = *find(neighbours, key);
    if (entry)
        forget(entry);
}

/* ---- sending ---- */

bool neighbours_send(const struct neighbours_link *link, uint16_t type, const uint8_t to[6],
                     const void *bytes, size_t length)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(type),
                                  .sll_ifindex = link->device,
                                  .sll_halen = sizeof link->mac};

    memcpy(address.sll_addr, to, sizeof link->mac);
    return sendto(link->socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
                  sizeof address) == (ssize_t)length;
}

void neighbours_announce(struct neighbours *neighbours, const uint8_t *address, const uint8_t *target)
{
    (void)neighbours->protocol->ask(&neighbours->link, address, target); /* without it, the target asks */
}

/* Somebody else sends in the name of our address: all are told whose it is, but not without end. */
static void defend(struct entry *entry)
{
    const struct neighbours *neighbours = entry->neighbours;
    int64_t now = loop_now_ns();

    if (entry->defended_ns && now - entry->defended_ns < DEFEND_NS)
        return;
    entry->defended_ns = now;
    neighbours->protocol->tell_all(&neighbours->link, entry->address);
}

/* ---- probing ---- */

/* The entry is gone, or another one, when the callback returns. */
static void conflict(struct entry *entry, const uint8_t mac[6])
{
    void (*done)(void *user, const uint8_t *conflict_mac) = entry->done;
    void *user = entry->user;

    forget(entry);
    done(user, mac);
}

static void on_time(void *user)
{
    struct entry *entry = user;
    const struct neighbours *neighbours = entry->neighbours;
    void (*done)(void *user, const uint8_t *conflict_mac) = entry->done;

    entry->timer = NULL;
    if (entry->probes < PROBES) {
        entry->asked |= entry->joined && neighbours->protocol->ask(&neighbours->link, NULL, entry->address);
        entry->probes++;
        entry->timer =
            loop_after(neighbours->loop,
                       entry->probes < PROBES ? PROBE_MS : NEIGHBOURS_PROBE_MS - (PROBES - 1) * PROBE_MS,
                       on_time, entry);
    } else if (!entry->asked) {
        conflict(entry, nobody);
    } else {
        entry->done = NULL;
        done(entry->user, NULL);
    }
}

void neighbours_probe(struct neighbours *neighbours, const uint8_t *address,
                      void (*done)(void *user, const uint8_t *conflict_mac), void *user)
{
    struct entry *entry = memory_new(sizeof *entry);

    *entry = (struct entry){.neighbours = neighbours, .done = done, .user = user};
    copy(neighbours, address, entry->address);
    neighbours_forget(neighbours, address);
    *find(neighbours, entry->address) = entry;
    join(entry);
    on_time(entry);
}

/* ---- receiving ---- */

static void handle(struct neighbours *neighbours, const struct heard *heard)
{
    bool probe = memcmp(heard->used, no_address, sizeof no_address) == 0;
    struct entry *wanted = *find(neighbours, heard->wanted), *used = *find(neighbours, heard->used);

    if (memcmp(heard->mac, neighbours->link.mac, sizeof heard->mac) == 0 || heard->mac[0] & 1 ||
        memcmp(heard->mac, nobody, sizeof nobody) == 0)
        return; /* ours, or no station's */
    if (wanted && !wanted->done)
        neighbours->protocol->answer(&neighbours->link, heard);
    if (used && used->done)
        conflict(used, heard->mac);
    else if (used)
        defend(used);
    else if (probe && wanted && wanted->done)
        conflict(wanted, heard->mac);
}

static bool is_for_us(const struct sockaddr_ll *from)
{
    return from->sll_pkttype == PACKET_HOST || from->sll_pkttype == PACKET_BROADCAST ||
           from->sll_pkttype == PACKET_MULTICAST;
}

/* That the device went down is an error that is told once; it may come up again. */
static void on_packets(void *user, uint32_t events)
{
    struct neighbours *neighbours = user;

    (void)events;
    for (int i = 0; i < PACKETS_MOST; i++) {
        struct sockaddr_ll from = {0};
        socklen_t size = sizeof from;
        struct heard heard = {0};
        uint8_t bytes[BYTES_MOST];
        ssize_t length =
            recvfrom(neighbours->link.socket, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);

        if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (length >= 0 && is_for_us(&from) &&
            neighbours->protocol->parse(bytes, (size_t)length, &from, &heard))
            handle(neighbours, &heard);
    }
}

/* ---- life ---- */

static int open_sockets(struct neighbours *neighbours, struct error **ret)
{
    const struct protocol *protocol = neighbours->protocol;
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_protocol = htons(protocol->type),
                                        .sll_ifindex = neighbours->link.device};
    int packets = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* hears nothing yet */

    neighbours->link.socket = packets;
    if (packets < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot open a socket for neighbours");
    if (protocol->restrict_socket && protocol->restrict_socket(packets, ret) < 0)
        return -1;
    if (protocol->join) {
        neighbours->groups = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (neighbours->groups < 0)
            return error_sys(ret, ERROR_HOST, errno, "cannot open a socket for groups of IPv6");
    }
    if (bind(packets, (const struct sockaddr *)&address, sizeof address) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot listen to neighbours on device %d",
                         neighbours->link.device);
    return 0;
}

struct neighbours *neighbours_open(struct loop *loop, int family, int device, const uint8_t mac[6],
                                   struct error **ret)
{
    struct neighbours *neighbours = memory_new(sizeof *neighbours);

    neighbours->loop = loop;
    neighbours->protocol = family == AF_INET6 ? &neighbours_ndp : &neighbours_arp;
    neighbours->groups = -1;
    neighbours->link.device = device;
    memcpy(neighbours->link.mac, mac, sizeof neighbours->link.mac);
    if (open_sockets(neighbours, ret) == 0 &&
        (neighbours->watch = loop_watch(loop, neighbours->link.socket, EPOLLIN, on_packets, neighbours, ret)))
        return neighbours;
    neighbours_close(neighbours);
    return NULL;
}

void neighbours_close(struct neighbours *neighbours)
{
    if (!neighbours)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (neighbours->buckets[i])
            neighbours_forget(neighbours, neighbours->buckets[i]->address);
    watch_stop(&neighbours->watch);
    close_fd(&neighbours->link.socket);
    close_fd(&neighbours->groups);
    free(neighbours);
}
