#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/cli.h"
#include "src/commands/new_files.h"

static const char usage[] =
    "Usage: sippod new DIR\n"
    "\n"
    "Makes a suite to start from: a test that passes, with all that a test may hold. DIR must not exist, or\n"
    "be empty.\n";

static const struct {
    const char *name, *text;
} files[] = {
    {"README.md", new_readme},           {"sippod.conf", new_settings},  {"call/uas_ua0.xml", new_uas},
    {"call/uac_ua1.xml", new_uac},       {"call/before.sh", new_before}, {"call/after.sh", new_after},
    {"call/test.conf", new_test_config},
};

static int open_empty(const char *path, int *ret_folder, struct error **ret)
{
    cleanup_strings struct strings names = {0};

    if (file_make_folders(path, ret_folder, ret) < 0)
        return error_prefix(ret, "cannot make a suite");
    if (file_list(*ret_folder, &names, ret) < 0)
        return -1;
    if (names.count)
        return error_set(ret, ERROR_INPUT, "%s is not empty: a new suite needs a folder of its own", path);
    return 0;
}

static int make_suite(const char *path, struct error **ret)
{
    cleanup_fd int folder = -1;

    if (open_empty(path, &folder, ret) < 0)
        return -1;
    if (mkdirat(folder, "call", 0777) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot make %s/call", path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (file_write(folder, files[i].name, files[i].text, strlen(files[i].text), 0644, ret) < 0)
            return error_prefix(ret, "%s", path);
    return 0;
}

int command_new_main(int argc, char **argv)
{
    static const struct option options[] = {{.name = "help", .has_arg = no_argument, .val = 'h'}, {0}};
    cleanup_error struct error *error = NULL;
    int option;

    argv[0] = (char *)"sippod";
    while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        if (option == 'h')
            fputs(usage, stdout);
        return option == 'h' ? 0 : ERROR_INPUT;
    }
    if (argc - optind != 1) {
        fputs("sippod: where? sippod new DIR\n", stderr);
        return ERROR_INPUT;
    }
    if (make_suite(argv[optind], &error) < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        return (int)error->code;
    }
    printf("%s is a suite with one test. Run it: sippod run %s\n", argv[optind], argv[optind]);
    return 0;
}
