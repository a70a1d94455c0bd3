#include "src/run/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/random.h"
#include "src/report/results.h"

#define TRIES        100
#define JOURNAL      ".sippod-running"
#define MOST_JOURNAL ((size_t)64 * 1024 * 1024)

/* The name of the test's folder, then the run's below it; a folder of a test that has no run any more goes
 * too. */
static int remove_run(int results, const char *name, struct error **ret)
{
    cleanup_free char *test = text_slice(name, (size_t)(strchr(name, '/') - name));
    cleanup_fd int above = openat(results, test, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (above < 0)
        return errno == ENOENT ? 0 : error_sys(ret, ERROR_FAILED, errno, "cannot open %s", test);
    if (file_remove_tree(above, strchr(name, '/') + 1, ret) < 0)
        return -1;
    (void)unlinkat(results, test, AT_REMOVEDIR); /* fails while others are in it */
    return 0;
}

static int remove_listed(int results, const struct strings *folders, size_t *ret_count, struct error **ret)
{
    for (size_t i = 0; i < folders->count; i++) {
        struct stat status;

        if (ret_count && fstatat(results, folders->list[i], &status, AT_SYMLINK_NOFOLLOW) == 0)
            ++*ret_count;
        if (remove_run(results, folders->list[i], ret) < 0)
            return error_prefix(ret, "cannot remove an earlier run");
    }
    return 0;
}

/* What is no name of a run folder is not believed: the file may come from anywhere. */
static void read_journal(int results, struct strings *ret_folders)
{
    cleanup_free char *text = NULL;
    char *rest, *line;
    size_t length;

    if (file_read(results, JOURNAL, MOST_JOURNAL, &text, &length, NULL) < 0)
        return;
    rest = text;
    while ((line = strsep(&rest, "\n")))
        if (results_is_run_folder(line))
            strings_add(ret_folders, line);
}

static int remove_killed(int results, size_t *ret_count, struct error **ret)
{
    cleanup_strings struct strings folders = {0};

    read_journal(results, &folders);
    if (remove_listed(results, &folders, ret_count, ret) < 0)
        return -1;
    (void)unlinkat(results, JOURNAL, 0);
    return 0;
}

static int remove_earlier(int results, struct error **ret)
{
    cleanup_strings struct strings folders = {0};

    results_listed_folders(results, &folders);
    return remove_listed(results, &folders, NULL, ret) < 0 ? -1 : remove_killed(results, NULL, ret);
}

int results_folder_open(const char *path, struct results_folder *folder, struct error **ret)
{
    *folder = (struct results_folder){.fd = -1, .journal = -1};
    if (file_make_folders(path, &folder->fd, ret) < 0)
        return -1;
    if (flock(folder->fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(ret, ERROR_INPUT,
                         "the results folder %s is in use by another run; name another with --results", path);
    folder->path = file_absolute(path, ret);
    if (!folder->path)
        return -1;
    if (faccessat(folder->fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot write to the results folder %s", path);
    if (remove_earlier(folder->fd, ret) < 0)
        return -1;
    folder->journal = openat(folder->fd, JOURNAL, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (folder->journal < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot write to the results folder %s", path);
    return 0;
}

void results_folder_finish(const struct results_folder *folder)
{
    if (folder->journal >= 0) /* else it is another run's */
        (void)unlinkat(folder->fd, JOURNAL, 0);
}

int results_folder_clean_up(const char *path, bool *ret_live, size_t *ret_count, struct error **ret)
{
    cleanup_fd int results = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret_live = false;
    *ret_count = 0;
    if (results < 0)
        return errno == ENOENT ? 0 : error_sys(ret, ERROR_INPUT, errno, "%s", path);
    if (flock(results, LOCK_EX | LOCK_NB) < 0) {
        *ret_live = true;
        return 0;
    }
    return remove_killed(results, ret_count, ret) < 0 ? error_prefix(ret, "%s", path) : 0;
}

void results_folder_close(struct results_folder *folder)
{
    close_fd(&folder->journal);
    close_fd(&folder->fd);
    free(folder->path);
    folder->path = NULL;
}

/* A line that cannot be written (a full disk) costs no more than that a killed run leaves its folder. */
static void enter_in_journal(const struct results_folder *results, const char *name)
{
    cleanup_free char *line = text_format("%s\n", name);
    ssize_t written = write(results->journal, line, strlen(line));

    (void)written;
}

/* A run id that is free, and in the journal before anything is made under it: killed at any moment, the run
 * leaves nothing that nobody knows of. */
static int choose_name(const struct results_folder *results, const char *test, struct run_folder *folder,
                       struct error **ret)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat status;

        if (random_run_id(folder->run_id, ret) < 0)
            return -1;
        free(folder->name);
        folder->name = text_format("%s/%s", test, folder->run_id);
        if (fstatat(results->fd, folder->name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            enter_in_journal(results, folder->name);
            return 0;
        }
    }
    return error_set(ret, ERROR_FAILED, "no free run id in %s/%s", results->path, test);
}

static int make_folder(const struct results_folder *results, const char *test, mode_t mode,
                       struct run_folder *folder, struct error **ret)
{
    cleanup_fd int above = -1;

    if (mkdirat(results->fd, test, 0777) < 0 && errno != EEXIST)
        return error_sys(ret, ERROR_FAILED, errno, "cannot make the folder %s/%s", results->path, test);
    above = openat(results->fd, test, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (above < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open the folder %s/%s", results->path, test);
    if (mkdirat(above, folder->run_id, mode) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot make a folder in %s/%s", results->path, test);
    folder->fd = openat(above, folder->run_id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder->fd < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open a folder in %s/%s", results->path, test);
    return 0;
}

int run_folder_make(const struct results_folder *results, const struct test *test, struct run_folder *folder,
                    struct error **ret)
{
    *folder = (struct run_folder){.fd = -1};
    if (random_text(folder->number, 12, "0123456789", ret) < 0 ||
        choose_name(results, test->name, folder, ret) < 0 ||
        make_folder(results, test->name, 0777, folder, ret) < 0) {
        run_folder_close(folder);
        return -1;
    }
    folder->path = text_format("%s/%s", results->path, folder->name);
    if (file_copy_tree(test->folder, folder->fd, ret) == 0)
        return 0;
    (void)remove_run(results->fd, folder->name, NULL);
    run_folder_close(folder);
    return -1;
}

int shared_folder_make(const struct results_folder *results, struct run_folder *folder, struct error **ret)
{
    *folder = (struct run_folder){.fd = -1};
    if (choose_name(results, "SHARED", folder, ret) < 0 ||
        make_folder(results, "SHARED", 0700, folder, ret) < 0) {
        run_folder_close(folder);
        return -1;
    }
    folder->path = text_format("%s/%s", results->path, folder->name);
    return 0;
}

int run_folder_remove(const struct results_folder *results, const struct run_folder *folder,
                      struct error **ret)
{
    return remove_run(results->fd, folder->name, ret);
}

void run_folder_close(struct run_folder *folder)
{
    close_fd(&folder->fd);
    free(steal_pointer(&folder->name));
    free(steal_pointer(&folder->path));
}
