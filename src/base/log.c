#include "src/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

struct log {
    int fd;
    char *prefix; /* of the echo, NULL: none */
};

struct log *log_open(int dir, const char *name, struct error **ret)
{
    struct log *log;
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0) {
        error_sys(ret, ERROR_FAILED, errno, "cannot open the log %s", name);
        return NULL;
    }
    log = memory_new(sizeof *log);
    log->fd = fd;
    return log;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    close(log->fd);
    free(log->prefix);
    free(log);
}

void log_echo(struct log *log, const char *prefix)
{
    free(log->prefix);
    log->prefix = text_copy(prefix);
}

static void stamp(char text[static 32])
{
    struct timespec now;
    struct tm tm;
    size_t length;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    length = strftime(text, 24, "%Y-%m-%d %H:%M:%S", &tm);
    text[length++] = '.';
    text[length++] = (char)('0' + now.tv_nsec / 100000000);
    text[length++] = (char)('0' + now.tv_nsec / 10000000 % 10);
    text[length++] = (char)('0' + now.tv_nsec / 1000000 % 10);
    text[length] = '\0';
}

/* A log that cannot be written (a full disk) must not end a test: the loss is the reader's to see. */
static void write_line(int fd, const char *line)
{
    ssize_t written = write(fd, line, strlen(line));

    (void)written;
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    cleanup_free char *text = NULL;
    cleanup_free char *clean = NULL;
    cleanup_free char *line = NULL;
    char when[32];
    va_list args;

    if (!log)
        return;
    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    clean = text_printable(text, strlen(text));
    stamp(when);
    line = text_format("%s %s %s\n", when, names[level], clean);
    write_line(log->fd, line);
    if (log->prefix) {
        cleanup_free char *echo = text_format("%s: %s\n", log->prefix, clean);

        write_line(STDERR_FILENO, echo);
    }
}
