/* One packet socket. Every address is an object of its own in a hash table, with a timer while it is probed.
 *
 * What is heard is checked against the table, whoever sent it: packets of ours are not heard, since the
 * kernel gives what is sent to sockets for all protocols only; those with our own MAC are not believed to be
 * somebody else's. Frames for other hosts (a promiscuous device) and of other VLANs are passed over.
 *
 * Nothing is ever waited for: a packet that cannot be sent is lost, as it could be on the wire, and what
 * matters is sent three times. */
#include "netns/router/arp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netns/arp.h"
#include "src/base/memory.h"

#define PROBES       3
#define PROBE_MS     30                         /* between two */
#define DEFEND_NS    (10 * INT64_C(1000000000)) /* between two defences (RFC 5227 2.4) */
#define PACKETS_MOST 64                         /* that are read at once */
#define BUCKETS      1024

struct entry {
    struct arp *arp;
    uint8_t address[4];
    void (*done)(void *user, const uint8_t *conflict_mac); /* NULL once it is ours */
    void *user;
    struct timer *timer;
    int probes;          /* that were tried */
    bool asked;          /* one of them went out */
    int64_t defended_ns; /* 0: never */
    struct entry *next;
};

struct arp {
    struct loop *loop;
    struct watch *watch;
    int socket, device;
    uint8_t mac[6];
    struct entry *buckets[BUCKETS];
};

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t nobody[6];
static const uint8_t no_address[4];

/* ---- table ---- */

/* Where the entry is linked, or where it would be. */
static struct entry **find(struct arp *arp, const uint8_t address[4])
{
    size_t bucket = (address[3] | (size_t)address[2] << 8) % BUCKETS;
    struct entry **place = &arp->buckets[bucket];

    while (*place && memcmp((*place)->address, address, sizeof(*place)->address) != 0)
        place = &(*place)->next;
    return place;
}

void arp_forget(struct arp *arp, const uint8_t address[4])
{
    struct entry **place = find(arp, address);
    struct entry *entry = *place;

    if (!entry)
        return;
    *place = entry->next;
    timer_stop(&entry->timer);
    free(entry);
}

/* ---- sending ---- */

static bool send_packet(const struct arp *arp, const struct arp_packet *packet, const uint8_t to[6])
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ARP),
                                  .sll_ifindex = arp->device,
                                  .sll_halen = sizeof packet->sender_mac};
    uint8_t bytes[ARP_LENGTH];

    memcpy(address.sll_addr, to, sizeof packet->sender_mac);
    arp_encode(packet, bytes);
    return sendto(arp->socket, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
                  sizeof address) == (ssize_t)sizeof bytes;
}

static bool ask(const struct arp *arp, const uint8_t sender[4], const uint8_t target[4])
{
    struct arp_packet packet = {.operation = ARP_REQUEST};

    memcpy(packet.sender_mac, arp->mac, sizeof packet.sender_mac);
    memcpy(packet.sender, sender, sizeof packet.sender);
    memcpy(packet.target, target, sizeof packet.target);
    return send_packet(arp, &packet, everybody);
}

void arp_announce(struct arp *arp, const uint8_t address[4], const uint8_t target[4])
{
    (void)ask(arp, address, target); /* without it, the target asks */
}

static void answer(const struct arp *arp, const struct arp_packet *request)
{
    struct arp_packet packet = {.operation = ARP_REPLY};

    memcpy(packet.sender_mac, arp->mac, sizeof packet.sender_mac);
    memcpy(packet.sender, request->target, sizeof packet.sender);
    memcpy(packet.target_mac, request->sender_mac, sizeof packet.target_mac);
    memcpy(packet.target, request->sender, sizeof packet.target);
    (void)send_packet(arp, &packet, request->sender_mac); /* if it is lost, they ask again */
}

/* Somebody else sends in the name of our address: all are told whose it is, but not without end. */
static void defend(struct entry *entry)
{
    int64_t now = loop_now_ns();

    if (entry->defended_ns && now - entry->defended_ns < DEFEND_NS)
        return;
    entry->defended_ns = now;
    (void)ask(entry->arp, entry->address, entry->address);
}

/* ---- probing ---- */

