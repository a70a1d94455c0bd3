/* The sniffer on a loopback and one end of a veth pair. Numbered datagrams are sent on both, and have to be
 * in the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/sniffer/counter.h"
#include "src/base/file.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/packet/pcapng.h"
#include "tests/unit/netns/scene.h"
#include "tests/unit/support/support.h"

/* Loud, as a machine without veth tests less. */
#define need_eth0(scene)                                                                                     \
    do {                                                                                                     \
        if (!(scene)->have_eth0) {                                                                           \
            print_message("SKIPPED: it takes a second interface\n");                                         \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

/* ---- Capturing ---- */

#define MANY 1000

/* The ring is two blocks, and a block is at most 0.2 s: on a machine so busy that a test gets no more than
 * that, frames are dropped. They are counted, and the test is tried again. */
static void until_none_is_dropped(struct scene *scene, bool (*attempt)(struct scene *scene))
{
    int left = 5;

    while (!attempt(scene)) {
        assert_true(--left > 0);
        print_message("the machine is too busy: frames were dropped; once more\n");
        scene_reset(scene);
    }
}

/* Sends MANY on lo after the sniffer says that it runs, and stops right behind the last one: nothing has been
 * read yet. True if the ring was large enough for it. */
static bool burst(struct scene *scene)
{
    struct sniffer_counts counts;
    struct outline outline;
    struct seen seen;

    scene_open(scene, scene->have_eth0);
    assert_true(scene_send(scene, ON_LO, 0, MANY));
    scene_stop(scene);
    scene_run(scene, &counts);
    assert_good_file(scene, &counts, &seen);
    assert_true(seen.lo_count + counts.dropped >= MANY);
    scene_outline(scene, &outline);
    assert_int_equal(outline.types[1], scene->have_eth0 ? 2 : 1);
    assert_int_equal(outline.types[5], scene->have_eth0 ? 2 : 1);
    assert_int_equal(outline.types[6], counts.packets);
    assert_int_equal(outline.received[0], MANY);
    assert_int_equal(outline.dropped[0] + outline.dropped[1], counts.dropped);
    if (counts.dropped == 0)
        assert_numbers(seen.lo, seen.lo_count, MANY);
    return counts.dropped == 0;
}

/* The same while the sniffer runs, on one interface or both: the sender's exit is the stop. */
static bool concurrent(struct scene *scene, bool both, bool (*fn)(const struct scene *scene))
{
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    scene_open(scene, both);
    pid = scene_child(scene, fn);
    scene_run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_true(seen.lo_count + seen.eth0_count + counts.dropped >= (both ? 2 * MANY : MANY));
    if (counts.dropped > 0)
        return false;
    assert_numbers(seen.lo, seen.lo_count, MANY);
    assert_numbers(seen.eth0, seen.eth0_count, both ? MANY : 0);
    return true;
}

static void loses_nothing(void **state)
{
    until_none_is_dropped(*state, burst);
}

static bool send_on_lo(const struct scene *scene)
{
    return scene_send(scene, ON_LO, 0, MANY);
}

static bool one_interface(struct scene *scene)
{
    return concurrent(scene, false, send_on_lo);
}

static void loses_nothing_while_running(void **state)
{
    until_none_is_dropped(*state, one_interface);
}

static bool send_on_both(const struct scene *scene)
{
    for (uint32_t i = 0; i < MANY; i++)
        if (!scene_send(scene, ON_LO, i, 1) || !scene_send(scene, ON_ETH0, i, 1))
            return false;
    return true;
}

static bool two_interfaces(struct scene *scene)
{
    return concurrent(scene, true, send_on_both);
}

/* Handles are read one after the other, so that the stream cannot be in order: the file has to be. */
static void two_interfaces_in_order(void **state)
{
    struct scene *scene = *state;

    need_eth0(scene);
    until_none_is_dropped(scene, two_interfaces);
}

/* A processor too busy to receive: lo has counted frames that the capture gets to see only after the stop.
 * They are really sent late, and counter_checkpoint() is made to know of them. */
static uint32_t late_frames;

void __real_counter_checkpoint(struct counter *counter); // NOLINT: the linker's names
void __wrap_counter_checkpoint(struct counter *counter); // NOLINT
void __wrap_counter_checkpoint(struct counter *counter)
{
    __real_counter_checkpoint(counter);
    counter->expected += late_frames;
}

static bool send_late(const struct scene *scene)
{
    bool sent = scene_send(scene, ON_LO, 0, 10) && shutdown(scene->ends[0], SHUT_RDWR) == 0;

    (void)poll(NULL, 0, 100);
    return sent && scene_send(scene, ON_LO, 10, 10);
}

static void waits_for_frames_on_their_way(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    int64_t took;
    pid_t pid;

    scene_open(scene, false);
    late_frames = 10;
    pid = scene_child(scene, send_late);
    took = scene_run(scene, &counts);
    late_frames = 0;
    assert_child_succeeds(pid);
    assert_in_range(took, 0, 900);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 20);
}

/* If they never come, that is no reason to wait for ever. */
static void gives_up_on_frames_that_never_come(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    int64_t took;

    scene_open(scene, false);
    assert_true(scene_send(scene, ON_LO, 0, 10));
    scene_stop(scene);
    late_frames = 1;
    took = scene_run(scene, &counts);
    late_frames = 0;
    assert_in_range(took, 900, 3000);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 10);
}

