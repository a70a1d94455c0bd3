#include <stdlib.h>

#include "src/base/memory.h"
#include "src/suite/suite.h"

static void copy_strings(struct strings *copy, const struct strings *strings)
{
    *copy = (struct strings){0};
    for (size_t i = 0; i < strings->count; i++)
        strings_add(copy, strings->list[i]);
}

static char *copy_optional(const char *text)
{
    return text ? text_copy(text) : NULL;
}

static void config_copy(struct test_config *copy, const struct test_config *config)
{
    *copy = (struct test_config){
        .family = config->family,
        .transport = copy_optional(config->transport),
        .timeout_s = config->timeout_s,
        .skip = copy_optional(config->skip),
        .expect_failure = copy_optional(config->expect_failure),
        .sipp_args = memory_array(NULL, config->sipp_args_count, sizeof *copy->sipp_args),
        .sipp_args_count = config->sipp_args_count,
    };
    copy_strings(&copy->tags, &config->tags);
    expectations_copy(&copy->expectations, &config->expectations);
    for (size_t i = 0; i < config->sipp_args_count; i++) {
        copy->sipp_args[i].ua = text_copy(config->sipp_args[i].ua);
        copy_strings(&copy->sipp_args[i].list, &config->sipp_args[i].list);
    }
}

void test_config_free(struct test_config *config)
{
    free(config->transport);
    free(config->skip);
    free(config->expect_failure);
    strings_free(&config->tags);
    expectations_free(&config->expectations);
    for (size_t i = 0; i < config->sipp_args_count; i++) {
        free(config->sipp_args[i].ua);
        strings_free(&config->sipp_args[i].list);
    }
    free(config->sipp_args);
    *config = (struct test_config){0};
}

struct test *suite_test_copy(const struct test *test)
{
    struct test *copy = memory_new(sizeof *copy);

    *copy = (struct test){
        .name = text_copy(test->name),
        .folder = text_copy(test->folder),
        .scenarios = memory_array(NULL, test->scenario_count, sizeof *copy->scenarios),
        .scenario_count = test->scenario_count,
        .family = test->family,
        .uas = memory_array(NULL, test->ua_count, sizeof *copy->uas),
        .ua_count = test->ua_count,
    };
    for (size_t i = 0; i < test->scenario_count; i++)
        copy->scenarios[i] = (struct scenario){
            .file = text_copy(test->scenarios[i].file),
            .part = text_copy(test->scenarios[i].part),
            .ua = text_copy(test->scenarios[i].ua),
            .server = test->scenarios[i].server,
        };
    for (size_t i = 0; i < test->ua_count; i++)
        copy->uas[i] =
            (struct ua){.name = text_copy(test->uas[i].name), .address = text_copy(test->uas[i].address)};
    config_copy(&copy->config, &test->config);
    return copy;
}

void suite_test_release(struct test *test)
{
    for (size_t i = 0; i < test->scenario_count; i++)
        scenario_free(&test->scenarios[i]);
    for (size_t i = 0; i < test->ua_count; i++) {
        free(test->uas[i].name);
        free(test->uas[i].address);
    }
    free(test->scenarios);
    free(test->uas);
    test_config_free(&test->config);
    free(test->name);
    free(test->folder);
}

void suite_test_free(struct test *test)
{
    if (test)
        suite_test_release(test);
    free(test);
}
