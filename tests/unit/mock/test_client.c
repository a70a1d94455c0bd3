/* The real client's end and the mock, over the mock's sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/wire/client.h"
#include "tests/unit/mock/caller.h"
#include "tests/unit/support/support.h"

struct scene {
    struct call *call;
    struct loop *loop;
    struct wire_client *client;
    struct buffer notes;
    const char *until; /* the loop ends when that is noted */
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
    if (scene->until && strcmp(text, scene->until) == 0)
        loop_quit(scene->loop);
}

static void on_ready(void *user)
{
    note(user, "ready");
}

static void on_event(void *user, const struct event_message *event)
{
    note(user, "%s/%s:%s:%s:%d", event->container, event->process, event->event, event->info, event->status);
}

static void on_closed(void *user, const struct error *why)
{
    note(user, "closed(%s)", error_text(why));
}

static void on_reply(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    note(user, error ? "error(%.*s)" : "ack(%.*s)", error ? 99 : (int)length,
         error ? error_text(error) : (const char *)payload);
}

static void on_data(void *user, const uint8_t *data, size_t length)
{
    note(user, "data(%.*s)", (int)length, (const char *)data);
}

static void on_ended(void *user, int status)
{
    note(user, "ended(%d)", status);
}

static const struct wire_client_callbacks callbacks = {
    .ready = on_ready, .event = on_event, .closed = on_closed};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->call = call_new(&(struct hyperstart_mock_options){.ready = true});
    call_start(scene->call);
    call_connect(scene->call);
    scene->loop = loop_new(NULL);
    scene->client = wire_client_new(scene->loop, steal_fd(&scene->call->ctl), steal_fd(&scene->call->io),
                                    &callbacks, scene, NULL);
    *state = scene;
    return scene->client ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    wire_client_free(scene->client);
    loop_free(scene->loop);
    call_free(scene->call);
    buffer_free(&scene->notes);
    free(scene);
    return 0;
}

/* Runs until the last of the words has been noted; then all of them are `words`. */
static void noted(struct scene *scene, const char *words)
{
    const char *last = strrchr(words, ' ');

    scene->until = last ? last + 1 : words;
    loop_run_out(scene->loop);
    scene->until = NULL;
    buffer_add(&scene->notes, "", 1);
    scene->notes.data[scene->notes.length - 2] = '\0'; /* the blank behind the last one */
    assert_string_equal((const char *)scene->notes.data, words);
    scene->notes.length = 0;
}

static void command(struct scene *scene, uint32_t code, const char *payload)
{
    wire_client_send(scene->client, code, payload, strlen(payload), on_reply, scene);
}

static void test_commands(void **state)
{
    struct scene *scene = *state;
    const struct hyperstart_mock_answer no = {
        .reply = HYPERSTART_MOCK_ERROR, .payload = "nosuch", .length = 6};
    const struct hyperstart_mock_answer bytes = {.payload = "bytes", .length = 5};

    assert_int_equal(hyperstart_mock_set_answer(scene->call->mock, CTL_STARTPOD, 1, &no), 0);
    assert_int_equal(hyperstart_mock_set_answer(scene->call->mock, CTL_READFILE, 0, &bytes), 0);
    command(scene, CTL_STARTPOD, "{}");
    command(scene, CTL_STARTPOD, "{}");
    command(scene, CTL_READFILE, "{\"container\":\"c\",\"file\":\"f\"}");
    noted(scene, "ready error(nosuch) ack() ack(bytes)");
    assert_messages(scene->call, "startpod:{} startpod:{} readfile:{\"container\":\"c\",\"file\":\"f\"}");
}

static void test_output_and_events(void **state)
{
    struct scene *scene = *state;
    struct hyperstart_mock *mock = scene->call->mock;
    uint64_t out = wire_client_stream(scene->client, on_data, on_ended, scene);
    uint64_t errors = wire_client_stream(scene->client, on_data, NULL, scene);

    assert_int_equal(hyperstart_mock_send_io_string(mock, out, "out"), 0);
    assert_int_equal(hyperstart_mock_send_io_string(mock, errors, "err"), 0);
    assert_int_equal(hyperstart_mock_send_io_string(mock, 12345, "nobody's"), 0);
    assert_int_equal(hyperstart_mock_close_io(mock, errors), 0);
    assert_int_equal(hyperstart_mock_close_io(mock, out), 0);
    assert_int_equal(hyperstart_mock_send_exit_status(mock, out, 7), 0);
    noted(scene, "ready data(out) data(err) ended(7)");
    assert_int_equal(hyperstart_mock_send_event(mock, "c", "p", "signalled", "SIGKILL", 9), 0);
    noted(scene, "c/p:signalled:SIGKILL:9");
}

static void test_input(void **state)
{
    struct scene *scene = *state;
    struct hyperstart_mock_packet *packet;

    wire_client_input(scene->client, 3, "typed", 5);
    wire_client_input(scene->client, 3, NULL, 0);
    noted(scene, "ready");
    packet = hyperstart_mock_read_io(scene->call->mock, SOON);
    assert_string_equal((const char *)packet->payload, "typed");
    free(packet);
    packet = hyperstart_mock_read_io(scene->call->mock, SOON);
    assert_int_equal(packet->length, 0);
    free(packet);
}

static void test_agent_dies(void **state)
{
    struct scene *scene = *state;
    const struct hyperstart_mock_answer die = {.reply = HYPERSTART_MOCK_CLOSE};

    assert_int_equal(hyperstart_mock_set_answer(scene->call->mock, CTL_EXECCMD, 0, &die), 0);
    command(scene, CTL_PING, "");
    command(scene, CTL_EXECCMD, "{}");
    scene->until = "closed(the agent has ended)";
    loop_run_out(scene->loop);
    buffer_add(&scene->notes, "", 1);
    assert_string_equal((const char *)scene->notes.data,
                        "ready ack() error(the agent has ended) closed(the agent has ended) ");
}

static void test_no_answer(void **state)
{
    struct scene *scene = *state;
    const struct hyperstart_mock_answer never = {.reply = HYPERSTART_MOCK_NEVER};

    assert_int_equal(hyperstart_mock_set_answer(scene->call->mock, CTL_STARTPOD, 0, &never), 0);
    command(scene, CTL_STARTPOD, "{}");
    assert_int_equal(hyperstart_mock_wait_messages(scene->call->mock, 1, SOON), 0);
    command(scene, CTL_PING, "");
    noted(scene, "ready ack()"); /* the client takes it for that of the first one: answers have no names */
    loop_settle(scene->loop);
    assert_int_equal(scene->notes.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output_and_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_answer, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
