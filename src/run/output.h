/* The output of a process, line by line into a log as it comes, the last lines kept for the reason. */
#pragma once

#include "src/base/log.h"
#include "src/base/text.h"

struct output {
    struct log *log;
    const char *prefix; /* of each line, NULL: none */
    enum log_level level;
    struct buffer partial;
    char *last[3]; /* most recent last; NULL: fewer */
};

void output_add(struct output *output, const uint8_t *data, size_t length);
void output_end(struct output *output); /* what has come without a line end is a line */
/* "first / second / third" of the last lines, NULL if nothing came; the caller frees it. */
char *output_last(const struct output *output);
void output_free(struct output *output);
