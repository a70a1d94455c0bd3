#include "src/commands/run_table.h"

#include <string.h>
#include <time.h>

#include "src/base/memory.h"
#include "src/base/words.h"
#include "src/run/dns_address.h"
#include "src/run/run.h"
#include "src/run/script_capabilities.h"

#define LONGEST   86400.0 /* seconds */
#define MOST_JOBS 10000
#define MANY      1000000000.0
#define AT(field) .at = offsetof(struct run_options, field)

/* ---- values that need more than a range ---- */

static int set_jobs(void *options, const char *value, struct error **ret)
{
    struct run_options *run = options;
    long number = 0;

    if (strcmp(value, "auto") != 0 && !text_number(value, 1, MOST_JOBS, &number))
        return error_set(ret, ERROR_INPUT, "it is a number from 1 to %d, or auto", MOST_JOBS);
    run->jobs = (size_t)number;
    run->group = 0; /* of a weaker source */
    return 0;
}

/* A pause or a stop between groups makes sense only with groups. */
static int set_group(void *options, const char *value, struct error **ret)
{
    struct run_options *run = options;

    (void)ret;
    if (!run->group && strcmp(value, "false") != 0)
        run->group = 1;
    return 0;
}

static int set_keep(void *options, const char *value, struct error **ret)
{
    static const char *const names[] = {[KEEP_FAILED] = "failed", [KEEP_ALL] = "all", [KEEP_NONE] = "none"};
    struct run_options *run = options;

    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            run->keep = (enum keep)i;
            return 0;
        }
    return error_set(ret, ERROR_INPUT, "it can be failed, all or none");
}

static int set_leave_temp(void *options, const char *value, struct error **ret)
{
    (void)ret;
    ((struct run_options *)options)->keep = strcmp(value, "true") == 0 ? KEEP_ALL : KEEP_FAILED;
    return 0;
}

static int set_mounts(void *options, const char *value, struct error **ret)
{
    int number = mounts_mode_by_name(value);

    if (number < 0)
        return error_set(ret, ERROR_INPUT, "it can be throwaway, readonly or host");
    ((struct run_options *)options)->mounts = (enum mounts_mode)number;
    return 0;
}

static int set_capabilities(void *options, const char *value, struct error **ret)
{
    return script_capabilities_parse(value, &((struct run_options *)options)->script_capabilities, ret);
}

static int set_family(void *options, const char *value, struct error **ret)
{
    enum family family = family_by_name(value);

    if (!family)
        return error_set(ret, ERROR_INPUT, "it can be ipv4 or ipv6");
    ((struct run_options *)options)->family = family;
    return 0;
}

static int set_transport(void *options, const char *value, struct error **ret)
{
    (void)options;
    if (!suite_is_transport(value))
        return error_set(ret, ERROR_INPUT, "it can be u1, un, ui, t1, tn, l1 or ln");
    return 0;
}

static int set_tls_version(void *options, const char *value, struct error **ret)
{
    (void)options;
    if (strcmp(value, "1.0") != 0 && strcmp(value, "1.1") != 0 && strcmp(value, "1.2") != 0)
        return error_set(ret, ERROR_INPUT, "it can be 1.0, 1.1 or 1.2");
    return 0;
}

static int set_dns_listen(void *options, const char *value, struct error **ret)
{
    struct sockaddr_storage address;

    (void)options;
    return dns_address_parse(value, &address, ret);
}

static int set_seed(void *options, const char *value, struct error **ret)
{
    struct run_options *run = options;
    long number;

    if (!text_number(value, 0, 0x7fffffff, &number))
        return error_set(ret, ERROR_INPUT, "it is a whole number from 0 to 2147483647");
    run->seed = (unsigned long)number;
    run->seeded = true;
    return 0;
}

static int set_sipp_arguments(void *options, const char *value, struct error **ret)
{
    struct strings *list = &((struct run_options *)options)->sipp_arguments;

    strings_free(list);
    return words_split(value, list, ret);
}

static int set_pcap_format(void *options, const char *value, struct error **ret)
{
    bool classic = strcmp(value, "pcap") == 0;

    if (!classic && strcmp(value, "pcapng") != 0)
        return error_set(ret, ERROR_INPUT, "it can be pcapng or pcap");
    ((struct run_options *)options)->classic_pcap = classic;
    return 0;
}

static int set_log_level(void *options, const char *value, struct error **ret)
{
    return log_level_by_name(value, &((struct run_options *)options)->log.level, ret);
}

