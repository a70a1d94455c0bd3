/* Containers: all that was started in one, who its processes are, and what is set for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

/* A process that has left its group, one that has left its session too, and one whose parents have gone
 * besides and that has an empty environment; each is up when it has made its file. */
#define FAMILY                                                                                               \
    "(touch up1; exec sleep 1000) & "                                                                        \
    "setsid sh -c 'touch up2; exec sleep 1000' & "                                                           \
    "(setsid sh -c 'env -i sh -c \"touch up3; exec sleep 1000\" &' &) ; "                                    \
    "until test -e up1 -a -e up2 -a -e up3; do sleep 0.01; done; "

static void expect_sleepers(struct pod *pod, const char *count)
{
    char *said = NULL;

    for (int i = 0; i < 500; i++) {
        free(said);
        said = pod_ask(pod, "grep -lzx '100[0]' /proc/[0-9]*/cmdline 2>/dev/null | wc -l");
        if (strcmp(said, count) == 0)
            break;
    }
    assert_string_equal(said, count);
    free(said);
}

static void start_family(struct shared *shared, const char *id, const char *then, struct output *out)
{
    cleanup_free char *script = text_format("cd %s; rm -f up*; " FAMILY "%s", shared->folder, then);

    pod_sh(shared->pod, id, script, out);
}

static void test_kill_tree(void **state)
{
    struct shared *shared = *state;
    struct output out, other;

    pod_sh(shared->pod, "other", "exec sleep 1000", &other);
    start_family(shared, "c", "echo up; wait", &out);
    while (!out.data.length)
        loop_run_for(shared->pod->loop, 1);
    expect_sleepers(shared->pod, "4\n");
    pod_acks(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":9,\"allProcesses\":true}");
    output_wait(&out);
    assert_int_equal(out.status, 137);
    expect_sleepers(shared->pod, "1\n"); /* the other container's */
    pod_refuses(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":9,\"allProcesses\":true}",
                "no process of c runs");
    output_free(&out);
    output_free(&other);
}

/* What a process has left behind is the container's still. */
static void test_kill_what_is_left(void **state)
{
    struct shared *shared = *state;
    struct output out;

    start_family(shared, "c", "exit 3", &out);
    output_wait(&out);
    assert_int_equal(out.status, 3);
    expect_sleepers(shared->pod, "3\n");
    pod_refuses(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":9}", "no process c runs");
    pod_acks(shared->pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":15,\"allProcesses\":true}");
    expect_sleepers(shared->pod, "0\n");
    output_free(&out);
}

/* One that is started by another that is about to be killed is found, too. */
static void test_kill_breeders(void **state)
{
    struct pod *pod = *state;
    struct output out;

    pod_sh(
        pod, "c",
        "spawn() { sleep 1000 & (spawn) & }; for i in 1 2 3 4 5 6 7 8; do (sleep 1000 & sleep 1000) & done; "
        "while :; do setsid sleep 1000 & echo .; sleep 0.001; done",
        &out);
    while (out.data.length < 40)
        loop_run_for(pod->loop, 1);
    pod_acks(pod, CTL_KILLCONTAINER, "{\"container\":\"c\",\"signal\":9,\"allProcesses\":true}");
    expect_sleepers(pod, "0\n");
    output_free(&out);
}

static void test_remove(void **state)
{
    struct shared *shared = *state;
    struct output out, again;

    pod_refuses(shared->pod, CTL_REMOVECONTAINER, "{\"container\":\"c\"}", "no container c is in the pod");
    pod_refuses(shared->pod, CTL_REMOVECONTAINER, "{}", "\"container\" is missing");
    start_family(shared, "c", "echo up; wait", &out);
    while (!out.data.length)
        loop_run_for(shared->pod->loop, 1);
    pod_acks(shared->pod, CTL_REMOVECONTAINER, "{\"container\":\"c\"}");
    output_wait(&out);
    assert_int_equal(out.status, 137);
    expect_sleepers(shared->pod, "0\n");
    pod_refuses(shared->pod, CTL_REMOVECONTAINER, "{\"container\":\"c\"}", "no container c is in the pod");
    pod_sh(shared->pod, "c", "exit 4", &again);
    output_wait(&again);
    assert_int_equal(again.status, 4);
    pod_acks(shared->pod, CTL_REMOVECONTAINER, "{\"container\":\"c\"}"); /* that has ended by itself */
    pod_refuses(shared->pod, CTL_NEWCONTAINER, "{\"id\":\"d\",\"process\":{\"args\":[\"/no/such\"]}}",
                "No such");
    pod_refuses(shared->pod, CTL_REMOVECONTAINER, "{\"container\":\"d\"}", "no container d is in the pod");
    output_free(&out);
    output_free(&again);
}