/* The entry is gone, or another one, when the callback returns. */
static void conflict(struct entry *entry, const uint8_t mac[6])
{
    void (*done)(void *user, const uint8_t *conflict_mac) = entry->done;
    void *user = entry->user;

    arp_forget(entry->arp, entry->address);
    done(user, mac);
}

static void on_time(void *user)
{
    struct entry *entry = user;
    void (*done)(void *user, const uint8_t *conflict_mac) = entry->done;

    entry->timer = NULL;
    if (entry->probes < PROBES) {
        entry->asked |= ask(entry->arp, no_address, entry->address);
        entry->probes++;
        entry->timer = loop_after(entry->arp->loop,
                                  entry->probes < PROBES ? PROBE_MS : ARP_PROBE_MS - (PROBES - 1) * PROBE_MS,
                                  on_time, entry);
    } else if (!entry->asked) {
        conflict(entry, nobody);
    } else {
        entry->done = NULL;
        done(entry->user, NULL);
    }
}

void arp_probe(struct arp *arp, const uint8_t address[4],
               void (*done)(void *user, const uint8_t *conflict_mac), void *user)
{
    struct entry *entry = memory_new(sizeof *entry);

    *entry = (struct entry){.arp = arp, .done = done, .user = user};
    memcpy(entry->address, address, sizeof entry->address);
    arp_forget(arp, address);
    *find(arp, address) = entry;
    on_time(entry);
}

/* ---- receiving ---- */

static void handle(struct arp *arp, const struct arp_packet *packet)
{
    bool probe = packet->operation == ARP_REQUEST && memcmp(packet->sender, no_address, 4) == 0;
    struct entry *wanted = *find(arp, packet->target), *used = *find(arp, packet->sender);

    if (memcmp(packet->sender_mac, arp->mac, sizeof arp->mac) == 0 || packet->sender_mac[0] & 1 ||
        memcmp(packet->sender_mac, nobody, sizeof nobody) == 0)
        return; /* ours, or no station's */
    if (packet->operation == ARP_REQUEST && wanted && !wanted->done)
        answer(arp, packet);
    if (used && used->done)
        conflict(used, packet->sender_mac);
    else if (used)
        defend(used);
    else if (probe && wanted && wanted->done)
        conflict(wanted, packet->sender_mac);
}

static bool is_for_us(const struct sockaddr_ll *from)
{
    return from->sll_pkttype == PACKET_HOST || from->sll_pkttype == PACKET_BROADCAST ||
           from->sll_pkttype == PACKET_MULTICAST;
}

/* That the device went down is an error that is told once; it may come up again. */
static void on_packets(void *user, uint32_t events)
{
    struct arp *arp = user;

    (void)events;
    for (int i = 0; i < PACKETS_MOST; i++) {
        struct sockaddr_ll from = {0};
        socklen_t size = sizeof from;
        struct arp_packet packet;
        uint8_t bytes[ARP_LENGTH];
        ssize_t length = recvfrom(arp->socket, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);

        if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (length >= 0 && is_for_us(&from) && arp_parse(bytes, (size_t)length, &packet))
            handle(arp, &packet);
    }
}

/* ---- life ---- */

struct arp *arp_open(struct loop *loop, int device, const uint8_t mac[6], struct error **ret)
{
    const struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = device};
    struct arp *arp = memory_new(sizeof *arp);

    arp->loop = loop;
    arp->device = device;
    memcpy(arp->mac, mac, sizeof arp->mac);
    arp->socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* hears nothing yet */
    if (arp->socket < 0)
        error_sys(ret, ERROR_HOST, errno, "cannot open a socket for ARP");
    else if (bind(arp->socket, (const struct sockaddr *)&address, sizeof address) < 0)
        error_sys(ret, ERROR_FAILED, errno, "cannot listen to ARP on device %d", device);
    else if ((arp->watch = loop_watch(loop, arp->socket, EPOLLIN, on_packets, arp, ret)))
        return arp;
    arp_close(arp);
    return NULL;
}

void arp_close(struct arp *arp)
{
    if (!arp)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (arp->buckets[i])
            arp_forget(arp, arp->buckets[i]->address);
    watch_stop(&arp->watch);
    close_fd(&arp->socket);
    free(arp);
}
