#include "src/base/error.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/text.h"

static struct error *error_new(enum error_code code, int sys, char *text)
{
    struct error *error = memory_new(sizeof *error);

    *error = (struct error){.code = code, .sys = sys, .text = text};
    return error;
}

int error_set(struct error **ret, enum error_code code, const char *format, ...)
{
    va_list args;

    if (!ret)
        return -1;
    va_start(args, format);
    *ret = error_new(code, 0, text_vformat(format, args));
    va_end(args);
    return -1;
}

int error_sys(struct error **ret, enum error_code code, int sys, const char *format, ...)
{
    va_list args;
    char *text;

    if (!ret)
        return -1;
    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    *ret = error_new(code, sys, text_format("%s: %s", text, strerror(sys)));
    free(text);
    return -1;
}

int error_prefix(struct error **ret, const char *format, ...)
{
    va_list args;
    char *prefix, *text;

    if (!ret || !*ret)
        return -1;
    va_start(args, format);
    prefix = text_vformat(format, args);
    va_end(args);
    text = text_format("%s: %s", prefix, (*ret)->text);
    free(prefix);
    free((*ret)->text);
    (*ret)->text = text;
    return -1;
}

const char *error_text(const struct error *error)
{
    return error && error->text ? error->text : "unknown error";
}

void error_free(struct error *error)
{
    if (!error)
        return;
    free(error->text);
    free(error);
}
