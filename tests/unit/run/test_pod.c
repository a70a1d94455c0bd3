/* The talk with the agent of a pod, and of the processes in it: what the agent says, does not say, and should
 * not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/pod.h"
#include "src/wire/frame.h"
#include "tests/unit/run/played_pod.h"
#include "tests/unit/support/support.h"

struct scene {
    struct played played;
    struct pod *pod;
    struct buffer notes; /* what the pod has told, a word each */
    bool flooded;        /* output is not noted, but counted */
    size_t bytes;
    struct container_message other; /* ends in a flood */
};

static void note(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct scene *scene, const char *format, ...)
{
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    buffer_addf(&scene->notes, "%s ", text);
    loop_quit(scene->played.host.loop);
}

/* That in time, and since this was asked last, exactly this is told. */
#define told(scene, expected) told_check(scene, expected, __FILE__, __LINE__)
static void told_check(struct scene *scene, const char *expected, const char *file, int line)
{
    while (scene->notes.length < strlen(expected))
        loop_run_out_within(scene->played.host.loop, PLAYED_WAIT_MS);
    loop_settle(scene->played.host.loop);
    buffer_add(&scene->notes, "", 1);
    _assert_string_equal((const char *)scene->notes.data, expected, file, line);
    scene->notes.length = 0;
}

/* ---- a pod ---- */

static void on_namespaces(void *user)
{
    note(user, "namespaces");
}

static void on_up(void *user, const struct error *error)
{
    note(user, "up(%s)", error ? error_text(error) : "");
}

static void on_lost(void *user, const struct error *why)
{
    note(user, "lost(%s)", error_text(why));
}

static void on_notice(void *user, const char *text)
{
    note(user, "notice(%s)", text);
}

static const struct pod_callbacks callbacks = {
    .namespaces = on_namespaces, .up = on_up, .lost = on_lost, .notice = on_notice};

static int start(struct scene *scene, bool routed)
{
    static const char *const addresses[] = {"198.18.1.0", "198.18.1.1"};
    static const char *const reach[] = {"198.18.0.1"};
    const struct mounts_plan mounts = {0};
    struct pod_config config = {
        .run_id = "abcdef",
        .mounts = &mounts,
        .addresses = addresses,
        .address_count = 2,
        .routed = routed,
        .reach = reach,
        .reach_count = routed ? 1 : 0,
    };

    scene->pod = pod_start(&scene->played.host, &config, &callbacks, scene, NULL);
    return scene->pod ? 0 : -1;
}

static struct scene *make_scene(bool ready)
{
    struct scene *scene = memory_new(sizeof *scene);

    played_open(&scene->played, ready);
    return scene;
}

static int setup(void **state)
{
    *state = make_scene(true);
    return 0;
}

static int setup_silent(void **state)
{
    *state = make_scene(false);
    return 0;
}

/* A pod that is up. */
static int setup_up(void **state)
{
    struct scene *scene = make_scene(true);

    *state = scene;
    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up() ");
    scene->played.told.length = 0;
    return 0;
}

static void on_stopped(void *user)
{
    note(user, "stopped");
}

/* `how` is what the router has been asked for. */
static void stop(struct scene *scene, const char *how)
{
    pod_stop(steal_pointer(&scene->pod), on_stopped, scene);
    told(scene, "stopped ");
    buffer_add(&scene->played.told, "", 1);
    assert_string_equal((const char *)scene->played.told.data, how);
    scene->played.told.length = 0;
}

/* The agent has to be killed for it. */
static void stop_dead(struct scene *scene, const char *how)
{
    stop(scene, how);
    assert_int_not_equal(scene->played.killed, 0);
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    assert_null(scene->pod);
    played_close(&scene->played);
    buffer_free(&scene->notes);
    free(scene);
    return 0;
}

static void say(struct scene *scene, uint32_t code, const char *payload)
{
    assert_int_equal(hyperstart_mock_send_message(scene->played.mock, code, payload, strlen(payload)), 0);
}

static void has_sent(struct scene *scene, const uint32_t *codes, size_t count)
{
    char detail[HYPERSTART_MOCK_DETAIL];

    if (hyperstart_mock_expect(scene->played.mock, codes, count, 1000, detail) < 0)
        fail_msg("%s", detail);
}

/* ---- coming up ---- */

static void test_up(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up() ");
    stop(scene, "link remove ");
    has_sent(scene, (const uint32_t[]){CTL_STARTPOD, CTL_DESTROYPOD}, 2);
}

