/* The library on live interfaces, in a user and network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "include/sippod/expect.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/packet/frames.h"

static bool have_eth0;

static int set_up(void **state)
{
    *state = sippod_context_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    sippod_context_free(*state);
    return 0;
}

static void send_tagged(struct sippod_context *context, unsigned vlan, unsigned count)
{
    cleanup_frame struct frame frame = frame_tagged(vlan);

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(sippod_send(context, "lo", frame.data, frame.length), 0);
}

static void verdicts(void **state)
{
    struct sippod_options brief = {.timeout_ms = 200};
    struct sippod_future *saw = sippod_expect(*state, "lo", sippod_saw_vlan_tag(102), NULL);
    struct sippod_future *did_not = sippod_expect(*state, "lo", sippod_did_not_see_vlan_tag(102), NULL);
    struct sippod_future *other = sippod_expect(*state, "lo", sippod_saw_vlan_tag(103), &brief);
    struct sippod_future *count = sippod_expect(*state, "lo", sippod_packet_count(), &brief), *later;
    struct sippod_future *longer = sippod_expect(*state, "lo", sippod_saw_vlan_tag(104), NULL);
    bool truth = false;
    int64_t number = 0;
    void *pointer;

    send_tagged(*state, 102, 7);
    assert_true(sippod_check_true(saw)); /* at once, not after 5 s */
    assert_true(sippod_check_false(did_not));
    later =
        sippod_expect(*state, "lo", sippod_packet_count_was(0), &brief); /* what came before does not count */
    assert_true(sippod_check_false(other));
    assert_false(sippod_future_ready(longer));
    assert_true(sippod_check_value(count, 7)); /* each packet of lo once */
    assert_false(sippod_check_value(count, 6));
    assert_true(sippod_check_true(later));
    assert_int_equal(sippod_future_bool(saw, &truth), 0);
    assert_true(truth);
    assert_int_equal(sippod_future_integer(count, &number), 0);
    assert_int_equal(number, 7);
    assert_int_equal(sippod_future_bool(count, &truth), -1);
    assert_int_equal(sippod_future_pointer(count, &pointer), -1);
    assert_string_equal(sippod_future_detail(count), "packet_count(): saw 7 packets in 0.2 s on lo");
}

static void ready(void **state)
{
    struct sippod_future *future = sippod_expect(*state, "lo", sippod_received_packet(), NULL);
    struct pollfd fd = {.fd = sippod_future_fd(future), .events = POLLIN};

    assert_false(sippod_future_ready(future));
    assert_int_equal(poll(&fd, 1, 0), 0);
    send_tagged(*state, 1, 1);
    assert_int_equal(poll(&fd, 1, 3000), 1);
    assert_true(sippod_future_ready(future));
    sippod_future_free(future);
    future = sippod_expect(*state, "lo", sippod_received_packet(), NULL);
    send_tagged(*state, 1, 1);
    assert_true(sippod_check_true(future));
    fd.fd = sippod_future_fd(future); /* asked for when it has ended */
    assert_int_equal(poll(&fd, 1, 0), 1);
    sippod_future_free(future);
}

/* What came before still counts, and a value is a value; what has ended stays as it is. */
static void finished(void **state)
{
    struct sippod_options endless = {.timeout_ms = SIPPOD_NO_TIMEOUT};
    struct sippod_future *count = sippod_expect(*state, "lo", sippod_packet_count(), &endless);
    struct sippod_future *timed_out = sippod_expect(*state, "lo", sippod_timed_out(), NULL);
    struct sippod_future *saw = sippod_expect(*state, "lo", sippod_received_packet(), &endless);

    send_tagged(*state, 1, 5);
    assert_true(sippod_check_true(saw));
    sippod_future_finish(count);
    sippod_future_finish(timed_out);
    sippod_future_finish(saw);
    assert_true(sippod_check_value(count, 5));
    assert_true(sippod_check_true(timed_out));
    assert_true(sippod_check_true(saw));
    send_tagged(*state, 1, 1);
    assert_true(sippod_check_value(count, 5));
}

static void cancelled(void **state)
{
    struct sippod_future *future = sippod_expect(*state, "lo", sippod_received_packet(), NULL);

    sippod_future_cancel(future);
    assert_true(sippod_future_ready(future));
    assert_int_equal(sippod_future_wait(future, NULL), SIPPOD_CANCELLED);
    assert_false(sippod_check_true(future));
    assert_false(sippod_check_false(future));
}

static void failed(struct sippod_future *future, const char *words)
{
    assert_int_equal(sippod_future_wait(future, NULL), SIPPOD_FAILED);
    assert_false(sippod_check_true(future));
    assert_false(sippod_check_false(future));
    if (!strstr(sippod_future_detail(future), words))
        fail_msg("it says: %s", sippod_future_detail(future));
}

