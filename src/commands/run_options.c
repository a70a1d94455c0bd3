#include "src/commands/run_options.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/network.h"
#include "src/commands/run_table.h"

#define DEFAULT_SUITE "./tmp-testsuite"
#define OLD_FOLDER    "/var/tmp/sipplauncher"
#define OLD_LOG       "/tmp/sipplauncher.log"
#define OLD_SETTINGS  "/usr/local/etc/sipplauncher/sipplauncher.configlog.conf"

/* What stands when nothing is said. */
static struct run_options defaults(enum run_kind kind)
{
    static const char *const results[] = {
        [RUN_PLAIN] = RUN_RESULTS,
        [RUN_AS_SIPPLAUNCHER] = OLD_FOLDER,
        [RUN_SHELL] = SHELL_RESULTS,
    };
    bool as_sipplauncher = kind == RUN_AS_SIPPLAUNCHER;
    struct run_options run = {
        .sipp = text_copy("sipp"),
        .results = text_copy(results[kind]),
        .keep = kind == RUN_SHELL ? KEEP_ALL : KEEP_FAILED,
        .shell = kind == RUN_SHELL,
        .log_file = as_sipplauncher ? text_copy(OLD_LOG) : NULL,
        .progress = PROGRESS_NORMAL,
        .classic_pcap = as_sipplauncher,
        .group = as_sipplauncher ? 1 : 0,
        .group_pause_s = 0.8,
        .repeat = 1,
        .dut_port = 5060,
        .as_sipplauncher = as_sipplauncher,
    };

    return run;
}

/* ---- files ---- */

/* NULL if there is none, or if it is out of reach: a job that has become another user may still have the
 * first one's HOME. */
static char *user_file(void)
{
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    cleanup_free char *path = NULL;

    if (folder && *folder == '/')
        path = text_format("%s/sippod/sippod.conf", folder);
    else if (home && *home == '/')
        path = text_format("%s/.config/sippod/sippod.conf", home);
    return path && access(path, F_OK) == 0 ? steal_pointer(&path) : NULL;
}

/* From the weakest to the strongest. */
static int read_files(const struct option_table *table, const struct strings *paths, struct run_options *run,
                      struct error **ret)
{
    cleanup_free char *user = user_file();
    cleanup_free char *suite = suite_find(paths, NULL); /* what is wrong with it is told when it is loaded */
    cleanup_free char *file = suite ? text_format("%s/sippod.conf", suite) : NULL;

    if (options_read(table, SIPPOD_SYSCONFDIR "/sippod/sippod.conf", run, ret) < 0)
        return -1;
    if (user && options_read(table, user, run, ret) < 0)
        return -1;
    return file ? options_read(table, file, run, ret) : 0;
}

/* ---- what does not go together ---- */

static int check_line(const struct option_table *table, struct error **ret)
{
    static const char *const groups[] = {"group", "group-pause", "group-stop-first-fail"};

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (options_said(table, groups[i]) && options_said(table, "jobs"))
            return error_set(ret, ERROR_INPUT,
                             "--jobs and --%s exclude each other: groups wait for each other, jobs do not",
                             groups[i]);
    if (options_said(table, "total") && options_said(table, "repeat"))
        return error_set(ret, ERROR_INPUT, "--total and --repeat exclude each other");
    return 0;
}

static int check_tls(const struct run_options *run, struct error **ret)
{
    if (!run->ca_certificate != !run->ca_key)
        return error_set(ret, ERROR_INPUT, "--tls-ca-root-%s: --tls-ca-root-%s is missing",
                         run->ca_certificate ? "cert" : "key", run->ca_certificate ? "key" : "cert");
    return 0;
}

static void choose_transport(struct run_options *run)
{
    if (!run->transport)
        run->transport = text_copy(run->ca_certificate ? "l1" : "u1");
}

static int check_sets(const struct strings *sets, struct error **ret)
{
    for (size_t i = 0; i < sets->count; i++)
        if (!strchr(sets->list[i], '='))
            return error_set(ret, ERROR_INPUT, "--set %s: it is KEY=VALUE", sets->list[i]);
    return 0;
}