static void test_up_routed(void **state)
{
    struct scene *scene = *state;
    struct hyperstart_mock_message *message;

    assert_int_equal(start(scene, true), 0);
    told(scene, "namespaces up() ");
    message = hyperstart_mock_next_message(scene->played.mock, 1000);
    assert_non_null(message);
    assert_int_equal(message->code, CTL_STARTPOD);
    assert_non_null(strstr((const char *)message->payload, "\"198.18.1.1\""));
    assert_non_null(strstr((const char *)message->payload, "\"sipp-abcdef\""));
    assert_non_null(strstr((const char *)message->payload, "\"02:00:00:00:00:01\""));
    free(message);
    stop(scene, "link 198.18.1.0 198.18.1.1 up remove ");
}

static void test_no_fork(void **state)
{
    struct scene *scene = *state;

    scene->played.no_fork = true;
    assert_int_equal(start(scene, false), -1);
}

static void test_no_namespaces(void **state)
{
    struct scene *scene = *state;

    scene->played.no_namespaces = true;
    assert_int_equal(start(scene, false), 0);
    told(scene, "up(the pod cannot be made: no namespaces) ");
    played_die(&scene->played); /* as the first process does then: that is not told again */
    told(scene, "");
    loop_run_for(scene->played.host.loop, 20);
    stop(scene, "");
}

static void test_no_link(void **state)
{
    struct scene *scene = *state;

    scene->played.no_link = true;
    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up(no link) ");
    stop(scene, "link remove ");
}

/* The router answers a pod that has gone. */
static void test_late_link(void **state)
{
    struct scene *scene = *state;

    scene->played.slow_link = true;
    assert_int_equal(start(scene, true), 0);
    told(scene, "namespaces ");
    stop(scene, "link remove ");
    played_answer_link(&scene->played);
    told(scene, "");
}

static void test_startpod_refused(void **state)
{
    struct scene *scene = *state;

    played_answers(&scene->played, CTL_STARTPOD, HYPERSTART_MOCK_ERROR, "no device of type dummy");
    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up(no device of type dummy) ");
    stop(scene, "link remove ");
}

static void test_death_instead_of_an_answer(void **state)
{
    struct scene *scene = *state;

    played_answers(&scene->played, CTL_STARTPOD, HYPERSTART_MOCK_CLOSE, NULL);
    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up(the agent has ended) ");
    stop(scene, "link remove ");
}

static void test_last_words(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces ");
    say(scene, CTL_ERROR, "cannot mount /proc");
    played_die(&scene->played);
    told(scene, "up(cannot mount /proc) ");
    stop(scene, "link remove ");
}

static void test_no_ready(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up(the agent did not say READY within 30 s) ");
    stop_dead(scene, "link remove ");
}

static void test_startpod_unanswered(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    played_answers(&scene->played, CTL_STARTPOD, HYPERSTART_MOCK_NEVER, NULL);
    assert_int_equal(start(scene, false), 0);
    told(scene, "namespaces up(the agent did not answer startpod within 30 s) ");
    stop_dead(scene, "link remove ");
}

/* ---- a pod that is up ---- */

static void test_death(void **state)
{
    struct scene *scene = *state;

    played_die(&scene->played);
    told(scene, "lost(the agent has ended) ");
    stop(scene, "remove ");
}

/* Either channel's end is the end. */
static void test_end_of_one_channel(void **state, enum hyperstart_mock_channel channel)
{
    struct scene *scene = *state;

    assert_int_equal(hyperstart_mock_close(scene->played.mock, channel), 0);
    told(scene, "lost(the agent has ended) ");
    stop_dead(scene, "remove ");
}

static void test_end_of_io(void **state)
{
    test_end_of_one_channel(state, HYPERSTART_MOCK_IO);
}

static void test_end_of_ctl(void **state)
{
    test_end_of_one_channel(state, HYPERSTART_MOCK_CTL);
}

static void test_destroypod_unanswered(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    played_answers(&scene->played, CTL_DESTROYPOD, HYPERSTART_MOCK_NEVER, NULL);
    stop_dead(scene, "remove ");
}

static void test_notice(void **state)
{
    struct scene *scene = *state;

    say(scene, CTL_PROCESSASYNCEVENT,
        "{\"container\":\"hyperstart\",\"event\":\"notice\",\"info\":\"no proc\"}");
    told(scene, "notice(no proc) ");
    stop(scene, "remove ");
}

static void test_nonsense(void **state, uint32_t code, const char *payload, const char *words)
{
    struct scene *scene = *state;

    say(scene, code, payload);
    told(scene, words);
    stop_dead(scene, "remove ");
}

static void test_unknown_code(void **state)
{
    test_nonsense(state, 99, "", "lost(the agent sent a unknown (99)) ");
}

