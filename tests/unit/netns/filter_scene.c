#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netns/filter_scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"

#define MOST_FRAME 128

static int family_of(const char *address)
{
    return strchr(address, ':') ? AF_INET6 : AF_INET;
}

static void put_address(uint8_t *bytes, const char *text)
{
    assert_int_equal(inet_pton(family_of(text), text, bytes), 1);
}

/* Returns the length. */
static size_t put_ipv4(const struct frame *frame, uint8_t *ip)
{
    uint16_t fragment = htons(frame->fragment);
    size_t header;

    ip[0] = frame->version ? frame->version : 0x45;
    header = (size_t)(ip[0] & 0xf) * 4;
    ip[3] = (uint8_t)(header + 8);
    memcpy(ip + 6, &fragment, sizeof fragment);
    ip[8] = 64;
    ip[9] = frame->protocol;
    put_address(ip + 12, frame->source);
    put_address(ip + 16, frame->destination);
    memset(ip + 20, 1, header > 20 ? header - 20 : 0); /* options that are none */
    ip[header] = frame->icmp_type;
    return header + 8;
}

static size_t put_ipv6(const struct frame *frame, uint8_t *ip)
{
    size_t header = frame->next ? 48 : 40;

    ip[0] = frame->version ? frame->version : 0x60;
    ip[5] = (uint8_t)(header - 40 + 8);
    ip[6] = frame->protocol;
    ip[7] = 255;
    put_address(ip + 8, frame->source);
    put_address(ip + 24, frame->destination);
    ip[40] = frame->next;
    ip[header] = frame->icmp_type;
    return header + 8;
}

static size_t make_frame(const struct pair *pair, bool from_pod, const struct frame *frame,
                         uint8_t bytes[MOST_FRAME])
{
    bool six = family_of(frame->source) == AF_INET6;
    uint16_t type = htons(frame->type ? frame->type : six ? ETH_P_IPV6 : ETH_P_IP);
    size_t at = 12;

    memset(bytes, 0, MOST_FRAME);
    memcpy(bytes, from_pod ? pair->outer_mac : pair->inner_mac, 6);
    memcpy(bytes + 6, from_pod ? pair->inner_mac : pair->outer_mac, 6);
    if (frame->vlan > 0 || frame->tag) {
        const uint8_t tag[] = {0x81, 0x00, 0, (uint8_t)frame->vlan};

        memcpy(bytes + at, tag, sizeof tag);
        at += sizeof tag;
    }
    memcpy(bytes + at, &type, sizeof type);
    at += sizeof type;
    at += (six ? put_ipv6 : put_ipv4)(frame, bytes + at);
    return frame->length ? frame->length : at;
}

static const uint16_t kinds[3] = {ETH_P_IP, ETH_P_ARP, ETH_P_IPV6};

struct filter_network network(const char *address, unsigned prefix)
{
    struct filter_network network = {.family = family_of(address), .prefix = prefix};

    put_address(network.address, address);
    return network;
}

int filter_scene_setup(void **state)
{
    struct filter_scene *scene = memory_new(sizeof *scene);

    *state = scene;
    pair_make(&scene->pair);
    assert_int_equal(filter_close(scene->pair.nl, OUTER, NULL), 0);
    pair_raise(&scene->pair);
    scene->pod = pair_socket(&scene->pair, scene->pair.there, INNER, ETH_P_ALL);
    for (size_t i = 0; i < 3; i++)
        scene->host[i] = pair_socket(&scene->pair, scene->pair.here, OUTER, kinds[i]);
    return 0;
}

int filter_scene_teardown(void **state)
{
    struct filter_scene *scene = *state;

    close(scene->pod);
    for (size_t i = 0; i < 3; i++)
        close(scene->host[i]);
    pair_free(&scene->pair);
    free(scene);
    return 0;
}

void send_frame(struct filter_scene *scene, bool from_pod, const struct frame *frame)
{
    uint8_t bytes[MOST_FRAME];
    size_t length = make_frame(&scene->pair, from_pod, frame, bytes);
    int host = scene->host[family_of(frame->source) == AF_INET6 ? 2 : 0];
    ssize_t sent = send(from_pod ? scene->pod : host, bytes, length, 0);

    /* One that is dropped on its way out is told so. */
    assert_true(sent == (ssize_t)length || (!from_pod && sent < 0 && errno == ENOBUFS));
}

int count_before(struct filter_scene *scene, bool from_pod, const struct frame *marker)
{
    struct pollfd fds[3] = {{.events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};
    uint8_t expected[MOST_FRAME], bytes[2048];
    size_t length = make_frame(&scene->pair, from_pod, marker, expected);
    nfds_t count = from_pod ? 3 : 1;
    int others = 0;
    bool marked = false;

    for (nfds_t i = 0; i < count; i++)
        fds[i].fd = from_pod ? scene->host[i] : scene->pod;
    while (poll(fds, count, marked ? 0 : WAIT_MS) > 0)
        for (nfds_t i = 0; i < count; i++) {
            ssize_t got = fds[i].revents ? recv(fds[i].fd, bytes, sizeof bytes, MSG_DONTWAIT) : 0;

            if (got <= 0)
                continue;
            if ((size_t)got == length && memcmp(bytes, expected, length) == 0)
                marked = true;
            else
                others++;
        }
    assert_true(marked);
    return others;
}

void check_frames(struct filter_scene *scene, bool from_pod, const struct frame *frames, size_t count,
                  const struct frame *marker)
{
    for (size_t i = 0; i < count; i++) {
        int passed;

        send_frame(scene, from_pod, &frames[i]);
        send_frame(scene, from_pod, marker);
        passed = count_before(scene, from_pod, marker);
        if (passed != (frames[i].passes ? 1 : 0))
            fail_msg("%s %s: %d passed", frames[i].what, from_pod ? "from the pod" : "to the pod", passed);
    }
}
