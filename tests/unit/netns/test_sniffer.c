/* The sniffer in a user and network namespace of the test's own, on a loopback and one end of a veth pair.
 * Numbered datagrams are sent on both, and have to be in the file, which is read back with libpcap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/sniffer/assemble.h"
#include "netns/sniffer/sniffer.h"
#include "netns/sniffer/stream.h"
#include "src/base/file.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/base/text.h"

#define FILE_NAME "sipp-abcdef.pcapng"
#define PORT      45060
#define MAGIC     0x5199b0d5u
#define MOST      4096
#define ON_LO     "127.0.0.1"  /* passes lo */
#define ON_ETH0   "198.18.0.2" /* passes eth0: nobody is there, a neighbour entry says there is */

static bool have_eth0;

/* ---- The namespaces and their interfaces ---- */

static bool write_text(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter_namespaces(void)
{
    cleanup_free char *uids = text_format("%u %u 1", getuid(), getuid());
    cleanup_free char *gids = text_format("%u %u 1", getgid(), getgid());

    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", uids) && write_text("/proc/self/gid_map", gids);
}

static int interface_ioctl(unsigned long request, const char *name, struct ifreq *parameters)
{
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(parameters->ifr_name, name, strlen(name) + 1);
    return fd < 0 ? -1 : ioctl(fd, request, parameters);
}

static void set_up(const char *name, bool up)
{
    struct ifreq request = {0};

    assert_int_equal(interface_ioctl(SIOCGIFFLAGS, name, &request), 0);
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    assert_int_equal(interface_ioctl(SIOCSIFFLAGS, name, &request), 0);
}

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
    return in;
}

static void set_address(const char *name, unsigned long what, const char *text)
{
    struct sockaddr_in in = address(text);
    struct ifreq request = {0};

    in.sin_port = 0;
    memcpy(&request.ifr_addr, &in, sizeof in);
    assert_int_equal(interface_ioctl(what, name, &request), 0);
}

static void add_attribute(struct buffer *message, uint16_t type, const void *data, size_t length)
{
    struct rtattr header = {.rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type};

    buffer_add(message, &header, sizeof header);
    buffer_add(message, data, length);
    buffer_add(message, "\0\0\0", RTA_ALIGN(length) - length);
}

/* RTM_NEWLINK of a veth pair, or RTM_DELLINK; 0 or an errno value. */
static int change_link(uint16_t type, const char *name)
{
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    cleanup_buffer struct buffer message = {0}, kind = {0};
    struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[512];
    } answer;

    if (type == RTM_NEWLINK)
        header.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    buffer_add(&message, &header, sizeof header);
    buffer_add(&message, &link, sizeof link);
    add_attribute(&message, IFLA_IFNAME, name, strlen(name) + 1);
    add_attribute(&kind, IFLA_INFO_KIND, "veth", 4);
    if (type == RTM_NEWLINK)
        add_attribute(&message, IFLA_LINKINFO, kind.data, kind.length);
    header.nlmsg_len = (uint32_t)message.length;
    memcpy(message.data, &header, sizeof header);
    if (fd < 0 || send(fd, message.data, message.length, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
        return errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : 0;
}

/* eth0, up, with an address, and its other end, named by the kernel. */
static bool make_eth0(void)
{
    struct arpreq entry = {.arp_flags = ATF_COM | ATF_PERM, .arp_ha = {.sa_data = {2, 0, 0, 0, 0, 1}}};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = address(ON_ETH0);

    if (change_link(RTM_NEWLINK, "eth0") != 0)
        return false;
    set_up("veth0", true);
    set_address("eth0", SIOCSIFADDR, "198.18.0.1");
    set_address("eth0", SIOCSIFNETMASK, "255.255.255.0");
    set_up("eth0", true);
    memcpy(&entry.arp_pa, &in, sizeof in);
    memcpy(entry.arp_dev, "eth0", 5);
    assert_int_equal(ioctl(fd, SIOCSARP, &entry), 0);
    return true;
}

/* ---- A test's own folder, sniffer and sockets ---- */

struct scene {
    char *path; /* of the folder */
    int folder;
    int sink; /* receives what is sent to ON_LO, so that no ICMP answers it */
    int sender;
    int ends[2]; /* of the control socket: ours, the sniffer's */
    struct sniffer *sniffer;
};

static int scene_setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    const char *top = getenv("TMPDIR");
    struct sockaddr_in in = address(ON_LO);

    scene->path = text_format("%s/test-sniffer-XXXXXX", top ? top : "/tmp");
    assert_non_null(mkdtemp(scene->path));
    scene->folder = open(scene->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scene->folder >= 0);
    scene->sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    scene->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene->sink, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(socket_pair(SOCK_SEQPACKET, scene->ends, NULL), 0);
    have_eth0 = make_eth0();
    *state = scene;
    return 0;
}

