#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/netns/scene.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/base/text.h"
#include "tests/unit/support/support.h"

#define PORT  45060
#define MAGIC 0x5199b0d5u /* in front of each number */

int scene_setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    scene->path = folder_make();
    scene->folder = folder_open(scene->path);
    scene->sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    scene->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, ON_LO, &in.sin_addr), 1);
    assert_int_equal(bind(scene->sink, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(socket_pair(SOCK_SEQPACKET, scene->ends, NULL), 0);
    scene->have_eth0 = interfaces_make_eth0();
    *state = scene;
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *scene = *state;

    sniffer_close(scene->sniffer);
    close_fd(&scene->ends[0]);
    close_fd(&scene->ends[1]);
    close_fd(&scene->sender);
    close_fd(&scene->sink);
    close_fd(&scene->folder);
    folder_remove(scene->path);
    buffer_free(&scene->names);
    free(scene);
    (void)interface_remove("eth0"); /* some tests have done that */
    return 0;
}

void scene_open(struct scene *scene, bool both)
{
    static const char *const interfaces[] = {"lo", "eth0"};
    struct sniffer_config config = {
        .folder = scene->folder,
        .file = FILE_NAME,
        .interfaces = interfaces,
        .interface_count = both ? 2 : 1,
        .names = scene->names.length ? &scene->names : NULL,
        .keys = scene->keys,
    };
    cleanup_error struct error *error = NULL;

    scene->sniffer = sniffer_open(&config, &error);
    if (!scene->sniffer)
        fail_msg("%s", error_text(error));
}

void scene_stop(struct scene *scene)
{
    close_fd(&scene->ends[0]);
}

void scene_reset(struct scene *scene)
{
    sniffer_close(scene->sniffer);
    scene->sniffer = NULL;
    assert_int_equal(unlinkat(scene->folder, FILE_NAME, 0), 0);
    close_fd(&scene->ends[0]);
    close_fd(&scene->ends[1]);
    assert_int_equal(socket_pair(SOCK_SEQPACKET, scene->ends, NULL), 0);
}

int64_t scene_run(struct scene *scene, struct sniffer_counts *ret)
{
    cleanup_error struct error *error = NULL;
    int64_t begin = loop_now_ns();

    if (sniffer_run(scene->sniffer, scene->ends[1], ret, &error) < 0)
        fail_msg("%s", error_text(error));
    return (loop_now_ns() - begin) / 1000000;
}

static bool send_one(const struct scene *scene, const char *to, uint32_t number)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    uint32_t payload[2] = {htonl(MAGIC), htonl(number)};

    return inet_pton(AF_INET, to, &in.sin_addr) == 1 &&
           sendto(scene->sender, payload, sizeof payload, 0, (struct sockaddr *)&in, sizeof in) ==
               sizeof payload;
}

bool scene_send(const struct scene *scene, const char *to, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!send_one(scene, to, first + i))
            return false;
    return true;
}

pid_t scene_child(struct scene *scene, bool (*fn)(const struct scene *scene))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        close_fd(&scene->ends[1]);
        _exit(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && fn(scene) ? 0 : 1);
    }
    close_fd(&scene->ends[0]);
    return pid;
}

void assert_child_succeeds(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Reading the file back ---- */

static void look_at_packet(const struct pcap_pkthdr *header, const u_char *data, struct seen *seen)
{
    const size_t udp_at = sizeof(struct ether_header) + sizeof(struct iphdr);
    struct ether_header ether;
    struct iphdr ip;
    struct udphdr udp;
    uint32_t payload[2];

    seen->packets++;
    if (header->caplen < sizeof ether)
        return;
    memcpy(&ether, data, sizeof ether);
    seen->markers += ntohs(ether.ether_type) == 0x88b5;
    if (ntohs(ether.ether_type) != ETHERTYPE_IP || header->caplen < udp_at + sizeof udp + sizeof payload)
        return;
    memcpy(&ip, data + sizeof ether, sizeof ip);
    memcpy(&udp, data + udp_at, sizeof udp);
    memcpy(payload, data + udp_at + sizeof udp, sizeof payload);
    if (ip.protocol != IPPROTO_UDP || ntohs(udp.dest) != PORT || ntohl(payload[0]) != MAGIC)
        return;
    if (ntohl(ip.daddr) >> 24 == 127 && seen->lo_count < MOST)
        seen->lo[seen->lo_count++] = ntohl(payload[1]);
    else if (ntohl(ip.daddr) >> 24 == 198 && seen->eth0_count < MOST)
        seen->eth0[seen->eth0_count++] = ntohl(payload[1]);
}

void scene_read(const struct scene *scene, struct seen *seen)
{
    cleanup_free char *path = text_format("%s/" FILE_NAME, scene->path);
    char words[PCAP_ERRBUF_SIZE];
    pcap_t *file = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, words);
    struct pcap_pkthdr *header;
    const u_char *data;
    uint64_t last = 0;
    int result;

    *seen = (struct seen){.ordered = true};
    if (!file)
        return;
    while ((result = pcap_next_ex(file, &header, &data)) == 1) {
        uint64_t now = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;

        seen->ordered &= now >= last;
        last = now;
        look_at_packet(header, data, seen);
    }
    seen->whole = result == PCAP_ERROR_BREAK; /* the end */
    pcap_close(file);
}

void assert_good_file(const struct scene *scene, const struct sniffer_counts *counts, struct seen *seen)
{
    cleanup_strings struct strings names = {0};

    scene_read(scene, seen);
    assert_true(seen->whole);
    assert_true(seen->ordered);
    assert_int_equal(seen->markers, 0);
    assert_int_equal(seen->packets, counts->packets);
    assert_int_equal(file_list(scene->folder, &names, NULL), 0);
    assert_int_equal(names.count, 1);
}

void assert_numbers(const uint32_t *numbers, size_t count, size_t expected)
{
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers[i], i);
}

void scene_outline(const struct scene *scene, struct outline *outline)
{
    cleanup_free char *data = NULL;
    uint32_t head[3];
    size_t length;

    *outline = (struct outline){0};
    assert_int_equal(file_read(scene->folder, FILE_NAME, 64 << 20, &data, &length, NULL), 0);
    for (size_t at = 0; at < length; at += head[1]) {
        memcpy(head, data + at, sizeof head);
        assert_in_range(head[1], 12, length - at);
        if (head[0] < 16 && outline->types[head[0]]++ == 0)
            outline->first[head[0]] = at;
        if (head[0] == 5) {
            assert_in_range(head[2], 0, 1);
            memcpy(&outline->received[head[2]], data + at + 24, 8);
            memcpy(&outline->dropped[head[2]], data + at + 36, 8);
        }
    }
}
