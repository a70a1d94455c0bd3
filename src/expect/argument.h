/* Arguments of predicates that are written as text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/sippod/predicate.h"

enum argument_kind {
    ARGUMENT_COUNT,
    ARGUMENT_VLAN,
    ARGUMENT_PAYLOAD_TYPE,
    ARGUMENT_MAC,
    ARGUMENT_FILTER,
    ARGUMENT_SIP,
    ARGUMENT_HEADER,
    ARGUMENT_FRAME,
    ARGUMENT_FILE, /* to be written */
    ARGUMENT_PREDICATE
};

struct argument {
    char *text;      /* of all but predicates; a file's is the way to it */
    uint64_t number; /* of the kinds that are numbers */
    uint8_t *frame;
    size_t length; /* of the frame */
    struct sippod_predicate predicate;
};

/* What it is, as in "the VLAN's identifier". */
const char *argument_words(enum argument_kind kind);

/* Makes a value of argument->text. `folder`: where files have to lie; NULL: anywhere. False
 * with a sentence to be freed, which is NULL if memory ran out. */
bool argument_read(struct argument *argument, enum argument_kind kind, const char *folder, char **ret_error);

void argument_free(struct argument *argument);

/* `path`, from `folder` on if that is not NULL: then it has to be relative, and not to lead out of it. NULL
 * with a sentence to be freed, which is NULL if memory ran out. */
char *path_from(const char *folder, const char *path, char **ret_error);

/* Makes the sentence of an error; false. */
bool refuse(char **ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define SHOWN 80 /* characters of what was written that a sentence repeats, as %.*s */