static int scene_teardown(void **state)
{
    struct scene *scene = *state;

    sniffer_close(scene->sniffer);
    close_fd(&scene->ends[0]);
    close_fd(&scene->ends[1]);
    close_fd(&scene->sender);
    close_fd(&scene->sink);
    close_fd(&scene->folder);
    assert_int_equal(file_remove_tree(AT_FDCWD, scene->path, NULL), 0);
    free(scene->path);
    free(scene);
    (void)change_link(RTM_DELLINK, "eth0"); /* some tests have done that */
    return 0;
}

/* Loud, as a machine without veth tests less. */
#define need_eth0()                                                                                          \
    do {                                                                                                     \
        if (!have_eth0) {                                                                                    \
            print_message("SKIPPED: this kernel makes no veth pair\n");                                      \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

static void open_sniffer(struct scene *scene, bool both)
{
    static const char *const interfaces[] = {"lo", "eth0"};
    struct sniffer_config config = {
        .folder = scene->folder,
        .file = FILE_NAME,
        .interfaces = interfaces,
        .interface_count = both ? 2 : 1,
    };
    cleanup_error struct error *error = NULL;

    scene->sniffer = sniffer_open(&config, &error);
    if (!scene->sniffer)
        fail_msg("%s", error_text(error));
}

static void stop(struct scene *scene)
{
    close_fd(&scene->ends[0]);
}

/* Returns how long it took, in milliseconds. */
static int64_t run(struct scene *scene, struct sniffer_counts *ret)
{
    cleanup_error struct error *error = NULL;
    int64_t begin = loop_now_ns();

    if (sniffer_run(scene->sniffer, scene->ends[1], ret, &error) < 0)
        fail_msg("%s", error_text(error));
    return (loop_now_ns() - begin) / 1000000;
}

/* No assertion here: child processes send too. */
static bool send_one(const struct scene *scene, const char *to, uint32_t number)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    uint32_t payload[2] = {htonl(MAGIC), htonl(number)};

    return inet_pton(AF_INET, to, &in.sin_addr) == 1 &&
           sendto(scene->sender, payload, sizeof payload, 0, (struct sockaddr *)&in, sizeof in) ==
               sizeof payload;
}

static bool send_numbers(const struct scene *scene, const char *to, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!send_one(scene, to, first + i))
            return false;
    return true;
}

/* A child that runs `fn` and exits with 0 if it returned true. It holds our end of the control socket alone.
 */
static pid_t start_child(struct scene *scene, bool (*fn)(const struct scene *scene))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        close_fd(&scene->ends[1]);
        _exit(fn(scene) ? 0 : 1);
    }
    close_fd(&scene->ends[0]);
    return pid;
}

static void assert_child_succeeds(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Reading the file back ---- */

struct seen {
    uint64_t packets, markers;
    uint32_t lo[MOST], eth0[MOST];
    size_t lo_count, eth0_count;
    bool ordered; /* in time */
    bool whole;   /* no error up to the end */
};

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

static void read_file(const struct scene *scene, struct seen *seen)
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

static void assert_good_file(const struct scene *scene, const struct sniffer_counts *counts,
                             struct seen *seen)
{
    cleanup_strings struct strings names = {0};

    read_file(scene, seen);
    assert_true(seen->whole);
    assert_true(seen->ordered);
    assert_int_equal(seen->markers, 0);
    assert_int_equal(seen->packets, counts->packets);
    assert_int_equal(file_list(scene->folder, &names, NULL), 0);
    assert_int_equal(names.count, 1);
}

/* 0, 1, 2 … count - 1, each once. */
static void assert_numbers(const uint32_t *numbers, size_t count, size_t expected)
{
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers[i], i);
}

/* What libpcap does not show: how many blocks of which type, and the statistics. */
struct outline {
    unsigned types[8];
    uint64_t received[2], dropped[2];
    char *data;
};

