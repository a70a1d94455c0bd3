/* The agent's two channels: commands and their answers, frames in pieces, frames that are none, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/process.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/agent/raw.h"
#include "tests/unit/support/support.h"

#define WAIT_MS 5000

static int setup_raw(void **state)
{
    *state = pod_open_raw(NULL);
    return 0;
}

/* ---- commands ---- */

static void test_ping_and_version(void **state)
{
    struct pod *pod = *state;
    uint32_t version;

    pod_acks(pod, CTL_PING, "");
    assert_int_equal(pod->payload.length, 0);
    pod_acks(pod, CTL_READY, "");
    pod_acks(pod, CTL_GETVERSION, "");
    assert_int_equal(pod->payload.length, 4);
    memcpy(&version, pod->payload.data, 4);
    assert_int_equal(be32toh(version), 4244);
    pod_refuses(pod, 2, "", "no command"); /* each is answered once */
}

/* The channel goes on behind each of them. */
static void test_unknown_commands(void **state)
{
    struct pod *pod = *state;
    static const uint32_t codes[] = {
        2, 3, 5, 7, 13, CTL_ACK, CTL_ERROR, CTL_NEXT, CTL_PROCESSASYNCEVENT, 26, UINT32_MAX};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        pod_refuses(pod, codes[i], i % 2 ? "{\"x\":1}" : "", "no command");
        pod_acks(pod, CTL_PING, "");
    }
}

