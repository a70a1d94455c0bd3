/* Steps of PREPARING: run folder, logs, rendered files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/run/rendering.h"
#include "src/run/test_run.h"
#include "src/suite/template.h"

#define ZONE_FILE_MOST ((size_t)4 * 1024 * 1024)

/* ---- folder, logs, files ---- */

static void undo_folder(void *user)
{
    struct test_run *run = user;
    bool passed = run->result->outcome == OUTCOME_SUCCESS && !run->dirty;
    cleanup_error struct error *error = NULL;

    if (run->context->keep == KEEP_ALL || (run->context->keep == KEEP_FAILED && !passed)) {
        run->result->folder = text_copy(run->folder.name);
    } else {
        (void)run_folder_remove(run->context->results, &run->folder, &error);
        free(steal_pointer(&run->result->pcap));
    }
    test_undone(run, error);
}

int test_prepare_folder(struct test_run *run, struct error **ret)
{
    if (run_folder_make(run->context->results, run->test, &run->folder, ret) < 0)
        return -1;
    free(run->result->run_id);
    run->result->run_id = text_copy(run->folder.run_id);
    rollback_push(run->rollback, "run folder", undo_folder, run);
    return 0;
}

static void undo_logs(void *user)
{
    struct test_run *run = user;

    log_close(steal_pointer(&run->log));
    log_close(steal_pointer(&run->launch_log));
    test_undone(run, NULL);
}

static struct log *open_log(const struct test_run *run, const char *name, struct error **ret)
{
    return log_open(run->folder.fd, name, run->test->name, run->context->log_style, ret);
}

int test_prepare_logs(struct test_run *run, struct error **ret)
{
    const char *launch = run->context->as_sipplauncher ? "pysipp.launch.log" : "sipp.launch.log";

    rollback_push(run->rollback, "logs", undo_logs, run);
    run->log = open_log(run, "sipplauncher.log", ret);
    if (!run->log)
        return -1;
    log_join(run->log, run->context->general_log);
    if (run->context->verbose)
        log_echo(run->log);
    run->launch_log = open_log(run, launch, ret);
    return run->launch_log ? 0 : -1;
}

static void collect_keywords(const struct test_run *run, struct keywords *keywords)
{
    const struct keywords_run names = {
        .run_id = run->folder.run_id,
        .number = run->folder.number,
        .dut = test_dut(run),
    };

    keywords_of_test(keywords, run->test, &names);
    if (run->context->replacements)
        keywords_replace(keywords, run->context->replacements);
}

static bool is_rendered(const char *name)
{
    static const char *const fixed[] = {"dns.txt", "3pcc.txt", "test.conf"};
    size_t length = strlen(name);
    struct scenario scenario;

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(name, fixed[i]) == 0)
            return true;
    if (length > 3 && strcmp(name + length - 3, ".sh") == 0)
        return true;
    if (!scenario_parse(name, &scenario))
        return false;
    scenario_free(&scenario);
    return true;
}

/* Every test has its own copy of the suite's DUT. */
static int copy_dut(const struct test_run *run, struct strings *names, struct error **ret)
{
    cleanup_fd int folder = -1;

    if (mkdirat(run->folder.fd, "dut", 0777) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot make the folder dut for the suite's DUT");
    folder = openat(run->folder.fd, "dut", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open the folder dut");
    return file_copy_tree(run->context->suite->dut, folder, ret) < 0 ||
                   template_find_texts(run->folder.fd, "dut", names, ret) < 0
               ? -1
               : 0;
}

bool test_has_file(const struct test_run *run, const char *name)
{
    struct stat status;

    return fstatat(run->folder.fd, name, &status, 0) == 0;
}

static int find_files(const struct test_run *run, struct strings *ret_names, struct error **ret)
{
    cleanup_strings struct strings names = {0};

    if (file_list(run->folder.fd, &names, ret) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (is_rendered(names.list[i]))
            strings_add(ret_names, names.list[i]);
    return run->context->suite->dut && !run->context->is_global ? copy_dut(run, ret_names, ret) : 0;
}

/* ---- rendering ---- */

static void undo_rendering(void *user)
{
    struct test_run *run = user;

    if (run->rendering)
        rendering_cancel(steal_pointer(&run->rendering));
    test_undone(run, NULL);
}

/* test.conf was read before, for what has to be known early. */
static int read_config(struct test_run *run, struct error **ret)
{
    const struct test_config_place place = {.folder = run->folder.path, .is_global = run->context->is_global};
    struct test_config config;

    if (test_config_load(&place, &config, ret) < 0)
        return -1;
    if (config.family && config.family != run->test->family) {
        test_config_free(&config);
        return error_set(ret, ERROR_INPUT, "test.conf: the family is needed early, no keyword can say it");
    }
    test_config_free(&run->test->config);
    run->test->config = config;
    test_describe_expectations(run);
    return test_check_expectations(run, ret);
}

static int read_zone(struct test_run *run, struct error **ret)
{
    cleanup_free char *text = NULL;
    size_t length;

    if (!test_has_file(run, ZONE_FILE))
        return 0;
    if (file_read(run->folder.fd, ZONE_FILE, ZONE_FILE_MOST, &text, &length, ret) < 0)
        return -1;
    if (strlen(text) != length)
        return error_set(ret, ERROR_INPUT, ZONE_FILE ": not a text file (it has a NUL byte)");
    run->zone = zone_parse(text, ret);
    run->zone_text = steal_pointer(&text);
    return run->zone ? 0 : -1;
}

/* What is not only handed on, but understood. */
static int read_files(struct test_run *run, struct error **ret)
{
    return read_config(run, ret) < 0 || read_zone(run, ret) < 0 ||
                   third_party_read(run->folder.fd, run->test, &run->third_party, ret) < 0 ||
                   test_prepare_tls(run, ret) < 0
               ? -1
               : 0;
}

static void on_rendered(void *user, const struct error *error)
{
    struct test_run *run = user;
    cleanup_error struct error *unread = NULL;

    run->rendering = NULL;
    if (error || read_files(run, &unread) < 0)
        test_not_ready(run, error ? error : unread);
    else if (run->capture_waits && !rollback_running(run->rollback))
        test_open_capture(run);
    else if (run->pod_up && !rollback_running(run->rollback))
        test_prepare_dns(run);
}

static int render_files(struct test_run *run, struct error **ret)
{
    cleanup_strings struct strings names = {0};
    struct keywords keywords = {0};
    struct rendering_config config = {
        .renderer = run->context->renderer,
        .folder_fd = run->folder.fd,
        .folder = run->folder.name,
        .names = &names,
    };

    if (find_files(run, &names, ret) < 0)
        return -1;
    collect_keywords(run, &keywords);
    if (rendering_start(&config, &keywords, &run->rendering, on_rendered, run, ret) < 0)
        return -1;
    rollback_push(run->rollback, "rendered files", undo_rendering, run);
    return 0;
}

static int check_called(const struct test_run *run, struct error **ret)
{
    for (size_t i = 0; i < run->test->scenario_count; i++)
        if (!run->test->scenarios[i].server && !test_dut(run))
            return error_set(ret, ERROR_INPUT, "%s has nobody to call: there is no UAS in the first part",
                             run->test->scenarios[i].ua);
    return 0;
}

int test_prepare_files(struct test_run *run, struct error **ret)
{
    if (check_called(run, ret) < 0 || render_files(run, ret) < 0)
        return -1;
    return run->rendering ? 0 : read_files(run, ret);
}
