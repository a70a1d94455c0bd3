#include "src/suite/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define MOST_BYTES ((size_t)64 * 1024 * 1024)

static const char *find_syntax(const char *text, const char *end)
{
    for (const char *p = text; p + 1 < end; p++)
        if (p[0] == '{' && (p[1] == '{' || p[1] == '%' || p[1] == '#'))
            return p;
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* The keyword between {{ and }} at `p`: its end behind the braces and its name; NULL if it is anything else.
 */
static const char *parse_keyword(const char *p, const char *end, const char **ret_name, size_t *ret_length)
{
    const char *name;
    bool first = true;

    for (p += 2; p < end && is_space(*p); p++)
        ;
    for (name = p; p < end && (is_name(*p, first) || (*p == '.' && !first)); p++)
        first = *p == '.';
    *ret_name = name;
    *ret_length = (size_t)(p - name);
    if (p == name || first)
        return NULL;
    while (p < end && is_space(*p))
        p++;
    return end - p >= 2 && p[0] == '}' && p[1] == '}' ? p + 2 : NULL;
}

/* Whether the first name of a dotted one is `word`. */
static bool is_part(const char *name, const char *end, const char *word)
{
    size_t length = strlen(word);

    return (size_t)(end - name) >= length && memcmp(name, word, length) == 0 &&
           (name + length == end || name[length] == '.');
}

/* Names that Jinja2 reads in another way than as a key: its own words at the start; behind a dot what every
 * Python dictionary has. */
static bool is_plain(const char *name, size_t length)
{
    static const char *const words[] = {"true", "false", "none", "True", "False", "None", "not",
                                        "and",  "or",    "if",   "else", "in",    "is",   "self"};
    static const char *const attributes[] = {"clear", "copy",    "fromkeys",   "get",    "items", "keys",
                                             "pop",   "popitem", "setdefault", "update", "values"};
    const char *end = name + length, *dot;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_part(name, end, words[i]))
            return false;
    for (; (dot = memchr(name, '.', (size_t)(end - name))); name = dot + 1) {
        if (dot[1] == '_' && dot[2] == '_')
            return false;
        for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
            if (is_part(dot + 1, end, attributes[i]))
                return false;
    }
    return true;
}

/* Text between keywords: CRLF and CR become LF. */
static void add_text(struct buffer *out, const char *text, const char *end)
{
    while (text < end) {
        const char *cr = memchr(text, '\r', (size_t)(end - text));

        buffer_add(out, text, (size_t)((cr ? cr : end) - text));
        if (!cr)
            return;
        buffer_add(out, "\n", 1);
        text = cr + (cr + 1 < end && cr[1] == '\n' ? 2 : 1);
    }
}

static size_t line_of(const char *text, const char *place)
{
    size_t line = 1;

    for (; text < place; text++)
        line += *text == '\n' || (*text == '\r' && text[1] != '\n');
    return line;
}

enum template_kind template_render(const char *text, size_t length, const struct keywords *keywords,
                                   struct buffer *out, size_t *ret_line)
{
    const char *end = text + length, *place = text, *syntax = find_syntax(text, end);

    if (!syntax)
        return TEMPLATE_NONE;
    /* One line end at the end of the source is dropped, whatever it is made of. */
    if (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        end -= end - text >= 2 && end[-1] == '\n' && end[-2] == '\r' ? 2 : 1;
    for (; syntax; syntax = find_syntax(place, end)) {
        const char *name, *value = NULL, *behind;
        size_t name_length;

        behind = syntax[1] == '{' ? parse_keyword(syntax, end, &name, &name_length) : NULL;
        if (behind && is_plain(name, name_length))
            value = keywords_find(keywords, name, name_length);
        if (!value) {
            *ret_line = line_of(text, syntax);
            return TEMPLATE_OTHER;
        }
        add_text(out, place, syntax);
        buffer_add(out, value, strlen(value));
        place = behind;
    }
    add_text(out, place, end);
    return TEMPLATE_PLAIN;
}

/* ---- files ---- */

int template_replace_file(int folder, const char *name, const void *text, size_t length, struct error **ret)
{
    cleanup_free char *old = NULL;
    struct stat status;
    size_t old_length;

    if (fstatat(folder, name, &status, 0) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot look at %s", name);
    if (file_read(folder, name, MOST_BYTES, &old, &old_length, ret) < 0)
        return -1;
    if (old_length == length && (!length || memcmp(old, text, length) == 0))
        return 0;
    return file_write(folder, name, text, length, status.st_mode & 07777, ret);
}

int template_render_file(int folder, const char *name, const struct keywords *keywords, size_t *ret_line,
                         struct error **ret)
{
    cleanup_free char *text = NULL;
    cleanup_buffer struct buffer out = {0};
    size_t length;

    *ret_line = 0;
    if (faccessat(folder, name, F_OK, 0) < 0 && errno == ENOENT)
        return 0;
    if (file_read(folder, name, MOST_BYTES, &text, &length, ret) < 0)
        return -1;
    if (template_render(text, length, keywords, &out, ret_line) != TEMPLATE_PLAIN)
        return 0;
    return template_replace_file(folder, name, out.data, out.length, ret);
}

static int is_text(int folder, const char *name, const struct stat *status, struct error **ret)
{
    cleanup_free char *text = NULL;
    size_t length;

    if (!S_ISREG(status->st_mode) || (size_t)status->st_size > MOST_BYTES)
        return 0;
    if (file_read(folder, name, MOST_BYTES, &text, &length, ret) < 0)
        return -1;
    return strlen(text) == length;
}

static int find_text(int folder, const char *name, struct strings *names, struct error **ret)
{
    struct stat status;
    int result;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot look at %s", name);
    if (S_ISDIR(status.st_mode))
        return template_find_texts(folder, name, names, ret);
    result = is_text(folder, name, &status, ret);
    if (result > 0)
        strings_add(names, name);
    return result < 0 ? -1 : 0;
}

int template_find_texts(int folder, const char *path, struct strings *names, struct error **ret)
{
    cleanup_strings struct strings entries = {0};
    cleanup_fd int fd = openat(folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open %s", path);
    if (file_list(fd, &entries, ret) < 0)
        return -1;
    for (size_t i = 0; i < entries.count; i++) {
        cleanup_free char *below = text_format("%s/%s", path, entries.list[i]);

        if (find_text(folder, below, names, ret) < 0)
            return -1;
    }
    return 0;
}
