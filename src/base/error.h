/* One error object: a code and one sentence. Functions that can fail take `struct error **ret` as their
 * last argument, leave it untouched on success, and return a negative value or NULL on failure. Each layer
 * may put words in front (error_prefix); only the top prints it. */
#pragma once

#include <stdarg.h>

/* The codes are those of the command line (exit codes), so that the top needs no table. */
enum error_code {
    ERROR_FAILED = 1, /* it was tried and did not work */
    ERROR_INPUT = 2,  /* wrong usage, configuration or suite: the user mends it */
    ERROR_HOST = 3,   /* this host lacks something: its administrator mends it */
};

struct error {
    enum error_code code;
    int sys;    /* the errno behind it, 0 if none */
    char *text; /* one sentence, without a final full stop or newline */
};

/* Sets *ret (which must hold NULL; ret may be NULL) and returns -1, so that `return error_set(…)` reads well.
 */
int error_set(struct error **ret, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, followed by ": " and the words for the errno value `sys`. */
int error_sys(struct error **ret, enum error_code code, int sys, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<format>: " in front of the sentence that *ret already holds; returns -1. */
int error_prefix(struct error **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence, or "unknown error" for NULL: never NULL. */
const char *error_text(const struct error *error);

void error_free(struct error *error);

static inline void error_freep(struct error **error)
{
    error_free(*error);
}
#define cleanup_error __attribute__((cleanup(error_freep)))
