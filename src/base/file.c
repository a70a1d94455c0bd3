#include "src/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"

/* At most `most` bytes; *ret_more tells whether there is more. */
static int read_up_to(int dir, const char *path, size_t most, struct buffer *data, bool *ret_more,
                      struct error **ret)
{
    cleanup_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    *ret_more = false;
    if (fd < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open %s", path);
    if (fstat(fd, &status) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot look at %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(ret, ERROR_FAILED, "%s is not a regular file", path);
    for (;;) {
        char chunk[16384];
        ssize_t length = read(fd, chunk, sizeof chunk);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot read %s", path);
        *ret_more = (size_t)length > most - data->length;
        buffer_add(data, chunk, *ret_more ? most - data->length : (size_t)length);
        if (length == 0 || *ret_more)
            return 0;
    }
}

static void take_text(struct buffer *data, char **ret_data, size_t *ret_length)
{
    *ret_length = data->length;
    buffer_add(data, "", 1);
    *ret_data = (char *)steal_pointer(&data->data);
}

int file_read(int dir, const char *path, size_t most, char **ret_data, size_t *ret_length, struct error **ret)
{
    cleanup_buffer struct buffer data = {0};
    bool more;

    if (read_up_to(dir, path, most, &data, &more, ret) < 0)
        return -1;
    if (more)
        return error_set(ret, ERROR_FAILED, "%s is larger than %zu bytes", path, most);
    take_text(&data, ret_data, ret_length);
    return 0;
}

int file_read_head(int dir, const char *path, size_t most, char **ret_data, size_t *ret_length,
                   struct error **ret)
{
    cleanup_buffer struct buffer data = {0};
    bool more;

    if (read_up_to(dir, path, most, &data, &more, ret) < 0)
        return -1;
    take_text(&data, ret_data, ret_length);
    return 0;
}

int file_write_all(int fd, const void *data, size_t length)
{
    const char *rest = data;

    while (length) {
        ssize_t written = write(fd, rest, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        rest += written;
        length -= (size_t)written;
    }
    return 0;
}

int file_write(int dir, const char *path, const void *data, size_t length, mode_t mode, struct error **ret)
{
    cleanup_free char *temporary = text_format("%s.new", path);
    cleanup_fd int fd = -1;

    (void)unlinkat(dir, temporary, 0); /* what a killed run left */
    fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot create %s", temporary);
    if (file_write_all(fd, data, length) < 0 || fchmod(fd, mode) < 0 ||
        renameat(dir, temporary, dir, path) < 0) {
        int sys = errno;

        (void)unlinkat(dir, temporary, 0);
        return error_sys(ret, ERROR_FAILED, sys, "cannot write %s", path);
    }
    return 0;
}

int file_make_folders(const char *path, int *ret_dir, struct error **ret)
{
    cleanup_free char *copy = text_copy(path);
    int dir;

    for (char *slash = copy + 1; *copy && *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            return error_sys(ret, ERROR_INPUT, errno, "cannot make the folder %s", copy);
        *slash = '/';
    }
    if (mkdir(copy, 0777) < 0 && errno != EEXIST)
        return error_sys(ret, ERROR_INPUT, errno, "cannot make the folder %s", copy);
    dir = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot open the folder %s", copy);
    if (ret_dir)
        *ret_dir = dir;
    else
        close(dir);
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int file_list(int dir, struct strings *ret_names, struct error **ret)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!stream) {
        int sys = errno;

        close_fd(&copy);
        return error_sys(ret, ERROR_FAILED, sys, "cannot list a folder");
    }
    while ((errno = 0, entry = readdir(stream)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            strings_add(ret_names, entry->d_name);
    if (errno) {
        error_sys(ret, ERROR_FAILED, errno, "cannot list a folder");
        closedir(stream);
        return -1;
    }
    closedir(stream);
    if (ret_names->count)
        qsort(ret_names->list, ret_names->count, sizeof *ret_names->list, by_bytes);
    return 0;
}

/* The folders that are being copied, innermost first: a link back into one of them would never end. The
 * outermost is the destination, which may lie in the tree that is copied: it is left out. */
struct ancestor {
    dev_t device;
    ino_t inode;
    const struct ancestor *above;
};

static bool is_destination(const struct ancestor *above, const struct stat *status)
{
    while (above->above)
        above = above->above;
    return above->device == status->st_dev && above->inode == status->st_ino;
}

static int copy_folder(int from, int to, const struct ancestor *above, struct error **ret);

static int copy_file(int from, int to, const char *name, mode_t mode, struct error **ret)
{
    cleanup_fd int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    char chunk[65536];
    ssize_t length;

    if (out < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot create %s", name);
    /* copy_file_range where the file system can share blocks; anything it refuses is read and written. */
    while (copy_file_range(from, NULL, out, NULL, (size_t)1 << 30, 0) > 0)
        ;
    while ((length = read(from, chunk, sizeof chunk)) != 0) {
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 || file_write_all(out, chunk, (size_t)length) < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot copy %s", name);
    }
    if (fchmod(out, (mode & 0777) | 0600) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot copy %s", name);
    return 0;
}

static int copy_entry(int from, int to, const char *name, const struct ancestor *above, struct error **ret)
{
    cleanup_fd int in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (in < 0 || fstat(in, &status) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open %s", name);
    if (S_ISREG(status.st_mode))
        return copy_file(in, to, name, status.st_mode, ret);
    if (!S_ISDIR(status.st_mode))
        return error_set(ret, ERROR_FAILED, "%s is neither a file nor a folder", name);
    if (is_destination(above, &status))
        return 0;
    if (mkdirat(to, name, 0777) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot make the folder %s", name);

    cleanup_fd int below = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (below < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open the folder %s", name);
    if (copy_folder(in, below, above, ret) < 0)
        return error_prefix(ret, "%s", name);
    return 0;
}

static int copy_folder(int from, int to, const struct ancestor *above, struct error **ret)
{
    cleanup_strings struct strings names = {0};
    struct ancestor self = {.above = above};
    struct stat status;

    if (fstat(from, &status) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot look at a folder");
    self.device = status.st_dev;
    self.inode = status.st_ino;
    for (const struct ancestor *a = above; a; a = a->above)
        if (a->device == self.device && a->inode == self.inode)
            return error_set(ret, ERROR_FAILED, "a link leads back into the folder that holds it");
    if (file_list(from, &names, ret) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (copy_entry(from, to, names.list[i], &self, ret) < 0)
            return -1;
    return 0;
}

int file_copy_tree(const char *from, int to, struct error **ret)
{
    cleanup_fd int dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct ancestor destination = {0};
    struct stat status;

    if (dir < 0 || fstat(to, &status) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open %s", from);
    destination.device = status.st_dev;
    destination.inode = status.st_ino;
    if (copy_folder(dir, to, &destination, ret) < 0)
        return error_prefix(ret, "cannot copy %s", from);
    return 0;
}

static int remove_folder(int dir, const char *name, struct error **ret)
{
    cleanup_strings struct strings names = {0};
    cleanup_fd int folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (folder < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
        folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open the folder %s", name);
    (void)fchmod(folder, 0700); /* a script may have left it so that nothing in it can be reached */
    if (file_list(folder, &names, ret) < 0)
        return error_prefix(ret, "%s", name);
    for (size_t i = 0; i < names.count; i++)
        if (file_remove_tree(folder, names.list[i], ret) < 0)
            return error_prefix(ret, "%s", name);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_sys(ret, ERROR_FAILED, errno, "cannot remove the folder %s", name);
    return 0;
}

int file_remove_tree(int dir, const char *name, struct error **ret)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EACCES && fchmod(dir, 0700) == 0 && unlinkat(dir, name, 0) == 0)
        return 0; /* a script had made the folder read-only */
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return error_sys(ret, ERROR_FAILED, errno, "cannot remove %s", name);
    return remove_folder(dir, name, ret);
}

char *file_absolute(const char *path, struct error **ret)
{
    char *absolute = realpath(path, NULL);

    if (!absolute)
        error_sys(ret, ERROR_INPUT, errno, "%s", path);
    return absolute;
}
