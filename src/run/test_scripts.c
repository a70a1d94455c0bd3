/* Steps of PREPARING: the suite's DUT, then before.sh, whose undo is after.sh. */
#include <stdlib.h>

#include "src/base/memory.h"
#include "src/run/test_run.h"

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
        .capabilities = run->context->script_capabilities,
        .descriptors =
            {
                .type = (char *)"nofile",
                .soft = run->context->descriptor_limit,
                .hard = run->context->descriptor_most,
            },
    };

    log_line(run->log, LOG_LEVEL_INFO, "running %s", name);
    run->script = script_start(&config, done, run);
}

void test_prepare_scripts(struct test_run *run)
{
    if (run->pod_lost) {
        cleanup_error struct error *error = NULL;

        error_set(&error, ERROR_FAILED, "the pod has ended");
        test_not_ready(run, error);
        return;
    }
    if (test_has_file(run, "before.sh"))
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

    if (!test_has_file(run, "after.sh")) {
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
        test_prepare_scripts(run);
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

void test_prepare_dut(struct test_run *run)
{
    const struct test_context *context = run->context;
    cleanup_free char *folder = text_format("%s/dut", run->folder.path);
    cleanup_error struct error *error = NULL;
    struct dut_config config = {
        .pod = run->pod,
        .loop = context->host->loop,
        .folder_fd = run->folder.fd,
        .folder = folder,
        .address = suite_dut_address(run->test->family),
        .port = context->dut_port,
        .log_style = context->log_style,
        .envs = context->envs,
        .env_count = context->env_count,
        .capabilities = context->script_capabilities,
    };

    if (context->dry_run) {
        test_ready(run);
        return;
    }
    if (!context->suite->dut || context->is_global) {
        test_prepare_scripts(run);
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
