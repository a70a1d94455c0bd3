/* Unix sockets between our own processes: whole messages, descriptors in passing, never SIGPIPE. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/base/error.h"

/* A connected pair, close-on-exec; `type` is SOCK_STREAM or SOCK_SEQPACKET, with SOCK_NONBLOCK or not. */
int socket_pair(int type, int ret_ends[2], struct error **ret);

/* Sends one message, with the descriptor `fd` beside it unless that is negative. Returns 0, or -1 with errno.
 */
int socket_send(int socket, const void *data, size_t length, int fd);

/* Receives one message of at most `size` bytes; *ret_fd is a descriptor that came with it (close-on-exec) or
 * -1; ret_fd NULL refuses descriptors. Returns its length, 0 at the end, -1 with errno (EMSGSIZE: it was
 * longer, or brought more descriptors than one). */
ssize_t socket_receive(int socket, void *data, size_t size, int *ret_fd);

/* The file of a listening socket, to be removed by whoever made it. */
struct socket_file {
    char *path; /* NULL: none */
    uint64_t device, inode;
};

/* Listens at `path`: a stream socket, 0600, close-on-exec, non-blocking. A socket that nobody listens on any
 * more is replaced; anything else that is there is an error (ERROR_INPUT), with EADDRINUSE, or EEXIST for
 * what is no socket. -1 on failure. */
int socket_listen(const char *path, struct socket_file *ret_file, struct error **ret);

/* Removes it, unless another has taken its place; frees the path. Missing is no error. */
void socket_file_remove(struct socket_file *file);
