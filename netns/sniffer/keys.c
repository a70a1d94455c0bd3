#include "netns/sniffer/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/packet/pcapng.h"

#define LABEL "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define HEX   "0123456789abcdefABCDEF"

/* Whether there is a word of these characters, and then a character that is `end`; *at is behind it. */
static bool skip_word(const char **at, const char *end_of_line, const char *characters, char end)
{
    const char *start = *at;

    while (*at < end_of_line && **at && strchr(characters, **at))
        ++*at;
    return *at > start && *(*at)++ == end;
}

/* The line is `length` bytes, and a newline behind them. */
static bool is_key(const char *line, size_t length)
{
    const char *at = line, *end = line + length;

    return skip_word(&at, end, LABEL, ' ') && skip_word(&at, end, HEX, ' ') &&
           skip_word(&at, end, HEX, '\n') && at == end + 1;
}

/* What is behind the last newline is a line that was not written to its end, and no key. */
static size_t take_keys(const char *text, size_t length, struct buffer *ret_lines)
{
    const char *end = text + length, *newline;
    size_t refused = 0;

    for (; text < end; text = newline + 1) {
        newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline)
            return refused + 1;
        if (is_key(text, (size_t)(newline - text)))
            buffer_add(ret_lines, text, (size_t)(newline - text) + 1);
        else if (newline > text && *text != '#')
            refused++;
    }
    return refused;
}

static ssize_t read_whole(int fd, char *data, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, data + length, size - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Opened without following a link, and without waiting for anybody: a FIFO may have that name. */
int keys_read(int folder, const char *name, struct buffer *ret_lines, mode_t *ret_mode, struct error **ret)
{
    cleanup_fd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    cleanup_free char *text = NULL;
    struct stat file;
    ssize_t length;
    size_t refused;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open %s", name);
    if (fstat(fd, &file) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot look at %s", name);
    if (!S_ISREG(file.st_mode))
        return error_set(ret, ERROR_FAILED, "%s is not a regular file", name);
    *ret_mode = file.st_mode & 0777;
    text = memory_new(PCAPNG_SECRETS_MOST);
    length = read_whole(fd, text, PCAPNG_SECRETS_MOST);
    if (length < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read %s", name);
    refused = take_keys(text, (size_t)length, ret_lines);
    if ((uint64_t)file.st_size > PCAPNG_SECRETS_MOST)
        return error_set(ret, ERROR_FAILED, "only the first %zu bytes of %s are taken", PCAPNG_SECRETS_MOST,
                         name);
    if (refused)
        return error_set(ret, ERROR_FAILED, "%zu %s of %s %s no TLS key", refused,
                         refused == 1 ? "line" : "lines", name, refused == 1 ? "is" : "are");
    return 0;
}
