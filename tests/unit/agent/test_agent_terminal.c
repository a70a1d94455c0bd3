/* Processes with a terminal: what its user sees and types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/agent/raw.h"
#include "tests/unit/support/support.h"

#define BIG 3000000

static void start(struct pod *pod, const char *script, struct output *out)
{
    struct container_message container = {.id = (char *)"c", .process = {.input = true, .terminal = true}};

    POD_ARGS(&container, "sh", "-c", script);
    pod_run(pod, &container, false, out, NULL);
    strings_free(&container.process.args);
}

static void type(struct output *out, const char *keys)
{
    wire_client_input(out->pod->client, out->sequence, keys, strlen(keys));
}

static void end_input(struct output *out)
{
    wire_client_input(out->pod->client, out->sequence, NULL, 0);
}

/* Waits until the screen shows that. */
static void see(struct output *out, const char *words)
{
    for (int i = 0; i < 5000; i++) {
        cleanup_free char *screen = text_slice((const char *)out->data.data, out->data.length);

        if (strstr(screen, words))
            return;
        loop_run_for(out->pod->loop, 2);
    }
    fail_msg("\"%s\" is not in \"%.*s\"", words, (int)out->data.length, (const char *)out->data.data);
}

/* All three streams are the terminal, and it is the controlling one of a session and group of its own. */
static void test_is_terminal(void **state)
{
    struct pod *pod = *state;
    struct output out;

    start(pod,
          "test -t 0 -a -t 1 -a -t 2 && echo three; echo tty >/dev/tty; tty | tr 0-9 N; echo error >&2; "
          "set -- $(sed 's/.*) //' /proc/$$/stat); test $3 = $$ -a $4 = $$ -a $6 = $$ && echo leader; exit 5",
          &out);
    output_says(&out, "three\r\ntty\r\n/dev/pts/N\r\nerror\r\nleader\r\n");
    assert_int_equal(out.status, 5);
    output_free(&out);
}

/* In a pod with a file system of its own so are its terminals. */
static void test_own_terminals(void **state)
{
    struct pod *pod = pod_open((char *[]){(char *)"--fs=throwaway", NULL});
    struct output out;

    (void)state;
    start(pod, "tty; ls /dev/pts", &out);
    output_says(&out, "/dev/pts/0\r\n0  ptmx\r\n");
    output_free(&out);
    pod_free(pod);
}

/* The stream for errors has nothing to tell: it ends at the start. */
static void test_no_stream_for_errors(void **state)
{
    struct pod *pod = *state;
    struct container_message exec = {.id = (char *)"hyperstart",
                                     .process = {.id = (char *)"t", .input = true, .terminal = true}};
    struct output out, errors;

    POD_ARGS(&exec, "sh", "-c", "echo error >&2; read -r line; exit 3");
    pod_run(pod, &exec, true, &out, &errors);
    see(&out, "error\r\n");
    assert_int_equal(errors.data.length, 0);
    type(&out, "\n");
    output_wait(&out);
    assert_int_equal(out.status, 3);
    strings_free(&exec.process.args);
    output_free(&out);
    output_free(&errors);
}

static void test_end_of_stream_for_errors(void **state)
{
    static const char json[] =
        "{\"container\":\"c\",\"process\":{\"args\":[\"sleep\",\"1000\"],\"terminal\":true,"
        "\"stdio\":5,\"stderr\":6}}";
    struct pod *pod = pod_open_raw(NULL);
    cleanup_buffer struct buffer frame = {0};
    uint8_t end[IO_HEADER];

    (void)state;
    raw_ready(pod);
    ctl_encode(&frame, CTL_EXECCMD, json, strlen(json));
    assert_int_equal(send(pod->ctl, frame.data, frame.length, MSG_NOSIGNAL), frame.length);
    assert_int_equal(recv(pod->io, end, sizeof end, MSG_WAITALL), sizeof end);
    assert_memory_equal(end, "\0\0\0\0\0\0\0\6\0\0\0\x0c", sizeof end);
    pod_free(pod);
}

static void test_size(void **state)
{
    struct pod *pod = *state;
    struct output out;

    start(pod, "trap 'stty size; exit 7' WINCH; echo up; while :; do sleep 0.02; done", &out);
    see(&out, "up");
    pod_acks(pod, CTL_WINSIZE, "{\"container\":\"c\",\"process\":\"c\",\"row\":31,\"column\":132}");
    output_says(&out, "up\r\n31 132\r\n");
    assert_int_equal(out.status, 7);
    output_free(&out);
}