static void errors(void **state)
{
    struct sippod_options filter = {.filter = "no filter"};

    failed(sippod_expect(*state, "nonexistent0", sippod_received_packet(), NULL), "on nonexistent0");
    failed(sippod_expect(*state, NULL, sippod_received_packet(), NULL), "no interface");
    failed(sippod_expect(*state, "lo", sippod_saw_vlan_tag(9999), NULL), "0 to 4095");
    failed(sippod_expect(*state, "lo", sippod_received_packet(), &filter), "no filter");
    assert_int_equal(sippod_send(*state, "nonexistent0", "x", 1), -1);
}

/* ---- monitors, and calls of the library from the worker ---- */

struct seen {
    struct sippod_context *context;
    struct sippod_future *self, *made;
    int packets;
};

static int count_three(void *user, const struct sippod_packet *packet)
{
    struct seen *seen = user;

    assert_int_equal(packet->captured, packet->length);
    if (++seen->packets == 3) {
        seen->made = sippod_expect(seen->context, "lo", sippod_saw_vlan_tag(5), NULL);
        assert_int_equal(sippod_future_wait(seen->made, NULL), SIPPOD_PENDING); /* does not wait here */
        sippod_future_cancel(seen->self);
    }
    return 0;
}

static int refuse(void *user, const struct sippod_packet *packet)
{
    (void)user;
    (void)packet;
    return -1;
}

static void monitored(void **state)
{
    struct seen seen = {.context = *state};
    struct sippod_future *refused = sippod_monitor(*state, "lo", NULL, refuse, NULL);

    seen.self = sippod_monitor(*state, "lo", "vlan 4", count_three, &seen);
    send_tagged(*state, 3, 5);
    send_tagged(*state, 4, 5);
    assert_int_equal(sippod_future_wait(seen.self, NULL), SIPPOD_CANCELLED);
    assert_int_equal(seen.packets, 3);
    failed(refused, "on lo");
    send_tagged(*state, 5, 1);
    assert_true(sippod_check_true(seen.made));
}

struct others {
    struct sippod_context *context;
    struct sippod_future *list[5];
    int packets;
};

/* In the middle of the list of those that wait, which is walked along meanwhile. */
static int free_all(void *user, const struct sippod_packet *packet)
{
    struct others *others = user;

    (void)packet;
    if (others->packets++)
        return 0;
    for (size_t i = 0; i < sizeof others->list / sizeof *others->list; i++)
        sippod_future_free(others->list[i]);
    sippod_future_cancel(sippod_expect(others->context, "lo", sippod_saw_vlan(), NULL));
    return 0;
}

static void freed_by_the_worker(void **state)
{
    struct others others = {.context = *state};
    struct sippod_future *first = sippod_expect(*state, "lo", sippod_packet_count_was_at_least(2), NULL);

    for (size_t i = 0; i < sizeof others.list / sizeof *others.list; i++)
        others.list[i] = i == 2 ? sippod_monitor(*state, "lo", NULL, free_all, &others)
                                : sippod_expect(*state, "lo", sippod_saw_vlan_tag((unsigned)i), NULL);
    send_tagged(*state, 3, 2);
    assert_true(sippod_check_true(first));
    assert_int_equal(others.packets, 1);
}

/* ---- more packets than there is room for ---- */

#define FLOOD        20000 /* of FLOOD_LENGTH bytes: more than any ring has */
#define FLOOD_LENGTH 1500

struct flood {
    struct sippod_context *context;
    struct sippod_future *later; /* begins when there is no room left */
};

static int flood(void *user, const struct sippod_packet *packet)
{
    static const uint8_t frame[FLOOD_LENGTH] = {[12] = 0x88, [13] = 0xb6};
    struct flood *flood = user;

    (void)packet;
    for (int i = 0; i < FLOOD; i++)
        if (sippod_send(flood->context, "lo", frame, sizeof frame) < 0)
            return -1;
    flood->later = sippod_expect(flood->context, "lo", sippod_did_not_see_vlan_tag(9),
                                 &(struct sippod_options){.timeout_ms = 100});
    return -1;
}

