/* Log files: one line an event, "2026-01-31 12:00:00.123 LEVEL text", written as it comes (O_APPEND, no
 * buffer: what is logged is there even after SIGKILL). Levels and the placeholders of formats are those of
 * Python's logging, which Sipplauncher's users know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* What lines of a log look like. All zero: every level, the format above. */
struct log_style {
    enum log_level level; /* nothing below it is written */
    char *format;         /* of %(asctime)s, %(levelname)s, %(name)s, %(message)s, %%; NULL: as above */
};

/* "debug" and so on, in any case. */
int log_level_by_name(const char *name, enum log_level *ret_level, struct error **ret);
/* Whether a format can be used. */
int log_format_check(const char *format, struct error **ret);

struct log;

/* A log in the file `name` of the folder `dir` (made, 0644), for what is called `about` (copied): a test. The
 * style stays the caller's and has to last. NULL on failure. */
struct log *log_open(int dir, const char *name, const char *about, const struct log_style *style,
                     struct error **ret);
void log_close(struct log *log);

/* Lines go to standard error too, behind what the log is about. */
void log_echo(struct log *log);

/* Lines go to `general` too (NULL: no more), with this log's name. It has to last as long. */
void log_join(struct log *log, struct log *general);

/* A line of what somebody else prints, who may never stop: of those a log takes LOG_OUTPUT_MOST bytes and one
 * line that the rest is left out. Other lines go on. */
#define LOG_OUTPUT_MOST ((size_t)10 * 1024 * 1024)
void log_output(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `log` may be NULL: then nothing is written. What bytes the text holds does not matter. */
void log_line(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
