#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/suite/suite.h"

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

/* libconfuse does not count the lines that its comments end, so that errors behind one would name the wrong
 * line: comments become spaces first. They are #, // and C's own, outside of quotes. */
static void blank_comments(char *text)
{
    char quote = '\0';

    for (char *p = text; *p; p++) {
        const char *end;

        if (quote) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == quote)
                quote = '\0';
            continue;
        }
        if (*p == '"' || *p == '\'')
            quote = *p;
        if (*p == '#' || (p[0] == '/' && p[1] == '/'))
            end = p + strcspn(p, "\n");
        else if (p[0] == '/' && p[1] == '*' && strstr(p + 2, "*/"))
            end = strstr(p + 2, "*/") + 2;
        else
            continue;
        for (; p < end; p++)
            if (*p != '\n')
                *p = ' ';
        p--;
    }
}

static int check_transport(cfg_t *config, cfg_opt_t *option)
{
    const char *transport = cfg_opt_getnstr(option, 0);
    static const char *const known[] = {"u1", "un", "ui", "t1", "tn"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_equal(transport, known[i]))
            return 0;
    cfg_error(config, "transport \"%s\": it can be u1, un, ui, t1 or tn", transport ? transport : "");
    return -1;
}

static int check_timeout(cfg_t *config, cfg_opt_t *option)
{
    double timeout = cfg_opt_getnfloat(option, 0);

    if (timeout > 0 && timeout <= 86400)
        return 0;
    cfg_error(config, "timeout %g: it is in seconds, more than 0 and at most 86400", timeout);
    return -1;
}

int test_config_parse(const char *name, const char *text, struct test_config *ret_config, struct error **ret)
{
    cfg_opt_t options[] = {
        CFG_STR("transport", NULL, CFGF_NODEFAULT),
        CFG_FLOAT("timeout", 0, CFGF_NODEFAULT),
        CFG_END(),
    };
    cfg_t *config = cfg_init(options, CFGF_NONE);
    cleanup_free char *copy = NULL;
    int result;

    if (!config)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read %s", name);
    current_error = ret;
    current_name = name;
    cfg_set_error_function(config, on_error);
    cfg_set_validate_func(config, "transport", check_transport);
    cfg_set_validate_func(config, "timeout", check_timeout);
    copy = text_copy(text);
    blank_comments(copy);
    result = cfg_parse_buf(config, copy);
    current_error = NULL;
    if (result == CFG_SUCCESS) {
        if (cfg_size(config, "transport"))
            ret_config->transport = text_copy(cfg_getstr(config, "transport"));
        if (cfg_size(config, "timeout"))
            ret_config->timeout_s = cfg_getfloat(config, "timeout");
    } else if (ret && !*ret) {
        error_set(ret, ERROR_INPUT, "%s: not a configuration", name);
    }
    cfg_free(config);
    return result == CFG_SUCCESS ? 0 : -1;
}

int test_config_load(const char *folder, struct test_config *ret_config, struct error **ret)
{
    cleanup_free char *path = text_format("%s/test.conf", folder);
    cleanup_free char *text = NULL;
    cleanup_error struct error *error = NULL;
    size_t length;

    if (file_read(AT_FDCWD, path, MOST_BYTES, &text, &length, &error) < 0) {
        if (error->sys == ENOENT)
            return 0;
        return error_set(ret, ERROR_INPUT, "%s", error_text(error));
    }
    if (strlen(text) != length)
        return error_set(ret, ERROR_INPUT, "%s: a NUL byte is in it", path);
    return test_config_parse(path, text, ret_config, ret);
}