/* Without a name it is the container's own process; if that has ended, or never was, the only one. */
static void test_signal_without_process(void **state)
{
    struct pod *pod = *state;
    struct output own, first, second;
    struct container_message exec = {.id = (char *)"c", .process.id = (char *)"first"};

    POD_ARGS(&exec, "sleep", "1000");
    pod_sh(pod, "c", "exec sleep 1000", &own);
    pod_run(pod, &exec, true, &first, NULL);
    pod_acks(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"signal\":10}");
    pod_wait(pod, "c/c signalled 10 SIGUSR1");
    exec.process.id = (char *)"second";
    pod_run(pod, &exec, true, &second, NULL);
    pod_refuses(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"signal\":10}",
                "several processes run in c: the field \"process\" has to say which");
    pod_acks(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"process\":\"second\",\"signal\":12}");
    pod_wait(pod, "c/second signalled 12 SIGUSR2");
    pod_acks(pod, CTL_SIGNALPROCESS, "{\"container\":\"c\",\"signal\":10}");
    pod_wait(pod, "c/first signalled 10 SIGUSR1");
    strings_free(&exec.process.args);
    output_free(&own);
    output_free(&first);
    output_free(&second);
}

/* ---- who, and with what ---- */

/* Runs `script` with more fields of Process; what it says, to be freed. */
static char *ask_as(struct pod *pod, const char *fields, const char *script)
{
    struct output out;
    cleanup_free char *json = NULL;

    output_open(&out, pod, false);
    json = text_format("{\"id\":\"c\",\"process\":{\"args\":[\"sh\",\"-c\",\"%s\"],\"stdio\":%d,%s}}", script,
                       (int)out.sequence, fields);
    pod_acks(pod, CTL_NEWCONTAINER, json);
    output_wait(&out);
    wire_client_forget(pod->client, out.sequence);
    return (char *)out.data.data;
}

static void says_as(struct pod *pod, const char *fields, const char *script, const char *expected)
{
    cleanup_free char *said = ask_as(pod, fields, script);

    assert_string_equal(said, expected);
}

static void refuses_as(struct pod *pod, const char *fields, const char *words)
{
    cleanup_free char *json = text_format("{\"id\":\"c\",\"process\":{\"args\":[\"true\"],%s}}", fields);

    pod_refuses(pod, CTL_NEWCONTAINER, json, words);
}

#define WHO "echo $(id -u) $(id -g) $(id -G)"

static void test_users(void **state)
{
    struct pod *pod = *state;

    if (geteuid() != 0) {
        print_message("SKIPPED: pods with several users are root's\n");
        skip();
    }
    says_as(pod, "\"user\":\"65534\"", WHO, "65534 65534 65534\n"); /* its group by its entry */
    says_as(pod, "\"user\":\"nobody\",\"group\":\"7\"", WHO, "65534 7 7\n");
    says_as(pod, "\"user\":\"12345\",\"group\":\"12346\",\"additionalGroups\":[\"daemon\",\"9\"]", WHO,
            "12345 12346 12346 1 9\n");
    says_as(pod, "\"group\":\"7\"", WHO, "0 7 7\n");
    says_as(pod, "\"user\":\"root\",\"group\":\"root\"", WHO, "0 0 0\n");
    says_as(pod, "\"user\":\"nobody\"", "grep Cap[PEB] /proc/self/status | tr -d '\\\\t\\\\n'",
            "CapPrm:0000000000000000CapEff:0000000000000000CapBnd:0000000000000000");
    /* A capability goes with another user, too; and he cannot come back. */
    says_as(pod, "\"user\":\"nobody\",\"capabilities\":{\"ambient\":[\"CAP_NET_RAW\"]}",
            "grep Cap[PEB] /proc/self/status | tr -d '\\\\t\\\\n'",
            "CapPrm:0000000000002000CapEff:0000000000002000CapBnd:0000000000002000");
    refuses_as(pod, "\"user\":\"4294967295\"", "the pod has no user 4294967295");
    pod_acks(pod, CTL_PING, "");
}

static void test_one_user(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *fields = text_format("\"user\":\"%u\",\"group\":\"%u\"", geteuid(), getegid());
    cleanup_free char *who = text_format("%u %u\n", geteuid(), getegid());

    says_as(pod, fields, "echo $(id -u) $(id -g)", who);
    refuses_as(pod, "\"user\":\"nobody-of-that-name\"", "the pod has no user nobody-of-that-name");
    refuses_as(pod, "\"group\":\"nobody-of-that-name\"", "the pod has no group nobody-of-that-name");
    refuses_as(pod, "\"additionalGroups\":[\"x y\"]", "the pod has no group x y");
    refuses_as(pod, "\"user\":5", "\"user\" has the wrong type");
    if (geteuid() != 0)
        refuses_as(pod, "\"user\":\"root\"", "a process cannot be user 0, group 0: this pod has only user ");
}

