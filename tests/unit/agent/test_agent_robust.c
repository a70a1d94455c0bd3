/* Clients that mean harm, or know no better: the agent answers ERROR or ends, it neither breaks nor grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/agent/raw.h"
#include "tests/unit/support/support.h"

static int setup_raw(void **state)
{
    *state = pod_open_raw(NULL);
    return 0;
}

static void is_small(const struct pod *pod)
{
#ifdef ADDRESS_SANITIZER
    (void)pod; /* the agent's memory says nothing then */
#else
    if (pod_memory(pod) >= (size_t)16 * 1024 * 1024)
        fail_msg("the agent has had %zu bytes", pod_memory(pod));
#endif
}

/* ---- payloads ---- */

static const uint32_t with_payload[] = {
    CTL_STARTPOD,       CTL_EXECCMD,         CTL_WINSIZE,       CTL_WRITEFILE,
    CTL_READFILE,       CTL_NEWCONTAINER,    CTL_KILLCONTAINER, CTL_SETUPROUTE,
    CTL_SETUPINTERFACE, CTL_REMOVECONTAINER, CTL_SIGNALPROCESS, CTL_DELETEINTERFACE,
};
#define KINDS (sizeof with_payload / sizeof *with_payload)

static void refuses_bytes(struct pod *pod, uint32_t code, const void *bytes, size_t length)
{
    pod_command_bytes(pod, code, bytes, length);
    if (!pod->answer || !*pod->answer)
        fail_msg("%s: accepted %.*s", ctl_name(code), length < 60 ? (int)length : 60, (const char *)bytes);
    pod_acks(pod, CTL_PING, "");
}

/* For every command that takes any. */
static void test_bad_payloads(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } payloads[] = {
#define BYTES(text) {text, sizeof text - 1}
        BYTES(""),
        BYTES("{"),
        BYTES("null"),
        BYTES("[]"),
        BYTES("7"),
        BYTES("\"text\""),
        BYTES("{}x"),
        BYTES("{\"container\":\"a\",\"container\":\"a\"}"),
        BYTES("{\"\xff\":1}"),
        BYTES(
            "{\"container\":\"\xc3\x28\",\"id\":\"\xed\xa0\x80\",\"hostname\":\"\xff\",\"device\":\"\xfe\"}"),
        BYTES("{\"container\":1,\"id\":1,\"hostname\":1,\"device\":1,\"routes\":1}"),
        BYTES("{\"container\":{},\"id\":[],\"hostname\":[],\"device\":{},\"routes\":{}}"),
        BYTES("{\"container\":\"a\\u0000b\",\"id\":\"a\\u0000\",\"hostname\":\"\\u0000\",\"device\":"
              "\"\\u0000\","
              "\"routes\":\"\\u0000\"}"),
        BYTES("\0"),
        BYTES("\0{}"),
        BYTES("{\"process\":{\"args\":[1e999]}}"),
        BYTES("{\"signal\":99999999999999999999999999}"),
        BYTES("\xef\xbb\xbf{}"),
#undef BYTES
    };
    struct pod *pod = *state;

    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
            refuses_bytes(pod, with_payload[kind], payloads[i].bytes, payloads[i].length);
}

/* As deep, and as many, as a message has room for. */
static void test_big_payloads(void **state)
{
    static const char *const parts[] = {"[",  "{\"a\":", "{\"interfaces\":[", "{\"\":{}}\n", "\x80",
                                        "\\", " "};
    struct pod *pod = *state;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cleanup_buffer struct buffer bytes = {0};

        while (bytes.length + strlen(parts[i]) <= FRAME_MOST - CTL_HEADER)
            buffer_add(&bytes, parts[i], strlen(parts[i]));
        for (size_t kind = 0; kind < KINDS; kind++)
            refuses_bytes(pod, with_payload[kind], bytes.data, bytes.length);
    }
}

