/* Verdicts on packets, by their own times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "netns/sniffer/judge.h"
#include "tests/unit/packet/frames.h"
#include "tests/unit/support/support.h"

#define BEGIN   1000000000000 /* ns */
#define SECOND  UINT64_C(1000000000)
#define SETTLE  (SECOND / 10)
#define ON_LO   0
#define ON_ETH0 1

static const char *const interfaces[] = {"lo", "eth0"};

static struct judge *judge_one(struct expectation expectation)
{
    const struct expectations expectations = {.list = &expectation, .count = 1};
    cleanup_error struct error *error = NULL;
    struct judge *judge;

    expectation.title = (char *)"it";
    judge = judge_new(&expectations, "/", interfaces, 2, &error);
    if (!judge)
        fail_msg("%s", error_text(error));
    judge_begin(judge, BEGIN);
    return judge;
}

/* One that counts packets and has to have its whole time. */
static struct judge *judge_count_was(unsigned count, struct expectation expectation)
{
    char predicate[40];

    (void)snprintf(predicate, sizeof predicate, "packet_count_was(%u)", count);
    expectation.predicate = predicate;
    expectation.settle_ns = SETTLE;
    return judge_one(expectation);
}

static void pass_frame(struct judge *judge, unsigned interface, uint64_t when, unsigned port)
{
    struct frame frame = frame_datagram(port, "x", 1);
    const struct pcapng_packet packet = {
        .interface = interface,
        .timestamp = when,
        .captured = (uint32_t)frame.length,
        .original = (uint32_t)frame.length,
        .data = frame.data,
    };

    judge_packet(judge, &packet);
    frame_free(&frame);
}

static void pass(struct judge *judge, unsigned interface, uint64_t when)
{
    pass_frame(judge, interface, when, 5060);
}

/* Frees the judge. */
static void is(struct judge *judge, enum judgement judgement, uint64_t seen, uint64_t elapsed_ns,
               const char *detail)
{
    struct judge_verdict verdict;

    assert_true(judge_is_done(judge));
    judge_verdict(judge, 0, &verdict);
    assert_string_equal(verdict.detail, detail);
    assert_int_equal(verdict.judgement, judgement);
    assert_int_equal(verdict.seen, seen);
    assert_int_equal(verdict.elapsed_ns, elapsed_ns);
    judge_free(judge);
}

static void decided_by_its_packet(void **state)
{
    struct judge *judge =
        judge_one((struct expectation){.predicate = (char *)"packet_count_was_at_least(2)"});

    (void)state;
    pass(judge, ON_LO, BEGIN);
    assert_false(judge_is_done(judge));
    pass(judge, ON_ETH0, BEGIN + SECOND);
    pass(judge, ON_LO, BEGIN + 2 * SECOND); /* changes nothing any more */
    is(judge, JUDGED_PASS, 2, SECOND, "packet_count_was_at_least(2): saw 2 of 2 in 1.0 s");
}

static void nothing_before_the_beginning(void **state)
{
    struct expectation one = {.title = (char *)"it", .predicate = (char *)"received_packet"};
    const struct expectations expectations = {.list = &one, .count = 1};
    struct judge *judge = judge_new(&expectations, "/", interfaces, 2, NULL);

    (void)state;
    pass(judge, ON_LO, BEGIN + SECOND); /* nobody said that it has begun */
    judge_begin(judge, BEGIN);
    pass(judge, ON_LO, BEGIN - 1);
    assert_false(judge_is_done(judge));
    pass(judge, ON_LO, BEGIN);
    is(judge, JUDGED_PASS, 1, 0, "received_packet(): saw it in packet 1 in 0.0 s");
}

/* To the nanosecond, and nothing that is read early ends it early. */
static void at_its_timeout(void **state)
{
    struct judge *judge = judge_count_was(2, (struct expectation){.timeout_ns = 3 * SECOND});

    (void)state;
    pass(judge, ON_LO, BEGIN + 3 * SECOND + 1); /* a block of lo is read before an older one of eth0 */
    pass(judge, ON_LO, BEGIN + 9 * SECOND);
    pass(judge, ON_ETH0, BEGIN + 1);
    pass(judge, ON_ETH0, BEGIN + 3 * SECOND);
    judge_settle(judge, BEGIN + 9 * SECOND);
    assert_int_equal(judge_time_out(judge, BEGIN + 3 * SECOND - 1), BEGIN + 3 * SECOND);
    assert_false(judge_is_done(judge));
    assert_int_equal(judge_time_out(judge, BEGIN + 3 * SECOND), 0);
    is(judge, JUDGED_PASS, 2, 3 * SECOND, "packet_count_was(2): saw 2 of 2 in 3.0 s");
}

