/* Many processes: one after another, at once, and all of them talking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

#define IN_A_ROW 1000
#define TALKERS  50
#define LINES    50000 /* of each stream: 300 to 350 KB */

static void test_one_after_another(void **state)
{
    struct pod *pod = *state;
    struct container_message exec = {.id = (char *)"hyperstart", .process.id = (char *)"p"};

    POD_ARGS(&exec, "sh", "-c", "echo $1; exit $(($1 % 256))", "sh", "");
    for (int i = 0; i < IN_A_ROW; i++) {
        cleanup_free char *expected = text_format("%d\n", i);
        struct output out;

        free(exec.process.args.list[4]);
        exec.process.args.list[4] = text_format("%d", i);
        pod_run(pod, &exec, true, &out, NULL);
        output_says(&out, expected);
        assert_int_equal(out.status, i % 256);
        output_free(&out);
    }
    assert_true(pod->notes.count == IN_A_ROW || pod->notes.count == IN_A_ROW - 1);
    strings_free(&exec.process.args);
}

/* Started until the agent has no descriptors left: it says so, and all others are as they were. */
static void test_as_many_as_there_is_room(void **state)
{
    static struct output outs[1000];
    struct rlimit before, few = {.rlim_cur = 256, .rlim_max = 256};
    size_t count = 0;
    struct pod *pod;
    char *said;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    pod = pod_open(NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (; count < 1000; count++) {
        cleanup_free char *json = NULL;

        output_open(&outs[count], pod, false);
        json =
            text_format("{\"container\":\"c\",\"process\":{\"id\":\"%zu\",\"args\":[\"cat\"],\"stdio\":%d}}",
                        count, (int)outs[count].sequence);
        pod_command(pod, CTL_EXECCMD, json);
        if (pod->answer)
            break;
    }
    assert_true(count > 100 && count < 200);
    assert_non_null(strstr(pod->answer, "Too many open files"));
    output_free(&outs[count]);
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *text = text_format("%zu", i);

        wire_client_input(pod->client, outs[i].sequence, text, strlen(text));
        wire_client_input(pod->client, outs[i].sequence, NULL, 0);
    }
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *text = text_format("%zu", i);

        output_says(&outs[i], text);
        assert_int_equal(outs[i].status, 0);
        output_free(&outs[i]);
    }
    said = pod_ask(pod, "echo room");
    assert_string_equal(said, "room\n");
    free(said);
    pod_free(pod);
}

/* The numbers from `from` on, or down from there, a line each. */
static void is_sequence(const struct output *output, long from, int step)
{
    const char *place = (const char *)output->data.data, *end = place + output->data.length;

    for (long i = 0; i < LINES; i++) {
        char line[32];
        size_t length = (size_t)snprintf(line, sizeof line, "%ld\n", from + step * i);

        if ((size_t)(end - place) < length || memcmp(place, line, length) != 0)
            fail_msg("line %ld of %ld: not %s", i, from, line);
        place += length;
    }
    assert_true(place == end);
}

static void test_all_talk(void **state)
{
    struct pod *pod = *state;
    struct output outs[TALKERS], errors[TALKERS];

    for (int i = 0; i < TALKERS; i++) {
        cleanup_free char *id = text_format("c%d", i);
        cleanup_free char *script =
            text_format("seq %d %d & seq %d -1 %d >&2; wait; exit %d", i * 100000, i * 100000 + LINES - 1,
                        i * 100000 + LINES, i * 100000 + 1, i);
        struct container_message container = {.id = id};

        POD_ARGS(&container, "sh", "-c", script);
        pod_run(pod, &container, false, &outs[i], &errors[i]);
        strings_free(&container.process.args);
    }
    for (int i = 0; i < TALKERS; i++) {
        output_wait(&outs[i]);
        outs[i].data.length--; /* its NUL */
        assert_int_equal(outs[i].status, i);
        is_sequence(&outs[i], i * 100000L, 1);
        is_sequence(&errors[i], i * 100000L + LINES, -1);
        output_free(&outs[i]);
        output_free(&errors[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_after_another),
        cmocka_unit_test(test_as_many_as_there_is_room),
        TEST(test_all_talk),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
