#include "src/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

#define DEFAULT_FORMAT "%(asctime)s %(levelname)s %(message)s"
#define GENERAL_FORMAT "%(asctime)s %(levelname)s %(name)s: %(message)s"

struct log {
    int fd;
    char *about;
    const struct log_style *style;
    struct log *general; /* NULL: none */
    bool echo;
    size_t output; /* bytes of others\' output in it */
};

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};

/* ---- formats ---- */

enum field { FIELD_TIME, FIELD_LEVEL, FIELD_NAME, FIELD_MESSAGE, FIELDS };

static const char *const fields[FIELDS] = {
    [FIELD_TIME] = "%(asctime)s",
    [FIELD_LEVEL] = "%(levelname)s",
    [FIELD_NAME] = "%(name)s",
    [FIELD_MESSAGE] = "%(message)s",
};

static int field_at(const char *p)
{
    for (int i = 0; i < FIELDS; i++)
        if (strncmp(p, fields[i], strlen(fields[i])) == 0)
            return i;
    return -1;
}

int log_format_check(const char *format, struct error **ret)
{
    for (const char *p = format; (p = strchr(p, '%')); p += p[1] == '%' ? 2 : 1)
        if (p[1] != '%' && field_at(p) < 0)
            return error_set(
                ret, ERROR_INPUT,
                "it knows %%(asctime)s, %%(levelname)s, %%(name)s, %%(message)s and %%%%, not %s", p);
    return 0;
}

int log_level_by_name(const char *name, enum log_level *ret_level, struct error **ret)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
        if (strcasecmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return error_set(ret, ERROR_INPUT, "it can be debug, info, warning or error");
}

/* A line, with its newline, by a format that was checked. */
static void add_line(struct buffer *line, const char *format, const char *const values[FIELDS])
{
    for (const char *p = format; *p;) {
        size_t length = strcspn(p, "%");
        int field;

        buffer_add(line, p, length);
        p += length;
        if (!*p)
            break;
        field = field_at(p);
        if (field >= 0) {
            buffer_add(line, values[field], strlen(values[field]));
            p += strlen(fields[field]);
        } else {
            buffer_add(line, "%", 1);
            p += p[1] == '%' ? 2 : 1;
        }
    }
    buffer_add(line, "\n", 1);
}

/* ---- logs ---- */

struct log *log_open(int dir, const char *name, const char *about, const struct log_style *style,
                     struct error **ret)
{
    struct log *log;
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);

    if (fd < 0) {
        error_sys(ret, ERROR_FAILED, errno, "cannot open the log %s", name);
        return NULL;
    }
    log = memory_new(sizeof *log);
    *log = (struct log){.fd = fd, .about = text_copy(about), .style = style};
    return log;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    close(log->fd);
    free(log->about);
    free(log);
}

void log_echo(struct log *log)
{
    log->echo = true;
}

void log_join(struct log *log, struct log *general)
{
    log->general = general;
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
static void write_line(const struct log *log, enum log_level level, const char *fallback,
                       const char *const values[FIELDS])
{
    cleanup_buffer struct buffer line = {0};
    ssize_t written;

    if (level < log->style->level)
        return;
    add_line(&line, log->style->format ? log->style->format : fallback, values);
    written = write(log->fd, line.data, line.length);
    (void)written;
}

static void write_echo(const struct log *log, const char *text)
{
    cleanup_free char *line = text_format("%s: %s\n", log->about, text);
    ssize_t written = write(STDERR_FILENO, line, strlen(line));

    (void)written;
}

static void write_text(struct log *log, enum log_level level, const char *text)
{
    cleanup_free char *clean = text_printable(text, strlen(text));
    char when[32];

    stamp(when);
    const char *const values[FIELDS] = {
        [FIELD_TIME] = when,
        [FIELD_LEVEL] = level_names[level],
        [FIELD_NAME] = log->about,
        [FIELD_MESSAGE] = clean,
    };
    write_line(log, level, DEFAULT_FORMAT, values);
    if (log->general)
        write_line(log->general, level, GENERAL_FORMAT, values);
    if (log->echo)
        write_echo(log, clean);
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
    cleanup_free char *text = NULL;
    va_list args;

    if (!log)
        return;
    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    write_text(log, level, text);
}

void log_output(struct log *log, enum log_level level, const char *format, ...)
{
    cleanup_free char *text = NULL;
    va_list args;

    if (!log || log->output > LOG_OUTPUT_MOST)
        return;
    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    log->output += strlen(text) + 1;
    if (log->output > LOG_OUTPUT_MOST)
        log_line(log, LOG_LEVEL_WARNING,
                 "more output came than the %zu MiB that are logged: the rest is left out",
                 LOG_OUTPUT_MOST / 1024 / 1024);
    else
        write_text(log, level, text);
}