/* However long the flood takes: these end when they are told to. */
static void lost(void **state)
{
    struct sippod_options endless = {.timeout_ms = SIPPOD_NO_TIMEOUT};
    struct sippod_future *count = sippod_expect(*state, "lo", sippod_packet_count(), &endless);
    struct sippod_future *did_not = sippod_expect(*state, "lo", sippod_did_not_see_vlan_tag(9), &endless);
    struct sippod_future *saw = sippod_expect(*state, "lo", sippod_saw_vlan_tag(8), &endless);
    struct flood flooded = {.context = *state};
    struct sippod_future *flooding = sippod_monitor(*state, "lo", NULL, flood, &flooded);
    struct sippod_verdict verdict;
    unsigned sent = 1 + FLOOD;

    send_tagged(*state, 7, 1);
    (void)sippod_future_wait(flooding, NULL);
    assert_true(sippod_check_true(flooded.later)); /* what was lost before is no matter of its */
    for (; !sippod_future_ready(saw); sent++)      /* until there is room */
        send_tagged(*state, 8, 1);
    sippod_future_finish(did_not);
    sippod_future_finish(count);
    assert_true(sippod_check_true(saw));
    assert_non_null(strstr(sippod_future_detail(saw), " packets were lost"));
    failed(did_not, " packets were lost");
    assert_int_equal(sippod_future_wait(count, &verdict), SIPPOD_FAILED);
    assert_in_range(verdict.lost, 1, 2 * sent); /* each passes a loopback twice */
}

/* ---- many at once ---- */

#define THREADS 4
#define EACH    25

static void *expect_many(void *context)
{
    struct sippod_future *futures[EACH];
    size_t right = 0;

    for (unsigned i = 0; i < EACH; i++)
        futures[i] = sippod_expect(context, "lo", sippod_saw_vlan_tag(i), NULL);
    for (unsigned i = 0; i < EACH; i++)
        send_tagged(context, i, 1);
    for (unsigned i = 0; i < EACH; i++) {
        right += sippod_check_true(futures[i]);
        sippod_future_free(futures[i]);
    }
    return (void *)right;
}

static void from_many_threads(void **state)
{
    pthread_t threads[THREADS];
    void *right;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, expect_many, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &right), 0);
        assert_int_equal((size_t)right, EACH);
    }
}

/* ---- an interface beside lo ---- */

static void directions(void **state)
{
    struct sippod_options in = {.timeout_ms = 200, .direction = SIPPOD_IN, .filter = "vlan 9"};
    struct sippod_options out = {.timeout_ms = 200, .direction = SIPPOD_OUT, .filter = "vlan 9"};
    cleanup_frame struct frame frame = frame_tagged(9);
    struct sippod_future *incoming, *outgoing;

    if (!have_eth0)
        skip();
    incoming = sippod_expect(*state, "eth0", sippod_packet_count_was(0), &in);
    outgoing = sippod_expect(*state, "eth0", sippod_packet_count_was(2), &out);
    assert_int_equal(sippod_send(*state, "eth0", frame.data, frame.length), 0);
    assert_int_equal(sippod_send(*state, "eth0", frame.data, frame.length), 0);
    assert_true(sippod_check_true(incoming));
    assert_true(sippod_check_true(outgoing));
}

/* Whatever comes back later; but what was there before counts. */
static void goes_down(void **state)
{
    cleanup_frame struct frame frame = frame_tagged(9);
    struct sippod_future *saw, *did_not, *again;

    if (!have_eth0)
        skip();
    did_not = sippod_expect(*state, "eth0", sippod_did_not_see_vlan_tag(77), NULL);
    saw = sippod_expect(*state, "eth0", sippod_saw_vlan_tag(9), NULL);
    assert_int_equal(sippod_send(*state, "eth0", frame.data, frame.length), 0);
    interface_set_up("eth0", false);
    interface_set_up("eth0", true);
    again = sippod_expect(*state, "eth0", sippod_saw_vlan_tag(9), NULL);
    failed(did_not, "on eth0: did_not_see_vlan_tag(77): saw none among ");
    failed(did_not, " packets; the capture broke off: the interface went down");
    assert_true(sippod_check_true(saw));
    assert_int_equal(sippod_send(*state, "eth0", frame.data, frame.length), 0);
    assert_true(sippod_check_true(again));
}

static void vanishes(void **state)
{
    struct sippod_future *future, *other = sippod_expect(*state, "lo", sippod_received_packet(), NULL);

    if (!have_eth0)
        skip();
    future = sippod_expect(*state, "eth0", sippod_did_not_see_vlan_tag(77),
                           &(struct sippod_options){.timeout_ms = 3000});
    assert_true(interface_remove("eth0"));
    failed(future, "the capture broke off");
    assert_false(sippod_future_ready(other));
    failed(sippod_expect(*state, "eth0", sippod_received_packet(), NULL), "on eth0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(monitored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freed_by_the_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(from_many_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(vanishes, set_up, tear_down),
    };

    if (!interfaces_enter())
        return 77;
    have_eth0 = interfaces_make_eth0();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