/* A longer one has no addresses for UAs; the router says that of IPv6, too. */
static int check_mask(const struct run_options *run, struct error **ret)
{
    if (run->network_mask > 30 && !(run->dut && strchr(run->dut, ':')))
        return error_set(ret, ERROR_INPUT, "--network-mask %u: for IPv4 it is a whole number from 1 to 30",
                         run->network_mask);
    return 0;
}

static int check_dut(const struct run_options *run, struct error **ret)
{
    struct in6_addr address;
    struct network network;

    if (run->dut && inet_pton(strchr(run->dut, ':') ? AF_INET6 : AF_INET, run->dut, &address) != 1)
        return error_set(ret, ERROR_INPUT, "--dut %s: it is an IP address, not a name", run->dut);
    if (run->dut && run->family && run->family != family_of(run->dut))
        return error_set(ret, ERROR_INPUT, "--dut %s: it is an %s address, but the family is to be %s",
                         run->dut, family_name(family_of(run->dut)), family_name(run->family));
    if (!run->dut && run->allow.count)
        return error_set(ret, ERROR_INPUT, "--allow-net %s: it goes with --dut", run->allow.list[0]);
    for (size_t i = 0; i < run->allow.count; i++)
        if (network_parse(run->allow.list[i], &network, ret) < 0)
            return error_prefix(ret, "--allow-net");
    return 0;
}

static int check_dns(const struct run_options *run, struct error **ret)
{
    if (run->dns_listen && !run->dut)
        return error_set(ret, ERROR_INPUT, "--dns-listen %s: it goes with --dut", run->dns_listen);
    if (run->dns_wait && !run->dns_listen)
        return error_set(ret, ERROR_INPUT, "--dns-wait: it goes with --dns-listen");
    return 0;
}

