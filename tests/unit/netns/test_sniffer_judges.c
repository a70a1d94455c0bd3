/* The sniffer told when to judge, on a loopback and one end of a veth pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>

#include "netns/sniffer/judge.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "tests/unit/netns/scene.h"
#include "tests/unit/support/support.h"

#define MS            UINT64_C(1000000)
#define BLOCK         200 /* ms after which the kernel hands a block over by itself */
#define MOST_EXPECTED 4

static const char *const interfaces[] = {"lo", "eth0"};

struct rig {
    struct scene *scene;
    struct expectation list[MOST_EXPECTED];
    size_t count;
    struct judge *judge;
    int64_t judged_ns; /* when; 0: not yet */
    const char *file;
    bool (*play)(const struct scene *scene); /* what is sent when it has begun */
    int64_t asked_ns;                        /* when the verdicts were asked for */
};

static const struct rig
    *late_sender;         /* sends when the sniffer begins to wait for the settle time; NULL: nobody */
static int64_t waited_ms; /* for that */

static int setup(void **state)
{
    struct rig *rig = memory_new(sizeof *rig);

    scene_setup((void **)&rig->scene);
    rig->file = FILE_NAME;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    scene_teardown((void **)&rig->scene);
    judge_free(rig->judge);
    late_sender = NULL;
    waited_ms = 0;
    free(rig);
    return 0;
}

static void expect(struct rig *rig, const char *predicate, uint64_t timeout_ms, uint64_t settle_ms)
{
    rig->list[rig->count++] = (struct expectation){
        .title = (char *)"it",
        .predicate = (char *)predicate,
        .filter = (char *)"udp dst port 45060",
        .timeout_ns = timeout_ms * MS,
        .settle_ns = settle_ms * MS,
    };
}

/* The sniffer's own ticks are shorter. */
struct timer *__real_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user); // NOLINT
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user); // NOLINT
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user)
{
    if (ms > 5) {
        waited_ms = ms;
        if (late_sender)
            assert_true(scene_send(late_sender->scene, ON_LO, 0, 3));
    }
    return __real_loop_after(loop, ms, fn, user);
}

/* ---- the orders: one byte each on the control socket, its end is the stop ---- */

static enum sniffer_order next(void *user)
{
    const struct rig *rig = user;
    struct pollfd ready = {.fd = rig->scene->ends[1], .events = POLLIN};
    char order;

    if (poll(&ready, 1, 0) <= 0)
        return SNIFFER_NONE;
    if (socket_receive(rig->scene->ends[1], &order, 1, NULL) != 1)
        return SNIFFER_STOP;
    return order == 'b' ? SNIFFER_BEGIN : SNIFFER_SETTLE;
}

static void say(struct rig *rig, char order)
{
    assert_int_equal(socket_send(rig->scene->ends[0], &order, 1, -1), 0);
}

static void begun(void *user)
{
    struct rig *rig = user;

    assert_true(rig->play(rig->scene));
    rig->asked_ns = loop_now_ns();
    say(rig, 's');
}

static void judged(void *user)
{
    struct rig *rig = user;

    assert_int_equal(rig->judged_ns, 0); /* once */
    rig->judged_ns = loop_now_ns();
    scene_stop(rig->scene);
}

/* Begins, has `play` send packets, and asks for the verdicts. Returns how long these took, in milliseconds.
 */
static int64_t run(struct rig *rig, bool (*play)(const struct scene *scene))
{
    const struct expectations expectations = {.list = rig->list, .count = rig->count};
    const struct sniffer_orders orders = {.next = next, .begun = begun, .judged = judged, .user = rig};
    struct sniffer_config config = {
        .folder = rig->scene->folder,
        .file = rig->file,
        .interfaces = interfaces,
        .interface_count = rig->scene->have_eth0 ? 2 : 1,
        .orders = &orders,
    };
    struct sniffer_counts counts;

    rig->play = play;
    rig->judge = judge_new(&expectations, rig->scene->path, interfaces, config.interface_count, NULL);
    assert_non_null(rig->judge);
    config.judge = rig->judge;
    rig->scene->sniffer = sniffer_open(&config, NULL);
    assert_non_null(rig->scene->sniffer);
    assert_true(scene_send(rig->scene, ON_LO, 0, 5)); /* before the beginning: do not count */
    say(rig, 'b');
    scene_run(rig->scene, &counts);
    assert_true(rig->judged_ns > 0);
    return (rig->judged_ns - rig->asked_ns) / 1000000;
}

static void is(const struct rig *rig, size_t number, enum judgement judgement, uint64_t seen)
{
    struct judge_verdict verdict;

    judge_verdict(rig->judge, number, &verdict);
    if (verdict.judgement != judgement || verdict.seen != seen)
        fail_msg("expectation %zu: verdict %d, %llu seen: %s", number, verdict.judgement,
                 (unsigned long long)verdict.seen, verdict.detail);
}

static bool send_some(const struct scene *scene)
{
    return scene_send(scene, ON_LO, 0, 10) && (!scene->have_eth0 || scene_send(scene, ON_ETH0, 0, 10));
}

static bool send_nothing(const struct scene *scene)
{
    (void)scene;
    return true;
}

/* The packets lie in blocks that are not full: they are judged all the same, and nothing is waited for. */
static void decided_without_waiting(void **state)
{
    struct rig *rig = *state;
    bool both = rig->scene->have_eth0;

    expect(rig, "packet_count_was_at_least(10)", 0, 60000);
    expect(rig, both ? "packet_count_was_at_least(20)" : "packet_count_was_at_least(10)", 0, 60000);
    assert_in_range(run(rig, send_some), 0, BLOCK - 1);
    is(rig, 0, JUDGED_PASS, 10);
    is(rig, 1, JUDGED_PASS, both ? 20 : 10);
    assert_int_equal(waited_ms, 0);
}

