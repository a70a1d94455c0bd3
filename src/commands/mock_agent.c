#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/cli.h"
#include "src/commands/mock_actor.h"
#include "src/commands/mock_log.h"

#define FLUSH_MS 1000 /* for a client that has closed one channel only to read what there is */

static const char usage[] =
    "Usage: sippod mock-agent --ctl PATH --io PATH [OPTIONS]\n"
    "\n"
    "Speaks the agent's end of the hyperstart protocol, and does as it is told: to test clients with.\n"
    "Listens on two Unix sockets for one client, acknowledges every command, and prints each command and\n"
    "each packet of input as a line of JSON. The first line, {\"listening\": ...}, says that it listens.\n"
    "\n"
    "      --ctl PATH             the control channel's socket\n"
    "      --io PATH              the I/O channel's\n"
    "      --ready                send READY once the client is connected\n"
    "      --fail COMMAND[=TEXT]  answer that command with ERROR\n"
    "      --delay COMMAND=MS     answer it so many milliseconds later\n"
    "      --drop COMMAND         do not answer it\n"
    "      --script FILE          what to do on which command; see sippod-mock-agent(1)\n"
    "      --log FILE             commands and input go there (the file is emptied), not to standard output\n"
    "  -h, --help                 this text\n"
    "\n"
    "A COMMAND is a name (newcontainer) or a code (17). These options may be repeated.\n"
    "\n"
    "Exit codes: 0 a client has come and gone; 128+N ended by signal N; 1 the log could not be written;\n"
    "2 wrong usage or script, or a socket's place is taken.\n";

enum {
    OPTION_CTL = 256,
    OPTION_IO,
    OPTION_READY,
    OPTION_FAIL,
    OPTION_DELAY,
    OPTION_DROP,
    OPTION_SCRIPT,
    OPTION_LOG
};

static const struct option options[] = {
    {.name = "ctl", .has_arg = required_argument, .val = OPTION_CTL},
    {.name = "io", .has_arg = required_argument, .val = OPTION_IO},
    {.name = "ready", .has_arg = no_argument, .val = OPTION_READY},
    {.name = "fail", .has_arg = required_argument, .val = OPTION_FAIL},
    {.name = "delay", .has_arg = required_argument, .val = OPTION_DELAY},
    {.name = "drop", .has_arg = required_argument, .val = OPTION_DROP},
    {.name = "script", .has_arg = required_argument, .val = OPTION_SCRIPT},
    {.name = "log", .has_arg = required_argument, .val = OPTION_LOG},
    {.name = "help", .has_arg = no_argument, .val = 'h'},
    {0},
};

struct mock_agent {
    struct hyperstart_mock_options options;
    struct mock_actor actor;
    const char *script, *log_path;
    FILE *log;
    sigset_t signals;
    atomic_int signal; /* that has ended it; 0: none */
    atomic_bool over;
    atomic_int wrong; /* the errno of a line that could not be written */
    pthread_t signal_thread, input_thread;
};

/* ---- options ---- */

static int set_delay(struct mock_setting *setting, const char *text, struct error **ret)
{
    long ms;

    if (!text_number(text, 0, 24L * 60 * 60 * 1000, &ms))
        return error_set(ret, ERROR_INPUT, "it is COMMAND=MS, in milliseconds, at most a day");
    setting->delay_ms = (int)ms;
    return 0;
}

/* COMMAND or COMMAND=TEXT. */
static int set_answer(struct mock_agent *agent, int option, const char *value, struct error **ret)
{
    const char *equals = option == OPTION_DROP ? NULL : strchr(value, '=');
    const char *text = equals ? equals + 1 : "";
    cleanup_free char *name = text_slice(value, equals ? (size_t)(equals - value) : strlen(value));
    struct mock_setting *setting;
    uint32_t code;

    if (hyperstart_mock_code(name, &code) < 0)
        return error_set(ret, ERROR_INPUT, "there is no command %s", name);
    setting = mock_actor_setting(&agent->actor, code);
    if (option == OPTION_DELAY)
        return set_delay(setting, text, ret);
    if (setting->error || setting->drop)
        return error_set(ret, ERROR_INPUT, "how %s is answered was said already", name);
    setting->drop = option == OPTION_DROP;
    if (option == OPTION_FAIL)
        setting->error = text_copy(text);
    return 0;
}

static int take_option(struct mock_agent *agent, int option, const char *value, struct error **ret)
{
    switch (option) {
    case OPTION_CTL:
        agent->options.ctl_path = value;
        return 0;
    case OPTION_IO:
        agent->options.io_path = value;
        return 0;
    case OPTION_READY:
        agent->options.ready = true;
        return 0;
    case OPTION_SCRIPT:
        agent->script = value;
        return 0;
    case OPTION_LOG:
        agent->log_path = value;
        return 0;
    case OPTION_FAIL:
    case OPTION_DELAY:
    case OPTION_DROP:
        if (set_answer(agent, option, value, ret) == 0)
            return 0;
        return error_prefix(ret, "--%s %s", options[option - OPTION_CTL].name, value);
    default:
        return error_set(ret, ERROR_INPUT, "sippod mock-agent --help lists the options");
    }
}

