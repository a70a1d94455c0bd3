/* Calls a fuzz target with every file of the folders that are named, whole and cut off at every place: the
 * corpus is a test of its own where there is no fuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MOST ((size_t)64 * 1024)

/* With memory that ends where the input does, so that a sanitizer sees who reads on. */
static void call(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *folder, const char *name)
{
    static uint8_t data[MOST];
    char path[4096];
    FILE *file;
    size_t size;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "re");
    if (!file) {
        perror(path);
        return -1;
    }
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    for (size_t cut = 0; cut <= size; cut++)
        call(data, cut);
    return 0;
}

/* The number of files, -1 if there is one that cannot be read. */
static int replay_folder(const char *folder)
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    int count = 0;

    if (!stream) {
        perror(folder);
        return -1;
    }
    while (count >= 0 && (entry = readdir(stream)))
        if (*entry->d_name != '.')
            count = replay_file(folder, entry->d_name) < 0 ? -1 : count + 1;
    closedir(stream);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);

        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d files\n", total);
    return total ? 0 : 1; /* nothing was tried: that is no success */
}
