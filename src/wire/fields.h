/* Reading JSON objects: every getter names the field that it cannot use. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"

void json_free(json_t **json);
#define cleanup_json __attribute__((cleanup(json_free)))

/* The object that `text` holds; NULL if it is anything else, or names a field twice. */
json_t *json_parse(const void *text, size_t length, struct error **ret);

/* Of a field that is absent, or null, and may be, the caller's variable keeps what it holds (get_field,
 * get_bool: becomes NULL, false). */
enum need { OPTIONAL, MANDATORY };

int get_field(const json_t *object, const char *name, enum need need, json_type type, json_t **ret_value,
              struct error **ret);
/* A mandatory text is not empty; an optional one that is counts as absent. *ret_text is the caller's to free.
 */
int get_text(const json_t *object, const char *name, enum need need, char **ret_text, struct error **ret);
int get_number(const json_t *object, const char *name, enum need need, json_int_t low, json_int_t high,
               json_int_t *ret_number, struct error **ret);
int get_bool(const json_t *object, const char *name, bool *ret_value, struct error **ret);
int get_strings(const json_t *object, const char *name, struct strings *ret_strings, struct error **ret);

/* An optional array of objects: read(entry, item) for each. *ret_items gets room for all, zeroed; it and
 * *ret_count are set on failure too. */
int get_array(const json_t *object, const char *name, size_t item_size, void **ret_items, size_t *ret_count,
              int (*read)(const json_t *entry, void *item, struct error **ret), struct error **ret);
