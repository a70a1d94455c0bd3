/* Log files: one line an event, "2026-01-31 12:00:00.123 LEVEL text", written as it comes (O_APPEND, no
 * buffer: what is logged is there even after SIGKILL). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log;

/* A log in the file `name` of the folder `dir` (made, 0644). NULL on failure. */
struct log *log_open(int dir, const char *name, struct error **ret);
void log_close(struct log *log);

/* Lines go to standard error too, behind "prefix: " (copied). */
void log_echo(struct log *log, const char *prefix);

/* `log` may be NULL: then nothing is written. What bytes the text holds does not matter. */
void log_line(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
