/* What many tests need: temporary folders, words of errors, output that is caught, children, a loop that
 * ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"
#include "src/base/loop.h"
#include "src/base/text.h"

/* Under the address sanitizer, whose memory says nothing about the program's. */
#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

/* A new folder below $TMPDIR, by its real path; folder_remove() removes all of it and frees the text. */
char *folder_make(void);
void folder_remove(char *folder);

/* Files in it; folders above them are made. */
void folder_put(const char *folder, const char *name, const char *text);
void folder_put_bytes(const char *folder, const char *name, const void *bytes, size_t length);
void folder_link(const char *folder, const char *target, const char *name);
/* What is in the file, to be freed; NULL if there is none. */
char *folder_get(const char *folder, const char *name);
bool folder_has(const char *folder, const char *name); /* a link to nowhere, too */
int folder_open(const char *folder);

/* A folder for each test, as the state of cmocka. */
struct folder_scene {
    char *folder;
    int dir;
};
int folder_setup(void **state);
int folder_teardown(void **state);

/* That `error` has this code and says `words` somewhere. */
#define assert_error(error, code, words) error_check(error, code, words, __FILE__, __LINE__)
void error_check(const struct error *error, enum error_code code, const char *words, const char *file,
                 int line);

/* That one of `problems` says `words`. */
#define assert_said(problems, words) said_check(problems, words, __FILE__, __LINE__)
void said_check(const struct strings *problems, const char *words, const char *file, int line);

/* What fn(user) writes to standard output or, with `number` 2, error; to be freed. */
char *output_of(int number, void (*fn)(void *user), void *user);

/* The exit code of fn(user) in a child, 128 + n for signal n; -1 if it does not end. */
int exit_of(int (*fn)(void *user), void *user);

/* Runs the loop until somebody quits it; fails the test if nobody does within five seconds. */
void loop_run_out(struct loop *loop);
void loop_run_out_within(struct loop *loop, int64_t ms); /* the same, where that is not enough */
/* Runs it for so long, whatever happens. */
void loop_run_for(struct loop *loop, int64_t ms);
/* Runs it until what can happen without waiting has happened: some twenty rounds. */
void loop_settle(struct loop *loop);

/* The number of descriptors that this process has open. */
size_t descriptors_open(void);
