/* Steps of PREPARING: the pod, the capture of its packets, and its DNS. */
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/zone.h"
#include "src/base/memory.h"
#include "src/base/network.h"
#include "src/run/pauses.h"
#include "src/run/test_run.h"

/* ---- the pod and its capture ---- */

static void on_capture_running(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        test_not_ready(run, error);
    else
        test_prepare_dns(run);
}

static void on_captured(void *user, const struct pod_capture_result *result, const struct error *error)
{
    struct test_run *run = user;

    run->result->packets = result->packets;
    run->result->dropped = result->dropped;
    if (result->dropped)
        log_line(run->log, LOG_LEVEL_WARNING, "%llu packets were not captured",
                 (unsigned long long)result->dropped);
    if (result->warning)
        log_line(run->log, LOG_LEVEL_WARNING, "TLS keys are not in the capture: %s", result->warning);
    test_undone(run, error);
}

static void undo_capture(void *user)
{
    struct test_run *run = user;

    pod_capture_stop(steal_pointer(&run->capture), on_captured, run);
}

/* Without a file if there is none to be, but something to be looked for. */
static void on_namespaces(void *user)
{
    struct test_run *run = user;
    const struct test_context *context = run->context;
    cleanup_error struct error *error = NULL;
    cleanup_free char *file =
        text_format("sipp-%s.%s", run->folder.run_id, context->classic_pcap ? "pcap" : "pcapng");
    struct pod_capture_config config = {
        .host = context->host,
        .folder = run->folder.fd,
        .folder_path = run->folder.path,
        .file = context->pcap ? file : NULL,
        .keys = KEY_LOG,
    };

    run->namespaces_up = true;
    if (!context->pcap && !test_expects(run))
        return;
    pod_namespaces(run->pod, &config.user_namespace, &config.network_namespace);
    run->capture = pod_capture_start(&config, on_capture_running, run, &error);
    if (!run->capture) {
        test_not_ready(run, error);
        return;
    }
    if (context->pcap)
        run->result->pcap = steal_pointer(&file);
    rollback_push(run->rollback, "capture", undo_capture, run);
}

static void add_name(void *user, const char *address, const char *name)
{
    strings_add(user, address);
    strings_add(user, name);
}

/* Who is who in the capture. A reader shows the last name of an address: a UA's before what dns.txt calls it,
 * and where a UA is what UACs call, that is the UA's, too. */
