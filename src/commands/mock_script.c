#include "src/commands/mock_script.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define MOST_BYTES ((size_t)16 * 1024 * 1024)
#define MOST_NTH   1000000000
#define MOST_DELAY (24 * 60 * 60 * 1000)

enum argument { NO_ARGUMENT, MAY_TEXT, TEXT, NUMBER, MAY_CHANNEL, EVENT };

static const struct {
    const char *name;
    enum argument argument;
    int most; /* of a NUMBER */
} kinds[] = {
    [MOCK_ACK] = {.name = "ack", .argument = MAY_TEXT},
    [MOCK_ERROR] = {.name = "error", .argument = MAY_TEXT},
    [MOCK_NEVER] = {.name = "never"},
    [MOCK_CLOSE] = {.name = "close", .argument = MAY_CHANNEL},
    [MOCK_DELAY] = {.name = "delay", .argument = NUMBER, .most = MOST_DELAY},
    [MOCK_READY] = {.name = "ready"},
    [MOCK_OUTPUT] = {.name = "output", .argument = TEXT},
    [MOCK_ERRORS] = {.name = "errors", .argument = TEXT},
    [MOCK_EXIT] = {.name = "exit", .argument = NUMBER, .most = 255},
    [MOCK_EVENT] = {.name = "event", .argument = EVENT},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void json_freep(json_t **json)
{
    json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(json_freep)))

bool mock_action_answers(const struct mock_action *action)
{
    return action->kind <= MOCK_NEVER ||
           (action->kind == MOCK_CLOSE && action->channel != HYPERSTART_MOCK_IO);
}

/* ---- actions ---- */

/* What is a string in C later: it would be cut off there. */
static bool has_nul(const json_t *json)
{
    return json_is_string(json) && memchr(json_string_value(json), '\0', json_string_length(json));
}

static int take_text(const json_t *json, struct mock_action *action, struct error **ret)
{
    if (!json_is_string(json))
        return error_set(ret, ERROR_INPUT, "a text is needed");
    action->length = json_string_length(json);
    if (action->length > 1000000)
        return error_set(ret, ERROR_INPUT, "a text of more than 1,000,000 bytes");
    action->text = memory_new(action->length + 1);
    memcpy(action->text, json_string_value(json), action->length);
    return 0;
}

static int take_number(const json_t *json, int most, struct mock_action *action, struct error **ret)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0 || json_integer_value(json) > most)
        return error_set(ret, ERROR_INPUT, "a number from 0 to %d is needed", most);
    action->number = (int)json_integer_value(json);
    return 0;
}

static int take_channel(const json_t *json, struct mock_action *action, struct error **ret)
{
    const char *name = json_string_value(json);

    if (!name || has_nul(json) || (strcmp(name, "ctl") != 0 && strcmp(name, "io") != 0))
        return error_set(ret, ERROR_INPUT, "it is \"ctl\" or \"io\"");
    action->channel = strcmp(name, "ctl") == 0 ? HYPERSTART_MOCK_CTL : HYPERSTART_MOCK_IO;
    return 0;
}

static int refuse_nul(json_t *json, struct error **ret)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value) if (has_nul(value)) return error_set(ret, ERROR_INPUT,
                                                                               "%s: it holds a NUL", key);
    return 0;
}

static int take_event(json_t *json, struct mock_action *action, struct error **ret)
{
    const char *container = NULL, *process = NULL, *event = NULL, *info = NULL;
    int status = 0;
    json_error_t wrong;

    if (json_unpack_ex(json, &wrong, 0, "{s?s, s?s, s:s, s?s, s?i !}", "container", &container, "process",
                       &process, "event", &event, "info", &info, "status", &status) < 0)
        return error_set(ret, ERROR_INPUT, "%s", wrong.text);
    if (refuse_nul(json, ret) < 0)
        return -1;
    action->event = (struct event_message){
        .container = text_copy(container),
        .process = text_copy(process),
        .event = text_copy(event),
        .info = text_copy(info),
        .status = status,
    };
    return 0;
}

/* `json` is NULL for an action that stands for itself, as a text. */
static int take_argument(json_t *json, struct mock_action *action, struct error **ret)
{
    enum argument argument = kinds[action->kind].argument;

    if (!json && (argument == NO_ARGUMENT || argument == MAY_TEXT || argument == MAY_CHANNEL))
        return 0;
    switch (json ? argument : NO_ARGUMENT) {
    case MAY_TEXT:
    case TEXT:
        return take_text(json, action, ret);
    case NUMBER:
        return take_number(json, kinds[action->kind].most, action, ret);
    case MAY_CHANNEL:
        return take_channel(json, action, ret);
    case EVENT:
        return take_event(json, action, ret);
    default:
        return error_set(ret, ERROR_INPUT, json ? "it takes no value" : "it takes a value");
    }
}