/* 0, 1 after --help, -1. */
static int parse(struct mock_agent *agent, int argc, char **argv, struct error **ret)
{
    int option;

    argv[0] = (char *)"sippod";
    while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (take_option(agent, option, optarg, ret) < 0)
            return -1;
    }
    if (optind < argc || !agent->options.ctl_path || !agent->options.io_path)
        return error_set(ret, ERROR_INPUT, "it is: sippod mock-agent --ctl PATH --io PATH [OPTIONS]");
    if (agent->script && mock_script_read(agent->script, &agent->actor.script, ret) < 0)
        return -1;
    agent->log = agent->log_path ? fopen(agent->log_path, "we") : stdout;
    if (!agent->log)
        return error_sys(ret, ERROR_INPUT, errno, "cannot write %s", agent->log_path);
    return 0;
}

/* ---- its life ---- */

static void check_written(struct mock_agent *agent, int result)
{
    if (result == 0)
        return;
    agent->wrong = errno;
    (void)hyperstart_mock_stop(agent->actor.mock, 0);
}

/* Ends the mock on a signal. When it is over, any signal ends this thread. */
static void *wait_for_signal(void *user)
{
    struct mock_agent *agent = user;
    int number = 0;

    (void)sigwait(&agent->signals, &number); /* fails for a set that is none only */
    if (!agent->over) {
        agent->signal = number;
        (void)hyperstart_mock_stop(agent->actor.mock, 0);
    }
    return NULL;
}

static void *log_input(void *user)
{
    struct mock_agent *agent = user;
    struct hyperstart_mock_packet *packet;

    while ((packet = hyperstart_mock_read_io(agent->actor.mock, -1))) {
        check_written(agent, mock_log_packet(agent->log, packet));
        free(packet);
    }
    return NULL;
}

/* Until the client has left, or somebody stops the mock. */
static void serve(struct mock_agent *agent)
{
    struct hyperstart_mock *mock = agent->actor.mock;
    struct hyperstart_mock_message *message;

    if (hyperstart_mock_wait_connected(mock, -1) == 0)
        mock_actor_connected(&agent->actor);
    while ((message = hyperstart_mock_next_message(mock, -1))) {
        check_written(agent, mock_log_command(agent->log, message));
        mock_actor_command(&agent->actor, message);
        free(message);
    }
    (void)hyperstart_mock_wait_left(mock, -1);
    (void)hyperstart_mock_stop(mock, FLUSH_MS);
}

static int start(struct mock_agent *agent, struct error **ret)
{
    static const struct hyperstart_mock_answer hold = {.reply = HYPERSTART_MOCK_HOLD};
    char detail[HYPERSTART_MOCK_DETAIL];

    agent->actor.mock = hyperstart_mock_new(&agent->options);
    if (!agent->actor.mock)
        return error_sys(ret, ERROR_HOST, errno, "cannot make the mock");
    if (hyperstart_mock_set_answer(agent->actor.mock, HYPERSTART_MOCK_EVERY_CODE, 0, &hold) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot set up the mock");
    if (hyperstart_mock_start(agent->actor.mock, detail) < 0)
        return error_set(ret, ERROR_INPUT, "%s", detail);
    if (mock_log_listening(stdout, agent->options.ctl_path, agent->options.io_path) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot write to standard output");
    return 0;
}

static void block_signals(struct mock_agent *agent)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1};

    sigemptyset(&agent->signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&agent->signals, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &agent->signals, NULL);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        perror("sippod: signal"); /* then a closed standard output ends it by SIGPIPE */
}

static int run(struct mock_agent *agent, struct error **ret)
{
    int wrong;

    block_signals(agent);
    if (start(agent, ret) < 0)
        return -1;
    wrong = pthread_create(&agent->signal_thread, NULL, wait_for_signal, agent);
    if (wrong)
        return error_sys(ret, ERROR_HOST, wrong, "cannot start a thread");
    wrong = pthread_create(&agent->input_thread, NULL, log_input, agent);
    if (!wrong)
        serve(agent);
    agent->over = true;
    (void)pthread_kill(agent->signal_thread, SIGUSR1); /* it is not joined yet, so that it exists */
    (void)pthread_join(agent->signal_thread, NULL);
    if (wrong)
        return error_sys(ret, ERROR_HOST, wrong, "cannot start a thread");
    (void)pthread_join(agent->input_thread, NULL);
    if (agent->wrong)
        return error_sys(ret, ERROR_FAILED, agent->wrong, "cannot write %s",
                         agent->log_path ? agent->log_path : "to standard output");
    return 0;
}

int command_mock_agent_main(int argc, char **argv)
{
    cleanup_error struct error *error = NULL;
    struct mock_agent agent = {0};
    int result = parse(&agent, argc, argv, &error);

    if (result == 0)
        result = run(&agent, &error);
    hyperstart_mock_free(agent.actor.mock);
    mock_actor_free(&agent.actor);
    if (agent.log && agent.log != stdout && fclose(agent.log) != 0 && result == 0)
        result = error_sys(&error, ERROR_FAILED, errno, "cannot write %s", agent.log_path);
    if (result < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        return (int)error->code;
    }
    return agent.signal ? 128 + agent.signal : 0;
}
