#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/cli.h"
#include "src/run/exec.h"
#include "src/run/script_capabilities.h"

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

enum { OPTION_PCAP = 256, OPTION_FS, OPTION_WRITABLE, OPTION_CAPS };

static const struct option options[] = {
    {.name = "pcap", .has_arg = required_argument, .val = OPTION_PCAP},
    {.name = "fs", .has_arg = required_argument, .val = OPTION_FS},
    {.name = "writable", .has_arg = required_argument, .val = OPTION_WRITABLE},
    {.name = "script-caps", .has_arg = required_argument, .val = OPTION_CAPS},
    {.name = "help", .has_arg = no_argument, .val = 'h'},
    {0},
};

static int wrong(const char *option, const char *value, const char *what)
{
    fprintf(stderr, "sippod: --%s %s: %s\n", option, value, what);
    return ERROR_INPUT;
}

static int set_capabilities(const char *list, struct strings *capabilities)
{
    cleanup_error struct error *error = NULL;

    return script_capabilities_parse(list, capabilities, &error) < 0
               ? wrong("script-caps", list, error_text(error))
               : 0;
}

static int add_writable(const char *path, struct strings *writable)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *absolute = file_absolute(path, &error);

    if (!absolute)
        return wrong("writable", path, error_text(error));
    strings_add(writable, absolute);
    return 0;
}

static int take_option(int option, const char *value, struct exec_options *exec)
{
    int mode;

    switch (option) {
    case OPTION_PCAP:
        exec->pcap = value;
        return 0;
    case OPTION_FS:
        mode = mounts_mode_by_name(value);
        if (mode < 0)
            return wrong("fs", value, "it can be throwaway, readonly or host");
        exec->mounts = (enum mounts_mode)mode;
        return 0;
    case OPTION_WRITABLE:
        return add_writable(value, &exec->writable);
    case OPTION_CAPS:
        return set_capabilities(value, &exec->capabilities);
    default:
        fputs("sippod: sippod exec --help lists the options\n", stderr);
        return ERROR_INPUT;
    }
}

static int parse_and_run(int argc, char **argv, struct exec_options *exec)
{
    int option, code = 0;

    argv[0] = (char *)"sippod";
    while (!code && (option = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        code = take_option(option, optarg, exec);
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
    strings_free(&exec.writable);
    strings_free(&exec.capabilities);
    return code;
}
