#include "sandbox/resolv_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"

int resolv_conf_write(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t length = strlen(text);

    if (fd < 0 || fchmod(fd, 0644) < 0)
        return -1;
    return write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

int resolv_conf_replace(const char *text)
{
    if (unlink(RESOLV_CONF) < 0 && errno != ENOENT)
        return -1;
    return resolv_conf_write(RESOLV_CONF, text);
}
