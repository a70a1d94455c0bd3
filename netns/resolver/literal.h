/* The arguments of a record in dns.txt as Sipplauncher has them: a list of Python's integers and strings,
 * [10, 60, 5060, "ep1.example.com."]. It is read, never evaluated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"

struct literal {
    bool text;   /* a string; else the digits of an integer */
    char *bytes; /* ends with an extra NUL */
    size_t length;
};

struct literals {
    struct literal *list;
    size_t count;
};

/* Adds one; the bytes are copied. */
void literals_add(struct literals *literals, bool text, const char *bytes, size_t length);
void literals_free(struct literals *literals);
#define cleanup_literals __attribute__((cleanup(literals_free)))

/* All of `text`, which begins with '['. Strings may be '…' or "…", with b, r or u in front and Python's
 * escapes; tuples and lists in the list count as their elements. */
int literals_parse(const char *text, struct literals *ret_literals, struct error **ret);
