/* The steps of PREPARING, each with its undo. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/run/test_run.h"
#include "src/suite/template.h"

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

int test_prepare_logs(struct test_run *run, struct error **ret)
{
    rollback_push(run->rollback, "logs", undo_logs, run);
    run->log = log_open(run->folder.fd, "sipplauncher.log", ret);
    if (!run->log)
        return -1;
    if (run->context->verbose)
        log_echo(run->log, run->test->name);
    run->launch_log = log_open(run->folder.fd, "sipp.launch.log", ret);
    return run->launch_log ? 0 : -1;
}

static void collect_keywords(const struct test_run *run, struct keywords *keywords)
{
    const char *dut = suite_dut_host(run->context->suite, run->test);

    keywords_add(keywords, "test.name", run->test->name);
    keywords_add(keywords, "test.run_id", run->folder.run_id);
    keywords_add(keywords, "test.run_id_number", run->folder.number);
    keywords_add(keywords, "custom_transport", "");
    if (dut)
        keywords_add(keywords, "dut.host", dut);
    for (size_t i = 0; i < run->test->ua_count; i++) {
        cleanup_free char *name = text_format("%s.host", run->test->uas[i].name);

        keywords_add(keywords, name, run->test->uas[i].address);
    }
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
static int add_dut_files(const struct test_run *run, const struct keywords *keywords, struct error **ret)
{
    cleanup_fd int folder = -1;

    if (mkdirat(run->folder.fd, "dut", 0777) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot make the folder dut for the suite's DUT");
    folder = openat(run->folder.fd, "dut", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open the folder dut");
    return file_copy_tree(run->context->suite->dut, folder, ret) < 0 ||
                   template_render_tree(folder, "dut", keywords, ret) < 0
               ? -1
               : 0;
}

static int render_files(struct test_run *run, struct error **ret)
{
    cleanup_strings struct strings names = {0};
    struct keywords keywords = {0};
    int result = file_list(run->folder.fd, &names, ret);

    collect_keywords(run, &keywords);
    for (size_t i = 0; i < names.count && result == 0; i++)
        if (is_rendered(names.list[i]))
            result = template_render_file(run->folder.fd, names.list[i], &keywords, ret);
    if (result == 0 && run->context->suite->dut)
        result = add_dut_files(run, &keywords, ret);
    keywords_free(&keywords);
    return result;
}

static int check_called(const struct test_run *run, struct error **ret)
{
    for (size_t i = 0; i < run->test->scenario_count; i++)
        if (!run->test->scenarios[i].server && !suite_dut_host(run->context->suite, run->test))
            return error_set(ret, ERROR_INPUT, "%s has nobody to call: there is no UAS in the first part",
                             run->test->scenarios[i].ua);
    return 0;
}

int test_prepare_files(struct test_run *run, struct error **ret)
{
    return check_called(run, ret) < 0 || render_files(run, ret) < 0 ? -1 : 0;
}

/* ---- scripts ---- */

static void undo_scripts(void *user);

/* before.sh is over: after.sh is owed if it succeeded, and if a signal cut it off. */
static void on_before_over(void *user, const struct error *error)
{
    struct test_run *run = user;

    run->script = NULL;
    if (!error || run->interrupted)
        rollback_push(run->rollback, "after.sh", undo_scripts, run);
    if (error || run->why)
        test_not_ready(run, error);
    else
        test_ready(run);
}

static bool has_file(const struct test_run *run, const char *name)
{
    struct stat status;

    return fstatat(run->folder.fd, name, &status, 0) == 0;
}

static void run_script(struct test_run *run, const char *name,
                       void (*done)(void *user, const struct error *error))
{
    struct script_config config = {
        .pod = run->pod,
        .loop = run->context->host->loop,
        .log = run->log,
        .name = name,
        .folder = run->folder.path,
        .envs = run->context->envs,
        .env_count = run->context->env_count,
    };

    log_line(run->log, LOG_LEVEL_INFO, "running %s", name);
    run->script = script_start(&config, done, run);
}

static void run_before(struct test_run *run)
{
    if (run->pod_lost) {
        cleanup_error struct error *error = NULL;

        error_set(&error, ERROR_FAILED, "the pod has ended");
        test_not_ready(run, error);
        return;
    }
    if (has_file(run, "before.sh"))
        run_script(run, "before.sh", on_before_over);
    else
        on_before_over(run, NULL);
}

static void on_after_over(void *user, const struct error *error)
{
    struct test_run *run = user;

    run->script = NULL;
    if (run->hurry && error)
        log_line(run->log, LOG_LEVEL_WARNING, "%s", error_text(error));
    test_undone(run, error);
}

static void undo_scripts(void *user)
{
    struct test_run *run = user;

    if (!has_file(run, "after.sh")) {
        test_undone(run, NULL);
    } else if (run->hurry || run->pod_lost) {
        cleanup_error struct error *error = NULL;

        error_set(&error, ERROR_FAILED, "not run: %s",
                  run->hurry ? "a second signal came" : "the pod has ended");
        test_undone(run, error);
    } else {
        run_script(run, "after.sh", on_after_over);
    }
}

/* ---- the DUT ---- */

static void on_dut_ready(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        test_not_ready(run, error);
    else
        run_before(run);
}

