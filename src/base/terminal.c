#include "src/base/terminal.h"

#include <stdlib.h>
#include <unistd.h>

bool terminal_colours(int fd)
{
    const char *no_colour = getenv("NO_COLOR");

    return isatty(fd) && !(no_colour && *no_colour);
}