static void outline_file(const struct scene *scene, struct outline *outline)
{
    size_t length;
    uint32_t head[3];

    *outline = (struct outline){0};
    assert_int_equal(file_read(scene->folder, FILE_NAME, 64 << 20, &outline->data, &length, NULL), 0);
    for (size_t at = 0; at < length; at += head[1]) {
        memcpy(head, outline->data + at, sizeof head);
        assert_in_range(head[1], 12, length - at);
        if (head[0] < 8)
            outline->types[head[0]]++;
        if (head[0] == 5) {
            assert_in_range(head[2], 0, 1);
            memcpy(&outline->received[head[2]], outline->data + at + 24, 8);
            memcpy(&outline->dropped[head[2]], outline->data + at + 36, 8);
        }
    }
    free(outline->data);
}

/* ---- Capturing ---- */

#define MANY 1000

/* Sent after the sniffer says that it runs, stopped right behind the last one: nothing has been read yet. */
static void loses_nothing(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct outline outline;
    struct seen seen;

    open_sniffer(scene, have_eth0);
    assert_true(send_numbers(scene, ON_LO, 0, MANY));
    stop(scene);
    run(scene, &counts);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, MANY);
    assert_int_equal(counts.dropped, 0);
    outline_file(scene, &outline);
    assert_int_equal(outline.types[1], have_eth0 ? 2 : 1);
    assert_int_equal(outline.types[5], have_eth0 ? 2 : 1);
    assert_int_equal(outline.types[6], counts.packets);
    assert_int_equal(outline.received[0], seen.lo_count); /* eth0 has neighbour discovery too */
    assert_int_equal(outline.dropped[0] + outline.dropped[1], 0);
}

static bool send_many_on_lo(const struct scene *scene)
{
    return send_numbers(scene, ON_LO, 0, MANY);
}

/* The same while the sniffer runs: the sender's exit is the stop. */
static void loses_nothing_while_running(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    open_sniffer(scene, have_eth0);
    pid = start_child(scene, send_many_on_lo);
    run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, MANY);
}

static bool send_on_both(const struct scene *scene)
{
    for (uint32_t i = 0; i < MANY; i++)
        if (!send_one(scene, ON_LO, i) || !send_one(scene, ON_ETH0, i))
            return false;
    return true;
}

/* Handles are read one after the other, so that the stream cannot be in order: the file has to be. */
static void two_interfaces_in_order(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    need_eth0();
    open_sniffer(scene, true);
    pid = start_child(scene, send_on_both);
    run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, MANY);
    assert_numbers(seen.eth0, seen.eth0_count, MANY);
}

static void message_stops_too(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    char message[8];

    open_sniffer(scene, false);
    assert_int_equal(socket_send(scene->ends[0], "stop", 4, -1), 0);
    run(scene, &counts);
    assert_int_equal(socket_receive(scene->ends[1], message, sizeof message, NULL), 4); /* is left to us */
}

static void nothing_to_see(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;

    open_sniffer(scene, false);
    stop(scene);
    assert_in_range(run(scene, &counts), 0, 500);
    assert_good_file(scene, &counts, &seen);
    assert_int_equal(counts.packets, 0);
    assert_int_equal(counts.dropped, 0);
}

/* Frames of nothing but a header, and one of an unknown protocol. */
static void odd_frames(void **state)
{
    struct scene *scene = *state;
    cleanup_fd int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("lo")};
    uint8_t frame[60] = {[12] = 0x12, [13] = 0x34};
    struct sniffer_counts counts;
    struct seen seen;

    assert_true(fd >= 0);
    open_sniffer(scene, false);
    for (size_t length = 14; length <= 18; length++)
        assert_int_equal(sendto(fd, frame, length, 0, (struct sockaddr *)&to, sizeof to), length);
    assert_int_equal(sendto(fd, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to), sizeof frame);
    stop(scene);
    run(scene, &counts);
    assert_good_file(scene, &counts, &seen);
    assert_int_equal(counts.packets, 6);
}

/* ---- Interfaces that go down or away ---- */

