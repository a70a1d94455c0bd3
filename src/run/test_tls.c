/* A step of PREPARING, for a test over TLS: certificates, and what SIPp's environment says about keys. */
#include "netns/resolver/zone.h"
#include "src/base/memory.h"
#include "src/run/sipp.h"
#include "src/run/test_run.h"

/* SIPp's only: what a script or the DUT loads is its own affair. */
static void set_environment(struct test_run *run)
{
    const struct test_context *context = run->context;
    cleanup_free char *keys = text_format("%s/" KEY_LOG, run->folder.path);

    for (size_t i = 0; i < context->env_count; i++)
        environment_set(&run->sipp_environment, context->envs[i].name, context->envs[i].value);
    environment_set(&run->sipp_environment, "SSLKEYLOGFILE", keys);
    if (!context->keylog)
        return;
    environment_set(&run->sipp_environment, "SIPPOD_KEYLOG", keys);
    environment_set(&run->sipp_environment, "LD_PRELOAD", context->keylog);
}

static int issue(const struct test_run *run, const struct ua *ua, struct error **ret)
{
    cleanup_strings struct strings names = {0};

    if (run->zone)
        zone_names_of(run->zone, ua->address, &names);
    if (authority_issue(run->context->authority, run->folder.fd, ua->name, ua->address, &names, ret) < 0)
        return error_prefix(ret, "certificate of %s", ua->name);
    return 0;
}

int test_prepare_tls(struct test_run *run, struct error **ret)
{
    if (run->context->is_global || !sipp_uses_tls(run->context->sipp, run->test))
        return 0;
    if (!run->context->authority) /* its SIPp was not asked about TLS, either */
        return error_set(
            ret, ERROR_INPUT,
            "test.conf: the transport is TLS only once it is rendered; write it without a keyword");
    for (size_t i = 0; i < run->test->ua_count; i++)
        if (issue(run, &run->test->uas[i], ret) < 0)
            return -1;
    set_environment(run);
    return 0;
}