static void test_command_from_the_agent(void **state)
{
    test_nonsense(state, CTL_STARTPOD, "{}", "lost(the agent sent a startpod (1)) ");
}

static void test_bad_json(void **state)
{
    test_nonsense(state, CTL_PROCESSASYNCEVENT, "{\"container\":",
                  "lost(the agent sent a wrong event: not JSON: unexpected token near end of file) ");
}

static void test_event_of_wrong_type(void **state)
{
    test_nonsense(state, CTL_PROCESSASYNCEVENT, "{\"container\":1,\"event\":\"exited\"}",
                  "lost(the agent sent a wrong event: the field \"container\" has the wrong type) ");
}

/* ---- processes ---- */

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct scene *scene = user;

    if (scene->flooded)
        scene->bytes += length;
    else
        note(scene, "%s(%.*s)", errors ? "err" : "out", (int)length, (const char *)data);
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    if (error)
        note(user, "ended(%s)", error_text(error));
    else
        note(user, "ended(%d/%d)", end->exit_code, end->signal);
}

static void on_listening(void *user, const char *problem)
{
    note(user, "listening(%s)", problem ? problem : "");
}

static const struct pod_process_callbacks process_callbacks = {
    .listening = on_listening, .output = on_output, .ended = on_ended};

/* Streams are numbered from 1. */
static struct pod_process *run(struct scene *scene, const char *name, struct container_message *container)
{
    *container = (struct container_message){.id = (char *)name};
    return pod_run(scene->pod, container, false, &process_callbacks, scene);
}

static void test_process(void **state)
{
    struct scene *scene = *state;
    struct hyperstart_mock *mock = scene->played.mock;
    struct container_message one, two;

    run(scene, "one", &one);
    run(scene, "two", &two);
    told(scene, "");
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"two\",\"process\":\"two\",\"event\":\"listening\"}");
    told(scene, "listening() ");
    hyperstart_mock_send_io_string(mock, one.process.stdio, "said");
    told(scene, "out(said) ");
    hyperstart_mock_send_io_string(mock, two.process.stderr_stream, "complained");
    told(scene, "err(complained) ");
    played_exit(&scene->played, &two, 3);
    told(scene, "ended(3/0) ");
    played_exit(&scene->played, &one, 0);
    told(scene, "ended(0/0) ");
    stop(scene, "remove ");
}

static void test_refused_process(void **state)
{
    struct scene *scene = *state;
    struct container_message one;

    played_answers(&scene->played, CTL_NEWCONTAINER, HYPERSTART_MOCK_ERROR, "no such program");
    run(scene, "one", &one);
    told(scene, "ended(no such program) ");
    stop(scene, "remove ");
}

static void test_death_with_processes(void **state)
{
    struct scene *scene = *state;
    struct container_message one, two;

    run(scene, "one", &one);
    run(scene, "two", &two);
    told(scene, "");
    played_die(&scene->played);
    told(scene, "ended(the agent has ended) ended(the agent has ended) lost(the agent has ended) ");
    stop(scene, "remove ");
}

static void test_process_unanswered(void **state)
{
    struct scene *scene = *state;
    struct container_message one;

    played_hurry();
    played_answers(&scene->played, CTL_NEWCONTAINER, HYPERSTART_MOCK_NEVER, NULL);
    run(scene, "one", &one);
    told(scene, "ended(the agent did not answer newcontainer within 30 s) "
                "lost(the agent did not answer newcontainer within 30 s) ");
    stop_dead(scene, "remove ");
}

/* SIGKILL has to be followed by an end, or the pod as a whole is killed. */
static void test_kill_unheard(void **state)
{
    struct scene *scene = *state;
    struct container_message one;

    played_hurry();
    pod_process_kill(run(scene, "one", &one), SIGKILL, true);
    told(scene, "ended(the agent has ended) lost(the agent has ended) ");
    stop_dead(scene, "remove ");
}

/* ---- what an agent should not say ---- */

static void test_unknown_streams(void **state)
{
    struct scene *scene = *state;
    struct hyperstart_mock *mock = scene->played.mock;
    struct container_message one;

    run(scene, "one", &one);
    for (uint64_t sequence = 76; sequence < 78; sequence++) {
        hyperstart_mock_send_io_string(mock, sequence, "nobody's");
        hyperstart_mock_close_io(mock, sequence);
        hyperstart_mock_send_exit_status(mock, sequence, 1);
    }
    played_exit(&scene->played, &one, 0);
    told(scene, "ended(0/0) ");
    hyperstart_mock_send_exit_status(mock, one.process.stdio, 9); /* once more */
    told(scene, "");
    stop(scene, "remove ");
}