static void message_stops_too(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    char message[8];

    scene_open(scene, false);
    assert_int_equal(socket_send(scene->ends[0], "stop", 4, -1), 0);
    scene_run(scene, &counts);
    assert_int_equal(socket_receive(scene->ends[1], message, sizeof message, NULL), 4); /* is left to us */
}

static void nothing_to_see(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;

    scene_open(scene, false);
    scene_stop(scene);
    assert_in_range(scene_run(scene, &counts), 0, 500);
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
    scene_open(scene, false);
    for (size_t length = 14; length <= 18; length++)
        assert_int_equal(sendto(fd, frame, length, 0, (struct sockaddr *)&to, sizeof to), length);
    assert_int_equal(sendto(fd, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to), sizeof frame);
    scene_stop(scene);
    scene_run(scene, &counts);
    assert_good_file(scene, &counts, &seen);
    assert_int_equal(counts.packets, 6);
}

/* ---- Interfaces that go down or away ---- */

static void interface_down_before_stop(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;

    need_eth0(scene);
    scene_open(scene, true);
    assert_true(scene_send(scene, ON_LO, 0, 100));
    assert_true(scene_send(scene, ON_ETH0, 0, 100));
    interface_set_up("eth0", false);
    scene_stop(scene);
    assert_in_range(scene_run(scene, &counts), 0, 900);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 100);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static void interface_gone_before_stop(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;

    need_eth0(scene);
    scene_open(scene, true);
    assert_true(scene_send(scene, ON_LO, 0, 100));
    assert_true(scene_send(scene, ON_ETH0, 0, 100));
    assert_true(interface_remove("eth0"));
    scene_stop(scene);
    assert_in_range(scene_run(scene, &counts), 0, 900);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 100);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static bool remove_eth0_between(const struct scene *scene)
{
    return scene_send(scene, ON_LO, 0, 100) && scene_send(scene, ON_ETH0, 0, 100) &&
           interface_remove("eth0") && poll(NULL, 0, 200) == 0 && scene_send(scene, ON_LO, 100, 100);
}

static void other_interface_goes_on(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    need_eth0(scene);
    scene_open(scene, true);
    pid = scene_child(scene, remove_eth0_between);
    scene_run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 200);
    assert_numbers(seen.eth0, seen.eth0_count, 100);
}

static bool flap_lo(const struct scene *scene)
{
    if (!scene_send(scene, ON_LO, 0, 100))
        return false;
    interface_set_up("lo", false);
    interface_set_up("lo", true);
    return scene_send(scene, ON_LO, 100, 100);
}