/* Each set is honoured; what the kernel makes of them is its own affair: nothing without ambient ones, but
 * for root. */
static void test_capability_sets(void **state)
{
    static const char script[] = "grep ^Cap /proc/self/status | tr -d '\\\\t0\\\\n'";
    struct pod *pod = *state;

    says_as(pod, "\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\",\"CAP_NET_ADMIN\"]}", script,
            "CapInh:CapPrm:CapEff:CapBnd:3CapAmb:");
    says_as(pod, "\"capabilities\":{\"inheritable\":[\"CAP_NET_ADMIN\"]}", script,
            "CapInh:1CapPrm:CapEff:CapBnd:1CapAmb:");
    says_as(pod, "\"capabilities\":{\"ambient\":[\"CAP_NET_ADMIN\"],\"bounding\":[\"net_raw\"]}", script,
            "CapInh:1CapPrm:1CapEff:1CapBnd:3CapAmb:1");
    if (geteuid() == 0)
        says_as(pod, "\"capabilities\":{\"permitted\":[\"CAP_NET_RAW\"]}", script,
                "CapInh:CapPrm:2CapEff:2CapBnd:2CapAmb:");
    else
        says_as(pod, "\"capabilities\":{\"permitted\":[\"CAP_NET_RAW\"]}", script,
                "CapInh:CapPrm:CapEff:CapBnd:2CapAmb:");
    refuses_as(pod, "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"]}",
               "the capability CAP_CHOWN is not to be had");
    refuses_as(pod, "\"capabilities\":{\"effective\":[\"CAP_SETUID\"]}", "the capability CAP_SETUID is not");
    refuses_as(pod, "\"capabilities\":{\"permitted\":[\"CAP_KILL\"]}", "the capability CAP_KILL is not");
    refuses_as(pod, "\"capabilities\":{\"inheritable\":[\"x\"]}", "the capability x is not");
}

static void test_every_limit(void **state)
{
    static const char *const limits[][2] = {
        {"RLIMIT_CPU", "cpu time"},
        {"RLIMIT_FSIZE", "file size"},
        {"RLIMIT_DATA", "data size"},
        {"RLIMIT_STACK", "stack size"},
        {"RLIMIT_CORE", "core file size"},
        {"RLIMIT_RSS", "resident set"},
        {"RLIMIT_NPROC", "processes"},
        {"RLIMIT_NOFILE", "open files"},
        {"RLIMIT_MEMLOCK", "locked memory"},
        {"RLIMIT_AS", "address space"},
        {"RLIMIT_LOCKS", "file locks"},
        {"RLIMIT_SIGPENDING", "pending signals"},
        {"RLIMIT_MSGQUEUE", "msgqueue size"},
        {"RLIMIT_NICE", "nice priority"},
        {"RLIMIT_RTPRIO", "realtime priority"},
        {"RLIMIT_RTTIME", "realtime timeout"},
    };
    struct pod *pod = *state;

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        bool none =
            strstr("RLIMIT_NICE RLIMIT_RTPRIO", limits[i][0]) != NULL; /* 0 already, and not to be raised */
        unsigned long value = none                                                               ? 0
                              : strstr("RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_CORE", limits[i][0]) ? 64
                                                                                                 : 33554432;
        cleanup_free char *fields = text_format("\"rlimits\":[{\"type\":\"%s\",\"soft\":%lu,\"hard\":%lu}]",
                                                limits[i][0], value, value);
        cleanup_free char *script = text_format("grep -i 'Max %s' /proc/self/limits", limits[i][1]);
        cleanup_free char *number = text_format(" %lu ", value);
        cleanup_free char *said = NULL;

        if (strstr("RLIMIT_NPROC RLIMIT_SIGPENDING RLIMIT_MSGQUEUE",
                   limits[i][0])) { /* too high, maybe, to be had */
            free(steal_pointer(&fields));
            fields = text_format("\"rlimits\":[{\"type\":\"%s\",\"soft\":1000,\"hard\":1000}]", limits[i][0]);
            free(steal_pointer(&number));
            number = text_copy(" 1000 ");
        }
        said = ask_as(pod, fields, script);
        if (!strstr(said, number))
            fail_msg("%s: %s", limits[i][0], said);
    }
}

/* ---- what is set for it ---- */

