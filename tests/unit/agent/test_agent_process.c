/* Processes of a pod: what they are started with, and what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/agent/raw.h"
#include "tests/unit/support/support.h"

#define BIG 5000000

/* ---- starting ---- */

static void test_container(void **state)
{
    struct pod *pod = *state;
    struct environment_message envs[] = {{(char *)"A", (char *)"x y"},
                                         {(char *)"PATH", (char *)"/usr/bin:/bin"}};
    struct limit_message limits[] = {{(char *)"nofile", 64, 100}, {(char *)"RLIMIT_CORE", 0, 0}};
    struct container_message container = {
        .id = (char *)"ua0",
        .process = {.workdir = (char *)"/proc/self",
                    .envs = envs,
                    .env_count = 2,
                    .limits = limits,
                    .limit_count = 2},
    };
    struct output out;

    POD_ARGS(
        &container, "sh", "-c",
        "echo \"$0|$1|$A|$LEAKED|$(pwd -P | tr -d 0-9)|$(ulimit -n)|$(ulimit -Hn)|$(ulimit -c)\"; exit 3",
        "zero", "a b");
    pod_run(pod, &container, false, &out, NULL);
    output_says(&out, "zero|a b|x y||/proc/|64|100|0\n");
    assert_int_equal(out.status, 3);
    pod_wait(pod, "ua0/ua0 exited 3");
    assert_int_equal(pod->notes.count, 1);
    output_free(&out);
    strings_free(&container.process.args);
}

static void test_defaults(void **state)
{
    struct pod *pod = *state;
    struct output out;

    pod_sh(pod, "c", "pwd; echo $PATH; cat; ls -l /proc/self/fd/0 | sed 's/.*> //'; ls /proc/self/fd | wc -l",
           &out);
    output_wait(&out);
    /* Standard input is empty; no descriptor but those of ls: 0 to 2 and the folder. */
    if (!strstr((char *)out.data.data, "/\n") || !strstr((char *)out.data.data, "\n/dev/null\n4\n"))
        fail_msg("%s", (char *)out.data.data);
    assert_int_equal(out.status, 0);
    output_free(&out);
}

/* No power, none to be had, and the agent's filter. */
static void test_no_power(void **state)
{
    struct pod *pod = *state;
    struct container_message exec = {.id = (char *)"hyperstart"};
    struct output out;
    const char *status;

    POD_ARGS(&exec, "cat", "/proc/self/status"); /* not by a shell, which sets its signals right */
    pod_run(pod, &exec, true, &out, NULL);
    strings_free(&exec.process.args);
    output_wait(&out);
    status = (const char *)out.data.data;

    assert_non_null(strstr(status, "CapInh:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapPrm:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapEff:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapBnd:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapAmb:\t0000000000000000\n"));
    assert_non_null(strstr(status, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(status, "Seccomp:\t2\n"));
    assert_non_null(strstr(status, "SigBlk:\t0000000000000000\n"));
    assert_non_null(strstr(status, "SigIgn:\t0000000000000000\n"));
    output_free(&out);
}

/* The agent itself holds what it needs as permitted only, and has the filter, too. */
static void test_agent_itself(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *path = text_format("proc/%d/status", pod->pid);
    cleanup_free char *status = folder_get("", path);

    assert_non_null(strstr(status, "CapInh:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapEff:\t0000000000000000\n"));
    assert_non_null(strstr(status, "CapAmb:\t0000000000000000\n"));
    assert_non_null(strstr(status, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(status, "Seccomp:\t2\n"));
}

static void test_capability_granted(void **state)
{
    struct pod *pod = *state;
    struct container_message container = {.id = (char *)"c"};
    struct output out;

    POD_ARGS(&container, "grep", "Cap[PEBA]", "/proc/self/status");
    strings_add(&container.process.capabilities, "CAP_NET_RAW");
    pod_run(pod, &container, false, &out, NULL);
    output_says(&out, "CapPrm:\t0000000000002000\nCapEff:\t0000000000002000\nCapBnd:\t0000000000002000\n"
                      "CapAmb:\t0000000000002000\n");
    output_free(&out);
    strings_free(&container.process.args);
    strings_free(&container.process.capabilities);
}

static void test_capability_refused(void **state)
{
    static const char *const names[] = {"CAP_SYS_ADMIN", "CAP_KILL", "cap_setpcap", "CAP_NONSENSE", ""};
    struct pod *pod = *state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cleanup_free char *json =
            text_format("{\"id\":\"c\",\"process\":{\"args\":[\"true\"],\"capabilities\":"
                        "{\"ambient\":[\"CAP_NET_RAW\",\"%s\"]}}}",
                        names[i]);
        cleanup_free char *words = text_format("the capability %s is not to be had", names[i]);

        pod_refuses(pod, CTL_NEWCONTAINER, json, words);
    }
    assert_int_equal(pod->notes.count, 0);
}

static void test_cannot_start(void **state)
{
    static const char *const cases[][2] = {
        {"\"args\":[\"/no/such\"]", "cannot run /no/such: No such file"},
        {"\"args\":[\"no-such-program\"]", "cannot run no-such-program: No such file"},
        {"\"args\":[\"/etc/passwd\"]", "cannot run /etc/passwd: Permission denied"},
        {"\"args\":[\"true\"],\"workdir\":\"/no/such\"", "cannot enter /no/such: No such file"},
        {"\"args\":[\"true\"],\"workdir\":\"/etc/passwd\"", "cannot enter /etc/passwd: Not a directory"},
        {"\"args\":[\"true\"],\"rlimits\":[{\"type\":\"nonsense\",\"soft\":1,\"hard\":1}]",
         "unknown resource limit nonsense"},
        {"\"args\":[\"true\"],\"rlimits\":[{\"type\":\"nofile\",\"soft\":2,\"hard\":1}]",
         "cannot set the resource limit nofile"},
    };
    struct pod *pod = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *container =
            text_format("{\"id\":\"c\",\"process\":{%s,\"stdio\":7}}", cases[i][0]);
        cleanup_free char *exec =
            text_format("{\"container\":\"c\",\"process\":{%s,\"stdio\":7}}", cases[i][0]);

        pod_refuses(pod, CTL_NEWCONTAINER, container, cases[i][1]);
        pod_refuses(pod, CTL_EXECCMD, exec, cases[i][1]);
    }
    pod_acks(pod, CTL_PING, "");
    assert_int_equal(pod->notes.count, 0); /* what has not started does not end */
}

