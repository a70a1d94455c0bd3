#include "src/run/run_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/network.h"
#include "src/run/dns_address.h"
#include "src/run/limits.h"

/* Written beside the rest; found out at the start rather than after an hour that it cannot be. */
static int check_junit(const struct run *run, struct error **ret)
{
    cleanup_fd int fd = -1;

    if (!run->options->junit)
        return 0;
    fd = open(run->options->junit, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? error_sys(ret, ERROR_INPUT, errno, "--junit %s", run->options->junit) : 0;
}

static int take_replacements(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;

    if (options->keywords && keywords_replacements_parse(options->keywords, &run->replacements, ret) < 0)
        return error_prefix(ret, "--keyword-replacement-values");
    for (size_t i = 0; i < options->sets.count; i++)
        if (keywords_replacements_set(options->sets.list[i], &run->replacements, ret) < 0)
            return error_prefix(ret, "--set %s", options->sets.list[i]);
    return 0;
}

static void check_number(const struct run *run, struct strings *problems)
{
    if (run->options->shell && run->suite.test_count > 1)
        strings_addf(problems, "%s: a shell is opened in one test, not in %zu; name it: sippod shell %s/%s",
                     run->suite.folder, run->suite.test_count, run->suite.folder, run->suite.tests[0].name);
}

int run_setup_suite(struct run *run)
{
    cleanup_strings struct strings problems = {0};
    const struct run_options *options = run->options;
    const struct suite_filter filter = {
        .only = options->only,
        .exclude = options->exclude,
        .tags = options->tags,
        .results = options->results,
        .templates = options->templates,
        .global = options->global,
        .info_file = options->info_file,
        .dut = options->dut,
        .family = options->family,
        .replacements = &run->replacements,
    };
    cleanup_error struct error *error = NULL;

    if (take_replacements(run, &error) < 0)
        strings_add(&problems, error_text(error));
    else if (suite_load(&run->options->paths, &filter, &run->suite, &problems) == 0)
        check_number(run, &problems);
    if (!problems.count) {
        if (options->dut) /* which is tested instead of the suite's own */
            free(steal_pointer(&run->suite.dut));
        return 0;
    }
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, "sippod: %s\n", problems.list[i]);
    return -1;
}

/* A program of the user's own may lie below /tmp, where a pod has a folder of its own; its libraries beside
 * it. */
static void plan_mounts(struct run *run)
{
    cleanup_free char *folder = text_copy(run->sipp.program);

    *strrchr(folder, '/') = '\0';
    run->mounts.mode = run->options->mounts;
    if (*folder && strncmp(folder, "/usr/", 5) != 0)
        strings_add(&run->mounts.readable, folder);
    strings_add(&run->mounts.readable, run->suite.folder);
    if (run->suite.info_file)
        strings_add(&run->mounts.readable, run->suite.info_file);
}

/* What a pod shows beside that was named on the command line. */
static int plan_named_mounts(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;

    for (size_t i = 0; i < options->writable.count; i++) {
        cleanup_free char *path = file_absolute(options->writable.list[i], ret);

        if (!path)
            return error_prefix(ret, "--writable");
        strings_add(&run->mounts.writable, path);
    }
    return 0;
}

static void plan_sipp(struct run *run, const char *program, uint64_t descriptors)
{
    const struct run_options *options = run->options;

    run->sipp = (struct sipp_options){
        .program = program,
        .transport = options->transport,
        .info_file = run->suite.info_file,
        .tls_version = options->tls_version,
        .default_behaviors = options->default_behaviors,
        .recv_timeout_ms = options->recv_timeout_ms,
        .calls = options->calls,
        .concurrent = options->concurrent,
        .rate = options->call_rate,
        .descriptors = descriptors,
        .extra = options->sipp_arguments,
    };
}

/* Under /tmp the old place may be another user's: then there is no such log. */
static int open_log(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;
    cleanup_error struct error *error = NULL;

    if (!options->log_file)
        return 0;
    run->log = log_open(AT_FDCWD, options->log_file, run->suite.name, &options->log, &error);
    if (run->log)
        return 0;
    if (options->as_sipplauncher)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    else
        return error_set(ret, ERROR_INPUT, "--log-file: %s", error_text(error));
    return 0;
}

/* As long as sippod has the right to ports below 1024, if it ever had. */
static int open_dns_sockets(struct run *run, struct error **ret)
{
    if (!run->options->dns_listen || run->options->dry_run)
        return 0;
    return dns_address_bind(run->options->dns_listen, run->dns_sockets, ret);
}

/* Where no other DUT is named, GLOBAL's pod is where it is, for all tests. */
static void plan_global(struct run *run)
{
    if (!run->suite.global || run->suite.dut || run->context.dut)
        return;
    run->context.addresses = &run->addresses;
}

