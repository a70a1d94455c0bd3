/* What a run needs before a test of it can talk TLS: an authority, a SIPp that can, a key for each UA, and
 * the library that has session keys logged. All of it is made or found before the first test. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/doctor/ask.h"
#include "src/doctor/sipp.h"
#include "src/run/run_setup.h"

#define KEYLOG_LIBRARY "libsippod-keylog.so"

static const struct test *first_with_tls(const struct run *run)
{
    for (size_t i = 0; i < run->suite.test_count; i++)
        if (sipp_uses_tls(&run->sipp, &run->suite.tests[i]))
            return &run->suite.tests[i];
    return NULL;
}

/* A SIPp that tells no version is left to tell by itself what it lacks. */
static int check_sipp(const char *program, const char *test, struct error **ret)
{
    char *arguments[] = {(char *)program, (char *)"-v", NULL};
    cleanup_free char *text = NULL;
    struct sipp_version version;
    struct ask ask;
    int exit_code, result = 0;

    if (ask_start(&ask, program, arguments, ret) < 0 || ask_finish(&ask, &text, &exit_code, ret) < 0)
        return error_prefix(ret, "%s -v", program);
    if (!sipp_version_parse(text, &version))
        return 0;
    if (!version.tls)
        result = error_set(ret, ERROR_HOST,
                           "%s (%s) was built without TLS, which the test %s needs; Debian's sip-tester has "
                           "none: build SIPp with -DUSE_SSL=1, and say with --sipp where it is",
                           program, version.version, test);
    sipp_version_free(&version);
    return result;
}

/* Made here, as a test should not wait for it. */
static int make_keys(struct run *run, struct error **ret)
{
    for (size_t i = 0; i < run->suite.test_count; i++) {
        const struct test *test = &run->suite.tests[i];

        for (size_t j = 0; j < test->ua_count && sipp_uses_tls(&run->sipp, test); j++)
            if (authority_make_key(run->authority, test->uas[j].name, ret) < 0)
                return -1;
    }
    return 0;
}

/* Beside sippod where it runs from its build folder, else in the system's place. */
static char *find_library(struct error **ret)
{
    cleanup_free char *program = file_absolute("/proc/self/exe", ret);
    cleanup_free char *beside = NULL;

    if (!program)
        return NULL;
    *strrchr(program, '/') = '\0';
    beside = text_format("%s/" KEYLOG_LIBRARY, program);
    if (access(beside, R_OK) == 0)
        return steal_pointer(&beside);
    if (access(SIPPOD_LIBDIR "/" KEYLOG_LIBRARY, R_OK) == 0)
        return text_copy(SIPPOD_LIBDIR "/" KEYLOG_LIBRARY);
    error_set(ret, ERROR_HOST,
              KEYLOG_LIBRARY " is neither in %s nor in " SIPPOD_LIBDIR ": the installation is incomplete",
              program);
    return NULL;
}

static int plan_library(struct run *run, struct error **ret)
{
    run->keylog = find_library(ret);
    if (!run->keylog)
        return -1;
    if (strpbrk(run->keylog, " :")) { /* where LD_PRELOAD's list of libraries is split */
        fprintf(stderr,
                "sippod: session keys are not logged: %s cannot be preloaded, for the space or colon\n",
                run->keylog);
        free(steal_pointer(&run->keylog));
        return 0;
    }
    strings_add(&run->mounts.readable, run->keylog);
    return 0;
}

/* What is said for TLS only is a mistake where no test talks it; one may by its test.conf alone. */
static int check_needed(const struct run_options *options, struct error **ret)
{
    const char *name = options->ca_certificate ? "--tls-ca-root-cert" : "--sipp-tls-version";
    const char *value = options->ca_certificate ? options->ca_certificate : options->tls_version;

    if (!value || *options->transport == 'l')
        return 0;
    return error_set(ret, ERROR_INPUT,
                     "%s %s: the transport is not TLS; it is with --sipp-transport l1 or ln, and in tests "
                     "with such a transport in their test.conf",
                     name, value);
}

int run_setup_tls(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;
    const struct test *test = first_with_tls(run);

    if (!test && check_needed(options, ret) < 0)
        return -1;
    if (options->ca_certificate) {
        run->authority = authority_load(options->ca_certificate, options->ca_key, ret);
        if (!run->authority)
            return error_prefix(ret, "--tls-ca-root-cert, --tls-ca-root-key");
    }
    if (!test)
        return 0;
    if (check_sipp(run->sipp.program, test->name, ret) < 0)
        return -1;
    if (!run->authority)
        run->authority = authority_make(ret);
    return !run->authority || make_keys(run, ret) < 0 || plan_library(run, ret) < 0 ? -1 : 0;
}
