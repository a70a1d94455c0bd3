#include "src/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "src/base/error.h"

const struct command cli_commands[] = {
    {.name = "run", .summary = "run the tests of a suite", .run = command_run_main},
    {.name = "new", .summary = "make a suite to start from", .run = command_new_main},
    {.name = "doctor", .summary = "what this host allows", .run = command_doctor_main},
    {.name = "shell", .summary = "a shell in the pod of a test", .run = command_shell_main},
    {.name = "exec", .summary = "run any command in a pod", .run = command_exec_main},
    {.name = "agent", .summary = "a pod for a hyperstart client", .run = command_agent_main},
    {.name = "mock-agent",
     .summary = "a hyperstart agent that does as it is told",
     .run = command_mock_agent_main},
    {.name = "expect", .summary = "expect packets of an interface or a file", .run = command_expect_main},
    {.name = "cleanup", .summary = "remove what killed runs have left", .run = command_cleanup_main},
    {0},
};

static int help(void)
{
    puts("Usage: sippod COMMAND [OPTIONS]\n"
         "\n"
         "Runs SIPp test suites, each test in a pod of its own.\n"
         "\n"
         "Commands:");
    for (const struct command *command = cli_commands; command->name; command++)
        printf("  %-10s %s\n", command->name, command->summary);
    puts("\n"
         "sippod COMMAND --help tells more. sippod --version prints the version.\n"
         "\n"
         "Exit codes: 0 all passed; 1 some test failed; 2 wrong usage, configuration or suite;\n"
         "3 this host cannot run it; 128+N ended by signal N.");
    return 0;
}

/* As a link of that name sippod is Sipplauncher's drop-in. */
static bool is_sipplauncher(const char *program)
{
    const char *slash = program ? strrchr(program, '/') : NULL;

    return program && strcmp(slash ? slash + 1 : program, "sipplauncher") == 0;
}

int cli_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (is_sipplauncher(argv[0]))
        return command_sipplauncher_main(argc, argv);
    if (!name) {
        fputs("sippod: no command given; try: sippod run SUITE, or sippod --help\n", stderr);
        return ERROR_INPUT;
    }
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)
        return help();
    if (strcmp(name, "-v") == 0 || strcmp(name, "--version") == 0) {
        puts("sippod " SIPPOD_VERSION);
        return 0;
    }
    for (const struct command *command = cli_commands; command->name; command++)
        if (strcmp(name, command->name) == 0)
            return command->run(argc - 1, argv + 1);
    fprintf(stderr, "sippod: there is no command %s; sippod --help lists them\n", name);
    return ERROR_INPUT;
}