/* A DUT that ends while it is needed is what the test has found. */
static void on_dut_ended(void *user, const struct error *error)
{
    struct test_run *run = user;

    log_line(run->log, LOG_LEVEL_ERROR, "%s", error_text(error));
    if (run->parts)
        parts_stop(run->parts, error_text(error));
    else
        test_cut_off(run, error_text(error));
}

static const struct dut_callbacks dut_callbacks = {.ready = on_dut_ready, .ended = on_dut_ended};

static void on_dut_stopped(void *user)
{
    struct test_run *run = user;

    test_undone(run, NULL);
}

static void undo_dut(void *user)
{
    struct test_run *run = user;

    dut_stop(steal_pointer(&run->dut), on_dut_stopped, run);
}

static void start_dut(struct test_run *run)
{
    const struct test_context *context = run->context;
    cleanup_free char *folder = text_format("%s/dut", run->folder.path);
    cleanup_error struct error *error = NULL;
    struct dut_config config = {
        .pod = run->pod,
        .loop = context->host->loop,
        .folder_fd = run->folder.fd,
        .folder = folder,
        .port = context->suite->config.dut_port,
        .envs = context->envs,
        .env_count = context->env_count,
    };

    if (!context->suite->dut) {
        run_before(run);
        return;
    }
    log_line(run->log, LOG_LEVEL_INFO, "starting the DUT");
    run->dut = dut_start(&config, &dut_callbacks, run, &error);
    if (!run->dut) {
        test_not_ready(run, error);
        return;
    }
    rollback_push(run->rollback, "DUT", undo_dut, run);
}

/* ---- the pod and its capture ---- */

static void on_capture_running(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        test_not_ready(run, error);
    else
        start_dut(run);
}

static void on_captured(void *user, const struct pod_capture_result *result, const struct error *error)
{
    struct test_run *run = user;

    run->result->packets = result->packets;
    run->result->dropped = result->dropped;
    if (result->dropped)
        log_line(run->log, LOG_LEVEL_WARNING, "%llu packets were not captured",
                 (unsigned long long)result->dropped);
    test_undone(run, error);
}

static void undo_capture(void *user)
{
    struct test_run *run = user;

    pod_capture_stop(steal_pointer(&run->capture), on_captured, run);
}

static void on_namespaces(void *user)
{
    struct test_run *run = user;
    cleanup_error struct error *error = NULL;
    int user_namespace, network_namespace;
    char *file;

    if (!run->context->pcap)
        return;
    pod_namespaces(run->pod, &user_namespace, &network_namespace);
    file = text_format("sipp-%s.pcapng", run->folder.run_id);
    run->capture = pod_capture_start(run->context->host, user_namespace, network_namespace, run->folder.fd,
                                     file, on_capture_running, run, &error);
    if (!run->capture) {
        free(file);
        test_not_ready(run, error);
        return;
    }
    run->result->pcap = file;
    rollback_push(run->rollback, "capture", undo_capture, run);
}

static void on_pod_up(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        test_not_ready(run, error);
    else if (run->capture)
        pod_capture_open(run->capture);
    else
        start_dut(run);
}

/* Its processes have been told already, and with them the step that was under way; later ones look first. */
static void on_pod_lost(void *user, const struct error *why)
{
    struct test_run *run = user;

    run->pod_lost = true;
    log_line(run->log, LOG_LEVEL_ERROR, "the pod has ended: %s", error_text(why));
}

static void on_notice(void *user, const char *text)
{
    struct test_run *run = user;

    log_line(run->log, LOG_LEVEL_WARNING, "%s", text);
}

static const struct pod_callbacks pod_callbacks = {
    .namespaces = on_namespaces,
    .up = on_pod_up,
    .lost = on_pod_lost,
    .notice = on_notice,
};

static void on_pod_stopped(void *user)
{
    struct test_run *run = user;

    run->pod = NULL;
    test_undone(run, NULL);
}

static void undo_pod(void *user)
{
    struct test_run *run = user;

    pod_stop(run->pod, on_pod_stopped, run);
}

int test_prepare_pod(struct test_run *run, struct error **ret)
{
    const struct mounts_plan *shared = run->context->mounts;
    struct mounts_plan mounts = {.mode = shared->mode};
    struct pod_config config = {.mounts = &mounts, .address_count = run->test->ua_count};
    cleanup_free const char **addresses = memory_array(NULL, run->test->ua_count + 1, sizeof *addresses);

    for (size_t i = 0; i < run->test->ua_count; i++)
        addresses[i] = run->test->uas[i].address;
    if (run->context->suite->dut)
        addresses[config.address_count++] = SUITE_DUT_ADDRESS;
    for (size_t i = 0; i < shared->readable.count; i++)
        strings_add(&mounts.readable, shared->readable.list[i]);
    strings_add(&mounts.writable, run->folder.path);
    memcpy(config.run_id, run->folder.run_id, sizeof config.run_id);
    config.addresses = addresses;
    run->pod = pod_start(run->context->host, &config, &pod_callbacks, run, ret);
    strings_free(&mounts.readable);
    strings_free(&mounts.writable);
    if (!run->pod)
        return -1;
    rollback_push(run->rollback, "pod", undo_pod, run);
    return 0;
}
