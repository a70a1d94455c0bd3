#include "src/suite/confuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define MOST_BYTES ((size_t)1024 * 1024)

/* libconfuse reports through a function without a pointer of the caller's, and calls every buffer "[buf]";
 * parsing is never nested. */
static struct error **current_error;
static const char *current_name;

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *config, const char *format, va_list args)
{
    cleanup_free char *text = text_vformat(format, args);

    if (current_error && !*current_error) /* the first fault is the one to mend */
        error_set(current_error, ERROR_INPUT, "%s:%d: %s", current_name, config->line, text);
}

static const char *comment_end(const char *p)
{
    if (*p == '#' || (p[0] == '/' && p[1] == '/'))
        return p + strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*' && strstr(p + 2, "*/"))
        return strstr(p + 2, "*/") + 2;
    return p;
}

/* libconfuse does not count the lines that its comments end, so that errors behind one would name the wrong
 * line, and takes a quote or comment that is never closed for the end of the file: comments (#, // and C's
 * own, outside of quotes) become spaces first. Returns NULL, or the place of what is never closed. */
static const char *blank_comments(char *text)
{
    const char *open = NULL; /* the quote that p is inside of */

    for (char *p = text; *p;) {
        const char *end = open ? p : comment_end(p);

        if (end > p) {
            for (; p < end; p++)
                if (*p != '\n')
                    *p = ' ';
            continue;
        }
        if (!open && p[0] == '/' && p[1] == '*')
            return p;
        if (!open && (*p == '"' || *p == '\''))
            open = p;
        else if (open && *p == '\\' && p[1])
            p++;
        else if (open && *p == *open)
            open = NULL;
        p++;
    }
    return open;
}

static int line_of(const char *text, const char *place)
{
    int line = 1;

    for (; text < place; text++)
        line += *text == '\n';
    return line;
}

cfg_t *confuse_parse(const char *name, const char *text, cfg_opt_t *options,
                     const struct confuse_check *checks, struct error **ret)
{
    cfg_t *config = cfg_init(options, CFGF_NONE);
    cleanup_free char *copy = NULL;
    const char *unclosed;
    int result;

    if (!config) {
        error_sys(ret, ERROR_FAILED, errno, "cannot read %s", name);
        return NULL;
    }
    current_error = ret;
    cfg_set_error_function(config, on_error);
    for (; checks && checks->name; checks++)
        cfg_set_validate_func(config, checks->name, checks->check);
    current_name = name;
    copy = text_copy(text);
    unclosed = blank_comments(copy);
    if (unclosed)
        error_set(ret, ERROR_INPUT, "%s:%d: what begins here is never closed", name, line_of(copy, unclosed));
    result = unclosed ? CFG_PARSE_ERROR : cfg_parse_buf(config, copy);
    current_error = NULL;
    if (result == CFG_SUCCESS)
        return config;
    if (ret && !*ret)
        error_set(ret, ERROR_INPUT, "%s: not a configuration", name);
    cfg_free(config);
    return NULL;
}

int confuse_load(const char *path, char **ret_text, struct error **ret)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *text = NULL;
    size_t length;

    *ret_text = NULL;
    if (file_read(AT_FDCWD, path, MOST_BYTES, &text, &length, &error) < 0)
        return error->sys == ENOENT ? 0 : error_set(ret, ERROR_INPUT, "%s", error_text(error));
    if (strlen(text) != length)
        return error_set(ret, ERROR_INPUT, "%s: a NUL byte is in it", path);
    *ret_text = steal_pointer(&text);
    return 0;
}
