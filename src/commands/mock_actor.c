/* That the client has left, or the mock was stopped, ends nothing here: it is seen by whoever waits for the
 * next command. */
#include "src/commands/mock_actor.h"

#include <jansson.h>
#include <string.h>

#include "src/base/memory.h"

struct mock_setting *mock_actor_setting(struct mock_actor *actor, uint32_t code)
{
    for (size_t i = 0; i < actor->count; i++)
        if (actor->settings[i].code == code)
            return &actor->settings[i];
    actor->settings = memory_array(actor->settings, actor->count + 1, sizeof *actor->settings);
    actor->settings[actor->count] = (struct mock_setting){.code = code, .delay_ms = -1};
    return &actor->settings[actor->count++];
}

static const struct mock_setting *find_setting(const struct mock_actor *actor, uint32_t code)
{
    for (size_t i = 0; i < actor->count; i++)
        if (actor->settings[i].code == code)
            return &actor->settings[i];
    return NULL;
}

void mock_actor_free(struct mock_actor *actor)
{
    mock_script_free(&actor->script);
    for (size_t i = 0; i < actor->count; i++)
        free(actor->settings[i].error);
    free(actor->settings);
    free(actor->container);
}

static void wait_ms(struct mock_actor *actor, int ms)
{
    if (ms > 0)
        (void)hyperstart_mock_wait_left(actor->mock, ms);
}

static void answer(struct mock_actor *actor, enum hyperstart_mock_reply reply, const char *text,
                   size_t length)
{
    const struct hyperstart_mock_answer said = {.reply = reply, .payload = text, .length = length};

    (void)hyperstart_mock_answer(actor->mock, &said);
}

/* ---- processes ---- */

static uint64_t stream_of(const json_t *process, const char *name)
{
    json_int_t sequence = json_integer_value(json_object_get(process, name));

    return sequence > 0 ? (uint64_t)sequence : 0;
}

/* Notes down the streams of the process that a command starts. */
static void note_process(struct mock_actor *actor, const struct hyperstart_mock_message *message)
{
    bool container = message->code == HYPERSTART_NEWCONTAINER;
    json_t *json, *process;

    if (!container && message->code != HYPERSTART_EXECCMD)
        return;
    json = json_loadb((const char *)message->payload, message->length, 0, NULL);
    process = json_object_get(json, "process");
    actor->stdio = stream_of(process, "stdio");
    actor->stderr_stream = stream_of(process, "stderr");
    free(actor->container);
    actor->container = text_copy(json_string_value(json_object_get(json, container ? "id" : "container")));
    json_decref(json);
}

static void send_exit(struct mock_actor *actor, int status)
{
    if (actor->stderr_stream)
        (void)hyperstart_mock_close_io(actor->mock, actor->stderr_stream);
    (void)hyperstart_mock_close_io(actor->mock, actor->stdio);
    (void)hyperstart_mock_send_exit_status(actor->mock, actor->stdio, (uint8_t)status);
}

static void send_errors(struct mock_actor *actor, const struct mock_action *action)
{
    uint64_t stream = actor->stderr_stream ? actor->stderr_stream : actor->stdio; /* 0: stdio has both */

    (void)hyperstart_mock_send_io(actor->mock, stream, action->text, action->length);
}

static void send_event(struct mock_actor *actor, const struct event_message *event)
{
    const char *container = event->container ? event->container : actor->container;

    (void)hyperstart_mock_send_event(actor->mock, container ? container : "", event->process, event->event,
                                     event->info, event->status);
}

static void close_channels(struct mock_actor *actor, int channel)
{
    if (channel != HYPERSTART_MOCK_IO)
        (void)hyperstart_mock_close(actor->mock, HYPERSTART_MOCK_CTL);
    if (channel != HYPERSTART_MOCK_CTL)
        (void)hyperstart_mock_close(actor->mock, HYPERSTART_MOCK_IO);
}

/* ---- actions ---- */

static void act(struct mock_actor *actor, const struct mock_action *action)
{
    switch (action->kind) {
    case MOCK_ACK:
        answer(actor, HYPERSTART_MOCK_ACK, action->text, action->length);
        break;
    case MOCK_ERROR:
        answer(actor, HYPERSTART_MOCK_ERROR, action->text, action->length);
        break;
    case MOCK_NEVER:
        answer(actor, HYPERSTART_MOCK_NEVER, NULL, 0);
        break;
    case MOCK_CLOSE:
        close_channels(actor, action->channel);
        break;
    case MOCK_DELAY:
        wait_ms(actor, action->number);
        break;
    case MOCK_READY:
        (void)hyperstart_mock_send_message(actor->mock, HYPERSTART_READY, NULL, 0);
        break;
    case MOCK_OUTPUT:
        (void)hyperstart_mock_send_io(actor->mock, actor->stdio, action->text, action->length);
        break;
    case MOCK_ERRORS:
        send_errors(actor, action);
        break;
    case MOCK_EXIT:
        send_exit(actor, action->number);
        break;
    case MOCK_EVENT:
        send_event(actor, &action->event);
        break;
    }
}

static void act_all(struct mock_actor *actor, const struct mock_rule *rule)
{
    for (size_t i = 0; i < rule->count; i++)
        act(actor, &rule->actions[i]);
}

static bool rule_answers(const struct mock_rule *rule)
{
    for (size_t i = 0; i < rule->count; i++)
        if (mock_action_answers(&rule->actions[i]))
            return true;
    return false;
}

void mock_actor_connected(struct mock_actor *actor)
{
    const struct mock_rule *rule = mock_script_find(&actor->script, true, 0);

    if (rule)
        act_all(actor, rule);
}

static void answer_as_set(struct mock_actor *actor, const struct mock_setting *setting)
{
    if (setting && setting->error)
        answer(actor, HYPERSTART_MOCK_ERROR, setting->error, strlen(setting->error));
    else if (setting && setting->drop)
        answer(actor, HYPERSTART_MOCK_NEVER, NULL, 0);
    else
        (void)hyperstart_mock_answer(actor->mock, NULL);
}

/* A command of which nothing says how it is answered is answered before anything else is done. */
void mock_actor_command(struct mock_actor *actor, const struct hyperstart_mock_message *message)
{
    const struct mock_rule *rule = mock_script_find(&actor->script, false, message->code);
    const struct mock_setting *setting = find_setting(actor, message->code);

    note_process(actor, message);
    if (setting)
        wait_ms(actor, setting->delay_ms);
    if (!rule || !rule_answers(rule))
        answer_as_set(actor, setting);
    if (rule)
        act_all(actor, rule);
}
