#include "src/base/memory.h"

#include <stdio.h>

static void *check(void *pointer)
{
    if (!pointer) {
        fputs("sippod: out of memory\n", stderr);
        abort();
    }
    return pointer;
}

void *memory_new(size_t size)
{
    return check(calloc(1, size ? size : 1));
}

void *memory_array(void *old, size_t count, size_t size)
{
    return check(reallocarray(old, count ? count : 1, size));
}
