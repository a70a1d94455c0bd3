/* A shell in the pod of a test that waits, and what its user has to know of the test. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/words.h"
#include "src/run/terminal.h"
#include "src/run/test_run.h"

/* ---- what is where ---- */

static void tell(struct buffer *text, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct buffer *text, const char *what, const char *format, ...)
{
    va_list args;
    cleanup_free char *value = NULL;
    cleanup_free char *shown = NULL;

    va_start(args, format);
    value = text_vformat(format, args);
    va_end(args);
    shown = text_printable(value, strlen(value));
    buffer_addf(text, "  %-11s %s\n", what, shown);
}

static const char *variable(const struct environment_message *envs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(envs[i].name, name) == 0)
            return envs[i].value;
    return NULL;
}

static const char *dut_words(const struct test_context *context)
{
    if (context->allow)
        return " (outside)";
    if (context->addresses)
        return " (in GLOBAL's pod)";
    return context->suite->dut ? " (dut/dut.sh; what it prints is in dut.log)" : " (the first UAS)";
}

static void tell_places(const struct test_run *run, struct buffer *text)
{
    const struct test_context *context = run->context;
    const char *shared = variable(context->envs, context->env_count, "SIPPOD_SHARED");
    const char *dut = test_dut(run);

    tell(text, "run folder", "%s", run->folder.path);
    if (run->result->pcap)
        tell(text, "capture", "%s in it: lo and eth0, until the end", run->result->pcap);
    tell(text, "logs", "sipplauncher.log in it");
    tell(text, "interfaces", "lo, eth0, sipp-%s (the addresses)", run->folder.run_id);
    if (shared)
        tell(text, "shared", "%s (SIPPOD_SHARED)", shared);
    if (run->zone)
        tell(text, "DNS", "the names of dns.txt, at 127.0.0.1");
    if (dut)
        tell(text, "dut", "%s%s", dut, dut_words(context));
}

/* ---- SIPp ---- */

static void tell_ua(void *user, const struct part_command *command)
{
    struct sipp_socket socket = sipp_bound_to(command->arguments);
    const struct scenario *scenario = command->scenario;

    tell(user, scenario->ua, "%s port %u/%s, %s", socket.address, socket.port, socket.protocol,
         scenario->file);
}

struct lines {
    const struct test_run *run;
    struct buffer *text;
};

/* What SIPp's environment has beside the shell's: under TLS. */
static void tell_variables(const struct lines *lines)
{
    const struct environment *environment = &lines->run->sipp_environment;
    const struct test_context *context = lines->run->context;

    for (size_t i = 0; i < environment->count; i++) {
        const struct environment_message *one = &environment->list[i];

        if (text_equal(one->value, variable(context->envs, context->env_count, one->name)))
            continue;
        buffer_addf(lines->text, "%s=", one->name);
        words_quote(lines->text, one->value);
        buffer_addf(lines->text, " ");
    }
}

/* A part's lines can be pasted together: all but the last are in the background, where SIPp's screen would
 * only be in the way. */
static void tell_command(void *user, const struct part_command *command)
{
    const struct lines *lines = user;
    const struct scenario *scenario = command->scenario;

    if (command->first && *scenario->part)
        tell(lines->text, "# part", "%s", scenario->part);
    buffer_addf(lines->text, "  ");
    tell_variables(lines);
    for (size_t i = 0; i < command->arguments->count; i++) {
        if (i)
            buffer_addf(lines->text, " ");
        words_quote(lines->text, command->arguments->list[i]);
    }
    buffer_addf(lines->text, "%s\n", command->last ? "" : " >/dev/null &");
}

