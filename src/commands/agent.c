#include <stdio.h>

#include "src/base/error.h"
#include "src/cli.h"
#include "src/commands/pod_options.h"
#include "src/run/serve.h"

static const char usage[] =
    "Usage: sippod agent --ctl PATH --io PATH [OPTIONS]\n"
    "\n"
    "Makes one pod for any client that speaks the hyperstart protocol: listens on two Unix sockets, and\n"
    "says \"listening\" once both are there. One client connects to both, is sent READY, and drives the\n"
    "pod's agent itself. The pod is gone when the client leaves, on DESTROYPOD, and on a signal.\n"
    "\n"
    "      --ctl PATH             the control channel's socket\n"
    "      --io PATH              the I/O channel's\n"
    "      --events               send PROCESSASYNCEVENT, which not every client understands\n"
    "      --fs MODE              the pod's file system: throwaway (default), readonly, host\n"
    "      --writable PATH        what stays writable; may be repeated. The current folder is visible,\n"
    "                             and read-only without this\n"
    "      --script-caps LIST     capabilities that processes may be given, in the pod only:\n"
    "                             net_admin,net_raw\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit codes: 0 a client has come and gone; 128+N ended by signal N; 1 the pod failed; 2 wrong usage,\n"
    "or a socket's place is taken; 3 this host cannot run a pod.\n";

enum { OPTION_CTL = 256, OPTION_IO, OPTION_EVENTS };

static const struct option options[] = {
    {.name = "ctl", .has_arg = required_argument, .val = OPTION_CTL},
    {.name = "io", .has_arg = required_argument, .val = OPTION_IO},
    {.name = "events", .has_arg = no_argument, .val = OPTION_EVENTS},
    POD_OPTIONS,
    {.name = "help", .has_arg = no_argument, .val = 'h'},
    {0},
};

static int take_option(int option, const char *value, struct serve_options *serve)
{
    switch (option) {
    case OPTION_CTL:
        serve->ctl = value;
        return 0;
    case OPTION_IO:
        serve->io = value;
        return 0;
    case OPTION_EVENTS:
        serve->events = true;
        return 0;
    default:
        return pod_option_take(option, value, &serve->pod, "agent");
    }
}

static int parse_and_run(int argc, char **argv, struct serve_options *serve)
{
    int option, code = 0;

    argv[0] = (char *)"sippod";
    while (!code && (option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        code = take_option(option, optarg, serve);
    }
    if (code)
        return code;
    if (optind < argc || !serve->ctl || !serve->io) {
        fputs("sippod: it is: sippod agent --ctl PATH --io PATH [OPTIONS]\n", stderr);
        return ERROR_INPUT;
    }
    return serve_agent(serve);
}

int command_agent_main(int argc, char **argv)
{
    struct serve_options serve = {0};
    int code = parse_and_run(argc, argv, &serve);

    pod_choice_free(&serve.pod);
    return code;
}