static void each_interface(void **state)
{
    struct rig *rig = *state;

    expect(rig, "packet_count_was(10)", 0, 0);
    rig->list[0].interface = (char *)"lo";
    if (rig->scene->have_eth0) {
        expect(rig, "packet_count_was(10)", 0, 0);
        rig->list[1].interface = (char *)"eth0";
    }
    run(rig, send_some);
    is(rig, 0, JUDGED_PASS, 10);
    if (rig->scene->have_eth0)
        is(rig, 1, JUDGED_PASS, 10);
}

/* No longer than the longest that is undecided needs, and what comes meanwhile counts for whom it is in time.
 */
static void settles(void **state)
{
    struct rig *rig = *state;

    late_sender = rig;
    expect(rig, "packet_count_was(3)", 0, 300);
    expect(rig, "packet_count_was(0)", 0, 0);
    expect(rig, "packet_count_was_at_least(1)", 0, 60000);
    rig->list[2].filter = (char *)"udp dst port 9";
    rig->list[2].timeout_ns = 100 * MS;
    assert_in_range(run(rig, send_nothing), 300 - 1, 1500);
    assert_in_range(waited_ms, 200, 301);
    is(rig, 0, JUDGED_PASS, 3);
    is(rig, 1, JUDGED_PASS, 0);
    is(rig, 2, JUDGED_FAIL, 0);
}

/* What is waited for comes: that is all. Its block is handed over by the kernel in its own time. */
static void settles_no_longer_than_needed(void **state)
{
    struct rig *rig = *state;

    late_sender = rig;
    expect(rig, "packet_count_was_at_least(1)", 0, 60000);
    assert_in_range(run(rig, send_nothing), 0, 5000);
    assert_in_range(waited_ms, 59000, 60001);
    is(rig, 0, JUDGED_PASS, 1);
}

/* Its own time is over before that of the scenario. */
static void timed_out_before(void **state)
{
    struct rig *rig = *state;

    expect(rig, "packet_count_was(0)", 0, 0);
    rig->list[0].timeout_ns = 1;
    assert_in_range(run(rig, send_some), 0, BLOCK - 1);
    is(rig, 0, JUDGED_PASS, 0);
}

static void without_a_file(void **state)
{
    struct rig *rig = *state;

    rig->file = NULL;
    expect(rig, "packet_count_was_at_least(10)", 0, 0);
    run(rig, send_some);
    assert_false(folder_has(rig->scene->path, FILE_NAME));
    is(rig, 0, JUDGED_PASS, 10);
}

/* More than the ring holds: some are lost, and only what the others decide can be known. */
static bool send_too_many(const struct scene *scene)
{
    return scene_send(scene, ON_LO, 0, 6000);
}

static void losses_are_no_verdict(void **state)
{
    struct rig *rig = *state;
    struct judge_verdict verdict;

    expect(rig, "packet_count_was(6000)", 0, 0);
    expect(rig, "packet_count_was_at_least(1)", 0, 0);
    run(rig, send_too_many);
    judge_verdict(rig->judge, 0, &verdict);
    assert_int_equal(verdict.judgement, JUDGED_ERROR);
    assert_non_null(strstr(verdict.detail, "packet_count_was(6000): saw "));
    assert_non_null(strstr(verdict.detail, " packets were lost"));
    is(rig, 1, JUDGED_PASS, 1);
}

static bool remove_eth0(const struct scene *scene)
{
    return scene_send(scene, ON_LO, 0, 10) && interface_remove("eth0");
}

static void an_interface_that_goes(void **state)
{
    struct rig *rig = *state;
    struct judge_verdict verdict;

    if (!rig->scene->have_eth0) {
        print_message("SKIPPED: it takes a second interface\n");
        skip();
    }
    expect(rig, "packet_count_was(10)", 0, 0);
    expect(rig, "packet_count_was(10)", 0, 0);
    rig->list[1].interface = (char *)"lo";
    expect(rig, "packet_count_was_at_least(10)", 0, 0);
    run(rig, remove_eth0);
    judge_verdict(rig->judge, 0, &verdict);
    assert_int_equal(verdict.judgement, JUDGED_ERROR);
    assert_string_equal(verdict.detail, "packet_count_was(10): saw 10 of 10; eth0: the interface has gone");
    is(rig, 1, JUDGED_PASS, 10);
    is(rig, 2, JUDGED_PASS, 10);
}

/* The capture goes on behind the checkpoint, and the file has all. */
static void the_file_is_whole(void **state)
{
    struct rig *rig = *state;
    struct seen seen;

    late_sender = rig;
    expect(rig, "packet_count_was(13)", 0, 50);
    rig->list[0].interface = (char *)"lo";
    run(rig, send_some);
    is(rig, 0, JUDGED_PASS, 13);
    scene_read(rig->scene, &seen);
    assert_true(seen.whole && seen.ordered);
    assert_int_equal(seen.markers, 0);
    assert_int_equal(seen.lo_count, 5 + 10 + 3);
}

#define rig_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(decided_without_waiting),
        rig_test(each_interface),
        rig_test(settles),
        rig_test(settles_no_longer_than_needed),
        rig_test(timed_out_before),
        rig_test(without_a_file),
        rig_test(losses_are_no_verdict),
        rig_test(an_interface_that_goes),
        rig_test(the_file_is_whole),
    };

    if (!interfaces_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
