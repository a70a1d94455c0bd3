/* test.conf: what one test says for itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/words.h"
#include "src/suite/confuse.h"
#include "src/suite/expectation_config.h"
#include "src/suite/suite.h"

static int check_family(cfg_t *config, cfg_opt_t *option)
{
    const char *family = cfg_opt_getnstr(option, 0);

    if (family && family_by_name(family))
        return 0;
    cfg_error(config, "family \"%s\": it can be ipv4 or ipv6", family ? family : "");
    return -1;
}

static int check_transport(cfg_t *config, cfg_opt_t *option)
{
    const char *transport = cfg_opt_getnstr(option, 0);

    if (transport && suite_is_transport(transport))
        return 0;
    cfg_error(config, "transport \"%s\": it can be u1, un, ui, t1, tn, l1 or ln", transport ? transport : "");
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

static int check_reason(cfg_t *config, cfg_opt_t *option)
{
    const char *reason = cfg_opt_getnstr(option, 0);

    if (reason && *reason)
        return 0;
    cfg_error(config, "%s: it is the reason, in words", cfg_opt_name(option));
    return -1;
}

static int check_arguments(cfg_t *config, cfg_opt_t *option)
{
    cleanup_strings struct strings words = {0};
    cleanup_error struct error *error = NULL;

    if (words_split(cfg_opt_getnstr(option, 0), &words, &error) == 0)
        return 0;
    cfg_error(config, "sipp_args: %s", error_text(error));
    return -1;
}

static int check_tags(cfg_t *config, cfg_opt_t *option)
{
    const char *tag = cfg_opt_getnstr(option, cfg_opt_size(option) - 1);

    if (tag && *tag)
        return 0;
    cfg_error(config, "tags: a tag is not empty");
    return -1;
}

static const struct confuse_check checks[] = {
    {"family", check_family},
    {"transport", check_transport},
    {"timeout", check_timeout},
    {"skip", check_reason},
    {"expect_failure", check_reason},
    {"tags", check_tags},
    {"ua|sipp_args", check_arguments},
    {"expect", expectation_check_section},
    {"expect|predicate", expectation_check_text},
    {"expect|filter", expectation_check_text},
    {"expect|interface", expectation_check_interface},
    {"expect|timeout", expectation_check_time},
    {"expect|settle", expectation_check_time},
    {"expect|limit", expectation_check_limit},
    {0},
};

static char *copy_text(cfg_t *config, const char *name)
{
    return cfg_size(config, name) ? text_copy(cfg_getstr(config, name)) : NULL;
}

/* ua "ua1" { sipp_args = "-mp 7000" } */
static void take_arguments(cfg_t *config, struct test_config *ret_config)
{
    size_t count = cfg_size(config, "ua");

    ret_config->sipp_args = memory_array(NULL, count, sizeof *ret_config->sipp_args);
    for (size_t i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(config, "ua", (unsigned)i);
        struct ua_arguments arguments = {.ua = text_copy(cfg_title(section))};

        if (cfg_size(section, "sipp_args"))
            (void)words_split(cfg_getstr(section, "sipp_args"), &arguments.list, NULL); /* was checked */
        ret_config->sipp_args[ret_config->sipp_args_count++] = arguments;
    }
}

/* To be freed with cfg_free(); NULL on failure. */
static cfg_t *parse(const char *name, const char *text, const struct confuse_check *checked,
                    struct error **ret)
{
    cfg_opt_t ua[] = {CFG_STR("sipp_args", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t options[] = {
        CFG_STR("family", NULL, CFGF_NODEFAULT),
        CFG_STR("transport", NULL, CFGF_NODEFAULT),
        CFG_FLOAT("timeout", 0, CFGF_NODEFAULT),
        CFG_STR("skip", NULL, CFGF_NODEFAULT),
        CFG_STR("expect_failure", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("tags", NULL, CFGF_NODEFAULT),
        CFG_SEC("ua", ua, CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES),
        CFG_SEC("expect", expectation_options(), CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES),
        CFG_END(),
    };

    return confuse_parse(name, text, options, checked, ret);
}

int test_config_parse(const char *name, const char *text, const struct test_config_place *place,
                      struct test_config *ret_config, struct error **ret)
{
    cfg_t *config;

    expectation_place(place);
    config = parse(name, text, checks, ret);
    expectation_place(NULL);
    if (!config)
        return -1;
    *ret_config = (struct test_config){
        .family = cfg_size(config, "family") ? family_by_name(cfg_getstr(config, "family")) : FAMILY_ANY,
        .transport = copy_text(config, "transport"),
        .timeout_s = cfg_size(config, "timeout") ? cfg_getfloat(config, "timeout") : 0,
        .skip = copy_text(config, "skip"),
        .expect_failure = copy_text(config, "expect_failure"),
    };
    for (unsigned i = 0; i < cfg_size(config, "tags"); i++)
        strings_add(&ret_config->tags, cfg_getnstr(config, "tags", i));
    take_arguments(config, ret_config);
    expectations_take(config, &ret_config->expectations);
    cfg_free(config);
    return 0;
}

int test_config_load(const struct test_config_place *place, struct test_config *ret_config,
                     struct error **ret)
{
    cleanup_free char *path = text_format("%s/test.conf", place->folder);
    cleanup_free char *text = NULL;

    *ret_config = (struct test_config){0};
    if (confuse_load(path, &text, ret) < 0)
        return -1;
    return text ? test_config_parse(path, text, place, ret_config, ret) : 0;
}

enum family test_config_family(const char *folder)
{
    static const struct confuse_check none[] = {{0}};
    cleanup_free char *path = text_format("%s/test.conf", folder);
    cleanup_free char *text = NULL;
    enum family family = FAMILY_ANY;
    cfg_t *config;

    if (confuse_load(path, &text, NULL) < 0 || !text || !(config = parse(path, text, none, NULL)))
        return FAMILY_ANY;
    if (cfg_size(config, "family"))
        family = family_by_name(cfg_getstr(config, "family"));
    cfg_free(config);
    return family;
}