static void test_container_twice(void **state)
{
    struct pod *pod = *state;
    struct output out, again;

    pod_sh(pod, "c", "sleep 1000", &out);
    pod_refuses(pod, CTL_NEWCONTAINER, "{\"id\":\"c\",\"process\":{\"args\":[\"true\"]}}",
                "the container c exists already");
    pod_acks(pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":15,\"allProcesses\":true}");
    pod_wait(pod, "c/c signalled 15 SIGTERM");
    pod_sh(pod, "c", "echo again", &again); /* its name is free again */
    output_says(&again, "again\n");
    output_free(&out);
    output_free(&again);
}

/* ---- output ---- */

static void test_exec_streams(void **state)
{
    struct pod *pod = *state;
    struct container_message exec = {.id = (char *)"hyperstart", .process.id = (char *)"before.sh"};
    struct output out, errors;

    POD_ARGS(&exec, "sh", "-c", "echo out; echo err >&2; printf '\\000\\377'; exit 42");
    pod_run(pod, &exec, true, &out, &errors);
    output_wait(&out);
    assert_int_equal(out.data.length, 7);
    assert_memory_equal(out.data.data, "out\n\0\377", 7);
    assert_int_equal(out.status, 42);
    assert_int_equal(errors.data.length, 4);
    assert_memory_equal(errors.data.data, "err\n", 4);
    pod_wait(pod, "hyperstart/before.sh exited 42");
    output_free(&out);
    output_free(&errors);
    strings_free(&exec.process.args);
}

static void test_one_stream_for_both(void **state)
{
    struct pod *pod = *state;
    struct output out;

    pod_sh(pod, "c", "echo a; echo b >&2; echo c", &out);
    output_says(&out, "a\nb\nc\n");
    output_free(&out);
}

/* More than pipes, sockets and the agent hold: it arrives whole, and the streams end behind it. */
static void test_big_output(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *script = text_format("head -c %d /dev/zero | tr '\\0' x; echo end", BIG);
    struct output out;

    pod_sh(pod, "c", script, &out);
    output_wait(&out);
    assert_int_equal(out.data.length, BIG + 5);
    assert_string_equal((char *)out.data.data + BIG, "end\n");
    for (size_t i = 0; i < BIG; i += 4099)
        assert_int_equal(out.data.data[i], 'x');
    output_free(&out);
}

struct slow {
    struct loop *loop;
    size_t total;
};

static void on_slow_data(void *user, const uint8_t *data, size_t length)
{
    struct slow *slow = user;

    (void)data;
    slow->total += length;
    usleep(500);
}

static void on_slow_end(void *user, int status)
{
    struct slow *slow = user;

    (void)status;
    loop_quit(slow->loop);
}

/* A client that reads slowly: what it has not taken stays in the pipe, not in the agent's memory. */
static void read_slowly(struct pod *pod)
{
    cleanup_free char *json = NULL;
    struct slow slow = {.loop = pod->loop};
    uint64_t sequence = wire_client_stream(pod->client, on_slow_data, NULL, &slow);
    uint64_t last = wire_client_stream(pod->client, on_slow_data, on_slow_end, &slow);

    json =
        text_format("{\"id\":\"c\",\"process\":{\"args\":[\"sh\",\"-c\",\"head -c 30000000 /dev/zero >&2\"],"
                    "\"stdio\":%d,\"stderr\":%d}}",
                    (int)last, (int)sequence);
    pod_acks(pod, CTL_NEWCONTAINER, json);
    while (slow.total < 30000000)
        loop_run_out(pod->loop);
    assert_int_equal(slow.total, 30000000);
    assert_true(pod_memory(pod) < (size_t)16 * 1024 * 1024);
}

static void test_back_pressure(void **state)
{
#ifdef ADDRESS_SANITIZER
    print_message("SKIPPED: under the address sanitizer the agent's memory says nothing\n");
    skip();
#endif
    read_slowly(*state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_container),           TEST(test_defaults),           TEST(test_no_power),
        TEST(test_agent_itself),        TEST(test_capability_granted), TEST(test_capability_refused),
        TEST(test_cannot_start),        TEST(test_container_twice),    TEST(test_exec_streams),
        TEST(test_one_stream_for_both), TEST(test_big_output),         TEST(test_back_pressure),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
