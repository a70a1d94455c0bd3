/* Options of a command as a table, from which the command line, configuration files and --help are read and
 * made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"

enum option_kind {
    OPTION_HEADING, /* no option: `help` stands above the next ones */
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* char * */
    OPTION_PATH,    /* the same; in a file, from the file's folder on */
    OPTION_LIST,    /* struct strings: may be repeated */
    OPTION_COUNT,   /* unsigned, from `least` to `most` */
    OPTION_NUMBER,  /* double, from `least` to `most` */
    OPTION_OTHER,   /* `set` */
};

struct option_row {
    enum option_kind kind;
    const char *name;          /* without -- */
    const char *alias;         /* another name, NULL: none */
    char letter;               /* -q, '\0': none */
    const char *argument;      /* in --help; NULL for a flag */
    const char *help;          /* lines parted by \n; NULL: said nowhere */
    bool old;                  /* Sipplauncher's: may be abbreviated */
    bool only_file, only_line; /* no option of the command line; no key of a file */
    bool of_many;              /* of runs of many tests */
    size_t at;                 /* offset of its place in the command's options */
    double least, most;
    /* Checks and takes a value; the error says what is wrong with it, without the option's name. */
    int (*set)(void *options, const char *value, struct error **ret);
};

struct option_table {
    const struct option_row *rows;
    size_t count;
    bool one;   /* test only: those of_many are no options, and what files say of them is not for it */
    bool *seen; /* by row: said by the source that is being read; `count` of them, all false at first */
};

/* Takes a command line. What is no option goes to `positional`. *ret_special: 'h' or 'v' if one of these was
 * met, and nothing else was looked at. Errors name the option. */
int options_parse(const struct option_table *table, int argc, char **argv, void *options,
                  struct strings *ret_positional, char *ret_special, struct error **ret);

/* Whether the source that was read last says something about the option. */
bool options_said(const struct option_table *table, const char *name);

/* Takes a configuration file (which may be absent). */
int options_read(const struct option_table *table, const char *path, void *options, struct error **ret);

/* Prints the lines of --help. */
void options_print(const struct option_table *table);