static void interface_comes_back(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct seen seen;
    pid_t pid;

    scene_open(scene, false);
    pid = scene_child(scene, flap_lo);
    scene_run(scene, &counts);
    assert_child_succeeds(pid);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 200);
}

/* ---- Other things that go wrong ---- */

static bool flood(const struct scene *scene)
{
    close(scene->ends[0]);
    for (uint32_t i = 0;; i++)
        if (!scene_send(scene, ON_LO, i, 1))
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

    scene_open(scene, false);
    pid = scene_child(scene, flood);
    took = scene_run(scene, &counts);
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

    if (syscall(SYS_capset, &header, none) < 0 || !scene_send(scene, ON_LO, 0, 100) ||
        !scene_send(scene, ON_ETH0, 0, 100) || socket_pair(SOCK_SEQPACKET, ends, NULL) < 0)
        return false;
    control = ends[1];
    close(ends[0]);
    return sniffer_run(scene->sniffer, control, &counts, NULL) == 0;
}

static void runs_without_capabilities(void **state)
{
    struct scene *scene = *state;
    struct seen seen;

    need_eth0(scene);
    scene_open(scene, true);
    assert_child_succeeds(scene_child(scene, run_without_capabilities));
    scene_read(scene, &seen);
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

    pcapng_add_names(&scene->names, &(struct pcapng_name){"198.18.1.0", "ua0"}, 1);
    scene_open(scene, false);
    pid = scene_child(scene, run_until_killed);
    assert_true(scene_send(scene, ON_LO, 0, 100));
    do {
        (void)poll(NULL, 0, 5);
        scene_read(scene, &seen);
    } while (seen.lo_count < 100 && loop_now_ns() < patience);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    scene_read(scene, &seen);
    assert_true(seen.whole);
    assert_numbers(seen.lo, seen.lo_count, 100);
}

/* True if as much came as the disk has no room for. */
static bool fill_disk(struct scene *scene)
{
    struct sniffer_counts counts = {0};
    cleanup_error struct error *error = NULL;
    struct seen seen;

    scene_open(scene, false);
    assert_true(scene_send(scene, ON_LO, 0, MANY));
    scene_stop(scene);
    if (sniffer_run(scene->sniffer, scene->ends[1], &counts, &error) == 0) {
        assert_true(counts.dropped > 0);
        return false;
    }
    assert_error(error, ERROR_FAILED, "cannot write " FILE_NAME);
    assert_int_equal(error->sys, EFBIG);
    assert_true(counts.packets + counts.dropped >= MANY);
    assert_good_file(scene, &counts, &seen);
    assert_int_equal(seen.lo_count, counts.packets);
    assert_true(seen.lo_count > 0);
    return true;
}

/* A limit on the size of files stands in for a full disk. */
static void disk_full(void **state)
{
    struct rlimit before, small;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 70000, .rlim_max = before.rlim_max};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    until_none_is_dropped(*state, fill_disk);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void assert_refused(const struct scene *scene, const char *interface, const char *words, size_t files)
{
    const char *interfaces[] = {"lo", interface};
    const struct sniffer_config config = {
        .folder = scene->folder,
        .file = FILE_NAME,
        .interfaces = interfaces,
        .interface_count = interface ? 2 : 1,
    };
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
    if (scene->have_eth0) {
        interface_set_up("eth0", false);
        assert_refused(scene, "eth0", "eth0", 0);
    }
    assert_int_equal(file_write(scene->folder, FILE_NAME, "mine", 4, 0644, NULL), 0);
    assert_refused(scene, NULL, FILE_NAME, 1);
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(loses_nothing),
        scene_test(loses_nothing_while_running),
        scene_test(two_interfaces_in_order),
        scene_test(waits_for_frames_on_their_way),
        scene_test(gives_up_on_frames_that_never_come),
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
    };

    if (!interfaces_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
