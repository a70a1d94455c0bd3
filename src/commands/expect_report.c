#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/terminal.h"
#include "src/commands/expect.h"
#include "src/report/json.h"

static bool as_asked(const struct expect_options *options, const struct sippod_verdict *verdict)
{
    return sippod_verdict_is(verdict, !options->invert);
}

static const char *state_name(const struct sippod_verdict *verdict)
{
    if (verdict->state == SIPPOD_CANCELLED)
        return "cancelled";
    if (sippod_verdict_is(verdict, true))
        return "true";
    return sippod_verdict_is(verdict, false) ? "false" : "error";
}

/* ---- lines ---- */

/* A command has standard output for itself. */
void expect_tell(const struct expect_options *options, size_t predicate, const struct sippod_verdict *verdict)
{
    FILE *out = options->command.count ? stderr : stdout;
    bool colours = terminal_colours(fileno(out));
    const char *words =
        verdict->state == SIPPOD_CANCELLED ? options->predicates.list[predicate] : verdict->detail;
    cleanup_free char *clean = text_printable(words, strlen(words));

    if (options->json)
        return;
    fprintf(out, "%s%s:%s %s\n",
            !colours                     ? ""
            : as_asked(options, verdict) ? "\033[32m"
                                         : "\033[31m",
            state_name(verdict), colours ? "\033[0m" : "", clean);
    (void)fflush(out);
}

static void tell_command(const char *command, const struct process_end *end)
{
    cleanup_free char *clean = text_printable(command, strlen(command));

    if (end->signal)
        fprintf(stderr, "sippod: %s was ended by %s\n", clean, process_signal_name(end->signal));
    else if (end->exit_code)
        fprintf(stderr, "sippod: %s ended with exit code %d\n", clean, end->exit_code);
}

/* ---- JSON ---- */

static json_t *value_json(const struct sippod_verdict *verdict)
{
    if (verdict->state != SIPPOD_DECIDED)
        return json_null();
    return verdict->value.kind == SIPPOD_INTEGER ? json_integer((json_int_t)verdict->value.integer)
                                                 : json_boolean(verdict->value.integer != 0);
}

static json_t *expectation_json(const struct expect_options *options, size_t predicate,
                                const struct sippod_verdict *verdict)
{
    return json_pack("{s:o, s:o, s:b, s:s, s:o, s:o, s:I, s:o}", "predicate",
                     json_text(options->predicates.list[predicate]), "interface",
                     json_text(options->interface), "wanted", !options->invert, "state", state_name(verdict),
                     "value", value_json(verdict), "detail", json_text(verdict->detail), "seen",
                     (json_int_t)verdict->seen, "elapsed_s", json_seconds((double)verdict->elapsed_ns / 1e9));
}

static json_t *command_json(const struct expect_outcome *outcome)
{
    const struct process_end *end = &outcome->command;

    if (!outcome->command_ended)
        return json_null();
    return json_pack("{s:o, s:o}", "exit_code", end->signal ? json_null() : json_integer(end->exit_code),
                     "signal", end->signal ? json_integer(end->signal) : json_null());
}

static void print_json(const struct expect_options *options, const struct expect_outcome *outcome,
                       const char *verdict)
{
    json_t *list = json_array(), *json;
    cleanup_free char *text = NULL;

    for (size_t i = 0; i < options->predicates.count; i++)
        json_array_append_new(list, expectation_json(options, i, &outcome->verdicts[i]));
    json =
        json_pack("{s:i, s:s, s:s, s:o, s:o, s:o}", "schema", 1, "sippod", SIPPOD_VERSION, "verdict", verdict,
                  "file", json_text(options->file), "expectations", list, "command", command_json(outcome));
    text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    json_decref(json);
    puts(text ? text : "");
}

/* ---- the end ---- */

static int exit_code(const struct expect_options *options, const struct expect_outcome *outcome,
                     const char **ret_verdict)
{
    bool failed = outcome->command.exit_code != 0, error = false;

    for (size_t i = 0; i < options->predicates.count; i++) {
        error |= outcome->verdicts[i].state == SIPPOD_FAILED;
        failed |= !as_asked(options, &outcome->verdicts[i]);
    }
    *ret_verdict = outcome->signal ? "cancelled" : error ? "error" : failed ? "fail" : "pass";
    if (outcome->signal)
        return 128 + outcome->signal;
    if (error)
        return options->file ? ERROR_INPUT : ERROR_HOST;
    return failed ? ERROR_FAILED : 0;
}

int expect_report(const struct expect_options *options, const struct expect_outcome *outcome)
{
    const char *verdict;
    int code = exit_code(options, outcome, &verdict);

    if (outcome->command_ended && !outcome->signal)
        tell_command(options->command.list[0], &outcome->command);
    if (options->json)
        print_json(options, outcome, verdict);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("sippod: cannot write the verdicts");
    return code ? code : ERROR_FAILED;
}
