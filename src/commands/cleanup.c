#include <getopt.h>
#include <stdio.h>

#include "src/cli.h"
#include "src/run/folder.h"

#define DEFAULT_RESULTS "sippod-results"

static const char usage[] =
    "Usage: sippod cleanup [DIR...]\n"
    "\n"
    "Removes what killed runs have left in results folders (default: " DEFAULT_RESULTS
    "): run folders that no\n"
    "results.json tells of. Nothing else can be left of a killed run. A folder that a live run uses is not\n"
    "touched.\n";

static int clean_up(const char *path)
{
    cleanup_error struct error *error = NULL;
    size_t count;
    bool live;

    if (results_folder_clean_up(path, &live, &count, &error) < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        return (int)error->code;
    }
    if (live)
        printf("%s: in use by a live run, left alone\n", path);
    else
        printf("%s: %zu folder%s removed\n", path, count, count == 1 ? "" : "s");
    return 0;
}

int command_cleanup_main(int argc, char **argv)
{
    static const struct option options[] = {{.name = "help", .has_arg = no_argument, .val = 'h'}, {0}};
    int option, worst = 0;

    argv[0] = (char *)"sippod";
    while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        if (option != 'h')
            return ERROR_INPUT;
        fputs(usage, stdout);
        return 0;
    }
    if (optind == argc)
        return clean_up(DEFAULT_RESULTS);
    for (; optind < argc; optind++) {
        int code = clean_up(argv[optind]);

        if (code > worst)
            worst = code;
    }
    return worst;
}
