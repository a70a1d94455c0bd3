/* How an expectation goes: order of the calls, limits, time, errors; and whole files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/expect/evaluation.h"
#include "tests/unit/packet/frames.h"
#include "tests/unit/support/support.h"

/* ---- a predicate of the test's own ---- */

struct watched {
    int packets, stops, finishes, freed;
    int stop_at, fail_at;
    bool timed_out;
};

static int on_packet(void *state, const struct sippod_packet *packet)
{
    struct watched *watched = state;

    (void)packet;
    return ++watched->packets == watched->fail_at ? -1 : 0;
}

static bool stop_condition(void *state, const struct sippod_packet *packet)
{
    struct watched *watched = state;

    (void)packet;
    assert_int_equal(++watched->stops, watched->packets); /* never before on_packet() */
    return watched->packets == watched->stop_at;
}

static struct sippod_value on_finish(void *state, bool timed_out)
{
    struct watched *watched = state;

    watched->finishes++;
    watched->timed_out = timed_out;
    return (struct sippod_value){.kind = SIPPOD_POINTER, .pointer = watched};
}

static void on_free(void *state)
{
    ((struct watched *)state)->freed++;
}

static struct sippod_predicate watch(struct watched *watched)
{
    return (struct sippod_predicate){
        .on_packet = on_packet,
        .stop_condition = stop_condition,
        .on_finish = on_finish,
        .free = on_free,
        .state = watched,
    };
}

/* Ten packets at 1.0, 1.1, … s. */
static struct sippod_verdict play(struct watched *watched, const struct sippod_options *options)
{
    cleanup_frame struct frame frame = frame_tagged(1);
    struct sippod_packet packet = frame_packet(&frame);
    struct evaluation evaluation;
    struct sippod_verdict verdict;

    evaluation_begin(&evaluation, watch(watched), options, packet.timestamp_ns, NULL);
    for (int i = 0; i < 10; i++, packet.timestamp_ns += 100000000)
        evaluation_packet(&evaluation, &packet);
    evaluation_time_out(&evaluation, 6000000000);
    evaluation_fail(&evaluation, "changes nothing");
    verdict = evaluation.verdict;
    evaluation_free(&evaluation);
    assert_int_equal(watched->freed, 1);
    return verdict;
}

static void stopped(void **state)
{
    struct watched watched = {.stop_at = 3};
    struct sippod_verdict verdict = play(&watched, NULL);

    (void)state;
    assert_int_equal(verdict.state, SIPPOD_DECIDED);
    assert_ptr_equal(verdict.value.pointer, &watched);
    assert_int_equal(verdict.seen, 3);
    assert_int_equal(verdict.elapsed_ns, 200000000);
    assert_int_equal(watched.packets, 3);
    assert_int_equal(watched.finishes, 1);
    assert_false(watched.timed_out);
}

static void limited(void **state)
{
    struct watched watched = {0};
    struct sippod_verdict verdict = play(&watched, &(struct sippod_options){.packet_limit = 4});

    (void)state;
    assert_int_equal(watched.packets, 4);
    assert_int_equal(verdict.seen, 4);
    assert_false(watched.timed_out);
}

static void timed_out(void **state)
{
    struct watched watched = {0}, later = {0};
    struct sippod_verdict verdict = play(&watched, NULL);

    (void)state;
    assert_int_equal(watched.packets, 10);
    assert_true(watched.timed_out);
    assert_int_equal(verdict.elapsed_ns, 5000000000);
    verdict = play(&later, &(struct sippod_options){.timeout_ms = 450}); /* packets behind it do not count */
    assert_int_equal(later.packets, 5);
    assert_true(later.timed_out);
    assert_int_equal(verdict.elapsed_ns, 450000000);
}

/* A packet that was captured before it began; one that was cut off and is equal as far as it goes. */
static void do_not_count(void **state)
{
    cleanup_frame struct frame frame = frame_tagged(1);
    struct sippod_packet packet = frame_packet(&frame);
    struct evaluation evaluation;

    (void)state;
    evaluation_begin(&evaluation, sippod_saw_packet_equaling(frame.data, frame.length), NULL,
                     packet.timestamp_ns + 1, NULL);
    assert_false(evaluation_packet(&evaluation, &packet));
    assert_int_equal(evaluation.verdict.seen, 0);
    packet.timestamp_ns++;
    packet.length++;
    assert_false(evaluation_packet(&evaluation, &packet));
    assert_int_equal(evaluation.verdict.seen, 1);
    packet.length--;
    assert_true(evaluation_packet(&evaluation, &packet));
    evaluation_free(&evaluation);
}

