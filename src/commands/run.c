#include "src/cli.h"
#include "src/commands/run_options.h"

static int run_as(int argc, char **argv, bool as_sipplauncher)
{
    struct run_options run;
    int code = 0;

    switch (run_options_read(argc, argv, as_sipplauncher, &run)) {
    case RUN_OPTIONS_GO:
        code = run_suite(&run);
        break;
    case RUN_OPTIONS_DONE:
        break;
    case RUN_OPTIONS_WRONG:
        code = ERROR_INPUT;
        break;
    }
    run_options_free(&run);
    return code;
}

int command_run_main(int argc, char **argv)
{
    return run_as(argc, argv, false);
}

int command_sipplauncher_main(int argc, char **argv)
{
    return run_as(argc, argv, true);
}
