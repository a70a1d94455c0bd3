#include "src/run/sipp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define SIP_PORT   5060
#define SIPS_PORT  "5061"
#define AT_ONCE    1000.0 /* calls a second: SIPp starts the first one after 1/rate seconds */
#define MOST_KEYS  64     /* SIPp takes 99; those of sipp_args are among them */
#define MOST_BYTES ((size_t)8 * 1024 * 1024)

char *sipp_stem(const struct scenario *scenario)
{
    return text_slice(scenario->file, strlen(scenario->file) - strlen(".xml"));
}

static void add(struct strings *arguments, const char *option, const char *value)
{
    strings_add(arguments, option);
    if (value)
        strings_add(arguments, value);
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value ? value : otherwise;
}

static void add_numbers(const struct sipp_options *options, unsigned calls, struct strings *arguments)
{
    double rate = options->rate > 0 ? options->rate : calls == 1 ? AT_ONCE : 1.0;

    strings_add(arguments, "-recv_timeout");
    strings_addf(arguments, "%u", or_default(options->recv_timeout_ms, 5000));
    if (options->default_behaviors)
        add(arguments, "-default_behaviors", options->default_behaviors);
    strings_add(arguments, "-r");
    strings_addf(arguments, "%g", rate);
    strings_add(arguments, "-l");
    strings_addf(arguments, "%u", or_default(options->concurrent, 1));
    strings_add(arguments, "-m");
    strings_addf(arguments, "%u", calls);
}

/* Logs, traces, and between them the file of users. */
static void add_files(const struct sipp_options *options, const char *stem, struct strings *arguments)
{
    static const char *const traces[] = {"-trace_err", "-trace_calldebug", "-trace_error_codes",
                                         "-trace_msg", "-trace_logs",      "-trace_screen"};

    strings_add(arguments, "-log_file");
    strings_addf(arguments, "./%s_log_file", stem);
    if (options->info_file)
        add(arguments, "-inf", options->info_file);
    strings_add(arguments, "-screen_file");
    strings_addf(arguments, "./%s_screen_file", stem);
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
        strings_add(arguments, traces[i]);
}

/* One socket is left for each call: SIPp insists. */
static void add_sockets(const struct sipp_options *options, struct strings *arguments)
{
    uint64_t concurrent = or_default(options->concurrent, 1);

    strings_add(arguments, "-max_socket");
    strings_addf(
        arguments, "%llu",
        (unsigned long long)(options->descriptors > concurrent ? options->descriptors - concurrent : 1));
}

static void add_twin(const struct twin *twin, struct strings *arguments)
{
    if (!twin)
        return;
    add(arguments, twin->master ? "-master" : "-slave", twin->id);
    add(arguments, "-slave_cfg", THIRD_PARTY_FILE);
}

/* SIPp takes what stands in brackets for a keyword of its own: so it is told one for each IPv6 address that
 * {{dut.uri_host}} and {{uaN.uri_host}} put there. */
static void add_uri_hosts(const struct test *test, const char *dut, struct strings *arguments)
{
    cleanup_strings struct strings addresses = {0};

    if (dut)
        strings_add(&addresses, dut);
    for (size_t i = 0; i < test->ua_count && addresses.count < MOST_KEYS; i++)
        if (!text_equal(test->uas[i].address, dut))
            strings_add(&addresses, test->uas[i].address);
    for (size_t i = 0; i < addresses.count; i++) {
        cleanup_free char *host = family_uri_host(addresses.list[i]);

        if (family_of(addresses.list[i]) != FAMILY_IPV6)
            continue;
        add(arguments, "-key", addresses.list[i]);
        add(arguments, host, NULL);
    }
}

static void add_extra(const struct sipp_options *options, const struct test *test, const char *ua,
                      struct strings *arguments)
{
    for (size_t i = 0; i < options->extra.count; i++)
        strings_add(arguments, options->extra.list[i]);
    for (size_t i = 0; i < test->config.sipp_args_count; i++)
        for (size_t j = 0;
             text_equal(test->config.sipp_args[i].ua, ua) && j < test->config.sipp_args[i].list.count; j++)
            strings_add(arguments, test->config.sipp_args[i].list.list[j]);
}

/* "u1" and so on. */
static const char *transport_of(const struct sipp_options *options, const struct test *test)
{
    const char *transport = test->config.transport ? test->config.transport : options->transport;

    return transport ? transport : "u1";
}

bool sipp_uses_tls(const struct sipp_options *options, const struct test *test)
{
    return *transport_of(options, test) == 'l';
}

/* Whom it calls; over TLS at the other port, and with a certificate of its own. */
static void add_remote(const struct sipp_options *options, bool tls, const char *ua, const char *dut,
                       struct strings *arguments)
{
    cleanup_free char *host = family_uri_host(dut);

    if (!tls) {
        strings_add(arguments, host);
        return;
    }
    strings_addf(arguments, "%s:" SIPS_PORT, host);
    strings_add(arguments, "-tls_cert");
    strings_addf(arguments, "%s.crt", ua);
    strings_add(arguments, "-tls_key");
    strings_addf(arguments, "%s.key", ua);
    if (options->tls_version)
        add(arguments, "-tls_version", options->tls_version);
}

