#include "src/run/sipp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define AT_ONCE    1000.0 /* calls a second: SIPp starts the first one after 1/rate seconds */
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

static void add_numbers(const struct sipp_options *options, struct strings *arguments)
{
    double rate = options->rate > 0 ? options->rate : options->calls == 1 ? AT_ONCE : 1.0;

    strings_add(arguments, "-recv_timeout");
    strings_addf(arguments, "%u", options->recv_timeout_ms);
    strings_add(arguments, "-r");
    strings_addf(arguments, "%g", rate);
    strings_add(arguments, "-l");
    strings_addf(arguments, "%u", options->concurrent);
    strings_add(arguments, "-m");
    strings_addf(arguments, "%u", options->calls);
}

void sipp_arguments(const struct sipp_options *options, const struct test *test,
                    const struct scenario *scenario, const char *dut, struct strings *arguments)
{
    static const char *const traces[] = {"-trace_err", "-trace_calldebug", "-trace_error_codes",
                                         "-trace_msg", "-trace_logs",      "-trace_screen"};
    cleanup_free char *stem = sipp_stem(scenario);
    const char *transport = test->config.transport ? test->config.transport : options->transport;

    add(arguments, options->program, NULL);
    add(arguments, "-i", test_ua(test, scenario->ua)->address);
    add(arguments, "-t", transport);
    add(arguments, "-sf", scenario->file);
    add_numbers(options, arguments);
    strings_add(arguments, "-log_file");
    strings_addf(arguments, "./%s_log_file", stem);
    strings_add(arguments, "-screen_file");
    strings_addf(arguments, "./%s_screen_file", stem);
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
        strings_add(arguments, traces[i]);
    strings_add(arguments, dut);
    strings_add(arguments, "-max_socket");
    strings_addf(arguments, "%llu", (unsigned long long)(options->descriptors - options->concurrent));
    add(arguments, "-trace_stat", NULL);
    strings_add(arguments, "-stf");
    strings_addf(arguments, "%s_trace.csv", stem);
    add(arguments, "-fd", "60");
    add(arguments, "-nostdin", NULL);
}

bool sipp_needs_raw_socket(int folder, const struct scenario *scenario)
{
    cleanup_free char *text = NULL;
    size_t length;

    return file_read(folder, scenario->file, MOST_BYTES, &text, &length, NULL) == 0 &&
           (strstr(text, "play_pcap_") || strstr(text, "play_dtmf"));
}

const char *sipp_protocol(const char *transport)
{
    return *transport == 'u' ? "udp" : "tcp";
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
        return "unknown exit code";
    }
}

/* Lines of an error log are "<stamp>\t<epoch>: <words>"; the words of the first are what is wanted, less the
 * heading that SIPp puts above them. */
static char *first_words(const char *text)
{
    static const char heading[] = "The following events occurred:";
    const char *line = text;
    size_t length;

    for (;; line += length) {
        const char *words;

        line += strspn(line, "\r\n");
        length = strcspn(line, "\r\n");
        if (!length)
            return NULL;
        words = strstr(line, ": ");
        if (words && words < line + length && memchr(line, '\t', (size_t)(words - line))) {
            length -= (size_t)(words + 2 - line);
            line = words + 2;
        }
        if (length && strncmp(line, heading, strlen(heading)) != 0)
            return text_printable(line, length);
    }
}

char *sipp_complaint(int folder, const struct scenario *scenario)
{
    static const char suffix[] = "_errors.log";
    cleanup_free char *stem = sipp_stem(scenario);
    cleanup_strings struct strings names = {0};
    size_t stem_length = strlen(stem);

    if (file_list(folder, &names, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.list[i];
        cleanup_free char *text = NULL;
        size_t length = strlen(name), ignored;

        if (length <= stem_length + strlen(suffix) || strncmp(name, stem, stem_length) != 0 ||
            name[stem_length] != '_' || strcmp(name + length - strlen(suffix), suffix) != 0)
            continue;
        if (file_read(folder, name, MOST_BYTES, &text, &ignored, NULL) == 0)
            return first_words(text);
    }
    return NULL;
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

double sipp_call_rate(int folder, const struct scenario *scenario)
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
