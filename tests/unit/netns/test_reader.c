/* Draining what was sent up to a moment while the capture goes on, on a loopback and one end of a veth pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "netns/sniffer/counter.h"
#include "netns/sniffer/reader.h"
#include "src/base/memory.h"
#include "tests/unit/netns/scene.h"

#define ROUNDS  20
#define SOME    600 /* frames: more than are read at once */
#define BLOCK   200 /* ms after which the kernel hands a block over by itself */
#define GIVE_UP 1000

struct rig {
    struct scene *scene;
    struct loop *loop;
    struct reader *reader;
    uint64_t packets[2]; /* of each interface */
    int done, complete;  /* drains */
};

/* IPv4: a fresh veth says something of IPv6 by itself. */
static void on_packet(void *user, const struct pcapng_packet *packet)
{
    static const uint8_t ipv4[] = {0x08, 0x00};
    struct rig *rig = user;

    if (memcmp((const uint8_t *)packet->data + 12, ipv4, sizeof ipv4) == 0)
        rig->packets[packet->interface]++;
}

static void on_read(void *user)
{
    (void)user;
}

static const struct reader_callbacks callbacks = {.packet = on_packet, .after = on_read};

static int setup(void **state)
{
    static const char *const interfaces[] = {"lo", "eth0"};
    struct rig *rig = memory_new(sizeof *rig);

    scene_setup((void **)&rig->scene);
    rig->loop = loop_new(NULL);
    rig->reader = reader_open(rig->loop, interfaces, rig->scene->have_eth0 ? 2 : 1, &callbacks, rig, NULL);
    assert_non_null(rig->reader);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    reader_close(rig->reader);
    loop_free(rig->loop);
    scene_teardown((void **)&rig->scene);
    free(rig);
    return 0;
}

static void on_done(void *user, bool complete)
{
    struct rig *rig = user;

    rig->done++;
    rig->complete += complete;
    loop_quit(rig->loop);
}

/* Milliseconds that it took. */
static int64_t drain(struct rig *rig)
{
    int64_t begin = loop_now_ns();
    int before = rig->done;

    reader_drain(rig->reader, on_done);
    assert_int_equal(loop_run(rig->loop, NULL), 0);
    assert_int_equal(rig->done, before + 1);
    return (loop_now_ns() - begin) / 1000000;
}

static void reads_what_was_sent(void **state)
{
    struct rig *rig = *state;

    assert_true(scene_send(rig->scene, ON_LO, 0, 100));
    if (rig->scene->have_eth0)
        assert_true(scene_send(rig->scene, ON_ETH0, 0, 100));
    assert_in_range(drain(rig), 0, BLOCK - 1);
    assert_int_equal(rig->complete, 1);
    assert_int_equal(rig->packets[0], 100);
    assert_int_equal(rig->packets[1], rig->scene->have_eth0 ? 100 : 0);
}

/* Nothing was sent: there is nothing to wait for. */
static void is_done_at_once(void **state)
{
    static const char *const lo[] = {"lo"};
    struct rig *rig = *state;
    struct reader *reader = reader_open(rig->loop, lo, 1, &callbacks, rig, NULL);

    assert_non_null(reader);
    reader_drain(reader, on_done);
    assert_int_equal(rig->complete, 1);
    reader_close(reader);
}

/* Each one has to read all; markers that an earlier one has left in the ring must not end it. */
static void again_and_again(void **state)
{
    struct rig *rig = *state;

    for (unsigned round = 1; round <= ROUNDS; round++) {
        assert_true(scene_send(rig->scene, ON_LO, 0, SOME));
        if (rig->scene->have_eth0)
            assert_true(scene_send(rig->scene, ON_ETH0, 0, SOME));
        drain(rig);
        assert_int_equal(rig->packets[0], SOME * round);
        assert_int_equal(rig->packets[1], rig->scene->have_eth0 ? SOME * round : 0);
    }
    assert_int_equal(rig->complete, ROUNDS);
}

/* Markers are ours, and nobody's packets. */
static void counts_no_markers(void **state)
{
    struct rig *rig = *state;
    uint64_t received, dropped;

    assert_true(scene_send(rig->scene, ON_LO, 0, 3));
    drain(rig);
    drain(rig);
    reader_statistics(rig->reader, 0, &received, &dropped);
    assert_int_equal(received, 3);
    assert_int_equal(dropped, 0);
}

/* lo has counted frames that the capture does not get to see. */
static uint32_t late_frames;

void __real_counter_checkpoint(struct counter *counter); // NOLINT: the linker's names
void __wrap_counter_checkpoint(struct counter *counter); // NOLINT
void __wrap_counter_checkpoint(struct counter *counter)
{
    __real_counter_checkpoint(counter);
    counter->expected += late_frames;
}

static void says_when_it_gave_up(void **state)
{
    struct rig *rig = *state;

    assert_true(scene_send(rig->scene, ON_LO, 0, 3));
    late_frames = 1;
    assert_in_range(drain(rig), GIVE_UP - 1, 3 * GIVE_UP);
    late_frames = 0;
    assert_int_equal(rig->complete, 0);
    assert_int_equal(rig->packets[0], 3);
    drain(rig);
    assert_int_equal(rig->complete, 1);
}

static void on_forgotten(void *user, bool complete)
{
    (void)user;
    (void)complete;
    fail_msg("a drain that was given up for another is not over");
}

static void gives_way_to_another(void **state)
{
    struct rig *rig = *state;

    late_frames = 1; /* it cannot be over at once */
    reader_drain(rig->reader, on_forgotten);
    late_frames = 0;
    assert_true(scene_send(rig->scene, ON_LO, 0, 3));
    drain(rig);
    assert_int_equal(rig->complete, 1);
    assert_int_equal(rig->packets[0], 3);
}

static void knows_what_is_gone(void **state)
{
    struct rig *rig = *state;

    if (!rig->scene->have_eth0) {
        print_message("SKIPPED: it takes a second interface\n");
        skip();
    }
    assert_false(reader_has_lost(rig->reader, 1));
    interface_set_up("eth0", false);
    assert_false(reader_has_lost(rig->reader, 1)); /* it may come back */
    assert_true(interface_remove("eth0"));
    assert_true(reader_has_lost(rig->reader, 1));
    assert_false(reader_has_lost(rig->reader, 0));
    assert_true(interfaces_make_eth0()); /* another one of that name */
    assert_true(reader_has_lost(rig->reader, 1));
}

#define rig_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(reads_what_was_sent), rig_test(is_done_at_once),      rig_test(again_and_again),
        rig_test(counts_no_markers),   rig_test(says_when_it_gave_up), rig_test(gives_way_to_another),
        rig_test(knows_what_is_gone),
    };

    if (!interfaces_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