static void interface_down_before_stop(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;

    need_eth0();
    open_sniffer(scene, true);
    assert_true(send_numbers(scene, ON_LO, 0, 100));
    assert_true(send_numbers(scene, ON_ETH0, 0, 100));
    set_up("eth0", false);
    stop(scene);
    assert_in_range(run(scene, &counts), 0, 500);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 100);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static void interface_gone_before_stop(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;

    need_eth0();
    open_sniffer(scene, true);
    assert_true(send_numbers(scene, ON_LO, 0, 100));
    assert_true(send_numbers(scene, ON_ETH0, 0, 100));
    assert_int_equal(change_link(RTM_DELLINK, "eth0"), 0);
    stop(scene);
    assert_in_range(run(scene, &counts), 0, 500);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 100);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static bool remove_eth0_between(const struct scene *scene)
{
    return send_numbers(scene, ON_LO, 0, 100) && send_numbers(scene, ON_ETH0, 0, 100) &&
           change_link(RTM_DELLINK, "eth0") == 0 && poll(NULL, 0, 200) == 0 &&
           send_numbers(scene, ON_LO, 100, 100);
}

static void other_interface_goes_on(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    need_eth0();
    open_sniffer(scene, true);
    pid = start_child(scene, remove_eth0_between);
    run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 200);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static bool flap_lo(const struct scene *scene)
{
    if (!send_numbers(scene, ON_LO, 0, 100))
        return false;
    set_up("lo", false);
    set_up("lo", true);
    return send_numbers(scene, ON_LO, 100, 100);
}

static void interface_comes_back(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    open_sniffer(scene, false);
    pid = start_child(scene, flap_lo);
    run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 200);
}

/* ---- Other things that go wrong ---- */

static bool flood(const struct scene *scene)
{
    close(scene->ends[0]);
    for (uint32_t i = 0;; i++)
        if (!send_one(scene, ON_LO, i))
            return false;
}

/* The end does not wait for a moment of silence. */
static void ends_in_a_flood(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    int64_t took;
    pid_t pid;

    open_sniffer(scene, false);
    pid = start_child(scene, flood);
    took = run(scene, &counts);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_in_range(took, 0, 1500);
    assert_good_file(scene, &counts, &seen);
}

static bool run_without_capabilities(const struct scene *scene)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    struct sniffer_counts counts;
    cleanup_fd int end = -1, control = -1;
    int ends[2];

    if (syscall(SYS_capset, &header, none) < 0 || !send_numbers(scene, ON_LO, 0, 100) ||
        !send_numbers(scene, ON_ETH0, 0, 100) || socket_pair(SOCK_SEQPACKET, ends, NULL) < 0)
        return false;
    control = ends[1];
    close(ends[0]);
    return sniffer_run(scene->sniffer, control, &counts, NULL) == 0;
}

