#include "src/wire/fields.h"

#include <string.h>

#include "src/base/memory.h"

void json_free(json_t **json)
{
    json_decref(*json);
}
int get_field(const json_t *object, const char *name, enum need need, json_type type, json_t **ret_value,
              struct error **ret)
{
    json_t *value = json_object_get(object, name);

    *ret_value = NULL;
    if (!value || json_is_null(value)) {
        if (need == MANDATORY)
            return error_set(ret, ERROR_INPUT, "the field \"%s\" is missing", name);
        return 0;
    }
    if (json_typeof(value) != type)
        return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
    *ret_value = value;
    return 0;
}

int get_text(const json_t *object, const char *name, enum need need, char **ret_text, struct error **ret)
{
    json_t *value;

    if (get_field(object, name, need, JSON_STRING, &value, ret) < 0)
        return -1;
    if (value && json_string_length(value) != strlen(json_string_value(value)))
        return error_set(ret, ERROR_INPUT, "the field \"%s\" holds a NUL byte", name);
    if (value && *json_string_value(value))
        *ret_text = text_copy(json_string_value(value));
    else if (need == MANDATORY)
        return error_set(ret, ERROR_INPUT, "the field \"%s\" is empty", name);
    return 0;
}

int get_number(const json_t *object, const char *name, enum need need, json_int_t low, json_int_t high,
               json_int_t *ret_number, struct error **ret)
{
    json_t *value;

    if (get_field(object, name, need, JSON_INTEGER, &value, ret) < 0)
        return -1;
    if (!value)
        return 0;
    if (json_integer_value(value) < low || json_integer_value(value) > high)
        return error_set(ret, ERROR_INPUT, "the field \"%s\" is out of range", name);
    *ret_number = json_integer_value(value);
    return 0;
}

int get_bool(const json_t *object, const char *name, bool *ret_value, struct error **ret)
{
    json_t *value = json_object_get(object, name);

    if (value && !json_is_null(value) && !json_is_boolean(value))
        return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
    *ret_value = json_is_true(value);
    return 0;
}

int get_strings(const json_t *object, const char *name, struct strings *ret_strings, struct error **ret)
{
    json_t *array, *entry;
    size_t i;

    if (get_field(object, name, OPTIONAL, JSON_ARRAY, &array, ret) < 0)
        return -1;
    json_array_foreach(array, i, entry)
    {
        if (!json_is_string(entry) || json_string_length(entry) != strlen(json_string_value(entry)))
            return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
        strings_add(ret_strings, json_string_value(entry));
    }
    return 0;
}

int get_array(const json_t *object, const char *name, size_t item_size, void **ret_items, size_t *ret_count,
              int (*read)(const json_t *entry, void *item, struct error **ret), struct error **ret)
{
    json_t *array, *entry;
    size_t i;

    if (get_field(object, name, OPTIONAL, JSON_ARRAY, &array, ret) < 0)
        return -1;
    if (!json_array_size(array))
        return 0;
    *ret_items = memory_new(json_array_size(array) * item_size);
    *ret_count = json_array_size(array);
    json_array_foreach(array, i, entry)
    {
        if (!json_is_object(entry))
            return error_set(ret, ERROR_INPUT, "the field \"%s\" has the wrong type", name);
        if (read(entry, (char *)*ret_items + i * item_size, ret) < 0)
            return error_prefix(ret, "%s[%zu]", name, i);
    }
    return 0;
}

json_t *json_parse(const void *text, size_t length, struct error **ret)
{
    json_error_t problem;
    json_t *json = json_loadb(text ? text : "", length, JSON_REJECT_DUPLICATES, &problem);

    if (!json)
        error_set(ret, ERROR_INPUT, "not JSON: %s", problem.text);
    else if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
        error_set(ret, ERROR_INPUT, "not a JSON object");
    }
    return json;
}