/* Three packets of ten are taken in, then two are lost. */
static struct sippod_verdict play_losses(struct sippod_predicate predicate,
                                         const struct sippod_options *options)
{
    cleanup_frame struct frame frame = frame_tagged(1);
    struct sippod_packet packet = frame_packet(&frame);
    struct evaluation evaluation;
    struct sippod_verdict verdict;

    evaluation_begin(&evaluation, predicate, options, packet.timestamp_ns, "eth0");
    for (int i = 0; i < 10; i++, packet.timestamp_ns += 100000000) {
        if (i == 3)
            evaluation_lost(&evaluation, 2);
        evaluation_packet(&evaluation, &packet);
    }
    evaluation_time_out(&evaluation, 6000000000);
    evaluation_lost(&evaluation, 99);
    verdict = evaluation.verdict;
    evaluation_free(&evaluation);
    return verdict;
}

/* What a stop condition decides is decided; all else nobody knows. */
static void lost(void **state)
{
    struct watched watched = {0};
    struct sippod_verdict verdict = play_losses(sippod_packet_count_was_at_least(5), NULL);

    (void)state;
    assert_true(sippod_verdict_is(&verdict, true));
    assert_int_equal(verdict.lost, 2);
    assert_string_equal(verdict.detail,
                        "packet_count_was_at_least(5): saw 5 of 5 in 0.4 s on eth0; 2 packets were lost");
    verdict = play_losses(sippod_not(sippod_did_not_see_vlan_tag(1)), NULL); /* before it */
    assert_true(sippod_verdict_is(&verdict, true));
    assert_int_equal(verdict.lost, 0);
    verdict = play_losses(sippod_did_not_see_vlan_tag(2), NULL);
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_string_equal(verdict.detail,
                        "on eth0: did_not_see_vlan_tag(2): saw none among 10 packets; 2 packets were lost");
    verdict = play_losses(sippod_packet_count(), &(struct sippod_options){.packet_limit = 7});
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_int_equal(verdict.seen, 7);
    verdict = play_losses(watch(&watched), NULL);
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_int_equal(watched.finishes, 1);
}

/* ---- a predicate that is cancelled by a function of its own ---- */

static struct evaluation *cancelled;
static int cancelled_finishes;

static bool stop_and_cancel(void *state, const struct sippod_packet *packet)
{
    (void)state;
    (void)packet;
    return evaluation_cancel(cancelled);
}

static struct sippod_value finish_and_cancel(void *state, bool timed_out)
{
    (void)timed_out;
    cancelled_finishes++;
    if (state)
        evaluation_cancel(cancelled);
    return (struct sippod_value){.kind = SIPPOD_BOOL, .integer = 1};
}

static void cancelled_from_inside(void **state)
{
    struct sippod_predicate stops = {.stop_condition = stop_and_cancel, .on_finish = finish_and_cancel};
    struct sippod_predicate finishes = {.on_finish = finish_and_cancel, .state = &cancelled_finishes};
    cleanup_frame struct frame frame = frame_tagged(1);
    struct sippod_packet packet = frame_packet(&frame);
    struct evaluation evaluation;

    (void)state;
    cancelled = &evaluation;
    evaluation_begin(&evaluation, stops, NULL, packet.timestamp_ns, NULL);
    assert_true(evaluation_packet(&evaluation, &packet));
    assert_int_equal(evaluation.verdict.state, SIPPOD_CANCELLED);
    assert_int_equal(cancelled_finishes, 0);
    evaluation_begin(&evaluation, finishes, NULL, packet.timestamp_ns, NULL);
    assert_true(evaluation_time_out(&evaluation, 6000000000));
    assert_int_equal(evaluation.verdict.state, SIPPOD_CANCELLED);
    assert_string_equal(evaluation.verdict.detail, "cancelled");
    assert_int_equal(cancelled_finishes, 1);
}

