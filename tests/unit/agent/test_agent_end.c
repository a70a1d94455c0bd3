/* Processes of a pod: how they end, and how they are ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

static void test_killed_by_itself(void **state)
{
    struct pod *pod = *state;
    struct output out;

    pod_sh(pod, "c", "kill -9 $$", &out);
    output_wait(&out);
    assert_int_equal(out.status, 137);
    pod_wait(pod, "c/c signalled 9 SIGKILL");
    output_free(&out);
}

static void test_many(void **state)
{
    struct pod *pod = *state;
    struct output outs[40];

    for (int i = 0; i < 40; i++) {
        cleanup_free char *id = text_format("c%d", i);
        cleanup_free char *script = text_format("echo %d; exit %d", i, i);

        pod_sh(pod, id, script, &outs[i]);
    }
    for (int i = 0; i < 40; i++) {
        cleanup_free char *expected = text_format("%d\n", i);
        cleanup_free char *event = text_format("c%d/c%d exited %d", i, i, i);

        output_says(&outs[i], expected);
        pod_wait(pod, event);
        assert_int_equal(outs[i].status, i);
        output_free(&outs[i]);
    }
    assert_int_equal(pod->notes.count, 40);
}

/* It is over when it exits; the child that it leaves behind keeps the pipe, and lives on undisturbed. */
static void test_background_child(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *script =
        in_folder(shared, "(until test -e go; do sleep 0.01; done; head -c 500000 /dev/zero && touch done) & "
                          "echo now; exit 5");
    struct output out;

    pod_sh(shared->pod, "c", script, &out);
    output_wait(&out);
    assert_int_equal(out.status, 5);
    assert_string_equal((char *)out.data.data, "now\n");
    pod_wait(shared->pod, "c/c exited 5");
    pod_refuses(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":9}", "no process c runs");
    folder_put(shared->folder, "go", "");
    wait_for_file(shared, "done");
    assert_int_equal(out.data.length, 5); /* nothing came behind the end */
    assert_int_equal(shared->pod->notes.count, 1);
    output_free(&out);
}

/* Both have the signal for their whole group; the group's children answer "TERM" by a file. */
static void kill_tree(struct shared *shared, bool all)
{
    cleanup_free char *script =
        in_folder(shared, "(trap 'touch heard; exit' TERM; touch up; while :; do sleep 0.01; done) & "
                          "until test -e up; do sleep 0.01; done; wait");
    cleanup_free char *kill =
        text_format("{\"container\":\"c\",\"signal\":15,\"allProcesses\":%s}", all ? "true" : "false");
    struct output out;

    pod_sh(shared->pod, "c", script, &out);
    wait_for_file(shared, "up");
    pod_acks(shared->pod, CTL_KILLCONTAINER, kill);
    pod_wait(shared->pod, "c/c signalled 15 SIGTERM");
    if (all) {
        wait_for_file(shared, "heard");
    } else {
        loop_run_for(shared->pod->loop, 100);
        assert_false(folder_has(shared->folder, "heard"));
    }
    output_free(&out);
}

static void test_kill_all(void **state)
{
    kill_tree(*state, true);
}

static void test_kill_one(void **state)
{
    kill_tree(*state, false);
}

static void exec_sleep(struct pod *pod, const char *container, const char *id, struct output *out)
{
    struct container_message exec = {.id = (char *)container, .process.id = (char *)id};

    POD_ARGS(&exec, "sleep", "1000");
    pod_run(pod, &exec, true, out, NULL);
    strings_free(&exec.process.args);
}

static void test_signal_process(void **state)
{
    struct pod *pod = *state;
    struct output outs[3];
    static const char *const ids[] = {"p0", "p1", "p2"};

    for (int i = 0; i < 3; i++)
        exec_sleep(pod, "c", ids[i], &outs[i]);
    pod_acks(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"process\":\"p1\",\"signal\":10}");
    pod_wait(pod, "c/p1 signalled 10 SIGUSR1");
    pod_refuses(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"process\":\"p1\",\"signal\":10}",
                "no process p1 runs");
    pod_refuses(pod, CTL_SIGNALPROCESS, "{\"container\":\"d\",\"process\":\"p0\",\"signal\":10}",
                "no process p0 runs");
    pod_acks(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"process\":\"p0\",\"signal\":0}");
    assert_int_equal(pod->notes.count, 1);
    pod_acks(pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":9,\"allProcesses\":true}");
    pod_wait(pod, "c/p0 signalled 9 SIGKILL");
    pod_wait(pod, "c/p2 signalled 9 SIGKILL");
    for (int i = 0; i < 3; i++)
        output_free(&outs[i]);
}

/* KILLCONTAINER without allProcesses is for the container's own process, not for what was run in it since. */
static void test_kill_container_with_exec(void **state)
{
    struct pod *pod = *state;
    struct output own, other;

    pod_sh(pod, "c", "exec sleep 1000", &own);
    exec_sleep(pod, "c", "script", &other);
    pod_acks(pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":15}");
    pod_acks(pod, CTL_PING, "");
    while (!pod->notes.count)
        loop_run_out(pod->loop);
    assert_string_equal(pod->notes.list[0], "c/c signalled 15 SIGTERM");
    output_free(&own);
    output_free(&other);
}

int main(void)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, shared_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_killed_by_itself),
        TEST(test_many),
        SHARED(test_background_child),
        SHARED(test_kill_all),
        SHARED(test_kill_one),
        TEST(test_signal_process),
        TEST(test_kill_container_with_exec),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
