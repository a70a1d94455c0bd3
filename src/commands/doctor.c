#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/terminal.h"
#include "src/base/text.h"
#include "src/cli.h"
#include "src/commands/run_options.h"
#include "src/doctor/doctor.h"
#include "src/doctor/write.h"

static const char usage[] =
    "Usage: sippod doctor [OPTIONS]\n"
    "\n"
    "Says whether tests can be run on this host, what is missing, what that means, and the command\n"
    "that mends it. Everything is tried, in processes of its own, and nothing of it stays.\n"
    "\n"
    "      --json                 for programs\n"
    "      --sipp PROGRAM         the SIPp to ask (default: sipp in PATH)\n"
    "      --results DIR          where to look for left-overs of killed runs (default: " RUN_RESULTS ")\n"
    "  -v, --version              the version\n"
    "  -h, --help                 this text\n"
    "\n"
    "Colours are left out where NO_COLOR is set or the output is no terminal.\n"
    "Exit codes: 0 tests can be run in one of the three modes (SIPp may be missing); 2 wrong usage;\n"
    "3 in none of them.\n";

enum { OPTION_JSON = 256, OPTION_SIPP, OPTION_RESULTS };

static const struct option options[] = {
    {.name = "json", .has_arg = no_argument, .val = OPTION_JSON},
    {.name = "sipp", .has_arg = required_argument, .val = OPTION_SIPP},
    {.name = "results", .has_arg = required_argument, .val = OPTION_RESULTS},
    {.name = "version", .has_arg = no_argument, .val = 'v'},
    {.name = "help", .has_arg = no_argument, .val = 'h'},
    {0},
};

/* 0 to go on, -1 when all is done (help, version), else an exit code. */
static int parse(int argc, char **argv, struct doctor_options *doctor, bool *ret_json)
{
    int option;

    argv[0] = (char *)"sippod"; /* what getopt puts before its complaints */
    while ((option = getopt_long(argc, argv, "vh", options, NULL)) >= 0) {
        switch (option) {
        case 'h':
        case 'v':
            fputs(option == 'h' ? usage : "sippod " SIPPOD_VERSION "\n", stdout);
            return -1;
        case OPTION_JSON:
            *ret_json = true;
            break;
        case OPTION_SIPP:
            doctor->sipp = optarg;
            break;
        case OPTION_RESULTS:
            doctor->results = optarg;
            break;
        default:
            fputs("sippod: sippod doctor --help lists the options\n", stderr);
            return ERROR_INPUT;
        }
    }
    if (optind == argc)
        return 0;
    fprintf(stderr, "sippod: doctor takes options only, not %s; sippod doctor --help lists them\n",
            argv[optind]);
    return ERROR_INPUT;
}

static char *about_host(void)
{
    struct utsname name = {0};

    (void)uname(&name);
    return text_format("sippod %s, %s %s (%s), uid %u", SIPPOD_VERSION, name.sysname, name.release,
                       name.machine, geteuid());
}

static int report(const struct diagnosis *diagnosis, bool json)
{
    bool colours = terminal_colours(STDOUT_FILENO);
    cleanup_free char *about = about_host();
    int result = json ? write_json(diagnosis, stdout) : write_text(diagnosis, about, colours, stdout);

    if (result == 0)
        return diagnosis_exit_code(diagnosis);
    perror("sippod: cannot write the diagnosis");
    return ERROR_FAILED;
}

int command_doctor_main(int argc, char **argv)
{
    struct doctor_options doctor = {.sipp = "sipp", .results = RUN_RESULTS};
    struct diagnosis diagnosis;
    bool json = false;
    int code = parse(argc, argv, &doctor, &json);

    if (code)
        return code < 0 ? 0 : code;
    (void)signal(SIGCHLD, SIG_DFL); /* a caller who ignores it would take the children's ends from us */
    doctor_examine(&doctor, &diagnosis);
    code = report(&diagnosis, json);
    diagnosis_free(&diagnosis);
    return code;
}