static void runs_without_capabilities(void **state)
{
    struct scene *scene = *state;
    struct seen seen;

    need_eth0();
    open_sniffer(scene, true);
    assert_child_succeeds(start_child(scene, run_without_capabilities));
    read_file(scene, &seen);
    assert_true(seen.whole && seen.ordered);
    assert_numbers(seen.lo, seen.lo_count, 100);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static bool run_until_killed(const struct scene *scene)
{
    struct sniffer_counts counts;

    return sniffer_run(scene->sniffer, scene->ends[0], &counts, NULL) == 0;
}

/* What SIGKILL leaves is readable, and is there within a few rounds. */
static void killed(void **state)
{
    struct scene *scene = *state;
    int64_t patience = loop_now_ns() + 5000000000;
    struct seen seen;
    pid_t pid;

    open_sniffer(scene, false);
    pid = start_child(scene, run_until_killed);
    assert_true(send_numbers(scene, ON_LO, 0, 100));
    do {
        (void)poll(NULL, 0, 5);
        read_file(scene, &seen);
    } while (seen.lo_count < 100 && loop_now_ns() < patience);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    read_file(scene, &seen);
    assert_true(seen.whole);
    assert_numbers(seen.lo, seen.lo_count, 100);
}

/* A limit on the size of files stands in for a full disk. */
static void disk_full(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts = {0};
    cleanup_error struct error *error = NULL;
    struct rlimit before, small;
    struct seen seen;
    int result;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 70000, .rlim_max = before.rlim_max};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    open_sniffer(scene, false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(send_numbers(scene, ON_LO, 0, MANY));
    stop(scene);
    result = sniffer_run(scene->sniffer, scene->ends[1], &counts, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_non_null(strstr(error_text(error), "cannot write " FILE_NAME));
    assert_int_equal(error->sys, EFBIG);
    assert_int_equal(counts.packets + counts.dropped, MANY);
    assert_good_file(scene, &counts, &seen);
    assert_int_equal(seen.lo_count, counts.packets);
    assert_true(seen.lo_count > 0);
}

static void assert_refused(const struct scene *scene, const char *interface, const char *words, size_t files)
{
    const char *interfaces[] = {"lo", interface};
    struct sniffer_config config = {scene->folder, FILE_NAME, interfaces, interface ? 2 : 1};
    cleanup_error struct error *error = NULL;
    cleanup_strings struct strings names = {0};

    assert_null(sniffer_open(&config, &error));
    assert_non_null(strstr(error_text(error), words));
    assert_int_equal(file_list(scene->folder, &names, NULL), 0);
    assert_int_equal(names.count, files);
}

static void refusals(void **state)
{
    struct scene *scene = *state;

    assert_refused(scene, "nope0", "nope0", 0);
    assert_refused(scene, "a-name-that-no-interface-has", "a-name-that-no-interface-has", 0);
    if (have_eth0) {
        set_up("eth0", false);
        assert_refused(scene, "eth0", "eth0", 0);
    }
    assert_int_equal(file_write(scene->folder, FILE_NAME, "mine", 4, 0644, NULL), 0);
    assert_refused(scene, NULL, FILE_NAME, 1);
}

/* ---- The last step by itself ---- */

/* A packet whose data is its number; every hundredth is too large to be copied in one piece. */
static void add_packet(struct stream *stream, uint64_t timestamp, uint32_t number)
{
    static uint8_t data[100000];
    uint32_t length = number % 100 ? 4 + number % 9 : sizeof data;

    memcpy(data, &number, sizeof number);
    stream_packet(stream, &(struct pcapng_packet){
                              .timestamp = timestamp, .captured = length, .original = length, .data = data});
}

static void open_stream(struct scene *scene, struct stream *stream)
{
    struct buffer head = {0};

    assert_int_equal(stream_open(stream, scene->folder, FILE_NAME, NULL), 0);
    pcapng_add_section(&head, &(struct pcapng_section){0});
    pcapng_add_interface(&head, &(struct pcapng_interface){.linktype = 1});
    stream_add(stream, head.data, head.length);
    buffer_free(&head);
}

/* Reads timestamps and numbers of the packets; checks types of the blocks before and behind them. */
static size_t read_packets(const struct scene *scene, const char *types, uint64_t *times, uint32_t *numbers)
{
    char *data;
    size_t length, count = 0;
    uint32_t head[8];

    assert_int_equal(file_read(scene->folder, FILE_NAME, 256 << 20, &data, &length, NULL), 0);
    for (size_t at = 0; at < length; at += head[1]) {
        memcpy(head, data + at, 12);
        assert_in_range(head[1], 12, length - at);
        if (head[0] == 6) {
            memcpy(head, data + at, sizeof head);
            times[count] = (uint64_t)head[3] << 32 | head[4];
            numbers[count++] = head[7];
            if (*types == 'P')
                types++;
        } else {
            assert_int_equal(head[0], *types == 'S' ? 0x0a0d0d0a : *types - '0');
            types++;
        }
    }
    assert_int_equal(*types, '\0');
    free(data);
    return count;
}

static void sort_is_stable(void **state)
{
    static const uint64_t times[] = {50, 10, 50, 1ULL << 40, 10, 50, 9, 10};
    static const uint32_t expected[] = {6, 1, 4, 7, 0, 2, 5, 3};
    struct scene *scene = *state;
    struct buffer ahead = {0}, tail = {0};
    struct stream stream;
    uint64_t got_times[8];
    uint32_t got[8];

    open_stream(scene, &stream);
    for (uint32_t i = 0; i < 8; i++)
        add_packet(&stream, times[i], i);
    assert_true(stream.unordered);
    pcapng_add_statistics(&tail, &(struct pcapng_statistics){0});
    assert_int_equal(assemble(&stream, scene->folder, &ahead, &tail, NULL), 0);
    stream_close(&stream);
    buffer_free(&tail);
    assert_int_equal(read_packets(scene, "S1P5", got_times, got), 8);
    assert_memory_equal(got, expected, sizeof expected);
}

static void sort_of_many(void **state)
{
    enum { COUNT = 3000 };
    struct scene *scene = *state;
    struct buffer none = {0};
    struct stream stream;
    uint64_t times[COUNT];
    uint32_t numbers[COUNT];

    open_stream(scene, &stream);
    srandom(1);
    for (uint32_t i = 0; i < COUNT; i++)
        add_packet(&stream, i / 10 + (uint64_t)random() % 20, i);
    assert_int_equal(assemble(&stream, scene->folder, &none, &none, NULL), 0);
    stream_close(&stream);
    assert_int_equal(read_packets(scene, "S1P", times, numbers), COUNT);
    for (size_t i = 1; i < COUNT; i++) {
        assert_true(times[i - 1] <= times[i]);
        if (times[i - 1] == times[i])
            assert_true(numbers[i - 1] < numbers[i]);
    }
}

/* Blocks that are put ahead of the packets; for the test, one with a type of its own (7). */
static void blocks_ahead(void **state)
{
    static const uint32_t block[] = {7, 12, 12};
    struct scene *scene = *state;
    struct buffer ahead = {0}, tail = {0};
    struct stream stream;
    uint64_t times[3];
    uint32_t numbers[3];

    open_stream(scene, &stream);
    for (uint32_t i = 0; i < 3; i++)
        add_packet(&stream, i, i);
    buffer_add(&ahead, block, sizeof block);
    assert_int_equal(assemble(&stream, scene->folder, &ahead, &tail, NULL), 0);
    stream_close(&stream);
    buffer_free(&ahead);
    assert_int_equal(read_packets(scene, "S17P", times, numbers), 3);
}

static void no_packets_to_assemble(void **state)
{
    static const uint32_t block[] = {7, 12, 12};
    struct scene *scene = *state;
    struct buffer ahead = {0}, tail = {0};
    struct stream stream;

    open_stream(scene, &stream);
    buffer_add(&ahead, block, sizeof block);
    pcapng_add_statistics(&tail, &(struct pcapng_statistics){0});
    assert_int_equal(assemble(&stream, scene->folder, &ahead, &tail, NULL), 0);
    stream_close(&stream);
    buffer_free(&ahead);
    buffer_free(&tail);
    assert_int_equal(read_packets(scene, "S175", NULL, NULL), 0);
}

/* In order already: the file is not copied. */
static void nothing_to_sort(void **state)
{
    struct scene *scene = *state;
    struct buffer none = {0};
    struct stream stream;
    struct stat before, after;

    open_stream(scene, &stream);
    for (uint32_t i = 0; i < 10; i++)
        add_packet(&stream, 5, i);
    assert_int_equal(fstat(stream.fd, &before), 0);
    assert_int_equal(assemble(&stream, scene->folder, &none, &none, NULL), 0);
    stream_close(&stream);
    assert_int_equal(fstatat(scene->folder, FILE_NAME, &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

/* A script of the test may do anything to the file: an error, and no crash. */
static void file_cut_short(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *error = NULL;
    cleanup_strings struct strings names = {0};
    struct buffer none = {0};
    struct stream stream;

    open_stream(scene, &stream);
    add_packet(&stream, 2, 1);
    add_packet(&stream, 1, 2);
    stream_flush(&stream);
    assert_int_equal(ftruncate(stream.fd, 60), 0);
    assert_int_equal(assemble(&stream, scene->folder, &none, &none, &error), -1);
    stream_close(&stream);
    assert_non_null(strstr(error_text(error), "cut short"));
    assert_int_equal(file_list(scene->folder, &names, NULL), 0);
    assert_int_equal(names.count, 1);
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(loses_nothing),
        scene_test(loses_nothing_while_running),
        scene_test(two_interfaces_in_order),
        scene_test(message_stops_too),
        scene_test(nothing_to_see),
        scene_test(odd_frames),
        scene_test(interface_down_before_stop),
        scene_test(interface_gone_before_stop),
        scene_test(other_interface_goes_on),
        scene_test(interface_comes_back),
        scene_test(ends_in_a_flood),
        scene_test(runs_without_capabilities),
        scene_test(killed),
        scene_test(disk_full),
        scene_test(refusals),
        scene_test(sort_is_stable),
        scene_test(sort_of_many),
        scene_test(blocks_ahead),
        scene_test(no_packets_to_assemble),
        scene_test(nothing_to_sort),
        scene_test(file_cut_short),
    };
    struct ifreq lo = {0};

    if (!enter_namespaces()) {
        fprintf(stderr, "SKIPPED: no user and network namespaces here: %s\n", strerror(errno));
        return 77;
    }
    lo.ifr_flags = IFF_UP;
    if (interface_ioctl(SIOCSIFFLAGS, "lo", &lo) < 0) {
        perror("cannot bring lo up");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