void sipp_arguments(const struct sipp_options *options, const struct test *test,
                    const struct scenario *scenario, const struct sipp_call *call, struct strings *arguments)
{
    cleanup_free char *stem = sipp_stem(scenario);
    bool tls = sipp_uses_tls(options, test);

    add(arguments, options->program, NULL);
    add(arguments, "-i", test_ua(test, scenario->ua)->address);
    if (tls)
        add(arguments, "-p", SIPS_PORT);
    add(arguments, "-t", transport_of(options, test));
    add(arguments, "-sf", scenario->file);
    add_numbers(options, call->calls, arguments);
    add_files(options, stem, arguments);
    add_remote(options, tls, scenario->ua, call->dut, arguments);
    add_sockets(options, arguments);
    add(arguments, "-trace_stat", NULL);
    strings_add(arguments, "-stf");
    strings_addf(arguments, "%s_trace.csv", stem);
    add(arguments, "-fd", "60");
    add_twin(call->twin, arguments);
    add_uri_hosts(test, call->dut, arguments);
    add(arguments, "-nostdin", NULL);
    add_extra(options, test, scenario->ua, arguments);
}

static const char *last_value(const struct strings *arguments, const char *option)
{
    for (size_t i = arguments->count; i > 1; i--)
        if (strcmp(arguments->list[i - 2], option) == 0)
            return arguments->list[i - 1];
    return NULL;
}

struct sipp_socket sipp_bound_to(const struct strings *arguments)
{
    const char *transport = last_value(arguments, "-t"), *said = last_value(arguments, "-p");
    long port = 0;

    return (struct sipp_socket){
        .address = last_value(arguments, "-i"),
        .protocol = transport && *transport != 'u' ? "tcp" : "udp",
        .port = said && text_number(said, 1, UINT16_MAX, &port) ? (uint16_t)port : SIP_PORT,
    };
}

bool sipp_needs_raw_socket(int folder, const struct scenario *scenario)
{
    cleanup_free char *text = NULL;
    size_t length;

    return file_read(folder, scenario->file, MOST_BYTES, &text, &length, NULL) == 0 &&
           (strstr(text, "play_pcap_") || strstr(text, "play_dtmf"));
}

const char *sipp_exit_text(int exit_code)
{
    switch (exit_code) {
    case 0:
        return "all calls succeeded";
    case 1:
        return "a call failed";
    case 97:
        return "stopped by an internal command";
    case 99:
        return "ended without a call";
    case 253:
        return "the RTP check failed";
    case 254:
    case 255:
        return "fatal error";
    default:
        return "SIPp failed";
    }
}

/* Column `index` of a row whose columns end with ";". */
static double column(const char *row, size_t index)
{
    for (; index; index--) {
        row += strcspn(row, ";\n");
        if (*row != ';')
            return -1;
        row++;
    }
    return strtod(row, NULL);
}

/* What the last row of the scenario's trace says; negative: nothing. */
static double trace_rate(int folder, const struct scenario *scenario)
{
    cleanup_free char *stem = sipp_stem(scenario);
    cleanup_free char *name = text_format("%s_trace.csv", stem);
    cleanup_free char *text = NULL;
    const char *header, *last = NULL;
    size_t length, index = 0;

    if (file_read(folder, name, MOST_BYTES, &text, &length, NULL) < 0)
        return -1;
    header = strstr(text, "CallRate(C);");
    if (!header || header > text + strcspn(text, "\n"))
        return -1;
    for (const char *p = text; p < header; p++)
        index += *p == ';';
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
        last = line + 1;
    return last ? column(last, index) : -1;
}

double sipp_call_rate(int folder, const struct test *test)
{
    const char *caller = NULL;
    double sum = 0;
    int count = 0;

    for (size_t i = 0; i < test->scenario_count; i++) {
        const struct scenario *scenario = &test->scenarios[i];
        double rate;

        if (scenario->server || (caller && strcmp(scenario->ua, caller) != 0))
            continue;
        caller = scenario->ua;
        rate = trace_rate(folder, scenario);
        if (rate >= 0) {
            sum += rate;
            count++;
        }
    }
    return count ? sum / count : -1;
}

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

char *sipp_find(const char *name, struct error **ret)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = text_copy(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *rest = copy, *folder;

    if (strchr(name, '/')) {
        if (is_program(name))
            return file_absolute(name, ret);
        error_set(ret, ERROR_HOST, "%s is no program; say with --sipp which SIPp to use", name);
        return NULL;
    }
    while ((folder = strsep(&rest, ":"))) {
        cleanup_free char *candidate = text_format("%s/%s", *folder ? folder : ".", name);

        if (is_program(candidate))
            return file_absolute(candidate, ret);
    }
    error_set(
        ret, ERROR_HOST,
        "%s is not in PATH; install it (Debian: apt install sip-tester), or say with --sipp where it is",
        name);
    return NULL;
}
