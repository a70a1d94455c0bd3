#include <stdio.h>

#include "src/base/error.h"
#include "src/cli.h"
#include "src/commands/pod_options.h"
#include "src/run/exec.h"

static const char usage[] =
    "Usage: sippod exec [OPTIONS] [--] COMMAND [ARGUMENT...]\n"
    "\n"
    "Runs a command in a fresh pod: a network namespace of its own, a throwaway file system, no\n"
    "capability. Its output passes through, its exit code is sippod's. Needs no privilege.\n"
    "\n"
    "      --pcap FILE            capture every packet into FILE: pcapng, or\n"
    "                             pcap if its name ends so\n"
    "      --fs MODE              the pod's file system: throwaway (default), readonly, host\n"
    "      --writable PATH        what stays writable; may be repeated. The current folder is visible,\n"
    "                             and read-only without this\n"
    "      --script-caps LIST     capabilities of the command, in the pod only: net_admin,net_raw\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit codes: the command's; 128+N if signal N ended it; 127 if it cannot be run; 2 wrong usage;\n"
    "3 this host cannot run a pod.\n";

enum { OPTION_PCAP = 256 };

static const struct option options[] = {
    {.name = "pcap", .has_arg = required_argument, .val = OPTION_PCAP},
    POD_OPTIONS,
    {.name = "help", .has_arg = no_argument, .val = 'h'},
    {0},
};

static int parse_and_run(int argc, char **argv, struct exec_options *exec)
{
    int option, code = 0;

    argv[0] = (char *)"sippod";
    while (!code && (option = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == OPTION_PCAP)
            exec->pcap = optarg;
        else
            code = pod_option_take(option, optarg, &exec->pod, "exec");
    }
    if (code)
        return code;
    for (; optind < argc; optind++)
        strings_add(&exec->command, argv[optind]);
    if (!exec->command.count) {
        fputs("sippod: which command? sippod exec [OPTIONS] -- COMMAND...\n", stderr);
        return ERROR_INPUT;
    }
    return exec_in_pod(exec);
}

int command_exec_main(int argc, char **argv)
{
    struct exec_options exec = {0};
    int code = parse_and_run(argc, argv, &exec);

    strings_free(&exec.command);
    pod_choice_free(&exec.pod);
    return code;
}