static int take_action(json_t *json, struct mock_action *action, struct error **ret)
{
    void *only = json_object_iter(json);
    const char *name = only ? json_object_iter_key(only) : json_string_value(json);
    size_t kind = 0;

    if (!name || has_nul(json) || json_object_size(json) > 1)
        return error_set(ret, ERROR_INPUT, "an action is a name, or an object of one name and its value");
    while (kind < KINDS && strcmp(name, kinds[kind].name) != 0)
        kind++;
    if (kind == KINDS)
        return error_set(ret, ERROR_INPUT, "there is no action %s", name);
    *action = (struct mock_action){.kind = (enum mock_action_kind)kind, .channel = -1};
    if (take_argument(only ? json_object_iter_value(only) : NULL, action, ret) < 0)
        return error_prefix(ret, "%s", name);
    return 0;
}

/* ---- rules ---- */

/* A command is answered once, a client that connects not at all. */
static int check_answers(const struct mock_rule *rule, struct error **ret)
{
    size_t answers = 0;

    for (size_t i = 0; i < rule->count; i++)
        if (rule->actions[i].kind <= MOCK_NEVER)
            answers++;
    if (rule->connect && answers)
        return error_set(ret, ERROR_INPUT, "a client that connects gets no answer");
    if (answers > 1)
        return error_set(ret, ERROR_INPUT, "a command is answered once");
    return 0;
}

static int take_rule(json_t *json, struct mock_rule *rule, struct error **ret)
{
    const char *on;
    json_t *actions;
    json_error_t wrong;
    int nth = 0;

    if (json_unpack_ex(json, &wrong, 0, "{s:s, s?i, s:o !}", "on", &on, "nth", &nth, "do", &actions) < 0)
        return error_set(ret, ERROR_INPUT, "%s", wrong.text);
    if (refuse_nul(json, ret) < 0)
        return -1;
    rule->connect = strcmp(on, "connect") == 0;
    if (!rule->connect && hyperstart_mock_code(on, &rule->code) < 0)
        return error_set(ret, ERROR_INPUT, "there is no command %s", on);
    if (nth < 0 || nth > MOST_NTH || (rule->connect && nth))
        return error_set(ret, ERROR_INPUT, "nth is the number of a command, from 1");
    rule->nth = (unsigned)nth;
    if (!json_is_array(actions))
        return error_set(ret, ERROR_INPUT, "do is a list of actions");
    rule->actions = memory_new(json_array_size(actions) * sizeof *rule->actions);
    for (; rule->count < json_array_size(actions); rule->count++)
        if (take_action(json_array_get(actions, rule->count), &rule->actions[rule->count], ret) < 0)
            return -1;
    return check_answers(rule, ret);
}

static int take_line(const char *line, size_t length, unsigned number, struct mock_script *script,
                     struct error **ret)
{
    json_error_t wrong;
    cleanup_json json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &wrong);
    struct mock_rule *rule;

    if (!json)
        return error_set(ret, ERROR_INPUT, "%s", wrong.text);
    script->rules = memory_array(script->rules, script->count + 1, sizeof *script->rules);
    rule = &script->rules[script->count++];
    *rule = (struct mock_rule){.line = number};
    if (take_rule(json, rule, ret) < 0)
        return -1;
    for (const struct mock_rule *other = script->rules; other < rule; other++)
        if (other->connect == rule->connect && other->code == rule->code && other->nth == rule->nth)
            return error_set(ret, ERROR_INPUT, "line %u is about the same", other->line);
    return 0;
}

int mock_script_parse(const char *path, const char *text, size_t length, struct mock_script *script,
                      struct error **ret)
{
    unsigned number = 0;

    for (const char *line = text, *end; line < text + length; line = end + 1) {
        size_t blank = strspn(line, " \t\r");

        end = memchr(line, '\n', (size_t)(text + length - line));
        if (!end)
            end = text + length;
        number++;
        if (line + blank >= end || line[blank] == '#')
            continue;
        if (take_line(line, (size_t)(end - line), number, script, ret) < 0)
            return error_prefix(ret, "%s:%u", path, number);
    }
    return 0;
}

int mock_script_read(const char *path, struct mock_script *script, struct error **ret)
{
    cleanup_free char *text = NULL;
    size_t length;

    if (file_read(AT_FDCWD, path, MOST_BYTES, &text, &length, ret) < 0) {
        if (*ret)
            (*ret)->code = ERROR_INPUT;
        return -1;
    }
    return mock_script_parse(path, text, length, script, ret);
}

void mock_script_free(struct mock_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        struct mock_rule *rule = &script->rules[i];

        for (size_t j = 0; rule->actions && j < rule->count; j++) {
            free(rule->actions[j].text);
            event_message_free(&rule->actions[j].event);
        }
        free(rule->actions);
    }
    free(script->rules);
    *script = (struct mock_script){0};
}

const struct mock_rule *mock_script_find(struct mock_script *script, bool connect, uint32_t code)
{
    const struct mock_rule *every = NULL, *this_one = NULL;

    for (size_t i = 0; i < script->count; i++) {
        struct mock_rule *rule = &script->rules[i];

        if (rule->connect != connect || rule->code != code)
            continue;
        if (!rule->nth)
            every = rule;
        else if (++rule->seen == rule->nth)
            this_one = rule;
    }
    return this_one ? this_one : every;
}
