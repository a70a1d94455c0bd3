#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/commands/expect.h"
#include "src/commands/options.h"
#include "src/expect/match.h"
#include "src/expect/parse.h"

#define LONGEST   86400.0 /* seconds */
#define AT(field) .at = offsetof(struct expect_options, field)

static int set_direction(void *options, const char *value, struct error **ret)
{
    static const char *const names[] = {[SIPPOD_BOTH] = "both", [SIPPOD_IN] = "in", [SIPPOD_OUT] = "out"};
    struct expect_options *expect = options;

    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            expect->direction = (enum sippod_direction)i;
            return 0;
        }
    return error_set(ret, ERROR_INPUT, "it can be in, out or both");
}

static int set_interface(void *options, const char *value, struct error **ret)
{
    struct expect_options *expect = options;

    if (expect->interface)
        return error_set(ret, ERROR_INPUT, "there is one already; packets of all are on the interface any");
    expect->interface = text_copy(value);
    return 0;
}

static const struct option_row rows[] = {
    {.kind = OPTION_OTHER,
     .name = "interface",
     .letter = 'i',
     .argument = "IFACE",
     .set = set_interface,
     .help = "where packets are expected; any: on all"},
    {.kind = OPTION_TEXT,
     .name = "read",
     .letter = 'r',
     .argument = "FILE",
     AT(file),
     .help = "a capture (pcap, pcapng; -: standard input) in the place of\n"
             "an interface, evaluated by its own timestamps"},
    {.kind = OPTION_TEXT,
     .name = "filter",
     .argument = "FILTER",
     AT(filter),
     .help = "only packets that this filter of libpcap lets through count"},
    {.kind = OPTION_NUMBER,
     .name = "timeout",
     .argument = "SECONDS",
     AT(timeout_s),
     .least = 0,
     .most = LONGEST,
     .help = "default: 5, of a file all of it; 0: until it is decided"},
    {.kind = OPTION_COUNT,
     .name = "count",
     .argument = "N",
     AT(count),
     .least = 1,
     .most = UINT32_MAX,
     .help = "end after so many packets that count"},
    {.kind = OPTION_NUMBER,
     .name = "settle",
     .argument = "SECONDS",
     AT(settle_s),
     .least = 0,
     .most = LONGEST,
     .help = "end so long after COMMAND, if that is sooner"},
    {.kind = OPTION_FLAG, .name = "not", AT(invert), .help = "expect that each predicate is false"},
    {.kind = OPTION_OTHER,
     .name = "direction",
     .argument = "WHICH",
     .set = set_direction,
     .help = "in, out or both (default), seen from this host"},
    {.kind = OPTION_FLAG, .name = "json", AT(json), .help = "for programs, on standard output"},
    {.kind = OPTION_FLAG, .name = "list", .help = "the predicates that there are", AT(list)},
    {.kind = OPTION_OTHER, .name = "version", .letter = 'v', .help = "the version"},
    {.kind = OPTION_OTHER, .name = "help", .letter = 'h', .help = "this text"},
};

#define ROWS (sizeof rows / sizeof *rows)

/* ---- what is printed ---- */

static void print_help(const struct option_table *table)
{
    puts(
        "Usage: sippod expect -i IFACE [OPTIONS] PREDICATE... [-- COMMAND [ARGUMENT...]]\n"
        "       sippod expect -r FILE [OPTIONS] PREDICATE...\n"
        "\n"
        "Expects that packets will, or will not, be seen, and tells what came of it. COMMAND is run as soon\n"
        "as they would be seen. Capturing takes root, or a pod: any user may run\n"
        "  sippod exec --script-caps net_raw -- sippod expect ...\n");
    options_print(table);
    puts(
        "\n"
        "A predicate is NAME or NAME(ARGUMENT, ...), as in 'saw_sip(INVITE)', 'saw_vlan_tag(102)',\n"
        "'received_count_of(call.pcap#0, 3)', 'and(saw_rtp(50, 8), not(saw_filter(icmp or (udp port 9))))'.\n"
        "With COMMAND the verdicts are on standard error; with --json the command's output is.\n"
        "Colours are left out where NO_COLOR is set or the output is no terminal.\n"
        "Exit codes: 0 all came out as asked, and COMMAND ended with 0; 1 not so; 2 wrong usage, file or\n"
        "command; 3 no right to capture, or an interface broke off; 128+N ended by signal N.");
}

static void print_list(void)
{
    const struct sippod_predicate_name *name;

    for (size_t i = 0; (name = sippod_predicate_name(i)); i++) {
        cleanup_free char *left =
            *name->arguments ? text_format("%s(%s)", name->name, name->arguments) : text_copy(name->name);

        printf("%-35s %s\n", left, name->meaning);
    }
    puts("\n"
         "PACKET is FILE.pcap#INDEX, the first being 0, or the bytes of a frame in hexadecimal digits. "
         "FILTER is\n"
         "that of libpcap, pcap-filter(7). An argument with an odd parenthesis, a comma or blanks at its "
         "ends is\n"
         "put in quotes, \"...\", where \\\" is a quote and \\\\ a backslash.");
}