static void test_size_refused(void **state)
{
    static const char *const cases[][2] = {
        {"{\"container\":\"d\",\"process\":\"c\",\"row\":1,\"column\":1}", "no process c runs"},
        {"{\"container\":\"c\",\"process\":\"x\",\"row\":1,\"column\":1}", "no process x runs"},
        {"{\"container\":\"plain\",\"row\":1,\"column\":1}", "the process plain has no terminal"},
        {"{\"container\":\"c\",\"row\":1}", "\"column\" is missing"},
        {"{\"container\":\"c\",\"row\":65536,\"column\":1}", "\"row\" is out of range"},
        {"{\"container\":\"c\",\"row\":\"1\",\"column\":1}", "\"row\" has the wrong type"},
        {"{\"row\":1,\"column\":1}", "\"container\" is missing"},
        {"", "not JSON"},
    };
    struct pod *pod = *state;
    struct output out, plain;

    start(pod, "read -r line; stty size", &out);
    pod_sh(pod, "plain", "exec sleep 1000", &plain);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        pod_refuses(pod, CTL_WINSIZE, cases[i][0], cases[i][1]);
    pod_acks(pod, CTL_WINSIZE, "{\"container\":\"c\",\"row\":25,\"column\":80}"); /* the container's own */
    type(&out, "\n");
    output_says(&out, "\r\n25 80\r\n");
    output_free(&out);
    output_free(&plain);
}

static void test_interrupt(void **state)
{
    struct output out;

    start(*state, "trap 'echo; echo caught; exit 9' INT; echo up; while :; do sleep 0.02; done", &out);
    see(&out, "up");
    type(&out, "\003");
    output_says(&out, "up\r\n^C\r\ncaught\r\n");
    assert_int_equal(out.status, 9);
    output_free(&out);
}

/* What is typed is echoed, and can be corrected: backspace, and ^U for the line. */
static void test_line_editing(void **state)
{
    struct output out;

    start(*state, "stty erase '^?' kill '^U'; echo up; read -r line; echo \"<$line>\"", &out);
    see(&out, "up");
    type(&out, "nonsense\025ax\177bc\n");
    see(&out, "abc");
    output_wait(&out);
    assert_non_null(strstr((char *)out.data.data, "\r\n<abc>\r\n"));
    output_free(&out);
}

/* The end of standard input is ^D: at the start of a line, and in the middle of one. */
static void test_end_of_input(void **state)
{
    static const char *const typed[] = {"one\n", "one", ""};
    static const char *const seen[] = {"[one\n]4\n", "[one]3\n", "[]0\n"};
    struct pod *pod = *state;

    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        struct output out;

        start(pod,
              "stty -echo -onlcr; echo up; text=$(cat; echo x); text=${text%x}; echo \"[$text]${#text}\"",
              &out);
        see(&out, "up\n");
        type(&out, typed[i]);
        end_input(&out);
        output_wait(&out);
        assert_string_equal((char *)out.data.data + 3, seen[i]);
        output_free(&out);
    }
}

/* It is over when it exits; a child that it leaves behind with the terminal is hung up on. */
static void test_background_child(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *script = in_folder(
        shared,
        "(trap '' HUP; touch up; until test -e go; do sleep 0.01; done; sleep 0.1; "
        "echo late 2>/dev/null || touch hung-up) & until test -e up; do sleep 0.01; done; echo now; exit 5");
    struct output out;

    start(shared->pod, script, &out);
    output_says(&out, "now\r\n");
    assert_int_equal(out.status, 5);
    folder_put(shared->folder, "go", "");
    wait_for_file(shared, "hung-up");
    output_free(&out);
}

/* Much of it, unchanged, and nothing of its end is lost. */
static void test_every_byte(void **state)
{
    cleanup_free char *script =
        text_format("stty -opost; seq -w 0 9999999 | head -c %d; printf end; exit 6", BIG);
    struct output out;

    start(*state, script, &out);
    output_wait(&out);
    assert_int_equal(out.status, 6);
    assert_int_equal(out.data.length, BIG + 4);
    assert_string_equal((char *)out.data.data + BIG, "end");
    for (size_t i = 0; i < BIG / 8; i++)
        if (strtoul((char *)out.data.data + 8 * i, NULL, 10) != i)
            fail_msg("line %zu is %.8s", i, (char *)out.data.data + 8 * i);
    output_free(&out);
}

static void test_last_words(void **state)
{
    struct pod *pod = *state;

    for (int i = 0; i < 100; i++) {
        struct output out;

        start(pod, "echo words", &out);
        output_says(&out, "words\r\n");
        output_free(&out);
    }
}

/* The keys of an impatient user wait, and those for a process that has gone are dropped. */
static void test_pasted(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer lines = {0};
    struct output out;

    start(pod, "stty -echo; echo up; sleep 0.2; head -n 20000 | cksum", &out);
    see(&out, "up");
    for (int i = 0; i < 20000; i++)
        buffer_addf(&lines, "line %06d\n", i);
    wire_client_input(pod->client, out.sequence, lines.data, lines.length);
    output_wait(&out);
    assert_non_null(strstr((char *)out.data.data, " 240000\r\n"));
    output_free(&out);
}

int main(void)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, shared_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_is_terminal),
        cmocka_unit_test(test_own_terminals),
        TEST(test_no_stream_for_errors),
        cmocka_unit_test(test_end_of_stream_for_errors),
        TEST(test_size),
        TEST(test_size_refused),
        TEST(test_interrupt),
        TEST(test_line_editing),
        TEST(test_end_of_input),
        SHARED(test_background_child),
        TEST(test_every_byte),
        TEST(test_last_words),
        TEST(test_pasted),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
