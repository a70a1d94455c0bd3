#include "src/cli.h"
#include "src/commands/run_options.h"

int run_command_main(int argc, char **argv, enum run_kind kind)
{
    struct run_options run;
    int code = 0;

    switch (run_options_read(argc, argv, kind, &run)) {
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
    return run_command_main(argc, argv, RUN_PLAIN);
}

int command_sipplauncher_main(int argc, char **argv)
{
    return run_command_main(argc, argv, RUN_AS_SIPPLAUNCHER);
}
