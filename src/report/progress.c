#include "src/report/progress.h"

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/terminal.h"

#define RESET "\033[0m"

static const char *const colours[] = {
    [TONE_GOOD] = "\033[32m",
    [TONE_HIDDEN] = "\033[34m",
    [TONE_BAD] = "\033[31m",
};

void progress_open(struct progress *progress, enum progress_level level, FILE *stream)
{
    progress->level = level;
    progress->stream = stream;
    progress->colours = terminal_colours(fileno(stream));
}

static char *line_text(const struct progress_line *line)
{
    struct buffer text = {0};

    buffer_addf(&text, "%12s %24s (%u-%s)", line->state, line->test, line->index, line->run_id);
    if (line->took_s >= 0)
        buffer_addf(&text, " - took %.*fs", line->took_s < 10 ? 2 : 0, line->took_s);
    if (line->cps >= 0)
        buffer_addf(&text, " (%s%.1f cps)", line->tone == TONE_BAD ? "*" : "", line->cps);
    if (line->reason) {
        cleanup_free char *reason = text_printable(line->reason, strlen(line->reason));

        buffer_addf(&text, ": %s", reason);
    }
    buffer_add(&text, "", 1);
    return (char *)text.data;
}

void progress_state(const struct progress *progress, const struct progress_line *line)
{
    cleanup_free char *text = NULL;

    if ((line->tone == TONE_HIDDEN && progress->level < PROGRESS_VERBOSE) ||
        (line->tone == TONE_GOOD && progress->level < PROGRESS_NORMAL))
        return;
    text = line_text(line);
    if (progress->colours)
        fprintf(progress->stream, "%s%s%s\n", colours[line->tone], text, RESET);
    else
        fprintf(progress->stream, "%s\n", text);
    (void)fflush(progress->stream);
}

void progress_summary(const struct progress *progress, const struct results *results)
{
    static const char rule[] =
        "================================================================================";

    size_t skipped = results_count(results, VERDICT_SKIP);
    FILE *stream = progress->stream;

    fprintf(stream, "%s\nTOTAL: %zu\n", rule, results->count);
    if (!results->dry_run)
        fprintf(stream, "SUCCESS: %zu\nFAILED: %zu\n", results_count(results, VERDICT_PASS),
                results_count(results, VERDICT_FAIL));
    if (skipped)
        fprintf(stream, "SKIPPED: %zu\n", skipped);
    if (results->count < results->planned)
        fprintf(stream, "NOT RUN: %zu\n", results->planned - results->count);
    if (results->random)
        fprintf(stream, "SEED: %lu\n", results->seed);
    fprintf(stream, "%s\nTotal time elapsed %.*fs\n", rule, results->duration_s < 10 ? 2 : 0,
            results->duration_s);
    (void)fflush(stream);
}
