#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/commands/expect.h"

int expect_file(const struct expect_options *options, struct expect_outcome *outcome, struct error **ret)
{
    size_t count = options->predicates.count;
    cleanup_free struct sippod_predicate *predicates = memory_array(NULL, count, sizeof *predicates);
    cleanup_free struct sippod_options *limits = memory_array(NULL, count, sizeof *limits);
    cleanup_fd int fd = strcmp(options->file, "-") == 0 ? -1 : open(options->file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && strcmp(options->file, "-") != 0)
        return error_sys(ret, ERROR_INPUT, errno, "-r %s", options->file);
    if (expect_predicates(options, predicates, ret) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        limits[i] = expect_limits(options);
    sippod_evaluate_file_each(options->file, predicates, limits, count, outcome->verdicts);
    for (size_t i = 0; i < count; i++)
        expect_tell(options, i, &outcome->verdicts[i]);
    return 0;
}