void test_open_capture(struct test_run *run)
{
    const struct test *test = run->test;
    const char *dut = test_dut(run);
    cleanup_strings struct strings all = {0}; /* address, name, address, name … */
    cleanup_free struct pcapng_name *names = NULL;
    size_t count;

    if (run->zone)
        zone_hosts(run->zone, add_name, &all);
    if (dut)
        add_name(&all, dut, "dut");
    for (size_t i = 0; i < test->ua_count; i++)
        add_name(&all, test->uas[i].address, test->uas[i].name);
    count = all.count / 2;
    names = memory_array(NULL, count ? count : 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = (struct pcapng_name){.address = all.list[2 * i], .name = all.list[2 * i + 1]};
    run->capture_waits = false;
    pod_capture_open(run->capture, names, count, test_expects(run) ? &test->config.expectations : NULL);
}

static void on_pod_up(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        test_not_ready(run, error);
    else if (run->capture && run->rendering && (test_has_file(run, ZONE_FILE) || test_expects(run)))
        run->capture_waits = true;
    else if (run->capture)
        test_open_capture(run);
    else
        test_prepare_dns(run);
}

/* Its processes have been told already, and with them the step that was under way; later ones look first. */
static void on_pod_lost(void *user, const struct error *why)
{
    struct test_run *run = user;
    cleanup_free char *text = text_format("the pod has ended: %s", error_text(why));

    run->pod_lost = true;
    log_line(run->log, LOG_LEVEL_ERROR, "%s", text);
    if (!run->held)
        return;
    test_cut_off(run, text);
    if (run->callbacks->lost)
        run->callbacks->lost(run->user, text);
    else if (run->context->pauses)
        pauses_drop(run->context->pauses, run);
}

static void on_notice(void *user, const char *text)
{
    struct test_run *run = user;

    log_line(run->log, LOG_LEVEL_WARNING, "%s", text);
}

/* Only now the UAs have addresses, and files can be rendered. GLOBAL, which has no UAs, has one for its
 * scripts.
 */
static void on_claimed(void *user, const struct strings *addresses)
{
    struct test_run *run = user;
    cleanup_error struct error *error = NULL;

    for (size_t i = 0; i < run->test->ua_count && i < addresses->count; i++) {
        free(run->test->uas[i].address);
        run->test->uas[i].address = text_copy(addresses->list[i]);
    }
    test_describe_addresses(run);
    if (test_prepare_files(run, &error) < 0)
        test_not_ready(run, error);
}

static const struct pod_callbacks pod_callbacks = {
    .namespaces = on_namespaces,
    .claimed = on_claimed,
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

/* In the network outside a pod reaches what is said on the command line, from addresses that are found. */
static void plan_outside(const struct test_run *run, struct pod_config *config, struct strings *reach)
{
    const struct test_context *context = run->context;

    config->claim = run->test->ua_count ? run->test->ua_count : 1;
    config->routed = true;
    strings_add(reach, context->dut);
    for (size_t i = 0; i < context->allow->count; i++)
        strings_add(reach, context->allow->list[i]);
}

/* Whether a DUT of the suite's can be reached by `family`: by that of its test, and where the kernel has both
 * by both, as the DUT's own settings may name its addresses. */
static bool has_family(const struct test_run *run, enum family family)
{
    return family == run->test->family || family == FAMILY_IPV4 || network_has_ipv6();
}

static void add_dut(const struct test_run *run, struct strings *addresses)
{
    for (enum family family = FAMILY_IPV4; family <= FAMILY_IPV6; family++)
        if (has_family(run, family))
            strings_add(addresses, suite_dut_address(family));
}

/* A test reaches the DUT and GLOBAL all tests, wherever they share a network; else nobody has any way out. */
static void plan_inside(const struct test_run *run, struct pod_config *config, struct strings *addresses,
                        struct strings *reach)
{
    const struct test_context *context = run->context;

    config->routed = context->addresses != NULL;
    config->shared = context->addresses && context->is_global;
    for (enum family family = FAMILY_IPV4; config->shared && family <= FAMILY_IPV6; family++)
        if (has_family(run, family))
            strings_add(reach, suite_network(family));
    if (config->routed && !config->shared)
        strings_add(reach, test_dut(run));
    for (size_t i = 0; i < run->test->ua_count; i++)
        strings_add(addresses, run->test->uas[i].address);
    if (context->is_global ? context->addresses != NULL : context->suite->dut != NULL)
        add_dut(run, addresses);
}

static int start_pod(struct test_run *run, const struct mounts_plan *mounts, struct error **ret)
{
    cleanup_strings struct strings addresses = {0};
    cleanup_strings struct strings reach = {0};
    struct pod_config config = {.mounts = mounts};

    if (run->context->allow)
        plan_outside(run, &config, &reach);
    else
        plan_inside(run, &config, &addresses, &reach);
    memcpy(config.run_id, run->folder.run_id, sizeof config.run_id);
    config.addresses = (const char *const *)addresses.list;
    config.address_count = addresses.count;
    config.reach = (const char *const *)reach.list;
    config.reach_count = reach.count;
    run->pod = pod_start(run->context->host, &config, &pod_callbacks, run, ret);
    return run->pod ? 0 : -1;
}

int test_prepare_pod(struct test_run *run, struct error **ret)
{
    const struct mounts_plan *shared = run->context->mounts;
    struct mounts_plan mounts = {.mode = shared->mode, .own_dns = test_has_file(run, ZONE_FILE)};
    int result;

    for (size_t i = 0; i < shared->readable.count; i++)
        strings_add(&mounts.readable, shared->readable.list[i]);
    for (size_t i = 0; i < shared->writable.count; i++)
        strings_add(&mounts.writable, shared->writable.list[i]);
    strings_add(&mounts.writable, run->folder.path);
    result = start_pod(run, &mounts, ret);
    strings_free(&mounts.readable);
    strings_free(&mounts.writable);
    if (result < 0)
        return -1;
    rollback_push(run->rollback, "pod", undo_pod, run);
    return 0;
}
