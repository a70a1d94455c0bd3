#include "src/suite/expectation_config.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/expect/match.h"
#include "src/expect/parse.h"
#include "src/suite/template.h"

#define LONGEST_S 86400 /* of a timeout, as of a test */
#define SETTLE_S  3600  /* at most */

/* The interfaces of a pod on which packets pass. */
static const char *const interfaces[] = {"lo", "eth0"};

/* libconfuse hands its callbacks no pointer of the caller's; parsing is never nested. */
static const struct test_config_place *current;

void expectation_place(const struct test_config_place *place)
{
    current = place;
}

cfg_opt_t *expectation_options(void)
{
    static cfg_opt_t options[] = {
        CFG_STR("predicate", NULL, CFGF_NODEFAULT), CFG_STR("filter", NULL, CFGF_NODEFAULT),
        CFG_STR("interface", NULL, CFGF_NODEFAULT), CFG_FLOAT("timeout", 0, CFGF_NODEFAULT),
        CFG_FLOAT("settle", 0, CFGF_NODEFAULT),     CFG_INT("limit", 0, CFGF_NODEFAULT),
        CFG_BOOL("not", cfg_false, CFGF_NODEFAULT), CFG_END(),
    };

    return options;
}

/* ---- keywords ---- */

/* The first piece in braces that is no known keyword; it is there. */
static char *find_unknown(const char *text)
{
    for (const char *p = text; (p = strchr(p, '{')); p++) {
        const char *end = strchr(p, '}');
        cleanup_buffer struct buffer ignored = {0};
        size_t length, line;

        if (!strchr("{%#", p[1]))
            continue;
        length = end ? strspn(end, "}%#") + (size_t)(end - p) : strlen(p);
        if (template_render(p, length, current->keywords, &ignored, &line) != TEMPLATE_PLAIN)
            return text_slice(p, length);
    }
    return text_copy(text);
}

/* The text with the values that keywords have where the file is checked; NULL if one is not known. */
static char *replace_keywords(cfg_t *config, const char *name, const char *text)
{
    struct buffer out = {0};
    cleanup_free char *unknown = NULL;
    size_t line;

    if (!current || !current->keywords)
        return text_copy(text);
    switch (template_render(text, strlen(text), current->keywords, &out, &line)) {
    case TEMPLATE_NONE:
        return text_copy(text);
    case TEMPLATE_PLAIN:
        buffer_add(&out, "", 1);
        return (char *)out.data;
    case TEMPLATE_OTHER:
        break;
    }
    buffer_free(&out);
    unknown = find_unknown(text);
    cfg_error(config, "%s: %s is no keyword of this test; only plain keywords can stand here", name, unknown);
    return NULL;
}

/* ---- checks ---- */

static int check_predicate(cfg_t *config, const char *text)
{
    struct sippod_predicate predicate = predicate_parse(text, current ? current->folder : NULL, true);
    const char *wrong = sippod_predicate_error(&predicate);

    if (wrong)
        cfg_error(config, "predicate: %s", wrong);
    sippod_predicate_free(&predicate);
    return wrong ? -1 : 0;
}

static int check_filter(cfg_t *config, const char *text)
{
    char error[MATCH_ERROR];
    struct match *match;

    if (strlen(text) > MATCH_FILTER_MOST) {
        cfg_error(config, "filter: it has at most %d characters, and this has %zu", MATCH_FILTER_MOST,
                  strlen(text));
        return -1;
    }
    match = match_filter(text, error);
    if (!match)
        cfg_error(config, "%s", error);
    match_free(match);
    return match ? 0 : -1;
}

int expectation_check_text(cfg_t *config, cfg_opt_t *option)
{
    const char *name = cfg_opt_name(option), *text = cfg_opt_getnstr(option, 0);
    cleanup_free char *replaced = replace_keywords(config, name, text ? text : "");

    if (!replaced)
        return -1;
    return strcmp(name, "filter") == 0 ? check_filter(config, replaced) : check_predicate(config, replaced);
}

