/* What may be written to a terminal beside text. */
#pragma once

#include <stdbool.h>

/* Colours are for a terminal whose user did not set NO_COLOR (https://no-color.org). */
bool terminal_colours(int fd);
