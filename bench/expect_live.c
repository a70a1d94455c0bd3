/* Live measurements on a veth pair, which expect.sh makes. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/expect.h"
#include "tests/unit/packet/frames.h"

#define BATCH 16

/* RTP of G.711, 20 ms a packet. */
static struct frame make_frame(void)
{
    static const char rtp[172] = "\x80\x08\0\1\0\0\0\xa0\0\0\0\1";

    return frame_datagram(4000, rtp, sizeof rtp);
}

static int open_sender(const char *interface)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
    int on = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0)
        give_up(interface);
    return fd;
}

/* In batches, each at its time; fewer than asked for if it cannot in twice the time. */
static unsigned long send_at(int fd, double rate, double seconds)
{
    struct frame frame = make_frame();
    struct iovec part = {frame.data, frame.length};
    struct mmsghdr batch[BATCH];
    unsigned long sent = 0, wanted = (unsigned long)(rate * seconds);
    double begin = seconds_now();

    memset(batch, 0, sizeof batch);
    for (size_t i = 0; i < BATCH; i++)
        batch[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
    while (sent < wanted && seconds_now() < begin + 2 * seconds) {
        double ahead = (double)sent / rate - (seconds_now() - begin);
        struct timespec rest = {.tv_nsec = (long)(ahead * 1e9)};
        int count;

        if (ahead > 100e-6)
            nanosleep(&rest, NULL);
        else if (ahead > 0)
            continue;
        if ((count = sendmmsg(fd, batch, BATCH, 0)) > 0)
            sent += (unsigned long)count;
    }
    frame_free(&frame);
    return sent;
}

void measure_rate(const char *from, const char *to, double rate, double seconds, size_t count)
{
    /* three times the time, as the sender may be slower than it is told to be */
    struct sippod_options options = {.timeout_ms = (uint32_t)(seconds * 3000), .direction = SIPPOD_IN};
    struct sippod_context *context = sippod_context_new();
    struct sippod_future *futures[MIX_MOST];
    struct sippod_predicate mix[MIX_MOST];
    int fd = open_sender(from);
    unsigned long sent;
    struct sippod_verdict verdict = {0};
    double begin, took;

    make_mix(mix);
    for (size_t i = 0; i < MIX_MOST; i++)
        if (i < count)
            futures[i] = sippod_expect(context, to, mix[i], &options);
        else
            sippod_predicate_free(&mix[i]);
    begin = seconds_now();
    sent = send_at(fd, rate, seconds);
    took = seconds_now() - begin;
    if (count && sippod_future_wait(futures[0], &verdict) != SIPPOD_DECIDED && !verdict.lost) {
        fprintf(stderr, "bench-expect: %s\n", verdict.detail);
        exit(1);
    }
    printf("%lu %.0f %ld\n", sent, (double)sent / took, count ? (long)(sent - verdict.seen) : 0);
    sippod_context_free(context);
    close(fd);
}

void measure_latency(const char *from, const char *to, size_t rounds)
{
    struct sippod_context *context = sippod_context_new();
    struct frame frame = make_frame();
    double *took = calloc(rounds, sizeof *took);

    if (!took || !context || !rounds)
        give_up("memory");
    (void)sippod_expect(context, to, sippod_packet_count(),
                        &(struct sippod_options){.timeout_ms = SIPPOD_NO_TIMEOUT});
    for (size_t i = 0; i < rounds; i++) {
        struct sippod_future *future = sippod_expect(context, to, sippod_received_packet(), NULL);
        struct timespec rest = {.tv_nsec = 1000000 + (long)(i * 7919 % 20000) * 1000}; /* 1 to 21 ms */
        double begin;

        nanosleep(&rest, NULL);
        begin = seconds_now();
        if (sippod_send(context, from, frame.data, frame.length) < 0 || !sippod_check_true(future))
            give_up("a packet did not arrive");
        took[i] = (seconds_now() - begin) * 1e6;
        sippod_future_free(future);
    }
    qsort(took, rounds, sizeof *took, compare_doubles);
    printf("microseconds from packet to decided future: median %.0f, 99 %% %.0f, largest %.0f\n",
           took[rounds / 2], took[rounds * 99 / 100], took[rounds - 1]);
    free(took);
    frame_free(&frame);
    sippod_context_free(context);
}
