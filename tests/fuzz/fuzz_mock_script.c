/* The script of `sippod mock-agent`: what is accepted can be done, what is refused says where. */
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/commands/mock_script.h"
#include "tests/fuzz/fuzz.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* "script:<line>: …" with a line that the script has. */
static void check_error(const struct error *error, const char *text, size_t length)
{
    long line, last = 1;
    char *end;

    check(error && error->code == ERROR_INPUT && strncmp(error_text(error), "script:", 7) == 0);
    for (size_t i = 0; i < length; i++)
        last += text[i] == '\n';
    line = strtol(error_text(error) + 7, &end, 10);
    check(line >= 1 && line <= last && strncmp(end, ": ", 2) == 0 && end[2]);
}

static void check_action(const struct mock_action *action)
{
    bool text = action->kind == MOCK_OUTPUT || action->kind == MOCK_ERRORS;
    bool may_text = text || action->kind == MOCK_ACK || action->kind == MOCK_ERROR;

    check(action->kind <= MOCK_EVENT);
    check(action->text ? may_text && action->text[action->length] == '\0' : !text && !action->length);
    check(action->number >= 0 && action->number <= (action->kind == MOCK_EXIT ? 255 : 24 * 60 * 60 * 1000));
    check(!action->number || action->kind == MOCK_EXIT || action->kind == MOCK_DELAY);
    check(action->channel >= -1 && action->channel <= HYPERSTART_MOCK_IO);
    check(action->channel < 0 || action->kind == MOCK_CLOSE);
    check((action->event.event != NULL) == (action->kind == MOCK_EVENT));
}

/* A client is not answered when it connects, a command once at most. */
static void check_rule(const struct mock_rule *rule, const char *text, size_t length)
{
    size_t answers = 0;

    check(rule->line >= 1 && rule->line <= length && rule->seen == 0);
    for (size_t i = 0; i < rule->count; i++) {
        check_action(&rule->actions[i]);
        answers += rule->actions[i].kind <= MOCK_NEVER;
    }
    check(answers <= (rule->connect ? 0 : 1) && !(rule->connect && (rule->nth || rule->code)));
    check(memchr(text, '{', length) != NULL);
}

/* The first command of each kind: the rule of the first one goes before that of all. */
static void check_found(struct mock_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        const struct mock_rule *rule = &script->rules[i], *expected = NULL;
        bool asked = false;

        for (size_t j = 0; j < script->count; j++) {
            const struct mock_rule *other = &script->rules[j];

            if (other->connect != rule->connect || other->code != rule->code)
                continue;
            asked = asked || j < i;
            if (other->nth == 1 || (!other->nth && !expected))
                expected = other;
        }
        check(asked || mock_script_find(script, rule->connect, rule->code) == expected);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *text = memory_new(size + 1);
    struct mock_script script = {0};

    if (size)
        memcpy(text, data, size);
    if (mock_script_parse("script", text, size, &script, &error) < 0) {
        check_error(error, text, size);
    } else {
        check(!error);
        for (size_t i = 0; i < script.count; i++)
            check_rule(&script.rules[i], text, size);
        check_found(&script);
    }
    mock_script_free(&script);
    return 0;
}
