#include "src/suite/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/suite/keywords.h"
#include "src/suite/patterns.h"

/* Folders of a suite that are no tests; nor are hidden ones, and the results folder. */
static const char *const reserved[] = {"TEMPLATES", "GLOBAL", "DUT"};

/* ---- tests ---- */

/* Parts in order of bytes; in a part the UASs in reverse order of UA, then the UACs in order. */
static int by_start(const void *a, const void *b)
{
    const struct scenario *left = a, *right = b;
    int order = strcmp(left->part, right->part);

    if (order)
        return order;
    if (left->server != right->server)
        return left->server ? -1 : 1;
    order = strcmp(left->ua, right->ua);
    return left->server ? -order : order;
}

bool suite_is_transport(const char *name)
{
    static const char *const known[] = {"u1", "un", "ui", "t1", "tn", "l1", "ln"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static void find_doubles(const struct test *test, struct strings *problems)
{
    for (size_t i = 0; i < test->scenario_count; i++)
        for (size_t j = i + 1; j < test->scenario_count; j++) {
            const struct scenario *one = &test->scenarios[i], *other = &test->scenarios[j];

            if (strcmp(one->part, other->part) == 0 && strcmp(one->ua, other->ua) == 0)
                strings_addf(problems, "%s: %s is twice in %s%s: %s and %s", test->folder, one->ua,
                             *one->part ? "part " : "the test", one->part, one->file, other->file);
        }
}

static void collect_scenarios(struct test *test, int folder, struct strings *problems)
{
    cleanup_strings struct strings names = {0};
    cleanup_error struct error *error = NULL;

    if (file_list(folder, &names, &error) < 0) {
        strings_addf(problems, "%s: %s", test->folder, error_text(error));
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct scenario scenario;
        struct stat status;

        if (!scenario_parse(names.list[i], &scenario))
            continue;
        if (fstatat(folder, scenario.file, &status, 0) < 0)
            strings_addf(problems, "%s/%s: %s", test->folder, scenario.file, strerror(errno));
        else if (!S_ISREG(status.st_mode))
            strings_addf(problems, "%s/%s: a scenario, but not a file", test->folder, scenario.file);
        test->scenarios = memory_array(test->scenarios, test->scenario_count + 1, sizeof scenario);
        test->scenarios[test->scenario_count++] = scenario;
    }
    if (!test->scenario_count)
        strings_addf(
            problems,
            "%s: no scenario in it; they are called uas_ua0.xml, uac_ua1.xml, or 01_uac_ua1.xml for a "
            "part",
            test->folder);
}

/* With the addresses of the suite's own plan, as far as those of the run are not known yet. */
static void load_config(const struct suite *suite, const struct suite_filter *filter, struct test *test,
                        struct strings *problems)
{
    const struct keywords_run names = {
        .run_id = "abcdef",
        .number = "123456789012",
        .dut = filter->dut                   ? filter->dut
               : suite_dut_host(suite, test) ? suite_dut_host(suite, test)
               : suite->global               ? suite_dut_address(test->family)
                                             : NULL,
    };
    struct keywords keywords = {0};
    const struct test_config_place place = {.folder = test->folder, .keywords = &keywords};
    cleanup_error struct error *error = NULL;

    if (text_is_utf8(test->name)) /* else it is refused, and no keyword could say it */
        keywords_of_test(&keywords, test, &names);
    if (filter->replacements)
        keywords_replace(&keywords, filter->replacements);
    if (test_config_load(&place, &test->config, &error) < 0)
        strings_add(problems, error_text(error));
    keywords_free(&keywords);
}

/* What the test says itself, else what the run says. All that call one DUT have its family. */
static void choose_family(const struct suite_filter *filter, struct test *test, struct strings *problems)
{
    enum family said = test_config_family(test->folder);

    test->family = said             ? said
                   : filter->dut    ? family_of(filter->dut)
                   : filter->family ? filter->family
                                    : FAMILY_IPV4;
    if (filter->dut && test->family != family_of(filter->dut))
        strings_addf(problems, "%s/test.conf: the test's family is %s, and --dut %s is an %s address",
                     test->folder, family_name(test->family), filter->dut,
                     family_name(family_of(filter->dut)));
}

static void add_test(struct suite *suite, const struct suite_filter *filter, const char *name,
                     struct strings *problems)
{
    struct test test = {.name = text_copy(name), .folder = text_format("%s/%s", suite->folder, name)};
    cleanup_fd int folder = open(test.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_free char *printable = text_printable(name, strlen(name));

    choose_family(filter, &test, problems);
    if (folder < 0)
        strings_addf(problems, "%s: %s", test.folder, strerror(errno));
    else
        collect_scenarios(&test, folder, problems);
    if (strcmp(printable, name) != 0)
        strings_addf(problems, "%s/%s: a test's name has to be printable UTF-8", suite->folder, printable);
    if (test.scenario_count) {
        qsort(test.scenarios, test.scenario_count, sizeof *test.scenarios, by_start);
        find_doubles(&test, problems);
        suite_assign_addresses(&test);
    }
    load_config(suite, filter, &test, problems);
    for (size_t i = 0; i < test.config.sipp_args_count; i++)
        if (!test_ua(&test, test.config.sipp_args[i].ua))
            strings_addf(problems, "%s/test.conf: ua \"%s\": the test has no such UA", test.folder,
                         test.config.sipp_args[i].ua);
    suite->tests = memory_array(suite->tests, suite->test_count + 1, sizeof test);
    suite->tests[suite->test_count++] = test;
}

static bool is_folder(const char *suite, const char *name)
{
    cleanup_free char *path = text_format("%s/%s", suite, name);
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_test(const char *suite, const char *name)
{
    if (*name == '.')
        return false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0)
            return false;
    return is_folder(suite, name);
}

static bool holds_scenario(const char *path);

/* What an earlier run has left in the suite. */
static bool is_old_results(const struct suite *suite, const char *name)
{
    cleanup_free char *folder = text_format("%s/%s", suite->folder, name);
    cleanup_free char *file = text_format("%s/results.json", folder);

    return access(file, F_OK) == 0 && !holds_scenario(folder);
}

/* Whether the folder `name` of the suite is `other`, NULL: none. */
static bool is_same(const struct suite *suite, const char *name, const char *other)
{
    cleanup_free char *path = text_format("%s/%s", suite->folder, name);
    struct stat one, two;

    return other && stat(other, &one) == 0 && stat(path, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

static bool has_tag(const struct test *test, const struct strings *tags)
{
    for (size_t i = 0; i < tags->count; i++)
        for (size_t j = 0; j < test->config.tags.count; j++)
            if (strcmp(tags->list[i], test->config.tags.list[j]) == 0)
                return true;
    return !tags->count;
}

/* A test that has none of the tags is of no interest, but what is wrong with it was told. */
static void drop_untagged(struct suite *suite, const struct strings *tags)
{
    struct test *last = &suite->tests[suite->test_count - 1];

    if (has_tag(last, tags))
        return;
    suite_test_release(last);
    suite->test_count--;
}

static void add_all_tests(struct suite *suite, const struct patterns *only, const struct patterns *exclude,
                          const struct suite_filter *filter, struct strings *problems)
{
    cleanup_fd int folder = open(suite->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_strings struct strings names = {0};
    cleanup_error struct error *error = NULL;
    bool any = false;

    if (folder < 0 || file_list(folder, &names, &error) < 0) {
        strings_addf(problems, "%s: %s", suite->folder, error ? error_text(error) : strerror(errno));
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.list[i];

        if (!is_test(suite->folder, name) || is_same(suite, name, filter->results) ||
            is_old_results(suite, name) || is_same(suite, name, suite->global) ||
            is_same(suite, name, suite->templates))
            continue;
        any = true;
        if ((only->count && !patterns_match(only, name)) || patterns_match(exclude, name))
            continue;
        add_test(suite, filter, name, problems);
        drop_untagged(suite, &filter->tags);
    }
    if (!any)
        strings_addf(problems, "%s: no test folder in it", suite->folder);
    else if (!suite->test_count)
        strings_addf(problems, "%s: the patterns%s leave no test to run", suite->folder,
                     filter->tags.count ? " and tags" : "");
}

/* ---- paths ---- */

/* A folder that holds a scenario is a test; the suite is the folder above. */
static bool holds_scenario(const char *path)
{
    cleanup_fd int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_strings struct strings names = {0};

    if (folder < 0 || file_list(folder, &names, NULL) < 0)
        return false;
    for (size_t i = 0; i < names.count; i++) {
        struct scenario scenario;

        if (!scenario_parse(names.list[i], &scenario))
            continue;
        scenario_free(&scenario);
        return true;
    }
    return false;
}

static void set_folder(struct suite *suite, char *folder)
{
    const char *slash = strrchr(folder, '/');

    suite->folder = folder;
    suite->name = text_copy(slash && slash[1] ? slash + 1 : folder);
}

/* One of several paths: it has to be a test of the suite that the first one belongs to. */
static void add_path(struct suite *suite, const struct suite_filter *filter, const char *path,
                     struct strings *problems)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *absolute = file_absolute(path, &error);
    cleanup_free char *above = NULL;
    cleanup_free char *last = NULL;

    if (!absolute) {
        strings_add(problems, error_text(error));
        return;
    }
    above = text_copy(absolute);
    last = text_copy(absolute);
    if (strcmp(dirname(above), suite->folder) != 0) {
        strings_addf(problems, "%s: not of the same suite as the tests before it (%s)", path, suite->folder);
        return;
    }
    for (size_t i = 0; i < suite->test_count; i++)
        if (strcmp(suite->tests[i].name, basename(last)) == 0)
            return; /* named twice: run once */
    add_test(suite, filter, basename(last), problems);
}

/* A folder beside the tests: the one that was named, else the suite's own if it is there. */
static char *special_folder(const struct suite *suite, const char *name, const char *given,
                            const char *option, struct strings *problems)
{
    cleanup_error struct error *error = NULL;
    char *folder;

    if (!given)
        return is_folder(suite->folder, name) ? text_format("%s/%s", suite->folder, name) : NULL;
    folder = file_absolute(given, &error);
    if (!folder)
        strings_addf(problems, "%s %s", option, error_text(error));
    else if (!is_folder(folder, "."))
        strings_addf(problems, "%s %s: it is no folder", option, given);
    return folder;
}

/* The file of users: the one that was named, else users.csv in the suite if it is there. */
static char *find_info_file(const struct suite *suite, const char *given, struct strings *problems)
{
    cleanup_free char *own = text_format("%s/users.csv", suite->folder);
    cleanup_error struct error *error = NULL;
    struct stat status;
    char *path;

    if (!given && access(own, F_OK) < 0)
        return NULL;
    path = given ? file_absolute(given, &error) : steal_pointer(&own);
    if (!path)
        strings_addf(problems, "--sipp-info-file %s", error_text(error));
    else if (access(path, R_OK) < 0 || stat(path, &status) < 0)
        strings_addf(problems, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        strings_addf(problems, "%s: not a file; SIPp takes users from it (-inf)", path);
    return path;
}

static void check_global(const struct suite *suite, struct strings *problems)
{
    const struct test_config_place place = {.folder = suite->global, .is_global = true};
    struct test_config config = {0};
    cleanup_error struct error *error = NULL;

    if (suite->global && test_config_load(&place, &config, &error) < 0)
        strings_add(problems, error_text(error));
    test_config_free(&config);
}

/* What the suite itself holds, beside its tests. */
static void add_suite(struct suite *suite, const struct suite_filter *filter, struct strings *problems)
{
    suite->templates = special_folder(suite, "TEMPLATES", filter->templates, "--template-folder", problems);
    suite->global = special_folder(suite, "GLOBAL", filter->global, "--global-test-folder", problems);
    check_global(suite, problems);
    suite->dut = special_folder(suite, "DUT", NULL, NULL, problems);
    suite->info_file = find_info_file(suite, filter->info_file, problems);
    if (suite->dut) {
        cleanup_free char *script = text_format("%s/dut.sh", suite->dut);

        if (access(script, R_OK) < 0)
            strings_addf(problems, "%s: %s; it starts the DUT and stays in the foreground", script,
                         strerror(errno));
    }
}

char *suite_find(const struct strings *paths, struct error **ret)
{
    char *folder = file_absolute(paths->list[0], ret);
    char *slash = folder ? strrchr(folder, '/') : NULL;

    if (folder && (paths->count > 1 || holds_scenario(folder)) && slash > folder)
        *slash = '\0';
    return folder;
}

int suite_load(const struct strings *paths, const struct suite_filter *filter, struct suite *suite,
               struct strings *problems)
{
    struct patterns only = {0}, exclude = {0};
    cleanup_error struct error *error = NULL;
    size_t before = problems->count;
    char *folder;

    patterns_compile(&filter->only, "--pattern-only", &only, problems);
    patterns_compile(&filter->exclude, "--pattern-exclude", &exclude, problems);
    folder = suite_find(paths, &error);
    if (!folder) {
        strings_addf(problems, "%s; name the suite's folder, or one of its tests", error_text(error));
    } else {
        set_folder(suite, folder);
        add_suite(suite, filter, problems);
    }
    if (problems->count == before && paths->count == 1 && !holds_scenario(paths->list[0]))
        add_all_tests(suite, &only, &exclude, filter, problems);
    else if (problems->count == before)
        for (size_t i = 0; i < paths->count; i++)
            add_path(suite, filter, paths->list[i], problems);
    patterns_free(&only);
    patterns_free(&exclude);
    return problems->count == before ? 0 : -1;
}

void suite_free(struct suite *suite)
{
    for (size_t i = 0; i < suite->test_count; i++)
        suite_test_release(&suite->tests[i]);
    free(suite->tests);
    free(suite->folder);
    free(suite->name);
    free(suite->dut);
    free(suite->global);
    free(suite->templates);
    free(suite->info_file);
    *suite = (struct suite){0};
}
