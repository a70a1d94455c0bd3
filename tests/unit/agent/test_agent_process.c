/* Processes of a pod: what they are started with, what they say, how they end, how they are ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

#define BIG 5000000

static char *self; /* the path of this program */

static int setup(void **state)
{
    *state = pod_open(NULL);
    return 0;
}

static int teardown(void **state)
{
    pod_free(*state);
    return 0;
}

static void args(struct container_message *container, const char *const *list)
{
    for (; *list; list++)
        strings_add(&container->process.args, *list);
}
#define ARGS(container, ...) args(container, (const char *const[]){__VA_ARGS__, NULL})

static void says(struct output *out, const char *expected)
{
    output_wait(out);
    assert_string_equal((const char *)out->data.data, expected);
}

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

    ARGS(&container, "sh", "-c",
         "echo \"$0|$1|$A|$LEAKED|$(pwd -P | tr -d 0-9)|$(ulimit -n)|$(ulimit -Hn)|$(ulimit -c)\"; exit 3",
         "zero", "a b");
    pod_run(pod, &container, false, &out, NULL);
    says(&out, "zero|a b|x y||/proc/|64|100|0\n");
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

    ARGS(&exec, "cat", "/proc/self/status"); /* not by a shell, which sets its signals right */
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

    ARGS(&container, "grep", "Cap[PEBA]", "/proc/self/status");
    strings_add(&container.process.capabilities, "CAP_NET_RAW");
    pod_run(pod, &container, false, &out, NULL);
    says(&out, "CapPrm:\t0000000000002000\nCapEff:\t0000000000002000\nCapBnd:\t0000000000002000\n"
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
    says(&again, "again\n");
    output_free(&out);
    output_free(&again);
}

/* ---- output ---- */

static void test_exec_streams(void **state)
{
    struct pod *pod = *state;
    struct container_message exec = {.id = (char *)"hyperstart", .process.id = (char *)"before.sh"};
    struct output out, errors;

    ARGS(&exec, "sh", "-c", "echo out; echo err >&2; printf '\\000\\377'; exit 42");
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
    says(&out, "a\nb\nc\n");
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

#ifndef __SANITIZE_ADDRESS__ /* whose memory says nothing about the program's */
static void on_slow_data(void *user, const uint8_t *data, size_t length)
{
    (void)data;
    *(size_t *)user += length;
    usleep(500);
}

static void on_slow_end(void *user, int status)
{
    (void)status;
    loop_quit(user);
}

/* A client that reads slowly: what it has not taken stays in the pipe, not in the agent's memory. */
static void test_back_pressure(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *path = text_format("/proc/%d/status", pod->pid);
    cleanup_free char *json = NULL;
    cleanup_free char *status = NULL;
    size_t total = 0;
    uint64_t sequence = wire_client_stream(pod->client, on_slow_data, NULL, &total);
    uint64_t last = wire_client_stream(pod->client, on_slow_data, on_slow_end, pod->loop);

    json =
        text_format("{\"id\":\"c\",\"process\":{\"args\":[\"sh\",\"-c\",\"head -c 30000000 /dev/zero >&2\"],"
                    "\"stdio\":%d,\"stderr\":%d}}",
                    (int)last, (int)sequence);
    pod_acks(pod, CTL_NEWCONTAINER, json);
    while (!pod->notes.count)
        loop_run_out(pod->loop);
    while (total < 30000000)
        loop_run_out(pod->loop);
    status = folder_get("", path + 1);
    assert_non_null(status);
    assert_non_null(strstr(status, "VmHWM:"));
    assert_true(strtol(strstr(status, "VmHWM:") + 6, NULL, 10) < 16 * 1024);
}
#endif

/* ---- ending ---- */

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

        says(&outs[i], expected);
        pod_wait(pod, event);
        assert_int_equal(outs[i].status, i);
        output_free(&outs[i]);
    }
    assert_int_equal(pod->notes.count, 40);
}

/* A folder that a script shares with the test: it waits for the file "go" there. */
struct shared {
    struct pod *pod;
    char *folder;
};

static int setup_shared(void **state)
{
    struct shared *shared = memory_new(sizeof *shared);

    *shared = (struct shared){.pod = pod_open(NULL), .folder = folder_make()};
    *state = shared;
    return 0;
}

static int teardown_shared(void **state)
{
    struct shared *shared = *state;

    pod_free(shared->pod);
    folder_remove(shared->folder);
    free(shared);
    return 0;
}

static void wait_for_file(struct shared *shared, const char *name)
{
    for (int i = 0; i < 1000 && !folder_has(shared->folder, name); i++)
        loop_run_for(shared->pod->loop, 5);
    assert_true(folder_has(shared->folder, name));
}

