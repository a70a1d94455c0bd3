#include <string.h>

#include "src/cli.h"
#include "src/run/pod_capture.h"

/* sippod starts itself again, under a telling name, for what has to live in a pod's network namespace. */
int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], CAPTURE_HELPER) == 0)
        return pod_capture_helper(argc, argv);
    return cli_main(argc, argv);
}