static void test_settings(void **state)
{
    static const char *const refused[][2] = {
        {"\"kernel.hostname\":\"x\"", "the setting kernel.hostname is not the pod's own"},
        {"\"net\":\"1\"", "the setting net is not"},
        {"\"abc.ipv4.ip_forward\":\"1\"", "the setting abc.ipv4.ip_forward is not"},
        {"\"network.x\":\"1\"", "the setting network.x is not"},
        {"\"net.no.such\":\"1\"", "cannot set net.no.such to \\\"1\\\": No such file"},
        {"\"net.ipv4.ip_forward\":\"x\"", "cannot set net.ipv4.ip_forward to \\\"x\\\": Invalid argument"},
        {"\"net/../kernel/hostname\":\"x\"",
         "cannot set net/../kernel/hostname to \\\"x\\\": Invalid cross-device link"},
        {"\"net/ipv4\":\"x\"", "Is a directory"},
        {"\"net.ipv4.ip_forward\":1", "\"net.ipv4.ip_forward\" of \"sysctl\" has the wrong type"},
    };
    struct pod *pod = *state;
    char *said;

    pod_acks(
        pod, CTL_NEWCONTAINER,
        "{\"id\":\"s\",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\",\"net/ipv4/conf/lo/log_martians\":\"1\"},"
        "\"process\":{\"args\":[\"true\"]}}");
    said = pod_ask(pod, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/log_martians");
    assert_string_equal(said, "1\n1\n");
    free(said);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cleanup_free char *json =
            text_format("{\"id\":\"t\",\"sysctl\":{%s},\"process\":{\"args\":[\"true\"]}}", refused[i][0]);
        cleanup_free char *words = text_copy(refused[i][1]);
        char *to = words;

        for (const char *from = words; *from; from++)
            if (*from != '\\')
                *to++ = *from;
        *to = '\0';
        pod_refuses(pod, CTL_NEWCONTAINER, json, words);
    }
    pod_refuses(
        pod, CTL_NEWCONTAINER,
        "{\"id\":\"t\",\"fsmap\":[{\"source\":\"a\",\"path\":\"/b\"}],\"process\":{\"args\":[\"true\"]}}",
        "\"fsmap\" is not empty");
}

/* A Pod brings containers and name servers along. */
static void test_whole_pod(void **state)
{
    struct pod *pod = pod_open((char *[]){(char *)"--fs=throwaway", NULL});
    char *said;

    (void)state;
    pod_acks(pod, CTL_STARTPOD,
             "{\"hostname\":\"whole\",\"dns\":[\"192.0.2.1\",\"2001:db8::1\"],\"shareDir\":\"share\","
             "\"containers\":["
             "{\"id\":\"a\",\"rootfs\":\"rootfs\",\"image\":\"\",\"fsmap\":[],\"process\":{\"args\":[\"sh\","
             "\"-c\",\"exit 3\"]}},"
             "{\"id\":\"b\",\"process\":{\"args\":[\"sleep\",\"1000\"]}}]}");
    pod_wait(pod, "a/a exited 3");
    said = pod_ask(pod, "cat /etc/resolv.conf; hostname");
    assert_string_equal(said, "nameserver 192.0.2.1\nnameserver 2001:db8::1\nwhole\n");
    free(said);
    pod_refuses(pod, CTL_STARTPOD,
                "{\"containers\":[{\"id\":\"c\",\"process\":{\"args\":[\"true\"]}},{\"id\":\"b\","
                "\"process\":{\"args\":[\"true\"]}}]}",
                "containers[1]: the container b exists already");
    pod_wait(pod, "c/c exited 0");
    pod_refuses(pod, CTL_STARTPOD, "{\"containers\":[{\"id\":\"c\"}]}",
                "containers[0]: the field \"process\"");
    pod_refuses(pod, CTL_STARTPOD, "{\"dns\":[\"192.0.2.1\",\"one two\"]}",
                "dns[1]: \"one two\" is not an address");
    pod_refuses(pod, CTL_STARTPOD, "{\"dns\":[1]}", "\"dns\" has the wrong type");
    pod_acks(pod, CTL_KILLCONTAINER, "{\"container\":\"b\",\"signal\":9}");
    pod_wait(pod, "b/b signalled 9 SIGKILL");
    pod_free(pod);
}

/* The host's own list is left alone. */
static void test_hosts_dns(void **state)
{
    pod_refuses(*state, CTL_STARTPOD, "{\"dns\":[\"192.0.2.1\"]}", "is the host's in this pod");
}

static void test_nothing_to_do(void **state)
{
    pod_acks(*state, CTL_ONLINECPUMEM, "");
}

int main(void)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, shared_teardown)
    const struct CMUnitTest tests[] = {
        SHARED(test_kill_tree),   SHARED(test_kill_what_is_left),    TEST(test_kill_breeders),
        SHARED(test_remove),      TEST(test_signal_without_process), TEST(test_users),
        TEST(test_one_user),      TEST(test_capability_sets),        TEST(test_every_limit),
        TEST(test_settings),      cmocka_unit_test(test_whole_pod),  TEST(test_hosts_dns),
        TEST(test_nothing_to_do),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