static void test_big_arrays(void **state)
{
    static const struct {
        uint32_t code;
        const char *before, *part, *after;
    } cases[] = {
        {CTL_STARTPOD, "{\"interfaces\":[", "{\"device\":\"d\",\"mtu\":68},", "1]}"},
        {CTL_STARTPOD, "{\"dns\":[", "\"192.0.2.1\",", "\"x\"]}"},
        {CTL_STARTPOD, "{\"containers\":[", "{\"id\":\"a\",\"process\":{\"args\":[\"a\"]}},", "{}]}"},
        {CTL_SETUPROUTE, "{\"routes\":[", "{\"dest\":\"default\",\"device\":\"none\"},",
         "{\"dest\":\"default\",\"device\":\"none\"}]}"},
        {CTL_NEWCONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"/bin/true\"", ",\"\"", "]}}"},
        {CTL_EXECCMD, "{\"container\":\"a\",\"process\":{\"args\":[\"true\"],\"envs\":[",
         "{\"env\":\"A\",\"value\":\"b\"},", "{}]}}"},
        {CTL_EXECCMD, "{\"container\":\"a\",\"process\":{\"args\":[\"true\"],\"additionalGroups\":[",
         "\"0\",", "\"no group\"]}}"},
        {CTL_EXECCMD, "{\"container\":\"a\",\"process\":{\"args\":[\"true\"],\"rlimits\":[",
         "{\"type\":\"core\",\"soft\":0,\"hard\":0},", "{\"type\":\"x\",\"soft\":0,\"hard\":0}]}}"},
    };
    struct pod *pod = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buffer struct buffer json = {0};
        size_t room = FRAME_MOST - CTL_HEADER - strlen(cases[i].after) - strlen(cases[i].part);

#ifdef ADDRESS_SANITIZER
        room /= 64; /* with it, a list that grows by one is copied each time */
#endif
        buffer_addf(&json, "%s", cases[i].before);
        while (json.length <= room)
            buffer_add(&json, cases[i].part, strlen(cases[i].part));
        buffer_addf(&json, "%s", cases[i].after);
        pod_command_bytes(pod, cases[i].code, json.data, json.length);
        if (cases[i].code != CTL_NEWCONTAINER) /* which may well have so many arguments */
            assert_non_null(pod->answer);
        pod_acks(pod, CTL_PING, "");
    }
}

/* ---- bytes ---- */

/* Anything: it goes on, or ends by itself; it is never killed by a signal of its own making. */
static void test_noise(void **state)
{
    uint32_t number = 12345;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct pod *pod = pod_open_raw(NULL);
        uint8_t bytes[512];

        raw_ready(pod);
        for (size_t i = 0; i < sizeof bytes; i++) {
            number = number * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(number >> 24);
        }
        if (round % 3) /* a header that could be one, and noise behind it */
            memcpy(bytes, (uint8_t[]){0, 0, 0, (uint8_t)(round % 26), 0, 0, 1, (uint8_t)number}, 8);
        (void)send(round % 2 ? pod->ctl : pod->io, bytes, sizeof bytes, MSG_NOSIGNAL);
        (void)shutdown(pod->ctl, SHUT_WR);
        assert_true(pod_end(pod) < 128);
        pod_free(pod);
    }
}

/* Whoever says no more, at whatever point, has gone. */
static void test_half_closed(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 12; length++)
        for (int io = 0; io < 2; io++) {
            struct pod *pod = pod_open_raw(NULL);
            int fd = io ? pod->io : pod->ctl;

            raw_ready(pod);
            if (length)
                assert_int_equal(send(fd, "\0\0\0\x0c\0\0\0\x64\0\0\0\x64", length, MSG_NOSIGNAL), length);
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            assert_int_equal(pod_end(pod), 0);
            pod_free(pod);
        }
}

/* ---- clients that do not read ---- */

/* Commands whose answers are not read: at some point no more are taken, and none is lost. */
static void test_flood_of_commands(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer bytes = {0};
    cleanup_buffer struct buffer payload = {0};
    size_t sent, answers = 0, wanted;

    raw_ready(pod);
    while (bytes.length < (size_t)16 * 1024 * 1024)
        ctl_encode(&bytes, 2, NULL, 0); /* the answer is longer than the question */
    sent = raw_flood(pod->ctl, &bytes);
    assert_true(sent < bytes.length);
    is_small(pod);
    wanted = sent / CTL_HEADER;
    while (answers < wanted) {
        uint32_t code = raw_next(pod, &payload);

        assert_true(code == CTL_NEXT || code == CTL_ERROR);
        answers += code == CTL_ERROR;
    }
    is_small(pod);
}

