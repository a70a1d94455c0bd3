/* Measures libsippod-expect; expect.sh beside it calls this. */
#include "bench/expect.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/packet/frames.h"

#define INVITE                                                                                               \
    "INVITE sip:ua0@198.18.1.0:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.1.1:5060;branch=z9hG4bK-1\r\n"        \
    "From: <sip:ua1@198.18.1.1>;tag=1\r\nTo: <sip:ua0@198.18.1.0>\r\nCall-ID: 1-2@198.18.1.1\r\n"            \
    "CSeq: 1 INVITE\r\nContact: <sip:ua1@198.18.1.1:5060>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
#define RTP_LENGTH 172

void give_up(const char *what)
{
    fprintf(stderr, "bench-expect: %s: %s\n", what, strerror(errno));
    exit(1);
}

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

void make_mix(struct sippod_predicate ret[MIX_MOST])
{
    const struct sippod_predicate mix[MIX_MOST] = {
        sippod_packet_count(),
        sippod_did_not_see_vlan_tag(4000),
        sippod_saw_src_mac("02:00:00:00:00:99"),
        sippod_did_not_see_dst_mac("02:00:00:00:00:99"),
        sippod_saw_filter("tcp port 1"),
        sippod_did_not_see_packet_equaling(INVITE, sizeof INVITE),
        sippod_saw_sip("INVITE", "^Call-ID: nobody@"),
        sippod_saw_sip("5xx", NULL),
        sippod_saw_rtp(UINT64_MAX, 8),
        sippod_and(sippod_saw_sip("BYE", NULL), sippod_packet_count_was_at_least(UINT64_MAX)),
    };

    memcpy(ret, mix, sizeof mix);
}

/* ---- a file ---- */

/* 92 of 100 are RTP, six SIP, one has a tag, one is TCP. */
static void write_file(const char *path, unsigned count)
{
    static const char rtp[RTP_LENGTH] = "\x80\x08\0\1\0\0\0\xa0\0\0\0\1";
    struct frame media = frame_datagram(4000, rtp, sizeof rtp), tagged = frame_tagged(102), tcp = {0};
    struct frame request = frame_datagram(5060, INVITE, sizeof INVITE - 1);
    struct sippod_predicate writer = sippod_writer(path, sippod_packet_count());

    frame_ethernet(&tcp);
    frame_ipv4(&tcp, 6, 24);
    frame_tcp(&tcp, 1024, 5060);
    for (unsigned i = 0; i < count; i++) {
        unsigned kind = i % 100;
        struct frame *frame = kind < 92 ? &media : kind < 98 ? &request : kind == 98 ? &tagged : &tcp;
        struct sippod_packet packet = frame_packet(frame);

        packet.timestamp_ns += (uint64_t)i * 1000; /* all of them within the time-out */
        if (writer.on_packet(writer.state, &packet) < 0)
            give_up(path);
    }
    if (writer.on_finish(writer.state, true).integer != count)
        give_up(path);
    sippod_predicate_free(&writer);
    frame_free(&media);
    frame_free(&tagged);
    frame_free(&tcp);
    frame_free(&request);
}

static double read_by_library(const char *path, unsigned expected)
{
    struct sippod_predicate mix[MIX_MOST];
    struct sippod_verdict verdicts[MIX_MOST];
    double begin = seconds_now();

    make_mix(mix);
    sippod_evaluate_file_each(path, mix, NULL, MIX_MOST, verdicts);
    for (size_t i = 0; i < MIX_MOST; i++)
        if (verdicts[i].state != SIPPOD_DECIDED || verdicts[i].seen != expected) {
            fprintf(stderr, "bench-expect: not what was expected: %s\n", verdicts[i].detail);
            exit(1);
        }
    return seconds_now() - begin;
}

/* What anybody would write: libpcap reads, and asks ten filters. */
static double read_by_libpcap(const char *path)
{
    static const char *const texts[MIX_MOST] = {
        "udp",        "vlan 4000",         "ether src 02:00:00:00:00:99", "ether dst 02:00:00:00:00:99",
        "tcp port 1", "greater 1500",      "udp dst port 5060",           "udp src port 5060",
        "udp port 1", "udp[8] & 192 = 128"};
    struct bpf_program programs[MIX_MOST];
    unsigned long passed = 0;
    struct pcap_pkthdr *header;
    const u_char *data;
    char words[PCAP_ERRBUF_SIZE];
    double begin = seconds_now();
    pcap_t *handle = pcap_open_offline(path, words);

    for (size_t i = 0; handle && i < MIX_MOST; i++)
        if (pcap_compile(handle, &programs[i], texts[i], 1, PCAP_NETMASK_UNKNOWN) < 0)
            give_up(pcap_geterr(handle));
    if (!handle)
        give_up(words);
    while (pcap_next_ex(handle, &header, &data) == 1)
        for (size_t i = 0; i < MIX_MOST; i++)
            passed += pcap_offline_filter(&programs[i], header, data) != 0;
    for (size_t i = 0; i < MIX_MOST; i++)
        pcap_freecode(&programs[i]);
    pcap_close(handle);
    if (!passed)
        give_up("the filters let nothing pass");
    return seconds_now() - begin;
}

static void measure_file(const char *path, unsigned count, size_t rounds)
{
    double *ratios = calloc(rounds, sizeof *ratios);

    if (!ratios)
        give_up("memory");
    write_file(path, count);
    for (size_t i = 0; i < rounds; i++) {
        double library = read_by_library(path, count), bare = read_by_libpcap(path);

        ratios[i] = library / bare;
        printf("10 futures: %.3f s   libpcap with 10 filters: %.3f s\n", library, bare);
    }
    qsort(ratios, rounds, sizeof *ratios, compare_doubles);
    printf("median ratio: %.2f\n", ratios[rounds / 2]);
    free(ratios);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "file") == 0 && argc == 5)
        measure_file(argv[2], (unsigned)strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    else if (strcmp(what, "rate") == 0 && argc == 7)
        measure_rate(argv[2], argv[3], strtod(argv[4], NULL), strtod(argv[5], NULL),
                     strtoul(argv[6], NULL, 10));
    else if (strcmp(what, "latency") == 0 && argc == 5)
        measure_latency(argv[2], argv[3], strtoul(argv[4], NULL, 10));
    else {
        fputs("usage: bench-expect file FILE PACKETS ROUNDS | rate FROM TO PACKETS/S SECONDS FUTURES |\n"
              "       latency FROM TO ROUNDS; bench/expect.sh knows how\n",
              stderr);
        return 2;
    }
    return 0;
}
