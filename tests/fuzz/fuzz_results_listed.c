/* A results.json from anywhere: the folders that are read out of it, and would be removed, lie in the results
 * folder. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/report/results.h"
#include "tests/fuzz/fuzz.h"

static char folder[] = "/tmp/sippod-fuzz-XXXXXX";
static int dir = -1, file = -1;

static void clean(void)
{
    (void)unlinkat(dir, "results.json", 0);
    (void)rmdir(folder);
}

static void prepare(void)
{
    if (!mkdtemp(folder) || (dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
        (file = openat(dir, "results.json", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0 || atexit(clean) != 0)
        exit(1);
}

static void check(const char *path)
{
    const char *slash = strchr(path, '/');

    if (!slash || slash == path || *path == '.' || strchr(slash + 1, '/') || strlen(slash + 1) != 6)
        abort();
    for (const char *p = slash + 1; *p; p++)
        if (*p < 'a' || *p > 'z')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strings folders = {0};

    if (dir < 0)
        prepare();
    if (ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        exit(1);
    results_listed_folders(dir, &folders);
    for (size_t i = 0; i < folders.count; i++)
        check(folders.list[i]);
    strings_free(&folders);
    return 0;
}
