#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/cli.h"
#include "src/commands/expect.h"

int expect_predicates(const struct expect_options *options, struct sippod_predicate *predicates,
                      struct error **ret)
{
    for (size_t i = 0; i < options->predicates.count; i++) {
        const char *error;

        predicates[i] = sippod_predicate_parse(options->predicates.list[i]);
        if (!(error = sippod_predicate_error(&predicates[i])))
            continue;
        error_set(ret, ERROR_INPUT, "%s", error);
        for (size_t made = 0; made <= i; made++)
            sippod_predicate_free(&predicates[made]);
        return -1;
    }
    return 0;
}

struct sippod_options expect_limits(const struct expect_options *options)
{
    double timeout_ms = options->timeout_s * 1000;
    struct sippod_options limits = {
        .packet_limit = options->count,
        .filter = options->filter,
        .direction = options->direction,
    };

    if (timeout_ms > 0)
        limits.timeout_ms = timeout_ms < 1 ? 1 : (uint32_t)timeout_ms;
    else if (options->file || timeout_ms == 0)
        limits.timeout_ms = SIPPOD_NO_TIMEOUT;
    return limits;
}

static int evaluate(const struct expect_options *options, struct error **ret)
{
    struct expect_outcome outcome = {
        .verdicts = memory_array(NULL, options->predicates.count, sizeof *outcome.verdicts),
    };
    int result = options->file ? expect_file(options, &outcome, ret) : expect_live(options, &outcome, ret);

    if (result == 0)
        result = expect_report(options, &outcome);
    free(outcome.verdicts);
    return result;
}

static int fail(const struct error *error)
{
    const char *words = error_text(error);
    cleanup_free char *clean = text_printable(words, strlen(words));

    fprintf(stderr, "sippod: %s\n", clean);
    if (strncmp(words, "--", 2) == 0)
        fputs("sippod: sippod expect --help lists the options\n", stderr);
    return error ? (int)error->code : ERROR_FAILED;
}

int command_expect_main(int argc, char **argv)
{
    struct expect_options options;
    cleanup_error struct error *error = NULL;
    int result;

    (void)signal(SIGCHLD, SIG_DFL); /* a caller who ignores it would take the command's end from us */
    result = expect_options_read(argc, argv, &options, &error);
    if (result == 0)
        result = evaluate(&options, &error);
    else if (result > 0)
        result = 0;
    expect_options_free(&options);
    return result < 0 ? fail(error) : result;
}