static void test_unknown_events(void **state)
{
    struct scene *scene = *state;
    struct container_message one, two;

    run(scene, "one", &one);
    run(scene, "two", &two);
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"one\",\"process\":\"one\",\"event\":\"resumed\"}");
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"none\",\"process\":\"one\",\"event\":\"exited\"}");
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"one\",\"event\":\"exited\"}");
    hyperstart_mock_close_io(scene->played.mock, one.process.stdio);
    hyperstart_mock_send_exit_status(scene->played.mock, one.process.stdio, 0);
    hyperstart_mock_send_io_string(scene->played.mock, two.process.stdio, "by then");
    told(scene, "out(by then) "); /* the streams' end alone is no end */
    say(scene, CTL_PROCESSASYNCEVENT,
        "{\"container\":\"one\",\"process\":\"one\",\"event\":\"signalled\",\"status\":9}");
    told(scene, "ended(137/9) ");
    stop(scene, "remove ");
}

static void test_answers_to_nothing(void **state)
{
    struct scene *scene = *state;
    struct container_message one;

    say(scene, CTL_ACK, "");
    say(scene, CTL_ERROR, "what?");
    say(scene, CTL_READY, "");
    say(scene, CTL_NEXT, "no number");
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"hyperstart\",\"event\":\"notice\",\"info\":\"now\"}");
    told(scene, "notice(now) ");
    played_answers(&scene->played, CTL_NEWCONTAINER, HYPERSTART_MOCK_ERROR, "no");
    run(scene, "one", &one);
    told(scene, "ended(no) ");
    stop(scene, "remove ");
}

/* It ends before its start is answered, and the answer then is nobody's. */
static void test_end_before_the_answer(void **state)
{
    struct scene *scene = *state;
    struct container_message one, two;

    played_hurry();
    played_answers(&scene->played, CTL_NEWCONTAINER, HYPERSTART_MOCK_HOLD, NULL);
    run(scene, "one", &one);
    run(scene, "two", &two);
    assert_int_equal(hyperstart_mock_wait_messages(scene->played.mock, 2, 1000), 0);
    played_exit(&scene->played, &one, 0);
    told(scene, "ended(0/0) ");
    assert_int_equal(hyperstart_mock_answer(scene->played.mock,
                                            &(struct hyperstart_mock_answer){.reply = HYPERSTART_MOCK_ERROR}),
                     0);
    told(scene, "");
    stop_dead(scene, "remove ");
}

/* ---- a flood ---- */

static void on_enough(void *user)
{
    struct scene *scene = user;

    played_exit(&scene->played, &scene->other, 0);
}

/* For as long as it likes: sippod holds none of it, and does the rest meanwhile. */
static void test_flood(void **state)
{
    struct scene *scene = *state;
    struct container_message one;

    run(scene, "one", &one);
    run(scene, "two", &scene->other);
    told(scene, "");
    scene->flooded = true;
    played_flood(&scene->played, one.process.stdio, on_enough, scene);
    told(scene, "ended(0/0) ");
    assert_in_range(scene->bytes, FLOOD_BYTES / 4, SIZE_MAX);
    played_flood_is_bounded(&scene->played);
    stop(scene, "remove ");
}

int main(void)
{
#define TEST(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SILENT(name)  cmocka_unit_test_setup_teardown(name, setup_silent, teardown)
#define TEST_UP(name) cmocka_unit_test_setup_teardown(name, setup_up, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_up),
        TEST(test_up_routed),
        TEST(test_no_fork),
        TEST(test_no_namespaces),
        TEST(test_no_link),
        TEST(test_late_link),
        TEST(test_startpod_refused),
        TEST(test_death_instead_of_an_answer),
        SILENT(test_last_words),
        SILENT(test_no_ready),
        TEST(test_startpod_unanswered),
        TEST_UP(test_death),
        TEST_UP(test_end_of_io),
        TEST_UP(test_end_of_ctl),
        TEST_UP(test_destroypod_unanswered),
        TEST_UP(test_notice),
        TEST_UP(test_unknown_code),
        TEST_UP(test_command_from_the_agent),
        TEST_UP(test_bad_json),
        TEST_UP(test_event_of_wrong_type),
        TEST_UP(test_process),
        TEST_UP(test_refused_process),
        TEST_UP(test_death_with_processes),
        TEST_UP(test_process_unanswered),
        TEST_UP(test_kill_unheard),
        TEST_UP(test_unknown_streams),
        TEST_UP(test_unknown_events),
        TEST_UP(test_answers_to_nothing),
        TEST_UP(test_end_before_the_answer),
        TEST_UP(test_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
