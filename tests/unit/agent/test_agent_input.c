/* Standard input of processes, through the I/O channel: to the byte, to its end, and never in the way of
 * others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/agent/raw.h"
#include "tests/unit/support/support.h"

#define BIG ((size_t)20 * 1000 * 1000)

/* `sh -c script` with its stdio stream as standard input. */
static void start(struct pod *pod, const char *id, const char *script, struct output *out)
{
    struct container_message container = {.id = (char *)id, .process.input = true};

    POD_ARGS(&container, "sh", "-c", script);
    pod_run(pod, &container, false, out, NULL);
    strings_free(&container.process.args);
}

static void send_text(struct output *out, const char *text)
{
    wire_client_input(out->pod->client, out->sequence, text, strlen(text));
}

static void wait_for_output(struct output *out, size_t length)
{
    while (out->data.length < length)
        loop_run_for(out->pod->loop, 1);
}

static uint8_t *make_bytes(size_t length)
{
    uint8_t *bytes = memory_array(NULL, length, 1);
    uint32_t number = 1;

    for (size_t i = 0; i < length; i++) {
        number = number * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(number >> 24);
    }
    return bytes;
}

static void test_lines(void **state)
{
    struct output out;

    start(*state, "c", "while read -r line; do echo \"<$line>\"; done; echo end; exit 4", &out);
    send_text(&out, "one\ntw");
    wait_for_output(&out, strlen("<one>\n"));
    assert_int_equal(out.status, -1);
    send_text(&out, "o\n");
    wire_client_input(out.pod->client, out.sequence, NULL, 0);
    output_says(&out, "<one>\n<two>\nend\n");
    assert_int_equal(out.status, 4);
    output_free(&out);
}

static void test_every_byte(void **state)
{
    struct output out;
    cleanup_free uint8_t *bytes = make_bytes(BIG);

    start(*state, "c", "cat", &out);
    wire_client_input(out.pod->client, out.sequence, bytes, BIG);
    wire_client_input(out.pod->client, out.sequence, NULL, 0);
    output_wait(&out);
    assert_int_equal(out.data.length, BIG + 1);
    assert_memory_equal(out.data.data, bytes, BIG);
    output_free(&out);
}

/* What comes after the end, and what nobody will read, is dropped; output goes on undisturbed. */
static void test_dropped(void **state)
{
    static const char *const scripts[] = {
        "exec <&-; echo closed; sleep 0.2; echo later",
        "cat; echo closed; sleep 0.2; echo later", /* its end is sent first */
    };
    struct pod *pod = *state;
    struct container_message quiet = {.id = (char *)"quiet"};
    cleanup_free uint8_t *bytes = make_bytes(BIG);
    struct output out;

    for (size_t i = 0; i < 2; i++) {
        start(pod, i ? "b" : "a", scripts[i], &out);
        if (i)
            wire_client_input(pod->client, out.sequence, NULL, 0);
        wait_for_output(&out, strlen("closed\n"));
        wire_client_input(pod->client, out.sequence, bytes, BIG);
        output_says(&out, "closed\nlater\n");
        output_free(&out);
    }
    /* noStdin */
    POD_ARGS(&quiet, "sh", "-c", "cat; echo closed; sleep 0.2; echo later");
    pod_run(pod, &quiet, false, &out, NULL);
    send_text(&out, "for nobody\n");
    output_says(&out, "closed\nlater\n");
    output_free(&out);
    strings_free(&quiet.process.args);
}

/* One that never reads: the others go on, the agent's memory stays what it is, and what waits behind it comes
 * when it has ended. */
static void test_never_read(void **state)
{
    struct pod *pod = *state;
    cleanup_free uint8_t *bytes = make_bytes(BIG);
    struct output deaf, other;
    char *said;

    start(pod, "other", "cat", &other);
    start(pod, "deaf", "exec sleep 600", &deaf);
    wire_client_input(pod->client, deaf.sequence, bytes, BIG);
    wire_client_input(pod->client, other.sequence, "hello\n", 6);
    wire_client_input(pod->client, other.sequence, NULL, 0);
    loop_run_for(pod->loop, 100);
    said = pod_ask(pod, "echo alive");
    assert_string_equal(said, "alive\n");
    free(said);
    assert_int_equal(other.data.length, 0);
#ifndef ADDRESS_SANITIZER
    assert_true(pod_memory(pod) < (size_t)16 * 1024 * 1024);
#endif
    pod_acks(pod, CTL_KILLCONTAINER, "{\"container\":\"deaf\",\"signal\":9}");
    output_says(&other, "hello\n");
    output_wait(&deaf);
    assert_int_equal(deaf.status, 137);
    output_free(&deaf);
    output_free(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines),
        TEST(test_every_byte),
        TEST(test_dropped),
        TEST(test_never_read),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
