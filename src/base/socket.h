/* Unix sockets between our own processes: whole messages, descriptors in passing, never SIGPIPE. */
#pragma once

#include <stddef.h>
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
