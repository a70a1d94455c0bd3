/* The rows of `sippod run`'s options. */
#pragma once

#include "src/commands/options.h"

extern const struct option_row run_table_rows[];
extern const size_t run_table_count;