static int set_log_format(void *options, const char *value, struct error **ret)
{
    (void)options;
    return log_format_check(value, ret);
}

static int set_quiet(void *options, const char *value, struct error **ret)
{
    (void)ret;
    ((struct run_options *)options)->progress = strcmp(value, "true") == 0 ? PROGRESS_QUIET : PROGRESS_NORMAL;
    return 0;
}

static int set_verbose(void *options, const char *value, struct error **ret)
{
    (void)ret;
    ((struct run_options *)options)->progress =
        strcmp(value, "true") == 0 ? PROGRESS_VERBOSE : PROGRESS_NORMAL;
    return 0;
}

/* ---- the rows ---- */

const struct option_row run_table_rows[] = {
    {.kind = OPTION_HEADING, .help = "Which tests"},
    {.kind = OPTION_LIST,
     .name = "testsuite",
     .argument = "DIR",
     AT(paths),
     .old = true,
     .only_line = true,
     .help = "the suite, as the positional argument"},
    {.kind = OPTION_LIST,
     .name = "pattern-only",
     .argument = "RE",
     AT(only),
     .old = true,
     .help = "only tests whose name matches from its start;\nmay be repeated"},
    {.kind = OPTION_LIST,
     .name = "pattern-exclude",
     .argument = "RE",
     AT(exclude),
     .old = true,
     .help = "not these; wins over --pattern-only; may be repeated"},
    {.kind = OPTION_LIST,
     .name = "tag",
     .argument = "TAG",
     AT(tags),
     .help = "only tests whose test.conf has one of the tags;\nmay be repeated"},
    {.kind = OPTION_COUNT,
     .name = "total",
     .argument = "N",
     AT(total),
     .least = 0,
     .most = MANY,
     .old = true,
     .of_many = true,
     .help = "run N tests, over and over from the first\n(default: 0, each once)"},
    {.kind = OPTION_FLAG,
     .name = "random",
     AT(random),
     .old = true,
     .of_many = true,
     .help = "draw each test at random, the same one again too"},
    {.kind = OPTION_OTHER,
     .name = "seed",
     .argument = "N",
     .set = set_seed,
     .of_many = true,
     .help = "repeat the drawing that printed this seed"},
    {.kind = OPTION_COUNT,
     .name = "repeat",
     .argument = "N",
     AT(repeat),
     .least = 1,
     .most = MANY,
     .of_many = true,
     .help = "run all of them N times (default: 1)"},
    {.kind = OPTION_FLAG,
     .name = "loop",
     AT(loop),
     .old = true,
     .of_many = true,
     .help = "again and again, until one fails"},
    {.kind = OPTION_PATH,
     .name = "template-folder",
     .argument = "DIR",
     AT(templates),
     .old = true,
     .help = "what templates include (default: SUITE/TEMPLATES)"},
    {.kind = OPTION_PATH,
     .name = "global-test-folder",
     .argument = "DIR",
     AT(global),
     .old = true,
     .help = "before.sh and after.sh for the whole run\n(default: SUITE/GLOBAL)"},

    {.kind = OPTION_HEADING, .help = "How they run"},
    {.kind = OPTION_OTHER,
     .name = "jobs",
     .argument = "N|auto",
     .set = set_jobs,
     .of_many = true,
     .help = "tests at once (default: auto, as many as the host can\nwell take)"},
    {.kind = OPTION_COUNT,
     .name = "group",
     .argument = "N",
     AT(group),
     .least = 1,
     .most = MOST_JOBS,
     .old = true,
     .of_many = true,
     .help = "prepare N tests, run them together, clean them, pause;\n--jobs does not wait for the slowest"},
    {.kind = OPTION_NUMBER,
     .name = "group-pause",
     .argument = "SECONDS",
     AT(group_pause_s),
     .least = 0,
     .most = LONGEST,
     .set = set_group,
     .old = true,
     .of_many = true,
     .help = "between groups (default: 0.8)"},
    {.kind = OPTION_FLAG,
     .name = "group-stop-first-fail",
     AT(group_stop_first_fail),
     .set = set_group,
     .old = true,
     .of_many = true,
     .help = "no more groups after one with a failure"},
    {.kind = OPTION_FLAG,
     .name = "fail-fast",
     AT(fail_fast),
     .of_many = true,
     .help = "start no more tests after one that did not pass"},
    {.kind = OPTION_FLAG,
     .name = "pause-on-fail",
     AT(pause_on_fail),
     .only_line = true,
     .of_many = true,
     .help = "before a test that failed is rolled back, open a shell in\nits pod"},
    {.kind = OPTION_FLAG,
     .name = "fail-expected",
     AT(fail_expected),
     .old = true,
     .of_many = true,
     .help = "exit with 0 if some test failed, with 1 if none did"},
    {.kind = OPTION_FLAG,
     .name = "dry-run",
     AT(dry_run),
     .old = true,
     .of_many = true,
     .help = "do all but run scripts and SIPp"},
    {.kind = OPTION_NUMBER,
     .name = "timeout",
     .argument = "SECONDS",
     AT(timeout_s),
     .least = 0.001,
     .most = LONGEST,
     .help = "for a whole test, up to the end of SIPp (default: none;\na part has 180 s, a script 60 s)"},
    {.kind = OPTION_TEXT,
     .name = "keyword-replacement-values",
     .argument = "JSON",
     AT(keywords),
     .old = true,
     .help = "an object whose keys replace keywords of templates"},
    {.kind = OPTION_LIST,
     .name = "set",
     .argument = "KEY=VALUE",
     AT(sets),
     .help = "one keyword of templates; may be repeated"},

    {.kind = OPTION_HEADING, .help = "The device under test"},
    {.kind = OPTION_TEXT,
     .name = "dut",
     .argument = "ADDRESS",
     AT(dut),
     .old = true,
     .help = "the device under test, outside: on this host or in a\nnetwork that it reaches"},
    {.kind = OPTION_OTHER,
     .name = "family",
     .argument = "NAME",
     .set = set_family,
     .help =
         "ipv4 (default) or ipv6: addresses of tests whose\ntest.conf does not say; with --dut its family"},
    {.kind = OPTION_COUNT,
     .name = "network-mask",
     .argument = "N",
     AT(network_mask),
     .least = 1,
     .most = 126,
     .old = true,
     .help = "length of its network, in which UAs get free addresses\n(default: 24, IPv6: 64, or that of the "
             "gateway on the way)"},
    {.kind = OPTION_LIST,
     .name = "allow-net",
     .argument = "PREFIX",
     AT(allow),
     .help = "a network that tests reach beside it; may be repeated"},
    {.kind = OPTION_TEXT,
     .name = "dns-listen",
     .argument = "ADDRESS[:PORT]",
     AT(dns_listen),
     .set = set_dns_listen,
     .help = "serve it the names of all running tests there, on this\nhost (default: port 53)"},
    {.kind = OPTION_FLAG,
     .name = "dns-wait",
     AT(dns_wait),
     .of_many = true,
     .help = "a test waits for those that have one of its names"},
    {.kind = OPTION_COUNT,
     .name = "dut-port",
     .argument = "N",
     AT(dut_port),
     .least = 1,
     .most = 65535,
     .help = "where the suite's own DUT answers (default: 5060)"},

    {.kind = OPTION_HEADING, .help = "SIPp"},
    {.kind = OPTION_TEXT,
     .name = "sipp",
     .argument = "PROGRAM",
     AT(sipp),
     .help = "the SIPp to use (default: sipp in PATH)"},
    {.kind = OPTION_OTHER,
     .name = "sipp-args",
     .argument = "ARGUMENTS",
     .set = set_sipp_arguments,
     .help = "more arguments for each SIPp, quoted as in a shell"},
    {.kind = OPTION_TEXT,
     .name = "sipp-transport",
     .argument = "NAME",
     AT(transport),
     .set = set_transport,
     .old = true,
     .help = "u1 (default), un, ui, t1, tn; TLS: l1 (default with a\ncertificate authority), ln"},
    {.kind = OPTION_PATH,
     .name = "sipp-info-file",
     .argument = "FILE",
     AT(info_file),
     .old = true,
     .help = "what SIPp injects (default: SUITE/users.csv)"},
    {.kind = OPTION_NUMBER,
     .name = "sipp-call-rate",
     .argument = "N",
     AT(call_rate),
     .least = 0,
     .most = MANY,
     .old = true,
     .help = "calls a second (default: 1; one call starts at once)"},
    {.kind = OPTION_COUNT,
     .name = "sipp-max-calls",
     .argument = "N",
     AT(calls),
     .least = 0,
     .most = MANY,
     .old = true,
     .help = "calls of a test (default: 1)"},
    {.kind = OPTION_COUNT,
     .name = "sipp-concurrent-calls-limit",
     .argument = "N",
     AT(concurrent),
     .least = 0,
     .most = 1000000,
     .old = true,
     .help = "calls at the same time (default: 1)"},
    {.kind = OPTION_COUNT,
     .name = "sipp-recv-timeout",
     .argument = "MS",
     AT(recv_timeout_ms),
     .least = 0,
     .most = MANY,
     .old = true,
     .help = "to wait for a message (default: 5000)"},
    {.kind = OPTION_TEXT,
     .name = "default_behaviors",
     .alias = "default-behaviors",
     .argument = "LIST",
     AT(default_behaviors),
     .old = true,
     .help = "what SIPp does by itself, see sipp(1)"},
    {.kind = OPTION_PATH,
     .name = "tls-ca-root-cert",
     .argument = "FILE",
     AT(ca_certificate),
     .old = true,
     .help = "TLS: the authority of the UAs' certificates, PEM (default:\none made for the run)"},
    {.kind = OPTION_PATH,
     .name = "tls-ca-root-key",
     .argument = "FILE",
     AT(ca_key),
     .old = true,
     .help = "and its key, without a passphrase"},
    {.kind = OPTION_TEXT,
     .name = "sipp-tls-version",
     .argument = "V",
     AT(tls_version),
     .set = set_tls_version,
     .old = true,
     .help = "1.0, 1.1 or 1.2 (default: what both sides know)"},

    {.kind = OPTION_HEADING, .help = "The pod"},
    {.kind = OPTION_OTHER,
     .name = "fs",
     .argument = "MODE",
     .set = set_mounts,
     .help = "its file system: throwaway (default), readonly, host"},
    {.kind = OPTION_LIST,
     .name = "writable",
     .argument = "PATH",
     AT(writable),
     .help = "what stays writable in it; may be repeated"},
    {.kind = OPTION_OTHER,
     .name = "script-caps",
     .argument = "LIST",
     .set = set_capabilities,
     .help = "capabilities of scripts and the suite's DUT, in the pod\nonly: net_admin,net_raw"},
    {.kind = OPTION_FLAG, .name = "no-pcap", AT(no_pcap), .old = true, .help = "capture no packets"},
    {.kind = OPTION_OTHER,
     .name = "pcap-format",
     .argument = "NAME",
     .set = set_pcap_format,
     .help = "pcapng (default), or pcap for old tools"},

    {.kind = OPTION_HEADING, .help = "What is left"},
    {.kind = OPTION_PATH,
     .name = "results",
     .argument = "DIR",
     AT(results),
     .help = "results.json and run folders (default: sippod-results)"},
    {.kind = OPTION_OTHER,
     .name = "keep",
     .argument = "WHICH",
     .set = set_keep,
     .help = "run folders to keep: failed (default), all, none"},
    {.kind = OPTION_OTHER,
     .name = "leave-temp",
     .set = set_leave_temp,
     .old = true,
     .help = "the same as --keep all"},
    {.kind = OPTION_PATH,
     .name = "junit",
     .argument = "FILE",
     AT(junit),
     .of_many = true,
     .help = "JUnit XML, for Jenkins and GitLab"},
    {.kind = OPTION_PATH,
     .name = "log-file",
     .argument = "FILE",
     AT(log_file),
     .help = "one log for the whole run, beside each test's"},
    {.kind = OPTION_OTHER,
     .name = "log-level",
     .argument = "LEVEL",
     .set = set_log_level,
     .help = "debug (default), info, warning, error"},
    {.kind = OPTION_TEXT,
     .name = "log-format",
     .argument = "FORMAT",
     AT(log.format),
     .set = set_log_format,
     .help = "of %(asctime)s, %(levelname)s, %(name)s, %(message)s"},

    {.kind = OPTION_HEADING, .help = "What is printed"},
    {.kind = OPTION_OTHER,
     .name = "quiet",
     .letter = 'q',
     .set = set_quiet,
     .help = "only failures and the summary"},
    {.kind = OPTION_OTHER,
     .name = "verbose",
     .set = set_verbose,
     .help = "every state, and each test's log on standard error"},
    {.kind = OPTION_OTHER,
     .name = "version",
     .letter = 'v',
     .only_line = true,
     .old = true,
     .help = "the version"},
    {.kind = OPTION_OTHER,
     .name = "help",
     .letter = 'h',
     .only_line = true,
     .old = true,
     .help = "this text"},
};

const size_t run_table_count = sizeof run_table_rows / sizeof *run_table_rows;