static void test_malformed_json(void **state)
{
    struct pod *pod = *state;
    static const struct {
        uint32_t code;
        const char *payload, *words;
    } cases[] = {
        {CTL_STARTPOD, "", "not JSON"},
        {CTL_STARTPOD, "{\"hostname\":7}", "\"hostname\" has the wrong type"},
        {CTL_STARTPOD, "[]", "not a JSON object"},
        {CTL_NEWCONTAINER, "{\"id\":\"a\"", "not JSON"},
        {CTL_NEWCONTAINER, "{\"process\":{\"args\":[\"true\"]}}", "\"id\" is missing"},
        {CTL_EXECCMD, "{\"container\":\"a\",\"process\":{\"args\":\"true\"}}", "process: the field \"args\""},
        {CTL_KILLCONTAINER, "{\"container\":\"a\"}", "\"signal\" is missing"},
        {CTL_SIGNALPROCESS, "{\"container\":\"a\",\"signal\":\"KILL\"}", "\"signal\" has the wrong type"},
        {CTL_SETUPINTERFACE, "{}", "\"device\" is missing"},
        {CTL_SETUPROUTE, "{\"routes\":[{\"dest\":\"default\"}]}",
         "routes[0]: the field \"device\" is missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        pod_refuses(pod, cases[i].code, cases[i].payload, cases[i].words);
    pod_acks(pod, CTL_PING, "");
}

/* ---- bytes ---- */

/* One byte at a time: each is acknowledged with NEXT, and the answers come where a command is whole. */
static void test_byte_by_byte(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer bytes = {0};
    cleanup_buffer struct buffer payload = {0};
    size_t first;

    raw_ready(pod);
    ctl_encode(&bytes, CTL_PING, NULL, 0);
    first = bytes.length;
    ctl_encode(&bytes, CTL_STARTPOD, "{\"hostname\":1}", 14);
    for (size_t i = 0; i < bytes.length; i++) {
        assert_int_equal(send(pod->ctl, bytes.data + i, 1, MSG_NOSIGNAL), 1);
        assert_int_equal(raw_next(pod, &payload), CTL_NEXT);
        assert_int_equal(raw_number(&payload), 1);
        if (i + 1 == first) {
            assert_int_equal(raw_next(pod, &payload), CTL_ACK);
            assert_int_equal(payload.length, 1);
        }
    }
    assert_int_equal(raw_next(pod, &payload), CTL_ERROR);
    assert_non_null(strstr((char *)payload.data, "\"hostname\""));
}

/* Many commands in one piece: the NEXTs count every byte, and all are answered in order. */
static void test_all_at_once(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer bytes = {0};
    cleanup_buffer struct buffer payload = {0};
    size_t counted = 0, answers = 0;

    raw_ready(pod);
    for (int i = 0; i < 50; i++) {
        ctl_encode(&bytes, CTL_PING, NULL, 0);
        ctl_encode(&bytes, CTL_WINSIZE + 1000, "some payload", 12);
    }
    assert_int_equal(send(pod->ctl, bytes.data, bytes.length, MSG_NOSIGNAL), bytes.length);
    while (answers < 100 || counted < bytes.length) {
        uint32_t code = raw_next(pod, &payload);

        if (code == CTL_NEXT)
            counted += raw_number(&payload);
        else
            assert_int_equal(code, answers++ % 2 ? CTL_ERROR : CTL_ACK);
    }
    assert_int_equal(counted, bytes.length);
    assert_int_equal(answers, 100);
}

/* As long as a frame may be. */
static void test_long_frame(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer json = {0};

    buffer_addf(&json, "{\"x\":\"%0*d\"}", FRAME_MOST - CTL_HEADER - 8, 0);
    assert_int_equal(json.length, FRAME_MOST - CTL_HEADER);
    buffer_add(&json, "", 1);
    pod_acks(pod, CTL_STARTPOD, (const char *)json.data);
}

static void ends_after(struct pod *pod, const char *header)
{
    cleanup_buffer struct buffer payload = {0};
    uint8_t byte;
    uint32_t code;

    raw_ready(pod);
    assert_int_equal(send(pod->ctl, header, CTL_HEADER, MSG_NOSIGNAL), CTL_HEADER);
    while ((code = raw_next(pod, &payload)) == CTL_NEXT)
        ;
    assert_int_equal(code, CTL_ERROR);
    assert_non_null(strstr((char *)payload.data, "between 8 and 1048576"));
    assert_int_equal(recv(pod->ctl, &byte, 1, 0), 0);
    (void)pod_end(pod);
}

static void test_frame_too_long(void **state)
{
    ends_after(*state, "\0\0\0\x0c\0\x10\0\1");
}

static void test_frame_too_short(void **state)
{
    ends_after(*state, "\0\0\0\x0c\0\0\0\7");
}

/* ---- the I/O channel ---- */

/* Nobody reads: the answer to data is an empty message; to an empty message there is none. */
static void test_input_for_nobody(void **state)
{
    struct pod *pod = *state;
    cleanup_buffer struct buffer bytes = {0};
    uint8_t answer[2 * IO_HEADER];
    struct io_frame frame;
    size_t used;

    raw_ready(pod);
    io_encode(&bytes, 7, NULL, 0);
    io_encode(&bytes, UINT64_C(1) << 40, "hello", 5);
    io_encode(&bytes, 9, "x", 1);
    assert_int_equal(send(pod->io, bytes.data, bytes.length, MSG_NOSIGNAL), bytes.length);
    assert_int_equal(recv(pod->io, answer, sizeof answer, MSG_WAITALL), sizeof answer);
    assert_int_equal(io_decode(answer, IO_HEADER, &frame, &used, NULL), 1);
    assert_true(frame.sequence == UINT64_C(1) << 40 && frame.length == 0);
    assert_int_equal(io_decode(answer + IO_HEADER, IO_HEADER, &frame, &used, NULL), 1);
    assert_true(frame.sequence == 9 && frame.length == 0);
}

static void test_bad_io_frame(void **state)
{
    struct pod *pod = *state;

    raw_ready(pod);
    assert_int_equal(send(pod->io, "\0\0\0\0\0\0\0\1\0\0\0\1", IO_HEADER, MSG_NOSIGNAL), IO_HEADER);
    (void)pod_end(pod);
}

/* A process without streams: its output goes nowhere, and only the event tells of its end. */
static void test_no_streams(void **state)
{
    struct pod *pod = *state;
    static const char json[] = "{\"id\":\"c\",\"process\":{\"args\":[\"sh\",\"-c\",\"echo x; echo y >&2\"]}}";
    cleanup_buffer struct buffer bytes = {0};
    cleanup_buffer struct buffer payload = {0};
    uint8_t data[64];

    raw_ready(pod);
    ctl_encode(&bytes, CTL_NEWCONTAINER, json, strlen(json));
    assert_int_equal(send(pod->ctl, bytes.data, bytes.length, MSG_NOSIGNAL), bytes.length);
    while (raw_next(pod, &payload) != CTL_PROCESSASYNCEVENT)
        ;
    assert_non_null(strstr((char *)payload.data, "exited"));
    assert_int_equal(send(pod->ctl, "\0\0\0\x0c\0\0\0\x08", CTL_HEADER, MSG_NOSIGNAL), CTL_HEADER);
    while (raw_next(pod, &payload) != CTL_ACK)
        ; /* by now all of the end has been told */
    assert_int_equal(recv(pod->io, data, sizeof data, MSG_DONTWAIT), -1);
}

/* Its stream has ended with it: what a child says later is not sent. */
static void test_late_output(void **state)
{
    struct pod *pod = *state;
    char *folder = folder_make();
    cleanup_free char *json = text_format(
        "{\"id\":\"c\",\"process\":{\"args\":[\"sh\",\"-c\",\"cd %s; (until test -e go; do sleep 0.01; done; "
        "echo late; touch done) & exit 5\"],\"stdio\":7}}",
        folder);
    cleanup_buffer struct buffer bytes = {0};
    cleanup_buffer struct buffer payload = {0};
    uint8_t data[2 * IO_HEADER + 1];

    raw_ready(pod);
    ctl_encode(&bytes, CTL_NEWCONTAINER, json, strlen(json));
    assert_int_equal(send(pod->ctl, bytes.data, bytes.length, MSG_NOSIGNAL), bytes.length);
    assert_int_equal(recv(pod->io, data, sizeof data, MSG_WAITALL), sizeof data);
    assert_int_equal(data[2 * IO_HEADER], 5);
    folder_put(folder, "go", "");
    for (int i = 0; i < 1000 && !folder_has(folder, "done"); i++)
        usleep(5000);
    assert_true(folder_has(folder, "done"));
    assert_int_equal(send(pod->ctl, "\0\0\0\x0c\0\0\0\x08", CTL_HEADER, MSG_NOSIGNAL), CTL_HEADER);
    for (int acks = 0; acks < 2;)
        acks += raw_next(pod, &payload) == CTL_ACK;
    assert_int_equal(recv(pod->io, data, sizeof data, MSG_DONTWAIT), -1);
    folder_remove(folder);
}

/* ---- ends ---- */

struct stayer {
    struct pod *pod;
    char *folder;
    int alive; /* readable, without data, once no process of the pod is left */
};

/* Processes that would stay for ever, one of them in a session of its own, all with a FIFO open for writing.
 */
static int setup_stayer(void **state)
{
    struct stayer *stayer = memory_new(sizeof *stayer);
    cleanup_free char *script = NULL;
    cleanup_free char *fifo = NULL;
    struct output out;

    stayer->folder = folder_make();
    fifo = text_format("%s/alive", stayer->folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    stayer->alive = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(stayer->alive >= 0);
    stayer->pod = pod_open(NULL);
    script = text_format("exec 3>%s; trap '' TERM HUP INT; setsid sleep 1000 & echo up; sleep 1000", fifo);
    pod_sh(stayer->pod, "stays", script, &out);
    while (!out.data.length)
        loop_run_out(stayer->pod->loop);
    output_free(&out);
    *state = stayer;
    return 0;
}

static int teardown_stayer(void **state)
{
    struct stayer *stayer = *state;

    pod_free(stayer->pod);
    close(stayer->alive);
    folder_remove(stayer->folder);
    free(stayer);
    return 0;
}

static void nobody_is_left(const struct stayer *stayer)
{
    struct pollfd poll_alive = {.fd = stayer->alive, .events = POLLIN};
    char byte;

    assert_int_equal(poll(&poll_alive, 1, WAIT_MS), 1);
    assert_int_equal(read(stayer->alive, &byte, 1), 0);
}

static void test_destroy(void **state)
{
    struct stayer *stayer = *state;
    char byte;

    errno = 0;
    assert_int_equal(read(stayer->alive, &byte, 1), -1); /* they are there */
    assert_int_equal(errno, EAGAIN);
    pod_acks(stayer->pod, CTL_DESTROYPOD, "");
    assert_int_equal(pod_end(stayer->pod), 0);
    nobody_is_left(stayer);
    pod_wait(stayer->pod, "closed: the agent has ended");
}

static void test_ctl_closed(void **state)
{
    struct stayer *stayer = *state;

    assert_int_equal(shutdown(stayer->pod->ctl, SHUT_RDWR), 0);
    assert_int_equal(pod_end(stayer->pod), 0);
    nobody_is_left(stayer);
}

static void test_io_closed(void **state)
{
    struct stayer *stayer = *state;

    assert_int_equal(shutdown(stayer->pod->io, SHUT_RDWR), 0);
    assert_int_equal(pod_end(stayer->pod), 0);
    nobody_is_left(stayer);
}

static void test_killed(void **state)
{
    struct stayer *stayer = *state;

    assert_int_equal(process_signal(stayer->pod->pidfd, SIGTERM, NULL), 0); /* PID 1 does not hear it */
    pod_acks(stayer->pod, CTL_PING, "");
    assert_int_equal(process_signal(stayer->pod->pidfd, SIGKILL, NULL), 0);
    assert_int_equal(pod_end(stayer->pod), 128 + SIGKILL);
    nobody_is_left(stayer);
    pod_wait(stayer->pod, "closed: the agent has ended");
}

/* ---- what does not start ---- */

static void does_not_start(char *argument, const char *words)
{
    struct pod *pod = pod_open_raw((char *[]){argument, NULL});

    pod_use_client(pod);
    while (!pod->notes.count)
        loop_run_out(pod->loop);
    assert_false(pod->ready);
    assert_string_equal(pod->notes.list[0], words);
    assert_int_equal(pod_end(pod), ERROR_INPUT);
    pod_free(pod);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    does_not_start((char *)"--fs=chroot", "closed: unknown file system mode chroot");
    does_not_start((char *)"more", "closed: unexpected argument more");
}

int main(void)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define RAW(name)    cmocka_unit_test_setup_teardown(name, setup_raw, pod_teardown)
#define STAYER(name) cmocka_unit_test_setup_teardown(name, setup_stayer, teardown_stayer)
    const struct CMUnitTest tests[] = {
        TEST(test_ping_and_version),
        TEST(test_unknown_commands),
        TEST(test_malformed_json),
        RAW(test_byte_by_byte),
        RAW(test_all_at_once),
        TEST(test_long_frame),
        RAW(test_frame_too_long),
        RAW(test_frame_too_short),
        RAW(test_input_for_nobody),
        RAW(test_bad_io_frame),
        RAW(test_no_streams),
        RAW(test_late_output),
        STAYER(test_destroy),
        STAYER(test_ctl_closed),
        STAYER(test_io_closed),
        STAYER(test_killed),
        cmocka_unit_test(test_wrong_arguments),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