static int check(const struct run_options *run, struct error **ret)
{
    if (check_dut(run, ret) < 0 || check_mask(run, ret) < 0 || check_dns(run, ret) < 0)
        return -1;
    if (run->seeded && !run->random)
        return error_set(ret, ERROR_INPUT, "--seed %lu: it goes with --random, which draws tests", run->seed);
    if (run->info_file && access(run->info_file, R_OK) < 0)
        return error_set(ret, ERROR_INPUT, "--sipp-info-file %s: it cannot be read", run->info_file);
    if (run->pause_on_fail && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
        return error_set(ret, ERROR_INPUT,
                         "--pause-on-fail: it takes a terminal, as standard input and output");
    return check_tls(run, ret) < 0 || check_sets(&run->sets, ret) < 0 ? -1 : 0;
}

/* ---- all of it ---- */

static const char *const names[] = {
    [RUN_PLAIN] = "sippod run",
    [RUN_AS_SIPPLAUNCHER] = "sipplauncher",
    [RUN_SHELL] = "sippod shell",
};

static void print_shell_help(const struct option_table *table)
{
    puts("Usage: sippod shell [OPTIONS] SUITE/TEST\n"
         "\n"
         "Prepares a test as `sippod run` does, up to SIPp, tells what is where and how a run starts SIPp,\n"
         "and opens a shell in its pod. When that is left the test is rolled back. If standard input is no\n"
         "terminal, commands are read from it.\n"
         "\n"
         "Options are those of `sippod run`, but --results (default: " SHELL_RESULTS
         ") and --keep (default:\n"
         "all) are not taken from configuration files.\n");
    options_print(table);
    puts("\n"
         "Exit codes: the shell's; 1 the test was not ready, or could not be rolled back; 2 wrong usage,\n"
         "configuration or suite; 3 this host cannot run it; 128+N ended by signal N.");
}

static void print_help(const struct option_table *table, enum run_kind kind)
{
    if (kind == RUN_SHELL) {
        print_shell_help(table);
        return;
    }
    printf("Usage: %s [OPTIONS] [SUITE | SUITE/TEST...]\n"
           "\n"
           "Runs the tests of a suite (default: " DEFAULT_SUITE "), each in a pod of its own. Needs no\n"
           "privilege.\n"
           "\n",
           names[kind]);
    options_print(table);
    puts("\n"
         "What is not said here is looked for in SUITE/sippod.conf, then ~/.config/sippod/sippod.conf, "
         "then\n" SIPPOD_SYSCONFDIR
         "/sippod/sippod.conf, as in:  jobs = 4  fail_fast = true  tag = {\"smoke\"}\n"
         "Sipplauncher's options may be abbreviated. Colours are left out where NO_COLOR is set or the "
         "output\n"
         "is no terminal.\n"
         "Exit codes: 0 all passed; 1 some test failed; 2 wrong usage, configuration or suite; 3 this host\n"
         "cannot run it; 128+N ended by signal N.");
}

static void add_paths(struct run_options *run, const struct strings *positional)
{
    for (size_t i = 0; i < positional->count; i++)
        strings_add(&run->paths, positional->list[i]);
    if (!run->paths.count && !run->shell)
        strings_add(&run->paths, DEFAULT_SUITE);
}

static int check_paths(const struct run_options *run, struct error **ret)
{
    return run->paths.count ? 0 : error_set(ret, ERROR_INPUT, "which test? sippod shell SUITE/TEST");
}

/* What a file says of results and run folders is meant for runs: a shell would remove those of the last. */
static int read_files_of(const struct option_table *table, const struct strings *paths,
                         struct run_options *run, struct error **ret)
{
    cleanup_free char *results = text_copy(run->results);
    enum keep keep = run->keep;

    if (read_files(table, paths, run, ret) < 0)
        return -1;
    if (run->shell) {
        free(run->results);
        run->results = steal_pointer(&results);
        run->keep = keep;
    }
    return 0;
}

/* The command line is read twice: it says which suite's file is to be read before it. */
static int read_all(const struct option_table *table, enum run_kind kind, int argc, char **argv,
                    struct run_options *run, char *ret_special, struct error **ret)
{
    struct run_options first = defaults(kind);
    cleanup_strings struct strings positional = {0};
    cleanup_strings struct strings again = {0};
    int result = options_parse(table, argc, argv, &first, &positional, ret_special, ret);

    if (result == 0 && !*ret_special) {
        add_paths(&first, &positional);
        result = check_paths(&first, ret) < 0 || check_line(table, ret) < 0 ||
                         read_files_of(table, &first.paths, run, ret) < 0 ||
                         options_parse(table, argc, argv, run, &again, ret_special, ret) < 0
                     ? -1
                     : 0;
        add_paths(run, &positional);
    }
    run_options_free(&first);
    choose_transport(run);
    return result < 0 || *ret_special ? result : check(run, ret);
}

enum run_options_result run_options_read(int argc, char **argv, enum run_kind kind, struct run_options *run)
{
    cleanup_free bool *seen = memory_array(NULL, run_table_count, sizeof *seen);
    const struct option_table table = {
        .rows = run_table_rows,
        .count = run_table_count,
        .one = kind == RUN_SHELL,
        .seen = seen,
    };
    cleanup_error struct error *error = NULL;
    char special = '\0';

    *run = defaults(kind);
    if (read_all(&table, kind, argc, argv, run, &special, &error) < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        if (error_text(error)[0] == '-') /* an option, not a file */
            fprintf(stderr, "sippod: %s --help lists the options\n", names[kind]);
        return RUN_OPTIONS_WRONG;
    }
    if (special == 'h')
        print_help(&table, kind);
    else if (special == 'v')
        puts("sippod " SIPPOD_VERSION);
    else if (run->as_sipplauncher && access(OLD_SETTINGS, F_OK) == 0)
        fputs("sippod: " OLD_SETTINGS " is not read: see log_level, log_format and log_file in sippod.conf\n",
              stderr);
    return special ? RUN_OPTIONS_DONE : RUN_OPTIONS_GO;
}

void run_options_free(struct run_options *run)
{
    char **const texts[] = {&run->templates,      &run->global,    &run->results,           &run->sipp,
                            &run->junit,          &run->log_file,  &run->log.format,        &run->keywords,
                            &run->transport,      &run->info_file, &run->default_behaviors, &run->dut,
                            &run->ca_certificate, &run->ca_key,    &run->tls_version,       &run->dns_listen};
    struct strings *const lists[] = {&run->paths,    &run->only,           &run->exclude,
                                     &run->tags,     &run->sets,           &run->script_capabilities,
                                     &run->writable, &run->sipp_arguments, &run->allow};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(*texts[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        strings_free(lists[i]);
    *run = (struct run_options){0};
}