/* Data for nobody, whose answers are not read. */
static void test_flood_of_input(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer bytes = {0};
    size_t sent, wanted, got = 0;
    uint8_t data[65536];

    raw_ready(pod);
    while (bytes.length < (size_t)16 * 1024 * 1024)
        io_encode(&bytes, 7, "x", 1);
    sent = raw_flood(pod->io, &bytes);
    assert_true(sent < bytes.length);
    is_small(pod);
    wanted = sent / (IO_HEADER + 1) * IO_HEADER;
    while (got < wanted) {
        ssize_t length = recv(pod->io, data, sizeof data, 0);

        assert_true(length > 0);
        got += (size_t)length;
    }
}

static void exec_raw(struct pod *pod, int stdio, const char *script)
{
    cleanup_free char *json = text_format(
        "{\"container\":\"c\",\"process\":{\"args\":[\"sh\",\"-c\",\"%s\"],\"stdio\":%d}}", script, stdio);
    cleanup_buffer struct buffer frame = {0};
    cleanup_buffer struct buffer payload = {0};
    uint32_t code;

    ctl_encode(&frame, CTL_EXECCMD, json, strlen(json));
    assert_int_equal(send(pod->ctl, frame.data, frame.length, MSG_NOSIGNAL), frame.length);
    while ((code = raw_next(pod, &payload)) == CTL_NEXT || code == CTL_PROCESSASYNCEVENT)
        ;
    if (code != CTL_ACK)
        fail_msg("%s", (const char *)payload.data);
}

/* Processes that print for ever, and many that have ended: what they said waits where it is. When it is read
 * at last it is all there. */
static void test_output_not_read(void **state)
{
    struct pod *pod = *state;
    size_t many = 100, wanted = many * (60000 + 1 + 2), got = 0;
    cleanup_buffer struct buffer data = {0};

    raw_ready(pod);
    for (size_t i = 0; i < many; i++)
        exec_raw(pod, (int)i + 1, "head -c 60000 /dev/zero");
    for (int i = 0; i < 10; i++)
        exec_raw(pod, 0, "sleep 0.01; exec cat /dev/zero"); /* no stream: it is read and dropped */
    is_small(pod);
    while (got < wanted) {
        struct io_frame frame;
        uint8_t bytes[65536];
        size_t used;
        ssize_t length = recv(pod->io, bytes, sizeof bytes, 0);

        assert_true(length > 0);
        buffer_add(&data, bytes, (size_t)length);
        while (io_decode(data.data, data.length, &frame, &used, NULL) == 1) {
            got += frame.length ? frame.length : 2; /* one end a stream, counted as two */
            buffer_drop(&data, used);
        }
    }
    assert_int_equal(got, wanted);
    is_small(pod);
}

static void test_endless_output(void **state)
{
    struct pod *pod = *state;

    raw_ready(pod);
    for (int i = 1; i <= 20; i++)
        exec_raw(pod, i, "exec cat /dev/zero");
    usleep(300000);           /* for them to fill what can be filled */
    exec_raw(pod, 0, "true"); /* all else goes on */
    is_small(pod);
}

/* ---- what nobody asked for ---- */

static void test_no_events(void **state)
{
    struct pod *pod = pod_open((char *[]){(char *)"--fs=host", (char *)"--fs=host", NULL});
    struct output out;

    (void)state;
    pod_sh(pod, "c", "exit 3", &out);
    output_wait(&out);
    assert_int_equal(out.status, 3);
    pod_acks(pod, CTL_PING, "");
    assert_int_equal(pod->notes.count, 0);
    assert_int_equal(pod->notices.count, 0);
    output_free(&out);
    pod_free(pod);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define RAW(name)  cmocka_unit_test_setup_teardown(name, setup_raw, pod_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bad_payloads),
        TEST(test_big_payloads),
        TEST(test_big_arrays),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_half_closed),
        RAW(test_flood_of_commands),
        RAW(test_flood_of_input),
        RAW(test_output_not_read),
        RAW(test_endless_output),
        cmocka_unit_test(test_no_events),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