/* The environment of scripts, DUT and SIPp, and the folder that it names. */
static int make_shared(struct run *run, struct error **ret)
{
    if (shared_folder_make(&run->folder, &run->shared, ret) < 0)
        return -1;
    strings_add(&run->mounts.writable, run->shared.path);
    environment_copy(&run->environment);
    environment_set(&run->environment, "SIPPOD_SHARED", run->shared.path);
    run->context.envs = run->environment.list;
    run->context.env_count = run->environment.count;
    return 0;
}

void run_setup_undo(struct run *run)
{
    cleanup_error struct error *error = NULL;

    if (run->shared.fd >= 0 && run_folder_remove(&run->folder, &run->shared, &error) < 0)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    run_folder_close(&run->shared);
}

/* A device with both families may ask over the one that it is not tested over: what is allowed of that
 * family is for --dns-listen alone, if it listens there. */
static void plan_reach(struct run *run)
{
    const struct run_options *options = run->options;
    enum family asked = !options->dns_listen          ? FAMILY_ANY
                        : *options->dns_listen == '[' ? FAMILY_IPV6
                                                      : FAMILY_IPV4;

    for (size_t i = 0; i < options->allow.count; i++) {
        enum family family = family_of(options->allow.list[i]);

        if (family == family_of(options->dut) || family != asked)
            strings_add(&run->reach, options->allow.list[i]);
    }
}

static void plan_context(struct run *run, const struct rlimit *descriptors)
{
    run->context = (struct test_context){
        .host = &run->host,
        .suite = &run->suite,
        .results = &run->folder,
        .dut = run->options->dut,
        .family = run->options->dut      ? family_of(run->options->dut)
                  : run->options->family ? run->options->family
                                         : FAMILY_IPV4,
        .allow = run->options->dut ? &run->reach : NULL,
        .progress = &run->progress,
        .sipp = &run->sipp,
        .mounts = &run->mounts,
        .authority = run->authority,
        .keylog = run->keylog,
        .descriptor_limit = descriptors->rlim_cur,
        .descriptor_most = descriptors->rlim_max,
        .keep = run->options->keep,
        .log_style = &run->options->log,
        .general_log = run->log,
        .as_sipplauncher = run->options->as_sipplauncher,
        .dut_port = run->options->dut_port,
        .replacements = &run->replacements,
        .pcap = !run->options->no_pcap,
        .classic_pcap = run->options->classic_pcap,
        .dry_run = run->options->dry_run,
        .script_capabilities = &run->options->script_capabilities,
        .verbose = run->options->progress == PROGRESS_VERBOSE,
        .timeout_s = run->options->timeout_s,
        .pauses = run->pauses,
    };
    plan_global(run);
}

static void plan_results(struct run *run)
{
    struct results *results = &run->results;

    results->suite = text_copy(run->suite.folder);
    results->dry_run = run->options->dry_run;
    results->random = run->options->random;
    results->seed = run->options->seeded ? run->options->seed : (unsigned long)time(NULL) & 0x7fffffff;
    results->pass = 1;
}

static int check_families(const struct run *run, struct error **ret)
{
    for (size_t i = 0; i < run->suite.test_count; i++)
        if (run->suite.tests[i].family == FAMILY_IPV6 && !network_has_ipv6())
            return error_set(ret, ERROR_HOST,
                             "the test %s needs IPv6, which this kernel does not have (/proc/sys/net/ipv6)",
                             run->suite.tests[i].name);
    return 0;
}

int run_setup(struct run *run, char **ret_sipp, struct error **ret)
{
    struct rlimit descriptors;

    if (keywords_replacements_check(&run->replacements, run->suite.tests, run->suite.test_count, ret) < 0 ||
        check_families(run, ret) < 0 || check_junit(run, ret) < 0)
        return -1;
    *ret_sipp = sipp_find(run->options->sipp, ret);
    if (!*ret_sipp || limits_raise_descriptors(&descriptors, ret) < 0)
        return -1;
    plan_sipp(run, *ret_sipp, descriptors.rlim_cur);
    plan_mounts(run);
    if (plan_named_mounts(run, ret) < 0 || run_setup_tls(run, ret) < 0 || open_log(run, ret) < 0 ||
        open_dns_sockets(run, ret) < 0)
        return -1;
    if (run->options->pause_on_fail)
        run->pauses = pauses_new();
    plan_reach(run);
    plan_context(run, &descriptors);
    plan_results(run);
    if (results_folder_open(run->options->results, &run->folder, ret) < 0)
        return -1;
    return make_shared(run, ret);
}
