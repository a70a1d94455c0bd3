/* A value comes from the command line or from a file, and goes the same way: options_parse() or take_key() →
 * take() → the row's place. Sources are read from the weakest to the strongest; a list of a stronger one
 * takes the place of a weaker one's. */
#include "src/commands/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/config.h"

/* ---- values ---- */

static void *place(const struct option_row *row, void *options)
{
    return (char *)options + row->at;
}

static int take_count(const struct option_row *row, const char *value, unsigned *ret_count,
                      struct error **ret)
{
    long number;

    if (!text_number(value, (long)row->least, (long)row->most, &number))
        return error_set(ret, ERROR_INPUT, "it is a whole number from %.0f to %.0f", row->least, row->most);
    *ret_count = (unsigned)number;
    return 0;
}

static int take_number(const struct option_row *row, const char *value, double *ret_number,
                       struct error **ret)
{
    char *end;
    double number = strtod(value, &end);

    if (end == value || *end || !(number >= row->least && number <= row->most))
        return error_set(ret, ERROR_INPUT, "it is a number from %g to %g", row->least, row->most);
    *ret_number = number;
    return 0;
}

static void take_text(char **text, const char *value)
{
    free(*text);
    *text = text_copy(value);
}

/* `first`: of this source. */
static int take(const struct option_row *row, const char *value, bool first, void *options,
                struct error **ret)
{
    void *at = place(row, options);
    int result = 0;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)at = strcmp(value, "true") == 0;
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
        take_text(at, value);
        break;
    case OPTION_LIST:
        if (first)
            strings_free(at);
        strings_add(at, value);
        break;
    case OPTION_COUNT:
        result = take_count(row, value, at, ret);
        break;
    case OPTION_NUMBER:
        result = take_number(row, value, at, ret);
        break;
    case OPTION_OTHER:
    case OPTION_HEADING:
        break;
    }
    return result == 0 && row->set ? row->set(options, value, ret) : result;
}

/* ---- the command line ---- */

static bool is_option(const struct option_table *table, const struct option_row *row)
{
    return row->name && !row->only_file && !(table->one && row->of_many);
}

static bool is_called(const struct option_row *row, const char *name, size_t length)
{
    return ((strlen(row->name) == length && strncmp(row->name, name, length) == 0) ||
            (row->alias && strlen(row->alias) == length && strncmp(row->alias, name, length) == 0));
}

/* The row that `name` stands for: exactly, or as the beginning of one option only of Sipplauncher's. */
static const struct option_row *find_row(const struct option_table *table, const char *name, size_t length,
                                         struct error **ret)
{
    const struct option_row *found = NULL;

    for (size_t i = 0; i < table->count; i++)
        if (is_option(table, &table->rows[i]) && is_called(&table->rows[i], name, length))
            return &table->rows[i];
    for (size_t i = 0; i < table->count && length; i++) {
        const struct option_row *row = &table->rows[i];

        if (!row->old || !is_option(table, row) || strncmp(row->name, name, length) != 0)
            continue;
        if (found) {
            error_set(ret, ERROR_INPUT, "--%.*s: it could be --%s or --%s", (int)length, name, found->name,
                      row->name);
            return NULL;
        }
        found = row;
    }
    if (!found)
        error_set(ret, ERROR_INPUT, "--%.*s: there is no such option", (int)length, name);
    return found;
}

static const struct option_row *find_letter(const struct option_table *table, char letter, struct error **ret)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].letter && table->rows[i].letter == letter)
            return &table->rows[i];
    error_set(ret, ERROR_INPUT, "-%c: there is no such option", letter);
    return NULL;
}

struct line {
    const struct option_table *table;
    char **next, **end; /* arguments yet to be read */
    void *options;
    struct strings *positional;
    char special;
};

static int take_option(struct line *line, const struct option_row *row, const char *value, struct error **ret)
{
    size_t number = (size_t)(row - line->table->rows);
    bool first = !line->table->seen[number];

    if (!row->argument && value)
        return error_set(ret, ERROR_INPUT, "--%s: it takes no value", row->name);
    if (row->argument && !value) {
        if (line->next == line->end)
            return error_set(ret, ERROR_INPUT, "--%s: %s is missing", row->name, row->argument);
        value = *line->next++;
    }
    line->table->seen[number] = true;
    if (take(row, value ? value : "true", first, line->options, ret) < 0)
        return error_prefix(ret, value ? "--%s %s" : "--%s", row->name, value);
    return 0;
}

static int take_long(struct line *line, const char *text, struct error **ret)
{
    size_t length = strcspn(text, "=");
    const struct option_row *row = find_row(line->table, text, length, ret);

    if (!row)
        return -1;
    if (row->letter == 'h' || row->letter == 'v')
        line->special = row->letter;
    return line->special ? 0 : take_option(line, row, text[length] ? text + length + 1 : NULL, ret);
}

