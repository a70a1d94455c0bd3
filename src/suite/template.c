#include "src/suite/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define MOST_BYTES ((size_t)64 * 1024 * 1024)

void keywords_add(struct keywords *keywords, const char *name, const char *value)
{
    keywords->list = memory_array(keywords->list, keywords->count + 1, sizeof *keywords->list);
    keywords->list[keywords->count++] = (struct keyword){.name = text_copy(name), .value = text_copy(value)};
}

const char *keywords_find(const struct keywords *keywords, const char *name, size_t length)
{
    for (size_t i = 0; i < keywords->count; i++)
        if (strlen(keywords->list[i].name) == length && memcmp(keywords->list[i].name, name, length) == 0)
            return keywords->list[i].value;
    return NULL;
}

void keywords_free(struct keywords *keywords)
{
    for (size_t i = 0; i < keywords->count; i++) {
        free(keywords->list[i].name);
        free(keywords->list[i].value);
    }
    free(keywords->list);
    *keywords = (struct keywords){0};
}

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

static void explain(struct error **ret, const char *file, const char *text, const char *place,
                    const char *end)
{
    const char *name;
    size_t length, line = line_of(text, place);

    if (place[1] == '{' && parse_keyword(place, end, &name, &length))
        error_set(ret, ERROR_INPUT, "%s:%zu: unknown keyword %.*s", file, line, (int)length, name);
    else
        error_set(ret, ERROR_INPUT, "%s:%zu: of templates, only {{ keyword }} is understood by this version",
                  file, line);
}

enum template_kind template_render(const char *file, const char *text, size_t length,
                                   const struct keywords *keywords, struct buffer *out, struct error **ret)
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
        if (behind)
            value = keywords_find(keywords, name, name_length);
        if (!value) {
            explain(ret, file, text, syntax, end);
            return TEMPLATE_OTHER;
        }
        add_text(out, place, syntax);
        buffer_add(out, value, strlen(value));
        place = behind;
    }
    add_text(out, place, end);
    return TEMPLATE_PLAIN;
}

int template_render_file(int folder, const char *name, const struct keywords *keywords, struct error **ret)
{
    cleanup_free char *text = NULL;
    cleanup_buffer struct buffer out = {0};
    struct stat status;
    size_t length;

    if (fstatat(folder, name, &status, 0) < 0)
        return errno == ENOENT ? 0 : error_sys(ret, ERROR_FAILED, errno, "cannot look at %s", name);
    if (file_read(folder, name, MOST_BYTES, &text, &length, ret) < 0)
        return -1;
    switch (template_render(name, text, length, keywords, &out, ret)) {
    case TEMPLATE_NONE:
        return 0;
    case TEMPLATE_OTHER:
        return -1;
    case TEMPLATE_PLAIN:
        break;
    }
    if (out.length == length && memcmp(out.data, text, length) == 0)
        return 0;
    return file_write(folder, name, out.data, out.length, status.st_mode & 07777, ret);
}

/* Errors shall name the file as the reader knows it, from the run folder on. */
static int render_entry(int folder, const char *path, const char *name, const struct keywords *keywords,
                        struct error **ret)
{
    cleanup_free char *below = text_format("%s/%s", path, name);
    cleanup_free char *text = NULL;
    cleanup_fd int fd = -1;
    struct stat status;
    size_t length;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot look at %s", below);
    if (S_ISDIR(status.st_mode)) {
        fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot open %s", below);
        return template_render_tree(fd, below, keywords, ret);
    }
    if (!S_ISREG(status.st_mode) || (size_t)status.st_size > MOST_BYTES)
        return 0;
    if (file_read(folder, name, MOST_BYTES, &text, &length, ret) < 0)
        return -1;
    if (strlen(text) != length)
        return 0;
    return template_render_file(folder, name, keywords, ret) < 0 ? error_prefix(ret, "%s", path) : 0;
}

int template_render_tree(int folder, const char *path, const struct keywords *keywords, struct error **ret)
{
    cleanup_strings struct strings names = {0};

    if (file_list(folder, &names, ret) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (render_entry(folder, path, names.list[i], keywords, ret) < 0)
            return -1;
    return 0;
}
