#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/suite/suite.h"

#define MOST_BYTES   ((size_t)1024 * 1024)
#define DEFAULT_PORT 5060

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

static int check_port(cfg_t *config, cfg_opt_t *option)
{
    long port = cfg_opt_getnint(option, 0);

    if (port >= 1 && port <= 65535)
        return 0;
    cfg_error(config, "dut_port %ld: it is a number from 1 to 65535", port);
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

static const struct {
    const char *name;
    int (*check)(cfg_t *config, cfg_opt_t *option);
} checks[] = {
    {"transport", check_transport},
    {"timeout", check_timeout},
    {"dut_port", check_port},
};

/* Asking libconfuse itself would be told as an error. */
static bool has_option(const cfg_opt_t *options, const char *name)
{
    for (; options->name; options++)
        if (strcmp(options->name, name) == 0)
            return true;
    return false;
}

/* Parses `text`, in which `options` says what can be; NULL on failure. The caller frees it with cfg_free().
 */
static cfg_t *parse(const char *name, const char *text, cfg_opt_t *options, struct error **ret)
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
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (has_option(options, checks[i].name))
            cfg_set_validate_func(config, checks[i].name, checks[i].check);
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

/* *ret_text is NULL if there is no such file. */
static int load(const char *path, char **ret_text, struct error **ret)
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

int test_config_parse(const char *name, const char *text, struct test_config *ret_config, struct error **ret)
{
    cfg_opt_t options[] = {
        CFG_STR("transport", NULL, CFGF_NODEFAULT),
        CFG_FLOAT("timeout", 0, CFGF_NODEFAULT),
        CFG_END(),
    };
    cfg_t *config = parse(name, text, options, ret);

    if (!config)
        return -1;
    if (cfg_size(config, "transport"))
        ret_config->transport = text_copy(cfg_getstr(config, "transport"));
    if (cfg_size(config, "timeout"))
        ret_config->timeout_s = cfg_getfloat(config, "timeout");
    cfg_free(config);
    return 0;
}

int test_config_load(const char *folder, struct test_config *ret_config, struct error **ret)
{
    cleanup_free char *path = text_format("%s/test.conf", folder);
    cleanup_free char *text = NULL;

    if (load(path, &text, ret) < 0)
        return -1;
    return text ? test_config_parse(path, text, ret_config, ret) : 0;
}

int suite_config_load(const char *folder, struct suite_config *ret_config, struct error **ret)
{
    cleanup_free char *path = text_format("%s/sippod.conf", folder);
    cleanup_free char *text = NULL;
    cfg_opt_t options[] = {CFG_INT("dut_port", DEFAULT_PORT, CFGF_NONE), CFG_END()};
    cfg_t *config;

    *ret_config = (struct suite_config){.dut_port = DEFAULT_PORT};
    if (load(path, &text, ret) < 0)
        return -1;
    if (!text)
        return 0;
    config = parse(path, text, options, ret);
    if (!config)
        return -1;
    ret_config->dut_port = (unsigned)cfg_getint(config, "dut_port");
    cfg_free(config);
    return 0;
}
