#include "src/suite/config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/confuse.h"

/* libconfuse hands its callbacks no pointer of the caller's; parsing is never nested. */
static const struct config_reader *current;

static size_t key_of(const char *name)
{
    for (size_t i = 0; i < current->count; i++)
        if (strcmp(current->keys[i].name, name) == 0)
            return i;
    abort(); /* libconfuse knows only these */
}

/* libconfuse calls this with every value that it adds to a list and once more at the end of the list: all are
 * taken again each time, the first of them marked. */
static int take_values(cfg_t *config, cfg_opt_t *option)
{
    size_t key = key_of(cfg_opt_name(option));
    bool flag = current->keys[key].kind == CONFIG_FLAG;

    for (unsigned i = 0; i < cfg_opt_size(option); i++) {
        const char *value =
            flag ? (cfg_opt_getnbool(option, i) ? "true" : "false") : cfg_opt_getnstr(option, i);
        cleanup_error struct error *error = NULL;

        if (current->set(current->user, key, value ? value : "", i == 0, &error) < 0) {
            cfg_error(config, "%s", error_text(error));
            return -1;
        }
    }
    return 0;
}

static cfg_opt_t option_of(const struct config_key *key)
{
    cfg_opt_t text = CFG_STR(key->name, NULL, CFGF_NODEFAULT);
    cfg_opt_t flag = CFG_BOOL(key->name, cfg_false, CFGF_NODEFAULT);
    cfg_opt_t list = CFG_STR_LIST(key->name, NULL, CFGF_NODEFAULT);

    return key->kind == CONFIG_FLAG ? flag : key->kind == CONFIG_LIST ? list : text;
}

int config_parse(const char *name, const char *text, const struct config_reader *reader, struct error **ret)
{
    cleanup_free cfg_opt_t *options = memory_array(NULL, reader->count + 1, sizeof *options);
    cleanup_free struct confuse_check *checks = memory_array(NULL, reader->count + 1, sizeof *checks);
    cfg_opt_t end = CFG_END();
    cfg_t *config;

    for (size_t i = 0; i < reader->count; i++) {
        options[i] = option_of(&reader->keys[i]);
        checks[i] = (struct confuse_check){reader->keys[i].name, take_values};
    }
    options[reader->count] = end;
    checks[reader->count] = (struct confuse_check){0};
    current = reader;
    config = confuse_parse(name, text, options, checks, ret);
    current = NULL;
    if (!config)
        return -1;
    cfg_free(config);
    return 0;
}

int config_read(const char *path, const struct config_reader *reader, struct error **ret)
{
    cleanup_free char *text = NULL;

    if (confuse_load(path, &text, ret) < 0)
        return -1;
    return text ? config_parse(path, text, reader, ret) : 0;
}
