/* sippod.conf: defaults for a command's options. A key is the option's name with _ for -. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"

enum config_kind {
    CONFIG_TEXT, /* key = value, also a number */
    CONFIG_FLAG, /* key = true or false */
    CONFIG_LIST, /* key = {"one", "two"} */
};

struct config_key {
    const char *name;
    enum config_kind kind;
};

struct config_reader {
    const struct config_key *keys;
    size_t count;
    /* A value of keys[key] ("true", "false" for a flag; each of a list, the first one marked so; what
     * came before a first one is void). An error's text is told with the file and line. */
    int (*set)(void *user, size_t key, const char *value, bool first, struct error **ret);
    void *user;
};

/* The file `path`; one that is not there says nothing. */
int config_read(const char *path, const struct config_reader *reader, struct error **ret);

/* The same from memory; `name` is for errors. */
int config_parse(const char *name, const char *text, const struct config_reader *reader, struct error **ret);