static void describe(const struct test_run *run)
{
    cleanup_buffer struct buffer text = {0};
    struct lines lines = {.run = run, .text = &text};
    struct ua_config ua = test_ua_config(run);

    buffer_addf(&text, "\n");
    if (run->state == STATE_FAIL)
        tell(&text, "FAIL", "%s (%u-%s): %s", run->test->name, run->result->index, run->folder.run_id,
             run->result->reason);
    tell_places(run, &text);
    parts_tell(&ua, tell_ua, &text);
    buffer_addf(&text, "\nSIPp as a run starts it:\n\n");
    parts_tell(&ua, tell_command, &lines);
    buffer_addf(&text, "\n");
    if (terminal_is_there())
        buffer_addf(&text, "exit, or ^D, leaves the shell%s.\n\n",
                    test_has_file(run, "after.sh") ? "; after.sh is run then" : "");
    (void)fwrite(text.data, 1, text.length, stderr);
}

/* ---- the shell ---- */

/* Those of scripts, and what the lines above need. */
static void choose_capabilities(const struct test_run *run, struct strings *capabilities)
{
    const struct strings *own = run->context->script_capabilities;
    bool raw = false;

    for (size_t i = 0; own && i < own->count; i++)
        strings_add(capabilities, own->list[i]);
    for (size_t i = 0; i < run->test->scenario_count; i++)
        raw = raw || sipp_needs_raw_socket(run->folder.fd, &run->test->scenarios[i]);
    if (raw)
        strings_add(capabilities, "CAP_NET_RAW");
}

/* Those of scripts, and a prompt that tells where one is. Bash sets its own after that one, from files of the
 * user's: it is asked, once, to put this one in front. */
static void choose_environment(const struct test_run *run, struct environment *environment)
{
    const struct test_context *context = run->context;
    cleanup_free char *name = text_copy(run->test->name);
    cleanup_free char *prompt = NULL;
    cleanup_free char *command = NULL;

    for (size_t i = 0; i < context->env_count; i++)
        environment_set(environment, context->envs[i].name, context->envs[i].value);
    if (!terminal_is_there())
        return;
    for (char *p = name; *p; p++) /* shells expand a prompt */
        if (!isalnum((unsigned char)*p) && !strchr("+,-.:=@_", *p))
            *p = '_';
    prompt = text_format("(sippod %s) $ ", name);
    command =
        text_format("[ \"$PS1\" = '%s' ] || PS1=\"(sippod %s) $PS1\"; unset PROMPT_COMMAND", prompt, name);
    environment_set(environment, "PS1", prompt);
    if (!variable(context->envs, context->env_count, "PROMPT_COMMAND"))
        environment_set(environment, "PROMPT_COMMAND", command);
}

static void on_over(void *user, int exit_code, const struct error *error)
{
    struct test_run *run = user;

    run->shell = NULL;
    environment_free(&run->shell_environment);
    strings_free(&run->shell_capabilities);
    if (error)
        log_line(run->log, LOG_LEVEL_ERROR, "%s", error_text(error));
    else
        log_line(run->log, LOG_LEVEL_INFO, "the shell ended with exit code %d", exit_code);
    run->left(run->left_user, exit_code, error);
}

void test_run_shell(struct test_run *run, void (*left)(void *user, int exit_code, const struct error *error),
                    void *user)
{
    const struct test_context *context = run->context;
    struct shell_config config = {
        .loop = context->host->loop,
        .pod = run->pod,
        .program = variable(context->envs, context->env_count, "SHELL"),
        .folder = run->folder.path,
        .capabilities = &run->shell_capabilities,
        .descriptors =
            {
                .type = (char *)"nofile",
                .soft = context->descriptor_limit,
                .hard = context->descriptor_most,
            },
    };

    run->left = left;
    run->left_user = user;
    choose_capabilities(run, &run->shell_capabilities);
    choose_environment(run, &run->shell_environment);
    config.envs = run->shell_environment.list;
    config.env_count = run->shell_environment.count;
    if (context->progress->level > PROGRESS_QUIET || run->state == STATE_FAIL)
        describe(run);
    log_line(run->log, LOG_LEVEL_INFO, "a shell is opened");
    run->shell = shell_start(&config, on_over, run);
}
