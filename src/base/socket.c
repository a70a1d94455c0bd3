#include "src/base/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

#define WAITING  16 /* connections that may wait to be accepted */
#define MOST_FDS 4  /* room to notice, and close, descriptors that nobody asked for */

int socket_pair(int type, int ret_ends[2], struct error **ret)
{
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_ends) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a socket pair");
    return 0;
}

int socket_send(int socket, const void *data, size_t length, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        struct cmsghdr *header;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

/* Takes the first descriptor out of `message`, closes all others; returns how many there were. */
static size_t take_fds(struct msghdr *message, int *ret_fd)
{
    size_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        size_t fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < fds; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (count++ == 0 && ret_fd)
                *ret_fd = fd;
            else
                close(fd);
        }
    }
    return count;
}

ssize_t socket_receive(int socket, void *data, size_t size, int *ret_fd)
{
    union {
        char bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t received;
    int fd = -1;
    size_t fds;

    do
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -1;
    fds = take_fds(&message, &fd);
    if (fds > (ret_fd ? 1 : 0) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        if (fd >= 0)
            close(fd);
        errno = EMSGSIZE;
        return -1;
    }
    if (ret_fd)
        *ret_fd = fd;
    return received;
}

/* ---- sockets in the file system ---- */

/* An errno: why nothing can be bound there; 0 if it can, now that a dead socket is removed. */
static int make_room(const struct sockaddr_un *address)
{
    cleanup_fd int probe = -1;
    struct stat status;

    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(status.st_mode))
        return EEXIST;
    /* Of another type, so that whoever listens there does not take it for a client. */
    probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return errno;
    if (connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno != ECONNREFUSED)
        return EADDRINUSE;
    return unlink(address->sun_path) < 0 ? errno : 0;
}

/* The mode of the socket becomes that of its file, so that there is no moment in which others may connect. */
static int bind_and_listen(int socket, const struct sockaddr_un *address, struct stat *ret_status)
{
    const struct sockaddr *generic = (const struct sockaddr *)address;

    if (fchmod(socket, 0600) < 0 || bind(socket, generic, sizeof *address) < 0)
        return errno;
    return listen(socket, WAITING) < 0 || lstat(address->sun_path, ret_status) < 0 ? errno : 0;
}

int socket_listen(const char *path, struct socket_file *ret_file, struct error **ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_fd int listener = -1;
    struct stat status;
    int wrong = 0;

    if (strlen(path) >= sizeof address.sun_path)
        return error_sys(ret, ERROR_INPUT, ENAMETOOLONG, "cannot listen at %s", path);
    memcpy(address.sun_path, path, strlen(path));
    wrong = make_room(&address);
    if (!wrong && (listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        wrong = errno;
    if (!wrong)
        wrong = bind_and_listen(listener, &address, &status);
    if (wrong)
        return error_sys(ret, ERROR_INPUT, wrong, "cannot listen at %s", path);
    *ret_file =
        (struct socket_file){.path = text_copy(path), .device = status.st_dev, .inode = status.st_ino};
    return steal_fd(&listener);
}

void socket_file_remove(struct socket_file *file)
{
    struct stat status;

    if (file->path && lstat(file->path, &status) == 0 && status.st_dev == file->device &&
        status.st_ino == file->inode)
        (void)unlink(file->path);
    free(file->path);
    *file = (struct socket_file){0};
}
