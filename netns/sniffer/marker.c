#include "netns/sniffer/marker.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "src/base/memory.h"

#define ETHERTYPE_EXPERIMENTAL 0x88b5
#define ADDRESS_LENGTH         6 /* of zeros; what the kernel wants to know for a link-layer header */

int marker_open(struct marker *marker, struct error **ret)
{
    if (getrandom(marker->nonce, sizeof marker->nonce, 0) != sizeof marker->nonce)
        return error_sys(ret, ERROR_HOST, errno, "cannot get random bytes");
    /* SOCK_DGRAM: the kernel makes the link-layer header, whatever kind the interface wants. Protocol 0: this
     * socket never receives. */
    marker->socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (marker->socket < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a packet socket");
    return 0;
}

void marker_close(struct marker *marker)
{
    close_fd(&marker->socket);
}

int marker_send(const struct marker *marker, unsigned interface, size_t length)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETHERTYPE_EXPERIMENTAL),
        .sll_ifindex = (int)interface,
        .sll_halen = ADDRESS_LENGTH,
    };
    cleanup_free uint8_t *payload = memory_new(length);
    ssize_t sent;

    assert(length >= MARKER_LENGTH);
    memcpy(payload + length - MARKER_LENGTH, &marker->drain, sizeof marker->drain);
    memcpy(payload + length - sizeof marker->nonce, marker->nonce, sizeof marker->nonce);
    do
        sent = sendto(marker->socket, payload, length, 0, (struct sockaddr *)&to, sizeof to);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

bool marker_matches(const struct marker *marker, const void *frame, size_t length, uint32_t *ret_drain)
{
    const uint8_t *end = (const uint8_t *)frame + length;

    if (length < MARKER_LENGTH ||
        memcmp(end - sizeof marker->nonce, marker->nonce, sizeof marker->nonce) != 0)
        return false;
    memcpy(ret_drain, end - MARKER_LENGTH, sizeof *ret_drain);
    return true;
}
