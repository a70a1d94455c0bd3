#include "src/suite/keywords.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

/* ---- dotted names ---- */

/* "a.b.c" as its three names. */
static void split(const char *name, size_t length, struct strings *ret_path)
{
    cleanup_free char *copy = text_slice(name, length);
    char *rest = copy, *part;

    while ((part = strsep(&rest, ".")))
        strings_add(ret_path, part);
}

static bool is_identifier(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return *text && !strchr("0123456789", *text) && !text[strspn(text, letters)];
}

/* Sets what `path` leads to, in place of whatever is in its way. Takes `value`. */
static void put(struct keywords *keywords, const struct strings *path, json_t *value)
{
    json_t *object;

    if (!keywords->object)
        keywords->object = json_object();
    object = keywords->object;
    for (size_t i = 0; i + 1 < path->count; i++) {
        json_t *below = json_object_get(object, path->list[i]);

        if (!json_is_object(below)) {
            below = json_object();
            json_object_set_new(object, path->list[i], below);
        }
        object = below;
    }
    if (json_object_set_new(object, path->list[path->count - 1], value) < 0)
        abort(); /* out of memory, or a fault of the program: names and values are UTF-8 */
}

/* ---- keywords ---- */

void keywords_set(struct keywords *keywords, const char *name, const char *value)
{
    cleanup_strings struct strings path = {0};

    split(name, strlen(name), &path);
    put(keywords, &path, json_string(value));
}

/* The address of `who`, also as URIs have it. */
static void set_host(struct keywords *keywords, const char *who, const char *address)
{
    cleanup_free char *host = text_format("%s.host", who);
    cleanup_free char *uri = text_format("%s.uri_host", who);
    cleanup_free char *in_uri = family_uri_host(address);

    keywords_set(keywords, host, address);
    keywords_set(keywords, uri, in_uri);
}

void keywords_of_test(struct keywords *keywords, const struct test *test, const struct keywords_run *run)
{
    keywords_set(keywords, "test.name", test->name);
    keywords_set(keywords, "test.run_id", run->run_id);
    keywords_set(keywords, "test.run_id_number", run->number);
    keywords_set(keywords, "custom_transport", "");
    if (run->dut)
        set_host(keywords, "dut", run->dut);
    for (size_t i = 0; i < test->ua_count; i++)
        set_host(keywords, test->uas[i].name, test->uas[i].address);
}

const char *keywords_find(const struct keywords *keywords, const char *name, size_t length)
{
    cleanup_strings struct strings path = {0};
    const json_t *value = keywords->object;

    split(name, length, &path);
    for (size_t i = 0; i < path.count; i++)
        value = json_object_get(value, path.list[i]);
    return json_string_value(value);
}

char *keywords_json(const struct keywords *keywords)
{
    char *text = keywords->object ? json_dumps(keywords->object, JSON_COMPACT) : text_copy("{}");

    if (!text)
        abort(); /* out of memory */
    return text;
}

void keywords_free(struct keywords *keywords)
{
    json_decref(keywords->object);
    keywords->object = NULL;
}

/* ---- replacements ---- */

/* Takes `value`. */
static struct strings *add(struct keywords_replacements *replacements, json_t *value)
{
    size_t number = replacements->count++;

    replacements->list = memory_array(replacements->list, replacements->count, sizeof *replacements->list);
    replacements->list[number] = (struct keywords_replacement){.value = value};
    return &replacements->list[number].path;
}

int keywords_replacements_parse(const char *text, struct keywords_replacements *replacements,
                                struct error **ret)
{
    json_error_t problem;
    json_t *object = json_loads(text, JSON_DECODE_ANY, &problem);
    json_t *value;
    const char *key;

    if (!object)
        return error_set(ret, ERROR_INPUT, "no JSON: line %d, column %d: %s", problem.line, problem.column,
                         problem.text);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(ret, ERROR_INPUT, "it has to be a JSON object: {\"name\": \"value\"}");
    }
    json_object_foreach(object, key, value) strings_add(add(replacements, json_incref(value)), key);
    json_decref(object);
    return 0;
}

int keywords_replacements_set(const char *assignment, struct keywords_replacements *replacements,
                              struct error **ret)
{
    cleanup_strings struct strings path = {0};
    const char *equals = strchr(assignment, '=');
    bool well_formed = equals;

    if (equals)
        split(assignment, (size_t)(equals - assignment), &path);
    for (size_t i = 0; i < path.count; i++)
        well_formed = well_formed && is_identifier(path.list[i]);
    if (!well_formed)
        return error_set(ret, ERROR_INPUT,
                         "it has to be name=value; the name is letters, digits and _, "
                         "or such names with dots between them");
    if (!text_is_utf8(equals + 1))
        return error_set(ret, ERROR_INPUT, "the value is not UTF-8");
    *add(replacements, json_string(equals + 1)) = path;
    path = (struct strings){0};
    return 0;
}

void keywords_replacements_free(struct keywords_replacements *replacements)
{
    for (size_t i = 0; i < replacements->count; i++) {
        strings_free(&replacements->list[i].path);
        json_decref(replacements->list[i].value);
    }
    free(replacements->list);
    *replacements = (struct keywords_replacements){0};
}

int keywords_replacements_check(const struct keywords_replacements *replacements, const struct test *tests,
                                size_t count, struct error **ret)
{
    for (size_t i = 0; i < replacements->count; i++) {
        const char *name = replacements->list[i].path.list[0];

        for (size_t test = 0; test < count; test++)
            if (test_ua(&tests[test], name))
                return error_set(ret, ERROR_INPUT,
                                 "%s is a UA of the test %s: its address is assigned by sippod", name,
                                 tests[test].name);
    }
    return 0;
}

void keywords_replace(struct keywords *keywords, const struct keywords_replacements *replacements)
{
    /* Copies: a later one may set something in what an earlier one has brought. */
    for (size_t i = 0; i < replacements->count; i++)
        put(keywords, &replacements->list[i].path, json_deep_copy(replacements->list[i].value));
}