/* ---- what does not go together, or is not there ---- */

static int check_line(const struct option_table *table, const struct expect_options *options,
                      struct error **ret)
{
    if (!options->predicates.count)
        return error_set(ret, ERROR_INPUT, "which predicate? sippod expect --list tells what there is");
    if (!options->interface == !options->file)
        return error_set(ret, ERROR_INPUT, "packets of what? It is either -i IFACE or -r FILE");
    if (options->file && options->command.count)
        return error_set(ret, ERROR_INPUT, "-r %s: a command goes with -i", options->file);
    if (options->file && options_said(table, "direction"))
        return error_set(ret, ERROR_INPUT, "--direction: it goes with -i");
    if (!options->command.count && options_said(table, "settle"))
        return error_set(ret, ERROR_INPUT, "--settle: it goes with a command");
    return 0;
}

static int check_interface(const char *interface, struct error **ret)
{
    struct if_nameindex *all;
    struct buffer names = {0};

    if (strcmp(interface, "any") == 0 || if_nametoindex(interface))
        return 0;
    all = if_nameindex();
    for (const struct if_nameindex *next = all; next && next->if_index; next++)
        buffer_addf(&names, "%s%s", names.length ? ", " : "", next->if_name);
    buffer_add(&names, "", 1);
    error_set(ret, ERROR_INPUT, "-i %s: there is no such interface; there is: %s", interface,
              (const char *)names.data);
    if_freenameindex(all);
    buffer_free(&names);
    return -1;
}

/* The question is asked the kernel, which knows it all: capabilities, namespaces, security modules. */
static int check_right(struct error **ret)
{
    cleanup_fd int packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (packets >= 0)
        return 0;
    if (errno != EPERM && errno != EACCES)
        return error_sys(ret, ERROR_HOST, errno, "cannot capture");
    return error_set(ret, ERROR_HOST,
                     "you may not capture packets here (it takes CAP_NET_RAW): be root, or run it in a pod, "
                     "sippod exec --script-caps net_raw -- sippod expect ...; a test program of your own "
                     "(libsippod-expect) may have the file capability cap_net_raw=ep");
}

static int check_predicates(const struct strings *predicates, struct error **ret)
{
    for (size_t i = 0; i < predicates->count; i++) {
        struct sippod_predicate predicate = predicate_parse(predicates->list[i], NULL, true);
        const char *error = sippod_predicate_error(&predicate);

        if (error)
            error_set(ret, ERROR_INPUT, "%s", error);
        sippod_predicate_free(&predicate);
        if (error)
            return -1;
    }
    return 0;
}

static int check_filter(const char *text, struct error **ret)
{
    char words[MATCH_ERROR];
    struct match *filter = text ? match_filter(text, words) : NULL;

    if (text && !filter)
        return error_set(ret, ERROR_INPUT, "--filter: %s", words);
    match_free(filter);
    return 0;
}

static int check(const struct option_table *table, const struct expect_options *options, struct error **ret)
{
    if (check_line(table, options, ret) < 0 || check_predicates(&options->predicates, ret) < 0 ||
        check_filter(options->filter, ret) < 0)
        return -1;
    if (options->file)
        return 0;
    return check_interface(options->interface, ret) < 0 ? -1 : check_right(ret);
}

/* ---- all of it ---- */

/* The first "--" parts predicates from the command. */
static int read_line(const struct option_table *table, int argc, char **argv, struct expect_options *options,
                     char *ret_special, struct error **ret)
{
    int own = 1;

    while (own < argc && strcmp(argv[own], "--") != 0)
        own++;
    for (int i = own + 1; i < argc; i++)
        strings_add(&options->command, argv[i]);
    if (options_parse(table, own, argv, options, &options->predicates, ret_special, ret) < 0)
        return -1;
    if (*ret_special || options->list)
        return 0;
    if (own + 1 == argc)
        return error_set(ret, ERROR_INPUT, "which command? It stands behind --");
    return check(table, options, ret);
}

int expect_options_read(int argc, char **argv, struct expect_options *options, struct error **ret)
{
    bool seen[ROWS];
    const struct option_table table = {.rows = rows, .count = ROWS, .seen = seen};
    char special = '\0';

    *options = (struct expect_options){.timeout_s = -1, .settle_s = -1};
    if (read_line(&table, argc, argv, options, &special, ret) < 0)
        return -1;
    if (special == 'v')
        puts("sippod " SIPPOD_VERSION);
    else if (special)
        print_help(&table);
    else if (options->list)
        print_list();
    return special || options->list;
}

void expect_options_free(struct expect_options *options)
{
    strings_free(&options->predicates);
    strings_free(&options->command);
    free(options->interface);
    free(options->file);
    free(options->filter);
}
