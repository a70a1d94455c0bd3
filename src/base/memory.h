/* Memory that never comes back NULL (a program that cannot get a few kilobytes ends with one line), and the
 * clean-up attributes: a variable declared `cleanup_fd int fd = -1` is closed when it leaves its scope,
 * unless steal_fd() hands it on. libsippod-expect does not use memory_new. */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *memory_new(size_t size); /* zeroed; freed with free() */
void *memory_array(void *old, size_t count, size_t size);

static inline void cleanup_free_fn(void *pointer)
{
    free(*(void **)pointer);
}
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))

static inline void cleanup_fd_fn(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define cleanup_fd __attribute__((cleanup(cleanup_fd_fn)))

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

#define steal_pointer(pointer)                                                                               \
    ({                                                                                                       \
        __typeof__(*(pointer)) stolen_ = *(pointer);                                                         \
        *(pointer) = NULL;                                                                                   \
        stolen_;                                                                                             \
    })
