/* `sippod expect`: options, the two ways of evaluation, and what is told in the end. */
#pragma once

#include <stdbool.h>

#include "include/sippod/verdict.h"
#include "src/base/error.h"
#include "src/base/process.h"
#include "src/base/text.h"

struct expect_options {
    struct strings predicates, command;
    char *interface, *file; /* one of them */
    char *filter;           /* NULL: none */
    double timeout_s;       /* 0: none; negative: nothing was said */
    double settle_s;        /* negative: nothing was said */
    unsigned count;         /* packets; 0: no limit */
    enum sippod_direction direction;
    bool invert, json, list;
};

/* What came of it: a verdict for each predicate. */
struct expect_outcome {
    struct sippod_verdict *verdicts;
    bool command_ended;
    struct process_end command;
    int signal; /* that ended it, 0: none */
};

/* Takes the command line. 0 to go on, 1 when all is done (help, list, version), -1 if something is wrong.
 * Everything that can be wrong before a capture has been looked at. */
int expect_options_read(int argc, char **argv, struct expect_options *ret_options, struct error **ret);
void expect_options_free(struct expect_options *options);

/* The predicates, to be handed on; a writer makes its file now. */
int expect_predicates(const struct expect_options *options, struct sippod_predicate *ret_predicates,
                      struct error **ret);

/* The same of all predicates. */
struct sippod_options expect_limits(const struct expect_options *options);

/* Fills in the verdicts, and tells each as soon as there is one. */
int expect_file(const struct expect_options *options, struct expect_outcome *outcome, struct error **ret);
int expect_live(const struct expect_options *options, struct expect_outcome *outcome, struct error **ret);

/* A line about a verdict, unless JSON was asked for. */
void expect_tell(const struct expect_options *options, size_t predicate,
                 const struct sippod_verdict *verdict);

/* What is told when all is over. Returns the exit code. */
int expect_report(const struct expect_options *options, const struct expect_outcome *outcome);