static char *in_folder(const struct shared *shared, const char *script)
{
    return text_format("cd %s; %s", shared->folder, script);
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

    ARGS(&exec, "sleep", "1000");
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

/* ---- listening ---- */

/* In the pod: binds once the file "go" is there; a TCP socket is bound before, and listens only then. */
static int bind_late(char **argv)
{
    bool tcp = strcmp(argv[2], "tcp") == 0;
    int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4]))};

    if (inet_pton(AF_INET, argv[3], &address.sin_addr) != 1 ||
        (tcp && bind(fd, (struct sockaddr *)&address, sizeof address) < 0))
        return 1;
    while (access(argv[5], F_OK) < 0)
        usleep(1000);
    if (tcp ? listen(fd, 5) < 0 : bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 2;
    pause();
    return 0;
}

static void start_binder(struct shared *shared, const char *protocol, const char *address, const char *port,
                         struct output *out)
{
    cleanup_free char *go = text_format("%s/go", shared->folder);
    struct container_message container = {
        .id = (char *)"ua0",
        .listen = {.address = (char *)"127.0.0.7", .protocol = (char *)protocol, .port = 5060},
    };

    ARGS(&container, self, "bind", protocol, address, port, go);
    pod_run(shared->pod, &container, false, out, NULL);
    strings_free(&container.process.args);
}

static void binds_late(struct shared *shared, const char *protocol, const char *address)
{
    struct output out;

    start_binder(shared, protocol, address, "5060", &out);
    loop_run_for(shared->pod->loop, 30);
    assert_int_equal(shared->pod->notes.count, 0);
    folder_put(shared->folder, "go", "");
    pod_wait(shared->pod, "ua0/ua0 listening 0");
    loop_run_for(shared->pod->loop, 10);
    assert_int_equal(shared->pod->notes.count, 1); /* told once */
    output_free(&out);
}

static void test_listen_udp(void **state)
{
    binds_late(*state, "udp", "127.0.0.7");
}

static void test_listen_udp_anywhere(void **state)
{
    binds_late(*state, "udp", "0.0.0.0");
}

static void test_listen_tcp(void **state)
{
    binds_late(*state, "tcp", "127.0.0.7");
}

static void test_listen_elsewhere(void **state)
{
    struct shared *shared = *state;
    struct output out;

    folder_put(shared->folder, "go", "");
    start_binder(shared, "udp", "127.0.0.8", "5060", &out);
    loop_run_for(shared->pod->loop, 50);
    assert_int_equal(shared->pod->notes.count, 0);
    pod_acks(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"ua0\",\"signal\":9}");
    pod_wait(shared->pod, "ua0/ua0 signalled 9 SIGKILL"); /* and who ends before never listened */
    output_free(&out);
    start_binder(shared, "udp", "127.0.0.7", "5061", &out);
    loop_run_for(shared->pod->loop, 50);
    assert_int_equal(shared->pod->notes.count, 1);
    output_free(&out);
}

static void test_two_listen(void **state)
{
    struct shared *shared = *state;
    struct pod *pod = shared->pod;
    struct output out;

    pod_acks(
        pod, CTL_NEWCONTAINER,
        "{\"id\":\"never\",\"process\":{\"args\":[\"sleep\",\"1000\"]},\"listen\":{\"address\":\"127.0.0.9\","
        "\"protocol\":\"tcp\",\"port\":5060}}");
    folder_put(shared->folder, "go", "");
    start_binder(shared, "tcp", "0.0.0.0", "5060", &out);
    pod_wait(pod, "ua0/ua0 listening 0");
    pod_wait(pod, "never/never listening 0"); /* the address is answered for */
    output_free(&out);
}

/* The client learns that it cannot be told, and need not wait. */
static void test_listen_nonsense(void **state)
{
    struct pod *pod = *state;

    pod_acks(pod, CTL_NEWCONTAINER,
             "{\"id\":\"c\",\"process\":{\"args\":[\"sleep\",\"1000\"]},\"listen\":{\"address\":\"here\","
             "\"protocol\":\"udp\",\"port\":5060}}");
    while (!pod->notes.count)
        loop_run_out(pod->loop);
    assert_string_equal(pod->notes.list[0], "c/c listening 0 \"here\" is not an IP address");
}

int main(int argc, char **argv)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, setup_shared, teardown_shared)
    const struct CMUnitTest tests[] = {
        TEST(test_container),
        TEST(test_defaults),
        TEST(test_no_power),
        TEST(test_agent_itself),
        TEST(test_capability_granted),
        TEST(test_capability_refused),
        TEST(test_cannot_start),
        TEST(test_container_twice),
        TEST(test_exec_streams),
        TEST(test_one_stream_for_both),
        TEST(test_big_output),
#ifndef __SANITIZE_ADDRESS__
        TEST(test_back_pressure),
#endif
        TEST(test_killed_by_itself),
        TEST(test_many),
        SHARED(test_background_child),
        SHARED(test_kill_all),
        SHARED(test_kill_one),
        TEST(test_signal_process),
        TEST(test_kill_container_with_exec),
        SHARED(test_listen_udp),
        SHARED(test_listen_udp_anywhere),
        SHARED(test_listen_tcp),
        SHARED(test_listen_elsewhere),
        SHARED(test_two_listen),
        TEST(test_listen_nonsense),
    };

    if (argc == 6 && strcmp(argv[1], "bind") == 0)
        _exit(bind_late(argv));
    self = realpath("/proc/self/exe", NULL);
    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
