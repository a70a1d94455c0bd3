/* Steps of PREPARING: the DNS of the test's pod, and its names among those of all tests. */
#include <stdlib.h>

#include "src/base/memory.h"
#include "src/run/test_run.h"

/* ---- for those outside ---- */

static void on_served(void *user, const struct error *error)
{
    struct test_run *run = user;

    test_clock_on(run);
    if (error)
        test_not_ready(run, error);
    else
        test_prepare_dut(run);
}

static void on_withdrawn(void *user)
{
    test_undone(user, NULL);
}

static void undo_names(void *user)
{
    struct test_run *run = user;

    dns_names_withdraw(steal_pointer(&run->names), on_withdrawn, run);
}

static void serve_names(struct test_run *run)
{
    cleanup_free char *title = run->context->is_global ? text_copy("GLOBAL")
                                                       : text_format("the test %s (%u-%s)", run->test->name,
                                                                     run->result->index, run->folder.run_id);
    const struct dns_names_config config = {
        .title = title,
        .text = run->zone_text,
        .zone = run->zone,
        .lasting = run->context->is_global,
        .questions = run->questions,
    };
    cleanup_free char *waits = NULL;
    cleanup_error struct error *error = NULL;

    run->names = dns_names_serve(run->context->dns, &config, on_served, run, &waits, &error);
    if (!run->names) {
        test_not_ready(run, error);
        return;
    }
    rollback_push(run->rollback, "names", undo_names, run);
    if (waits) {
        log_line(run->log, LOG_LEVEL_INFO, "dns: %s", waits);
        test_clock_off(run);
    }
}

/* ---- for its pod ---- */

static void on_dns_running(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        test_not_ready(run, error);
    else if (run->context->dns)
        serve_names(run);
    else
        test_prepare_dut(run);
}

static void on_dns_stopped(void *user, const struct error *error)
{
    struct test_run *run = user;

    questions_end(steal_pointer(&run->questions), run->result);
    test_undone(run, error);
}

static void undo_dns(void *user)
{
    struct test_run *run = user;

    pod_dns_stop(steal_pointer(&run->dns), on_dns_stopped, run);
}

static int start_dns(struct test_run *run, struct error **ret)
{
    struct pod_dns_config config = {.host = run->context->host, .zone = run->zone};

    pod_namespaces(run->pod, &config.user_namespace, &config.network_namespace);
    config.questions = run->questions = questions_new(run->log);
    run->dns = pod_dns_start(&config, on_dns_running, run, ret);
    if (run->dns)
        return 0;
    questions_end(steal_pointer(&run->questions), run->result);
    return -1;
}

void test_prepare_dns(struct test_run *run)
{
    cleanup_error struct error *error = NULL;

    run->pod_up = true;
    if (run->rendering)
        return; /* which will come here */
    if (!run->zone || run->context->dry_run) {
        test_prepare_dut(run);
        return;
    }
    if (start_dns(run, &error) < 0) {
        test_not_ready(run, error);
        return;
    }
    rollback_push(run->rollback, "DNS", undo_dns, run);
    pod_dns_open(run->dns);
}
