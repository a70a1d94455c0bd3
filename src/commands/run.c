#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/cli.h"
#include "src/run/run.h"

#define DEFAULT_SUITE   "./tmp-testsuite"
#define DEFAULT_RESULTS "sippod-results"
#define LONGEST_TIMEOUT 86400.0 /* seconds */
#define MOST_JOBS       10000

static const char usage[] =
    "Usage: sippod run [OPTIONS] [SUITE | SUITE/TEST...]\n"
    "\n"
    "Runs the tests of a suite (default: " DEFAULT_SUITE "), each in a pod of its own. Needs no privilege.\n"
    "\n"
    "Which tests:\n"
    "      --testsuite DIR        the suite, as the positional argument\n"
    "      --pattern-only RE      only tests whose name matches from its start; may be repeated\n"
    "      --pattern-exclude RE   not these; wins over --pattern-only; may be repeated\n"
    "\n"
    "How they run:\n"
    "      --jobs N|auto          tests at once (default: auto, eight for each core as far as\n"
    "                             there are 64 MiB of memory for each)\n"
    "      --fail-fast            start no more tests after one that did not pass\n"
    "      --sipp PROGRAM         the SIPp to use (default: sipp in PATH)\n"
    "      --timeout SECONDS      for a whole test, up to the end of SIPp (default: none;\n"
    "                             a part has 180 s, a script 60 s)\n"
    "      --no-pcap              capture no packets\n"
    "      --fs MODE              the pod's file system: throwaway (default), readonly, host\n"
    "\n"
    "What is left:\n"
    "      --results DIR          results.json and run folders (default: " DEFAULT_RESULTS ")\n"
    "      --keep WHICH           run folders to keep: failed (default), all, none\n"
    "      --leave-temp           the same as --keep all\n"
    "      --junit FILE           JUnit XML, for Jenkins and GitLab\n"
    "\n"
    "What is printed:\n"
    "  -q, --quiet                only failures and the summary\n"
    "      --verbose              every state, and each test's log on standard error\n"
    "  -v, --version              the version\n"
    "  -h, --help                 this text\n"
    "\n"
    "Colours are left out where NO_COLOR is set or the output is no terminal.\n"
    "Exit codes: 0 all passed; 1 some test failed; 2 wrong usage, configuration or suite;\n"
    "3 this host cannot run it; 128+N ended by signal N.\n";

enum {
    OPTION_TESTSUITE = 256,
    OPTION_ONLY,
    OPTION_EXCLUDE,
    OPTION_RESULTS,
    OPTION_KEEP,
    OPTION_LEAVE_TEMP,
    OPTION_NO_PCAP,
    OPTION_SIPP,
    OPTION_TIMEOUT,
    OPTION_VERBOSE,
    OPTION_FS,
    OPTION_JOBS,
    OPTION_FAIL_FAST,
    OPTION_JUNIT,
};

static const struct option options[] = {
    {.name = "testsuite", .has_arg = required_argument, .val = OPTION_TESTSUITE},
    {.name = "pattern-only", .has_arg = required_argument, .val = OPTION_ONLY},
    {.name = "pattern-exclude", .has_arg = required_argument, .val = OPTION_EXCLUDE},
    {.name = "results", .has_arg = required_argument, .val = OPTION_RESULTS},
    {.name = "junit", .has_arg = required_argument, .val = OPTION_JUNIT},
    {.name = "keep", .has_arg = required_argument, .val = OPTION_KEEP},
    {.name = "leave-temp", .has_arg = no_argument, .val = OPTION_LEAVE_TEMP},
    {.name = "no-pcap", .has_arg = no_argument, .val = OPTION_NO_PCAP},
    {.name = "sipp", .has_arg = required_argument, .val = OPTION_SIPP},
    {.name = "timeout", .has_arg = required_argument, .val = OPTION_TIMEOUT},
    {.name = "jobs", .has_arg = required_argument, .val = OPTION_JOBS},
    {.name = "fail-fast", .has_arg = no_argument, .val = OPTION_FAIL_FAST},
    {.name = "fs", .has_arg = required_argument, .val = OPTION_FS},
    {.name = "quiet", .has_arg = no_argument, .val = 'q'},
    {.name = "verbose", .has_arg = no_argument, .val = OPTION_VERBOSE},
    {.name = "version", .has_arg = no_argument, .val = 'v'},
    {.name = "help", .has_arg = no_argument, .val = 'h'},
    {0},
};