static void with_the_scenario_and_its_settle_time(void **state)
{
    struct judge *judge = judge_count_was(2, (struct expectation){0});
    uint64_t end = BEGIN + 5 * SECOND;

    (void)state;
    pass(judge, ON_LO, BEGIN + 1);
    assert_int_equal(judge_time_out(judge, end), UINT64_MAX); /* it is open */
    judge_settle(judge, end);
    assert_int_equal(judge_time_out(judge, end + SETTLE - 1), end + SETTLE);
    pass(judge, ON_LO, end + SETTLE);
    pass(judge, ON_LO, end + SETTLE + 1);
    assert_int_equal(judge_time_out(judge, end + SETTLE), 0);
    is(judge, JUDGED_PASS, 2, 5 * SECOND + SETTLE, "packet_count_was(2): saw 2 of 2 in 5.1 s");
}

/* The settle time does not go beyond its own. */
static void at_its_timeout_while_it_settles(void **state)
{
    struct judge *judge = judge_count_was(0, (struct expectation){.timeout_ns = SECOND});

    (void)state;
    judge_settle(judge, BEGIN + SECOND - 10);
    assert_int_equal(judge_time_out(judge, BEGIN), BEGIN + SECOND);
    assert_int_equal(judge_time_out(judge, BEGIN + SECOND), 0);
    is(judge, JUDGED_PASS, 0, SECOND, "packet_count_was(0): saw 0 of 0 in 1.0 s");
}

static void of_one_interface(void **state)
{
    struct judge *judge = judge_count_was(1, (struct expectation){.interface = (char *)"eth0"});

    (void)state;
    pass(judge, ON_LO, BEGIN);
    pass(judge, ON_ETH0, BEGIN);
    judge_settle(judge, BEGIN);
    (void)judge_time_out(judge, BEGIN + SETTLE);
    is(judge, JUDGED_PASS, 1, SETTLE, "packet_count_was(1): saw 1 of 1 in 0.1 s on eth0");
}

static void what_the_filter_lets_through(void **state)
{
    struct judge *judge = judge_count_was(1, (struct expectation){.filter = (char *)"udp dst port 5060"});

    (void)state;
    pass_frame(judge, ON_LO, BEGIN, 5060);
    pass_frame(judge, ON_LO, BEGIN, 5061);
    judge_settle(judge, BEGIN);
    (void)judge_time_out(judge, BEGIN + SETTLE);
    is(judge, JUDGED_PASS, 1, SETTLE, "packet_count_was(1): saw 1 of 1 in 0.1 s");
}

static void up_to_a_limit(void **state)
{
    struct judge *judge = judge_count_was(2, (struct expectation){.limit = 2});

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        pass(judge, ON_LO, BEGIN + i);
    is(judge, JUDGED_PASS, 2, 1, "packet_count_was(2): saw 2 of 2 in 0.0 s");
}

static void turned_round(void **state)
{
    struct expectation wanted = {.predicate = (char *)"received_packet", .negated = true};
    struct judge *judge = judge_one(wanted);

    (void)state;
    pass(judge, ON_LO, BEGIN);
    is(judge, JUDGED_FAIL, 1, 0, "received_packet(): saw it in packet 1 in 0.0 s, and was expected not to");
    judge = judge_one(wanted);
    judge_settle(judge, BEGIN);
    (void)judge_time_out(judge, BEGIN);
    is(judge, JUDGED_PASS, 0, 0, "received_packet(): saw none among 0 packets in 0.0 s");
}

static void failed(void **state)
{
    struct judge *judge = judge_count_was(1, (struct expectation){0});

    (void)state;
    pass(judge, ON_LO, BEGIN);
    pass(judge, ON_ETH0, BEGIN + 5);
    is(judge, JUDGED_FAIL, 2, 5, "packet_count_was(1): saw 2 of 1 in 0.0 s");
}