static int take_letters(struct line *line, const char *letters, struct error **ret)
{
    for (; *letters && !line->special; letters++) {
        const struct option_row *row = find_letter(line->table, *letters, ret);

        if (!row)
            return -1;
        if (row->letter == 'h' || row->letter == 'v')
            line->special = row->letter;
        else if (take_option(line, row, NULL, ret) < 0)
            return -1;
    }
    return 0;
}

static int take_argument(struct line *line, bool *options_ended, struct error **ret)
{
    const char *argument = *line->next++;

    if (*options_ended || argument[0] != '-' || !argument[1])
        strings_add(line->positional, argument);
    else if (strcmp(argument, "--") == 0)
        *options_ended = true;
    else
        return argument[1] == '-' ? take_long(line, argument + 2, ret)
                                  : take_letters(line, argument + 1, ret);
    return 0;
}

int options_parse(const struct option_table *table, int argc, char **argv, void *options,
                  struct strings *positional, char *ret_special, struct error **ret)
{
    struct line line = {
        .table = table,
        .next = argv + 1,
        .end = argv + argc,
        .options = options,
        .positional = positional,
    };
    bool ended = false;

    memset(table->seen, 0, table->count * sizeof *table->seen);
    while (line.next < line.end && !line.special)
        if (take_argument(&line, &ended, ret) < 0)
            return -1;
    *ret_special = line.special;
    return 0;
}

bool options_said(const struct option_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].name && strcmp(table->rows[i].name, name) == 0)
            return table->seen[i];
    return false;
}

/* ---- configuration files ---- */

struct file {
    const struct option_table *table;
    size_t *rows; /* of each key */
    const char *path;
    void *options;
};

/* What is named in a file lies where the file does, unless it says otherwise. */
static char *resolve(const struct file *file, const char *value)
{
    const char *slash = strrchr(file->path, '/');

    if (*value == '/' || !*value || !slash)
        return text_copy(value);
    return text_format("%.*s/%s", (int)(slash - file->path), file->path, value);
}

static char *key_name(const char *option)
{
    char *name = text_copy(option);

    for (char *p = name; *p; p++)
        if (*p == '-')
            *p = '_';
    return name;
}

static int take_key(void *user, size_t key, const char *value, bool first, struct error **ret)
{
    const struct file *file = user;
    const struct option_row *row = &file->table->rows[file->rows[key]];
    cleanup_free char *name = key_name(row->name);
    cleanup_free char *resolved = row->kind == OPTION_PATH ? resolve(file, value) : text_copy(value);

    file->table->seen[file->rows[key]] = true;
    if (file->table->one && row->of_many)
        return 0;
    return take(row, resolved, first, file->options, ret) < 0 ? error_prefix(ret, "%s %s", name, value) : 0;
}

int options_read(const struct option_table *table, const char *path, void *options, struct error **ret)
{
    cleanup_free struct config_key *keys = memory_array(NULL, table->count, sizeof *keys);
    cleanup_free size_t *rows = memory_array(NULL, table->count, sizeof *rows);
    struct file file = {.table = table, .rows = rows, .path = path, .options = options};
    struct config_reader reader = {.keys = keys, .set = take_key, .user = &file};
    int result;

    memset(table->seen, 0, table->count * sizeof *table->seen);
    for (size_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];

        if (!row->name || row->only_line)
            continue;
        rows[reader.count] = i;
        keys[reader.count++] = (struct config_key){
            .name = key_name(row->name),
            .kind = !row->argument             ? CONFIG_FLAG
                    : row->kind == OPTION_LIST ? CONFIG_LIST
                                               : CONFIG_TEXT,
        };
    }
    result = config_read(path, &reader, ret);
    for (size_t i = 0; i < reader.count; i++)
        free((char *)keys[i].name);
    return result;
}

/* ---- --help ---- */

#define HELP_COLUMN 33

static void print_row(const struct option_row *row)
{
    cleanup_free char *left =
        text_format("  %s%s--%s%s%s", row->letter ? "-x" : "  ", row->letter ? ", " : "  ", row->name,
                    row->argument ? " " : "", row->argument ? row->argument : "");
    const char *help = row->help;
    int width = (int)strlen(left);

    if (row->letter)
        left[3] = row->letter;
    printf("%s", left);
    if (width > HELP_COLUMN - 2) {
        putchar('\n');
        width = 0;
    }
    for (;;) {
        size_t length = strcspn(help, "\n");

        printf("%*s%.*s\n", HELP_COLUMN - width, "", (int)length, help);
        if (!help[length])
            return;
        help += length + 1;
        width = 0;
    }
}

void options_print(const struct option_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];

        if (row->kind == OPTION_HEADING)
            printf("%s%s:\n", i ? "\n" : "", row->help);
        else if (row->help && is_option(table, row))
            print_row(row);
    }
}