static int wrong(const char *option, const char *value, const char *what)
{
    fprintf(stderr, "sippod: --%s %s: %s\n", option, value, what);
    return ERROR_INPUT;
}

static int set_keep(const char *value, enum keep *keep)
{
    static const char *const names[] = {[KEEP_FAILED] = "failed", [KEEP_ALL] = "all", [KEEP_NONE] = "none"};

    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            *keep = (enum keep)i;
            return 0;
        }
    return wrong("keep", value, "it can be failed, all or none");
}

static int set_timeout(const char *value, double *timeout)
{
    char *end;

    *timeout = strtod(value, &end);
    if (end == value || *end || !(*timeout > 0 && *timeout <= LONGEST_TIMEOUT))
        return wrong("timeout", value, "it is in seconds, more than 0 and at most 86400");
    return 0;
}

static int set_mounts(const char *value, enum mounts_mode *mode)
{
    int number = mounts_mode_by_name(value);

    if (number < 0)
        return wrong("fs", value, "it can be throwaway, readonly or host");
    *mode = (enum mounts_mode)number;
    return 0;
}

static int set_jobs(const char *value, size_t *jobs)
{
    long number = 0;

    if (strcmp(value, "auto") != 0 && !text_number(value, 1, MOST_JOBS, &number))
        return wrong("jobs", value, "it is a number from 1 to 10000, or auto");
    *jobs = (size_t)number;
    return 0;
}

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = text_copy(value);
}

/* One option; 0, or an exit code. */
static int take_option(int option, const char *value, struct run_options *run)
{
    switch (option) {
    case OPTION_TESTSUITE:
        strings_add(&run->paths, value);
        return 0;
    case OPTION_ONLY:
        strings_add(&run->filter.only, value);
        return 0;
    case OPTION_EXCLUDE:
        strings_add(&run->filter.exclude, value);
        return 0;
    case OPTION_RESULTS:
        set_text(&run->results, value);
        return 0;
    case OPTION_KEEP:
        return set_keep(value, &run->keep);
    case OPTION_LEAVE_TEMP:
        run->keep = KEEP_ALL;
        return 0;
    case OPTION_NO_PCAP:
        run->pcap = false;
        return 0;
    case OPTION_SIPP:
        set_text(&run->sipp, value);
        return 0;
    case OPTION_TIMEOUT:
        return set_timeout(value, &run->timeout_s);
    case OPTION_FS:
        return set_mounts(value, &run->mounts);
    case OPTION_JOBS:
        return set_jobs(value, &run->jobs);
    case OPTION_JUNIT:
        set_text(&run->junit, value);
        return 0;
    case OPTION_FAIL_FAST:
        run->fail_fast = true;
        return 0;
    case 'q':
        run->progress = PROGRESS_QUIET;
        return 0;
    case OPTION_VERBOSE:
        run->progress = PROGRESS_VERBOSE;
        return 0;
    default:
        return ERROR_INPUT; /* getopt has said why */
    }
}

/* 0 to go on, -1 when all is done (help, version), else an exit code. */
static int parse(int argc, char **argv, struct run_options *run)
{
    int option, code;

    argv[0] = (char *)"sippod"; /* what getopt puts before its complaints */
    while ((option = getopt_long(argc, argv, "qvh", options, NULL)) >= 0) {
        if (option == 'h' || option == 'v') {
            fputs(option == 'h' ? usage : "sippod " SIPPOD_VERSION "\n", stdout);
            return -1;
        }
        code = take_option(option, optarg, run);
        if (code) {
            if (option == '?')
                fputs("sippod: sippod run --help lists the options\n", stderr);
            return code;
        }
    }
    for (; optind < argc; optind++)
        strings_add(&run->paths, argv[optind]);
    if (!run->paths.count)
        strings_add(&run->paths, DEFAULT_SUITE);
    return 0;
}

int command_run_main(int argc, char **argv)
{
    struct run_options run = {
        .results = text_copy(DEFAULT_RESULTS),
        .sipp = text_copy("sipp"),
        .progress = PROGRESS_NORMAL,
        .pcap = true,
    };
    int code = parse(argc, argv, &run);

    if (code == 0)
        code = run_suite(&run);
    strings_free(&run.paths);
    strings_free(&run.filter.only);
    strings_free(&run.filter.exclude);
    free(run.results);
    free(run.sipp);
    free(run.junit);
    return code < 0 ? 0 : code;
}