static void failed(void **state)
{
    struct watched watched = {.fail_at = 2};
    struct sippod_verdict verdict = play(&watched, NULL);
    struct watched other = {0};

    (void)state;
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_int_equal(watched.stops, 1);
    assert_int_equal(watched.finishes, 0);
    verdict = play(&other, &(struct sippod_options){.filter = "nonsense of a filter"});
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_non_null(strstr(verdict.detail, "nonsense of a filter"));
    assert_int_equal(other.packets, 0);
}

/* ---- files ---- */

/* Writes frames of VLAN 1, 2, 3 at 1.0, 2.0, 3.0 s. */
static void write_file(const char *path)
{
    struct sippod_predicate writer = sippod_writer(path, sippod_packet_count());
    struct sippod_packet packet;

    for (unsigned i = 1; i <= 3; i++) {
        cleanup_frame struct frame frame = frame_tagged(i);

        packet = frame_packet(&frame);
        packet.timestamp_ns = i * UINT64_C(1000000000);
        assert_int_equal(writer.on_packet(writer.state, &packet), 0);
    }
    assert_int_equal(writer.on_finish(writer.state, true).integer, 3);
    sippod_predicate_free(&writer);
}

static void files(void **state)
{
    char *folder = folder_make(), *path = text_format("%s/a.pcap", folder),
         *out = text_format("%s/b.pcap", folder);
    struct sippod_options brief = {.timeout_ms = 1500};
    struct sippod_verdict verdict;

    (void)state;
    write_file(path);
    sippod_evaluate_file(path, sippod_saw_vlan_tag(3), NULL, &verdict);
    assert_true(sippod_verdict_is(&verdict, true));
    assert_int_equal(verdict.elapsed_ns, 2000000000);
    assert_non_null(strstr(verdict.detail, "saw_vlan_tag(3): saw it in packet 3 in 2.0 s on "));
    sippod_evaluate_file(path, sippod_saw_vlan_tag(3), &brief, &verdict);
    assert_true(sippod_verdict_is(&verdict, false));
    assert_int_equal(verdict.elapsed_ns, 1500000000);
    sippod_evaluate_file(path, sippod_packet_count_was(3), NULL, &verdict);
    assert_true(sippod_verdict_is(&verdict, true));
    sippod_evaluate_file(path, sippod_writer(out, sippod_saw_vlan_tag(2)), NULL, &verdict);
    assert_true(sippod_verdict_is(&verdict, true));
    sippod_evaluate_file(out, sippod_packet_count(), NULL, &verdict); /* up to the decision */
    assert_int_equal(verdict.value.integer, 2);
    sippod_evaluate_file(path, sippod_writer("/dev/full", sippod_packet_count()), NULL, &verdict);
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_non_null(strstr(verdict.detail, "cannot write /dev/full"));
    folder_remove(folder);
    free(path);
    free(out);
}

/* One that ends does not hold up the others, and they do not hold up it. */
static void files_for_many(void **state)
{
    struct watched watched = {.stop_at = 2};
    struct sippod_predicate predicates[] = {
        sippod_saw_vlan_tag(9999), watch(&watched),       sippod_saw_vlan_tag(1),
        sippod_packet_count(),     sippod_packet_count(), sippod_saw_vlan_tag(3),
    };
    struct sippod_options options[6] = {[5] = {.timeout_ms = SIPPOD_NO_TIMEOUT},
                                        [3] = {.packet_limit = 1},
                                        [4] = {.filter = "ether[15] >= 2"}};
    char *folder = folder_make(), *path = text_format("%s/a.pcap", folder);
    struct sippod_verdict verdicts[6];

    (void)state;
    write_file(path);
    sippod_evaluate_file_each(path, predicates, options, 6, verdicts);
    assert_int_equal(verdicts[0].state, SIPPOD_FAILED);
    assert_non_null(strstr(verdicts[0].detail, "0 to 4095"));
    assert_int_equal(watched.packets, 2);
    assert_int_equal(watched.freed, 1);
    assert_int_equal(verdicts[1].elapsed_ns, 1000000000);
    assert_int_equal(verdicts[2].elapsed_ns, 0);
    assert_int_equal(verdicts[3].value.integer, 1);
    assert_int_equal(verdicts[4].value.integer, 2);
    assert_true(sippod_verdict_is(&verdicts[5], true));
    assert_int_equal(verdicts[5].seen, 3);
    folder_remove(folder);
    free(path);
}

