#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "src/base/memory.h"
#include "src/cli.h"
#include "src/commands/run_options.h"
#include "src/run/folder.h"

static const char usage[] =
    "Usage: sippod cleanup [DIR...]\n"
    "\n"
    "Removes what killed runs have left in results folders (default: " RUN_RESULTS " and\n" SHELL_RESULTS
    "): run folders that no results.json tells of. A folder that a live run uses is\n"
    "not touched.\n"
    "\n"
    "Called by root, it also turns off the forwarding of network devices that killed runs with a device\n"
    "under test outside have left on, unless one is under way. Nothing else can be left of a killed run.\n";

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

static int turn_off(struct error **ret)
{
    cleanup_fd int lock = forwarding_open(ret);
    cleanup_strings struct strings restored = {0};
    int result = lock < 0 ? -1 : forwarding_restore(lock, forwarding_set_by_proc, NULL, &restored, ret);

    for (size_t i = 0; i < restored.count; i++)
        printf("%s: forwarding turned off\n", restored.list[i]);
    if (result > 0)
        printf("forwarding: in use by a live run, left alone\n");
    return result < 0 ? -1 : 0;
}

/* Whoever may not turn it off is told who may. Nothing is said where nothing is left. */
static int clean_up_forwarding(void)
{
    cleanup_strings struct strings devices = {0};
    cleanup_error struct error *error = NULL;

    if (forwarding_list(AF_INET, &devices, &error) == 0 && forwarding_list(AF_INET6, &devices, &error) == 0) {
        if (!devices.count || (geteuid() == 0 && turn_off(&error) == 0))
            return 0;
        if (geteuid() != 0) {
            for (size_t i = 0; i < devices.count; i++)
                printf("%s: sippod turned its forwarding on; unless a run is under way, root turns it off: "
                       "sudo sippod cleanup\n",
                       devices.list[i]);
            return 0;
        }
    }
    fprintf(stderr, "sippod: %s\n", error_text(error));
    return (int)error->code;
}

static int worse(int a, int b)
{
    return a > b ? a : b;
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
    worst = clean_up_forwarding();
    if (optind == argc)
        return worse(worst, worse(clean_up(RUN_RESULTS), clean_up(SHELL_RESULTS)));
    for (; optind < argc; optind++)
        worst = worse(worst, clean_up(argv[optind]));
    return worst;
}