/* An error is neither, whatever was expected; what was decided before remains. */
static void not_to_be_known(void **state)
{
    struct expectation decided = {.predicate = (char *)"received_packet"};
    struct judge *judge = judge_count_was(1, (struct expectation){.negated = true});

    (void)state;
    judge_fail(judge, ON_ETH0, "it has gone");
    (void)judge_time_out(judge, UINT64_MAX);
    is(judge, JUDGED_ERROR, 0, 0, "packet_count_was(1): saw 0 of 1; eth0: it has gone");
    judge = judge_count_was(1, (struct expectation){.interface = (char *)"eth0"});
    judge_fail(judge, ON_LO, "this is not looked at");
    assert_false(judge_is_done(judge));
    judge_fail(judge, ON_ETH0, "it has gone");
    is(judge, JUDGED_ERROR, 0, 0, "on eth0: packet_count_was(1): saw 0 of 1; it has gone");
    judge = judge_one(decided);
    pass(judge, ON_LO, BEGIN);
    judge_fail(judge, ON_LO, "too late");
    is(judge, JUDGED_PASS, 1, 0, "received_packet(): saw it in packet 1 in 0.0 s");
}

/* What a predicate decides by what it sees stands, and tells it; an end by time or by the limit does not. */
static void behind_a_loss(void **state)
{
    struct judge *judge = judge_count_was(1, (struct expectation){.limit = 2});

    (void)state;
    judge_lost(judge, ON_ETH0, 3);
    pass(judge, ON_LO, BEGIN);
    pass(judge, ON_LO, BEGIN);
    is(judge, JUDGED_FAIL, 2, 0, "packet_count_was(1): saw 2 of 1 in 0.0 s; 3 packets were lost");
    judge = judge_count_was(2, (struct expectation){.limit = 2, .interface = (char *)"lo"});
    judge_lost(judge, ON_ETH0, 3);
    judge_lost(judge, ON_LO, 1);
    pass(judge, ON_LO, BEGIN);
    pass(judge, ON_LO, BEGIN);
    is(judge, JUDGED_ERROR, 2, 0, "on lo: packet_count_was(2): saw 2 of 2; 1 packet was lost");
    judge = judge_count_was(0, (struct expectation){0});
    judge_lost(judge, ON_ETH0, 3);
    judge_lost(judge, ON_LO, 1);
    judge_settle(judge, BEGIN);
    (void)judge_time_out(judge, BEGIN + SETTLE);
    is(judge, JUDGED_ERROR, 0, SETTLE, "packet_count_was(0): saw 0 of 0; 4 packets were lost");
    judge = judge_count_was(0, (struct expectation){.interface = (char *)"lo"});
    judge_lost(judge, ON_ETH0, 3);
    judge_settle(judge, BEGIN);
    (void)judge_time_out(judge, BEGIN + SETTLE);
    is(judge, JUDGED_PASS, 0, SETTLE, "packet_count_was(0): saw 0 of 0 in 0.1 s on lo");
}

static void is_refused(const char *predicate, const char *filter, const char *words)
{
    struct expectation one = {
        .title = (char *)"it", .predicate = (char *)predicate, .filter = (char *)filter};
    const struct expectations expectations = {.list = &one, .count = 1};
    cleanup_error struct error *error = NULL;

    assert_null(judge_new(&expectations, "/", interfaces, 2, &error));
    assert_error(error, ERROR_FAILED, words);
}

static void wrong_ones(void **state)
{
    (void)state;
    is_refused("received_packets", NULL, "expectation \"it\": ");
    is_refused("received_packets", NULL, "did you mean received_packet?");
    is_refused("received_packet", "port", "filter \"port\": ");
    is_refused("saw_packet_equaling(nowhere.pcap#0)", NULL, "/nowhere.pcap: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decided_by_its_packet),
        cmocka_unit_test(nothing_before_the_beginning),
        cmocka_unit_test(at_its_timeout),
        cmocka_unit_test(with_the_scenario_and_its_settle_time),
        cmocka_unit_test(at_its_timeout_while_it_settles),
        cmocka_unit_test(of_one_interface),
        cmocka_unit_test(what_the_filter_lets_through),
        cmocka_unit_test(up_to_a_limit),
        cmocka_unit_test(turned_round),
        cmocka_unit_test(failed),
        cmocka_unit_test(not_to_be_known),
        cmocka_unit_test(behind_a_loss),
        cmocka_unit_test(wrong_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