static int dissections;

void __real_layers_dissect(const struct sippod_packet *packet, struct layers *ret); /* NOLINT */

void __wrap_layers_dissect(const struct sippod_packet *packet, struct layers *ret) /* NOLINT */
{
    dissections++;
    __real_layers_dissect(packet, ret);
}

static void files_are_dissected_once(void **state)
{
    struct sippod_predicate predicates[] = {
        sippod_did_not_see_vlan_tag(9),
        sippod_and(sippod_saw_src_mac("02:00:00:00:00:0a"), sippod_saw_vlan_tag(3)),
        sippod_saw_rtp(1, -1),
        sippod_saw_sip("INVITE", NULL),
        sippod_packet_count(),
    };
    char *folder = folder_make(), *path = text_format("%s/a.pcap", folder);
    struct sippod_verdict verdicts[5];

    (void)state;
    write_file(path);
    dissections = 0;
    sippod_evaluate_file_each(path, &predicates[4], NULL, 1, &verdicts[4]);
    assert_int_equal(dissections, 0);
    sippod_evaluate_file_each(path, predicates, NULL, 4, verdicts);
    assert_int_equal(dissections, 3);
    assert_true(sippod_verdict_is(&verdicts[1], true));
    folder_remove(folder);
    free(path);
}

/* Nothing is read behind the packet that decides the last one. */
static void files_that_break_off(void **state)
{
    struct sippod_predicate enough[] = {sippod_saw_vlan_tag(1), sippod_saw_vlan_tag(2)};
    struct sippod_predicate more[] = {sippod_saw_vlan_tag(2), sippod_saw_vlan_tag(3)};
    char *folder = folder_make(), *path = text_format("%s/a.pcap", folder);
    struct sippod_verdict verdicts[2];

    (void)state;
    write_file(path);
    assert_int_equal(truncate(path, 24 + 2 * (16 + 46) + 20), 0);
    sippod_evaluate_file_each(path, enough, NULL, 2, verdicts);
    assert_true(sippod_verdict_is(&verdicts[0], true));
    assert_true(sippod_verdict_is(&verdicts[1], true));
    sippod_evaluate_file_each(path, more, NULL, 2, verdicts);
    assert_true(sippod_verdict_is(&verdicts[0], true));
    assert_int_equal(verdicts[1].state, SIPPOD_FAILED);
    assert_non_null(strstr(verdicts[1].detail, "truncated"));
    folder_remove(folder);
    free(path);
}

static void files_that_are_none(void **state)
{
    struct sippod_verdict verdict;
    char *folder = folder_make(), *path = text_format("%s/a.pcap", folder);
    char *whole;

    (void)state;
    sippod_evaluate_file(path, sippod_packet_count_was(0), NULL, &verdict);
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_non_null(strstr(verdict.detail, "No such file"));
    sippod_evaluate_file("/dev/null", sippod_packet_count_was(0), NULL, &verdict);
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    write_file(path);
    whole = folder_get(folder, "a.pcap");
    assert_non_null(whole);
    folder_put_bytes(folder, "b.pcap", whole, 24); /* no packet at all is a file */
    free(whole);
    free(path);
    path = text_format("%s/b.pcap", folder);
    sippod_evaluate_file(path, sippod_packet_count_was(0), NULL, &verdict);
    assert_true(sippod_verdict_is(&verdict, true));
    folder_put_bytes(folder, "b.pcap", "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0\1\0\0\0",
                     28);
    sippod_evaluate_file(path, sippod_packet_count_was(0), NULL, &verdict);
    assert_int_equal(verdict.state, SIPPOD_FAILED);
    assert_non_null(strstr(verdict.detail, "truncated"));
    folder_remove(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped),
        cmocka_unit_test(limited),
        cmocka_unit_test(timed_out),
        cmocka_unit_test(failed),
        cmocka_unit_test(lost),
        cmocka_unit_test(do_not_count),
        cmocka_unit_test(files),
        cmocka_unit_test(files_for_many),
        cmocka_unit_test(files_are_dissected_once),
        cmocka_unit_test(files_that_break_off),
        cmocka_unit_test(cancelled_from_inside),
        cmocka_unit_test(files_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
