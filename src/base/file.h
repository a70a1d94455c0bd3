/* Files and folders: whole files, copies of trees, removal of trees that never follows a link out of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "src/base/error.h"
#include "src/base/text.h"

/* Reads `path` (relative to the folder `dir`) whole, at most `most` bytes; *ret_data ends with an extra NUL.
 */
int file_read(int dir, const char *path, size_t most, char **ret_data, size_t *ret_length,
              struct error **ret);

/* The same, but what is beyond `most` bytes is left out. */
int file_read_head(int dir, const char *path, size_t most, char **ret_data, size_t *ret_length,
                   struct error **ret);

/* Writes `path` in `dir` by way of a temporary file and rename(2): whole or not at all. */
/* All of it, to a descriptor that may block. -1 with errno. */
int file_write_all(int fd, const void *data, size_t length);

int file_write(int dir, const char *path, const void *data, size_t length, mode_t mode, struct error **ret);

/* Makes `path` and what is missing above it (0777 less the umask); *ret_dir, if asked for, is opened on it.
 * What is there is left alone. */
int file_make_folders(const char *path, int *ret_dir, struct error **ret);

/* Copies the tree at `from` (an absolute or relative path to a folder) into the folder `to`, which must
 * exist. Links are followed, as `cp -L` does; modes of files are kept. Sockets, FIFOs and devices are
 * refused, and so is a link that leads back into a folder that is being copied. Should `to` lie below `from`,
 * it is left out. */
int file_copy_tree(const char *from, int to, struct error **ret);

/* Removes `name` in `dir`: a file, a link itself, or a folder and all that is in it. Missing is no error. */
int file_remove_tree(int dir, const char *name, struct error **ret);

/* The names in a folder, sorted by bytes, without "." and "..". */
int file_list(int dir, struct strings *ret_names, struct error **ret);

/* realpath(3) with an error. NULL on failure. */
char *file_absolute(const char *path, struct error **ret);
