#include "src/run/ua_process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/complaint.h"

#define SAID_MOST ((size_t)64 * 1024) /* kept of standard error */

void ua_process_init(struct ua_process *ua, const struct ua_config *config, const struct scenario *scenario,
                     const struct ua_callbacks *callbacks, void *user)
{
    const char *address = test_ua(config->test, scenario->ua)->address;

    *ua = (struct ua_process){
        .config = config,
        .scenario = scenario,
        .twin = third_party_twin(config->third_party, address),
        .callbacks = callbacks,
        .user = user,
        .out = {.log = config->launch_log, .prefix = scenario->ua, .level = LOG_LEVEL_DEBUG},
        .errors = {.log = config->launch_log, .prefix = scenario->ua, .level = LOG_LEVEL_ERROR},
    };
}

void ua_process_free(struct ua_process *ua)
{
    output_free(&ua->out);
    output_free(&ua->errors);
    buffer_free(&ua->said);
}

bool ua_process_is_master(const struct ua_process *ua)
{
    return ua->twin && ua->twin->master;
}

void ua_process_kill(struct ua_process *ua, int signal)
{
    if (ua->process)
        pod_process_kill(ua->process, signal, signal == SIGKILL);
}

/* ---- its end ---- */

static bool is_crash(int signal)
{
    return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGFPE ||
           signal == SIGILL || signal == SIGTRAP || signal == SIGSYS;
}

/* "SIPp crashed (SIGSEGV)". */
static char *end_words(const struct process_end *end, const struct complaint *complaint)
{
    const char *what = sipp_exit_text(end->exit_code);

    if (end->signal)
        return text_format("SIPp %s (%s)", is_crash(end->signal) ? "crashed" : "was ended",
                           process_signal_name(end->signal));
    if (end->exit_code == 1 && complaint->text && !complaint->of_a_call)
        what = "SIPp gave up"; /* it says 1 to that as well */
    return text_format("%s (exit code %d)", what, end->exit_code);
}

static char *explain(struct ua_process *ua, const struct process_end *end)
{
    struct complaint complaint;
    cleanup_free char *said = NULL;
    cleanup_free char *how = NULL;
    char *reason;

    buffer_add(&ua->said, "", 1);
    said = text_copy((const char *)ua->said.data);
    complaint = complaint_find(ua->config->folder_fd, ua->scenario, &ua->since, said);
    how = end_words(end, &complaint);
    reason = text_format("%s (%s): %s%s%s", ua->scenario->ua, ua->scenario->file, how,
                         complaint.text ? ": " : "", complaint.text ? complaint.text : "");
    free(complaint.text);
    return reason;
}

/* NULL: all is well. */
static char *judge(struct ua_process *ua, const struct process_end *end, const struct error *error)
{
    const struct scenario *scenario = ua->scenario;

    if (error)
        return text_format("%s (%s): %s", scenario->ua, scenario->file, error_text(error));
    if (end->exit_code || end->signal)
        return explain(ua, end);
    if (!ua->bound)
        return text_format("%s (%s): SIPp ended before its %s was bound", scenario->ua, scenario->file,
                           ua->twin ? "3PCC socket" : "socket");
    return NULL;
}

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct ua_process *ua = user;
    cleanup_free char *problem = NULL;

    ua->process = NULL;
    output_end(&ua->out);
    output_end(&ua->errors);
    if (!error && end->signal)
        log_line(ua->config->log, LOG_LEVEL_INFO, "%s was ended by %s", ua->scenario->ua,
                 process_signal_name(end->signal));
    else if (!error)
        log_line(ua->config->log, LOG_LEVEL_INFO, "%s ended with exit code %d", ua->scenario->ua,
                 end->exit_code);
    problem = judge(ua, end, error);
    ua->callbacks->ended(ua->user, error ? NULL : end, problem);
}

/* ---- while it runs ---- */

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct ua_process *ua = user;

    output_add(errors ? &ua->errors : &ua->out, data, length);
    if (!errors)
        return;
    buffer_add(&ua->said, data, length);
    if (ua->said.length > 2 * SAID_MOST)
        buffer_drop(&ua->said, ua->said.length - SAID_MOST);
}

static void on_listening(void *user, const char *problem)
{
    struct ua_process *ua = user;

    if (problem)
        log_line(ua->config->log, LOG_LEVEL_WARNING, "cannot tell whether %s is bound: %s", ua->scenario->ua,
                 problem);
    ua->bound = true;
    ua->callbacks->bound(ua->user);
}

static const struct pod_process_callbacks callbacks = {
    .listening = on_listening,
    .output = on_output,
    .ended = on_ended,
};

/* ---- its start ---- */

/* What others have to wait for: the SIP socket of a UAS; of a 3PCC slave its twin socket, which SIPp binds
 * after that. Nobody waits for the master, nor for any other UAC. */
static struct listen_message listen_to(const struct ua_process *ua, const struct strings *arguments)
{
    struct sipp_socket sip = sipp_bound_to(arguments);

    if (ua->twin && ua->twin->master)
        return (struct listen_message){0};
    if (ua->twin)
        return (struct listen_message){ua->twin->address, (char *)"tcp", ua->twin->port};
    if (ua->scenario->server)
        return (struct listen_message){(char *)sip.address, (char *)sip.protocol, sip.port};
    return (struct listen_message){0};
}

static void log_command(const struct ua_process *ua, const struct strings *arguments)
{
    cleanup_buffer struct buffer line = {0};

    for (size_t i = 0; i < arguments->count; i++)
        buffer_addf(&line, "%s%s", i ? " " : "", arguments->list[i]);
    log_line(ua->config->launch_log, LOG_LEVEL_INFO, "%s: %.*s", ua->scenario->ua, (int)line.length,
             (const char *)line.data);
}

void ua_process_arguments(const struct ua_process *ua, unsigned calls, struct strings *arguments)
{
    const struct ua_config *config = ua->config;
    struct sipp_call call = {.dut = config->dut, .calls = calls, .twin = ua->twin};

    sipp_arguments(config->sipp, config->test, ua->scenario, &call, arguments);
}

void ua_process_start(struct ua_process *ua, unsigned calls)
{
    const struct ua_config *config = ua->config;
    struct limit_message limit = {
        .type = (char *)"nofile",
        .soft = config->descriptor_limit,
        .hard = config->descriptor_most,
    };
    struct container_message container = {
        .id = ua->scenario->ua,
        .process =
            {
                .workdir = (char *)config->folder,
                .envs = config->envs,
                .env_count = config->env_count,
                .limits = &limit,
                .limit_count = 1,
            },
    };

    ua_process_arguments(ua, calls, &container.process.args);
    container.listen = listen_to(ua, &container.process.args);
    if (sipp_needs_raw_socket(config->folder_fd, ua->scenario))
        strings_add(&container.process.capabilities, "CAP_NET_RAW");
    log_command(ua, &container.process.args);
    ua->bound = !container.listen.address;
    ua->said.length = 0;
    clock_gettime(CLOCK_REALTIME_COARSE, &ua->since);
    ua->process = pod_run(config->pod, &container, false, &callbacks, ua);
    strings_free(&container.process.args);
    strings_free(&container.process.capabilities);
}
