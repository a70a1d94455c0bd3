#include "src/cli.h"
#include "src/commands/run_options.h"

int command_shell_main(int argc, char **argv)
{
    return run_command_main(argc, argv, RUN_SHELL);
}
