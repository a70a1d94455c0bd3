#include "src/expect/argument.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/frame.h"
#include "src/expect/match.h"

bool refuse(char **ret_error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(ret_error, format, args) < 0)
        *ret_error = NULL;
    va_end(args);
    return false;
}

static bool leads_up(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
            return true;
    return false;
}

char *path_from(const char *folder, const char *path, char **ret_error)
{
    char *joined = NULL;

    *ret_error = NULL;
    if (!folder)
        return strdup(path);
    if (*path == '/' || leads_up(path))
        refuse(ret_error, "%.*s does not lie in %s", SHOWN, path, folder);
    else if (asprintf(&joined, "%s/%s", folder, path) < 0)
        joined = NULL;
    return joined;
}

static const struct kind {
    const char *words;
    bool is_number;
    uint64_t most; /* of a number */
} kinds[] = {
    [ARGUMENT_COUNT] = {.words = "the number of packets", .is_number = true, .most = UINT64_MAX},
    [ARGUMENT_VLAN] = {.words = "the VLAN's identifier", .is_number = true, .most = 4095},
    [ARGUMENT_PAYLOAD_TYPE] = {.words = "the payload type", .is_number = true, .most = 127},
    [ARGUMENT_MAC] = {.words = "a MAC address"},
    [ARGUMENT_FILTER] = {.words = "a filter of libpcap"},
    [ARGUMENT_SIP] = {.words = "a method or status"},
    [ARGUMENT_HEADER] = {.words = "a regular expression for the headers"},
    [ARGUMENT_FRAME] = {.words = "a packet"},
    [ARGUMENT_FILE] = {.words = "the file to write"},
    [ARGUMENT_PREDICATE] = {.words = "a predicate"},
};

const char *argument_words(enum argument_kind kind)
{
    return kinds[kind].words;
}

static bool read_number(struct argument *argument, const struct kind *kind, char **ret_error)
{
    char *end;

    errno = 0;
    argument->number = strtoull(argument->text, &end, 10);
    if (*argument->text >= '0' && *argument->text <= '9' && !*end && !errno && argument->number <= kind->most)
        return true;
    return refuse(ret_error, "%s is a whole number from 0 to %llu, not %.*s", kind->words,
                  (unsigned long long)kind->most, SHOWN, argument->text);
}

static bool read_path(struct argument *argument, const char *folder, char **ret_error)
{
    char *path = path_from(folder, argument->text, ret_error);

    if (!path)
        return false;
    free(argument->text);
    argument->text = path;
    return true;
}

bool argument_read(struct argument *argument, enum argument_kind kind, const char *folder, char **ret_error)
{
    switch (kind) {
    case ARGUMENT_FRAME:
        return frame_read(argument->text, folder, &argument->frame, &argument->length, ret_error);
    case ARGUMENT_FILE:
        return read_path(argument, folder, ret_error);
    case ARGUMENT_FILTER:
        return strlen(argument->text) <= MATCH_FILTER_MOST ||
               refuse(ret_error, "a filter has at most %d characters, and this has %zu", MATCH_FILTER_MOST,
                      strlen(argument->text));
    default:
        return !kinds[kind].is_number || read_number(argument, &kinds[kind], ret_error);
    }
}

void argument_free(struct argument *argument)
{
    free(argument->text);
    free(argument->frame);
    sippod_predicate_free(&argument->predicate);
}
