/* By recursive descent. An argument is read by its kind, which the table of names knows: one that is a
 * predicate is descended into, of any other the text is cut out. */
#include "src/expect/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/names.h"
#include "src/expect/wrong.h"

#define TEXT_MOST  65535 /* characters: a frame of 9,000 bytes and more */
#define DEPTH_MOST 16    /* predicates in predicates */

struct parser {
    const char *at;
    const char *folder;
    bool check;
    unsigned depth;
    char *error; /* when parsing fails; NULL: memory ran out */
};

struct call {
    const struct name *name;
    struct argument *list;
    size_t count;
};

static bool parse(struct parser *parser, struct sippod_predicate *ret);

static void skip_blanks(struct parser *parser)
{
    parser->at += strspn(parser->at, " \t\r\n");
}

/* ---- the text of an argument ---- */

static bool cut(struct parser *parser, const char *from, size_t length, char **ret_text)
{
    parser->error = NULL;
    return (*ret_text = strndup(from, length)) != NULL;
}

/* At the quote that opens it. A backslash before anything else than a quote or itself is part of the text, so
 * that regular expressions look as they do elsewhere. */
static bool cut_quoted(struct parser *parser, const char *name, char **ret_text)
{
    const char *from = parser->at + 1, *end = from;
    char *to;

    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return refuse(&parser->error, "%s: a quote is not closed", name);
    if (!cut(parser, from, (size_t)(end - from), ret_text))
        return false;
    parser->at = end + 1;
    to = *ret_text;
    for (const char *p = to; *p; p++) {
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
            p++;
        *to++ = *p;
    }
    *to = '\0';
    return true;
}

/* Up to the comma or parenthesis that is not inside of parentheses. */
static bool cut_plain(struct parser *parser, const char *name, char **ret_text)
{
    const char *from = parser->at, *end = from;
    unsigned open = 0;

    for (; *end && (open || (*end != ',' && *end != ')')); end++) {
        if (*end == '(')
            open++;
        else if (*end == ')')
            open--;
    }
    parser->at = end;
    while (end > from && strchr(" \t\r\n", end[-1]))
        end--;
    if (open)
        return refuse(&parser->error, "%s: a parenthesis is not closed (\"...\" keeps one in an argument)",
                      name);
    if (end == from)
        return refuse(&parser->error, "%s: an argument is missing (\"\" is an empty one)", name);
    return cut(parser, from, (size_t)(end - from), ret_text);
}

/* ---- arguments ---- */

static bool read_argument(struct parser *parser, const struct name *name, struct argument *argument,
                          enum argument_kind kind)
{
    bool good;
    char *why;

    if (kind == ARGUMENT_PREDICATE)
        return parse(parser, &argument->predicate);
    good = *parser->at == '"' ? cut_quoted(parser, name->shown.name, &argument->text)
                              : cut_plain(parser, name->shown.name, &argument->text);
    if (!good)
        return false;
    if (argument_read(argument, kind, parser->folder, &why))
        return true;
    if (why)
        refuse(&parser->error, "%s: %s", name->shown.name, why);
    else
        parser->error = NULL;
    free(why);
    return false;
}

/* "saw_rtp takes 1 or 2 arguments: the number of packets, the payload type" */
static bool wrong_number(struct parser *parser, const struct name *name)
{
    const char *called = name->shown.name, *first = argument_words(name_kind(name, 0)),
               *second = argument_words(name_kind(name, 1));

    if (!name->most)
        return refuse(&parser->error, "%s takes no arguments", called);
    if (name->most == 1)
        return refuse(&parser->error, "%s takes 1 argument: %s", called, first);
    if (name->most > 2)
        return refuse(&parser->error, "%s takes %zu arguments or more, each of them %s", called, name->least,
                      first);
    return refuse(&parser->error, "%s takes %s arguments: %s, %s", called, name->least == 2 ? "2" : "1 or 2",
                  first, second);
}