int expectation_check_interface(cfg_t *config, cfg_opt_t *option)
{
    const char *name = cfg_opt_getnstr(option, 0);

    for (size_t i = 0; name && i < sizeof interfaces / sizeof *interfaces; i++)
        if (strcmp(name, interfaces[i]) == 0)
            return 0;
    cfg_error(config, "interface \"%s\": it can be lo or eth0; without it packets of both count",
              name ? name : "");
    return -1;
}

int expectation_check_time(cfg_t *config, cfg_opt_t *option)
{
    bool settle = strcmp(cfg_opt_name(option), "settle") == 0;
    double time = cfg_opt_getnfloat(option, 0);

    if (settle ? time >= 0 && time <= SETTLE_S : time >= 1e-9 && time <= LONGEST_S)
        return 0;
    if (settle)
        cfg_error(config, "settle %g: it is in seconds, 0 to %d", time, SETTLE_S);
    else
        cfg_error(config, "timeout %g: it is in seconds, more than 0 and at most %d", time, LONGEST_S);
    return -1;
}

int expectation_check_limit(cfg_t *config, cfg_opt_t *option)
{
    long limit = cfg_opt_getnint(option, 0);

    if (limit >= 1)
        return 0;
    cfg_error(config, "limit %ld: it is a number of packets, at least 1", limit);
    return -1;
}

static uint64_t nanoseconds(cfg_t *section, const char *name, uint64_t otherwise)
{
    return cfg_size(section, name) ? (uint64_t)(cfg_getfloat(section, name) * 1e9 + 0.5) : otherwise;
}

static char *text_of(cfg_t *section, const char *name)
{
    return cfg_size(section, name) ? text_copy(cfg_getstr(section, name)) : NULL;
}

static void take(cfg_t *section, struct expectation *ret)
{
    *ret = (struct expectation){
        .title = text_copy(cfg_title(section)),
        .predicate = text_of(section, "predicate"),
        .filter = text_of(section, "filter"),
        .interface = text_of(section, "interface"),
        .timeout_ns = nanoseconds(section, "timeout", 0),
        .settle_ns = nanoseconds(section, "settle", EXPECTATION_SETTLE_NS),
        .limit = cfg_size(section, "limit") ? (uint64_t)cfg_getint(section, "limit") : 0,
        .negated = cfg_size(section, "not") && cfg_getbool(section, "not"),
    };
}

static void take_all(const cfg_opt_t *option, struct expectations *ret)
{
    ret->list = memory_array(NULL, option->nvalues, sizeof *ret->list);
    for (ret->count = 0; ret->count < option->nvalues; ret->count++)
        take(option->values[ret->count]->section, &ret->list[ret->count]);
}

void expectations_take(cfg_t *config, struct expectations *ret)
{
    take_all(cfg_getopt(config, "expect"), ret);
}

/* Whether they are small enough, up to this one. */
static bool have_room(const cfg_opt_t *option)
{
    cleanup_buffer struct buffer bytes = {0};
    struct expectations expectations;

    take_all(option, &expectations);
    expectations_encode(&expectations, &bytes);
    expectations_free(&expectations);
    return bytes.length <= EXPECTATIONS_MOST;
}

/* At its end. */
int expectation_check_section(cfg_t *config, cfg_opt_t *option)
{
    cfg_t *section = cfg_opt_getnsec(option, cfg_opt_size(option) - 1);
    const char *title = cfg_title(section);
    cleanup_free char *printable = text_printable(title, strlen(title));

    if (current && current->is_global)
        cfg_error(config,
                  "expect \"%s\": expectations are for tests: GLOBAL has no UAs whose packets they could see",
                  printable);
    else if (!*title || strcmp(title, printable) != 0)
        cfg_error(config, "expect \"%s\": a title in printable words is wanted", printable);
    else if (!cfg_size(section, "predicate"))
        cfg_error(config, "expect \"%s\": it has no predicate", title);
    else if (cfg_size(section, "limit") && !cfg_size(section, "interface"))
        cfg_error(config,
                  "expect \"%s\": a limit takes an interface, as the first packets of two are no order",
                  title);
    else if (!have_room(option))
        cfg_error(config, "expect \"%s\": the expectations up to this one are longer than %zu bytes", title,
                  EXPECTATIONS_MOST);
    else
        return 0;
    return -1;
}