static struct argument *grow(struct parser *parser, struct call *call)
{
    struct argument *list = reallocarray(call->list, call->count + 1, sizeof *list);

    parser->error = NULL;
    if (!list)
        return NULL;
    call->list = list;
    list[call->count] = (struct argument){0};
    return &list[call->count++];
}

/* Behind the opening parenthesis. */
static bool read_arguments(struct parser *parser, struct call *call)
{
    const char *name = call->name->shown.name;

    for (;;) {
        struct argument *argument;

        skip_blanks(parser);
        if (*parser->at == ')' && !call->count)
            break;
        if (call->count == call->name->most)
            return wrong_number(parser, call->name);
        if (!(argument = grow(parser, call)) ||
            !read_argument(parser, call->name, argument, name_kind(call->name, call->count - 1)))
            return false;
        skip_blanks(parser);
        if (*parser->at != ',')
            break;
        parser->at++;
    }
    if (!*parser->at)
        return refuse(&parser->error, "%s: its closing parenthesis is missing", name);
    if (*parser->at != ')')
        return refuse(&parser->error, "%s: there is no comma in front of \"%.*s\"", name, SHOWN, parser->at);
    parser->at++;
    return true;
}

/* ---- a predicate ---- */

static bool unknown(struct parser *parser, const char *text, size_t length)
{
    const struct name *nearest = name_nearest(text, length);
    int shown = length < SHOWN ? (int)length : SHOWN;

    if (!*text)
        return refuse(&parser->error, "a predicate is missing");
    if (!length)
        return refuse(&parser->error, "a predicate begins with its name, and not with \"%.*s\"", SHOWN, text);
    if (nearest)
        return refuse(&parser->error, "there is no predicate %.*s; did you mean %s?", shown, text,
                      nearest->shown.name);
    return refuse(&parser->error, "there is no predicate %.*s; sippod expect --list tells what there is",
                  shown, text);
}

static bool read_call(struct parser *parser, struct call *call)
{
    size_t length = strspn(parser->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    if (!(call->name = name_find(parser->at, length)))
        return unknown(parser, parser->at, length);
    parser->at += length;
    skip_blanks(parser);
    if (*parser->at == '(') {
        parser->at++;
        if (!read_arguments(parser, call))
            return false;
    }
    return call->count >= call->name->least || wrong_number(parser, call->name);
}

static bool parse(struct parser *parser, struct sippod_predicate *ret)
{
    struct call call = {0};
    bool good;

    skip_blanks(parser);
    if (++parser->depth > DEPTH_MOST)
        return refuse(&parser->error, "predicates stand in each other at most %d deep", DEPTH_MOST);
    good = read_call(parser, &call);
    if (good)
        *ret = call.name->make(call.list, call.count, parser->check);
    for (size_t i = 0; i < call.count; i++)
        argument_free(&call.list[i]);
    free(call.list);
    parser->depth--;
    return good;
}

static bool parse_all(struct parser *parser, struct sippod_predicate *ret)
{
    if (!parse(parser, ret))
        return false;
    skip_blanks(parser);
    if (!*parser->at)
        return true;
    sippod_predicate_free(ret);
    return refuse(&parser->error, "\"%.*s\" stands behind the end of the predicate", SHOWN, parser->at);
}

struct sippod_predicate predicate_parse(const char *text, const char *folder, bool check)
{
    struct parser parser = {.at = text ? text : "", .folder = folder, .check = check};
    struct sippod_predicate predicate = {0};
    bool good;

    if (strnlen(parser.at, TEXT_MOST + 1) > TEXT_MOST)
        good = refuse(&parser.error, "a predicate has at most %d characters", TEXT_MOST);
    else
        good = parse_all(&parser, &predicate);
    if (good)
        return predicate;
    predicate = predicate_wrong(NULL, parser.error ? parser.error : "out of memory");
    free(parser.error);
    return predicate;
}

struct sippod_predicate sippod_predicate_parse(const char *text)
{
    return predicate_parse(text, NULL, false);
}
