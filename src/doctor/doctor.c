#include "src/doctor/doctor.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/doctor/ask.h"
#include "src/doctor/leftovers.h"
#include "src/doctor/limits.h"
#include "src/doctor/outside.h"
#include "src/doctor/programs.h"
#include "src/doctor/sipp.h"
#include "src/doctor/trial.h"

/* Called by root, the doctor tries what any user may as one: an unlikely one, whose limits nobody uses up. */
#define ORDINARY_UID 61183

/* What sandbox/namespaces.c takes to map all users. */
#define ROOT_NEEDS (CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETFCAP))

/* The checks without which no test can be run, in the order in which they are told. */
struct host {
    struct programs programs;
    struct findings installed, tried, limits;
};

struct doctor {
    const struct doctor_options *options;
    struct diagnosis *diagnosis;
    struct host host;
    char *sipp, *python; /* paths, NULL: there is none */
    struct ask ask_sipp, ask_python;
    struct error *sipp_error, *python_error; /* it was not started */
};

/* ---- the host ---- */

static void check_host(struct host *host)
{
    check_programs(&host->programs, &host->installed);
    trial_make(&(struct trial){.router = host->programs.router_fd}, &host->tried);
    check_limits(&host->limits);
}

/* What speaks against running tests, if `tried` came of the trial; NULL: nothing. */
static const struct finding *first_bad(const struct host *host, const struct findings *tried)
{
    const struct findings *const parts[] = {&host->installed, tried, &host->limits};
    const struct finding *bad = NULL;

    for (size_t i = 0; i < sizeof parts / sizeof *parts && !bad; i++)
        bad = findings_first_bad(parts[i]);
    return bad;
}

static void host_free(struct host *host)
{
    programs_free(&host->programs);
    findings_free(&host->installed);
    findings_free(&host->tried);
    findings_free(&host->limits);
}

/* ---- the modes ---- */

static void set_mode(struct mode_finding *mode, const struct finding *bad)
{
    *mode = (struct mode_finding){.works = !bad, .why = bad ? text_copy(bad->what) : NULL};
}

static bool is_no_such_uid(const struct finding *finding)
{
    return finding && strcmp(finding->id, TRIAL_NO_SUCH_UID) == 0;
}

/* Rootless, as seen by root: tried once more, as somebody else. Where there is nobody else to become, root's
 * own trial has to do. */
static void check_ordinary(struct doctor *doctor, struct mode_finding *mode)
{
    cleanup_findings struct findings tried = {0};
    const struct host *host = &doctor->host;
    const struct finding *bad;

    trial_make(&(struct trial){.router = host->programs.router_fd, .uid = ORDINARY_UID}, &tried);
    bad = first_bad(host, is_no_such_uid(findings_first_bad(&tried)) ? &host->tried : &tried);
    set_mode(mode, bad);
    if (bad && !first_bad(host, &host->tried))
        findings_addf(&doctor->diagnosis->findings, FINDING_WARNING, "rootless", bad->means, bad->mend,
                      "only root can run tests here; for others: %s", bad->what);
}

static void check_root(const struct host *host, struct mode_finding *mode)
{
    uint64_t permitted = 0;
    cleanup_free char *missing = NULL;

    if (geteuid() != 0) {
        mode->why = text_format("it was not root who asked, but uid %u", geteuid());
        return;
    }
    if (capabilities_permitted(&permitted, NULL) == 0 && (permitted & ROOT_NEEDS) == ROOT_NEEDS) {
        set_mode(mode, first_bad(host, &host->tried));
        return;
    }
    missing = capabilities_text(ROOT_NEEDS & ~permitted);
    mode->why = text_format("this root lacks %s", missing);
}

static void check_modes(struct doctor *doctor)
{
    const struct host *host = &doctor->host;
    struct mode_finding *modes = doctor->diagnosis->modes;

    check_root(host, &modes[MODE_ROOT]);
    check_outside(&host->programs, first_bad(host, &host->tried), &modes[MODE_CAPABILITIES],
                  &doctor->diagnosis->findings);
    if (geteuid() == 0)
        check_ordinary(doctor, &modes[MODE_ROOTLESS]);
    else
        set_mode(&modes[MODE_ROOTLESS], first_bad(host, &host->tried));
}

/* ---- SIPp and Jinja2: both are started, then both are heard ---- */

static void start_programs(struct doctor *doctor)
{
    char *sipp[] = {(char *)"sipp", (char *)"-v", NULL};
    char *python[] = {(char *)"python3", (char *)"-I", (char *)"-c",
                      (char *)"import jinja2; print(jinja2.__version__)", NULL};

    doctor->sipp = ask_find(doctor->options->sipp);
    doctor->python = ask_find("python3");
    if (doctor->python)
        (void)ask_start(&doctor->ask_python, doctor->python, python, &doctor->python_error);
    if (doctor->sipp)
        (void)ask_start(&doctor->ask_sipp, doctor->sipp, sipp, &doctor->sipp_error);
}

static void hear_sipp(struct doctor *doctor)
{
    struct findings *findings = &doctor->diagnosis->findings;
    cleanup_free char *text = NULL;
    int exit_code;

    if (!doctor->sipp)
        findings_addf(findings, FINDING_BAD, "sipp",
                      "SIPp makes the calls: install it, or say with --sipp where it is",
                      strchr(doctor->options->sipp, '/') ? NULL : "apt install sip-tester", "%s is not %s",
                      doctor->options->sipp, strchr(doctor->options->sipp, '/') ? "a program" : "in PATH");
    else if (doctor->sipp_error || ask_finish(&doctor->ask_sipp, &text, &exit_code, &doctor->sipp_error) < 0)
        findings_addf(findings, FINDING_WARNING, "sipp", "what it can do is not known", NULL, "%s -v: %s",
                      doctor->sipp, error_text(doctor->sipp_error));
    else
        sipp_findings(doctor->sipp, text, exit_code, findings);
}

static void hear_python(struct doctor *doctor)
{
    static const char means[] = "templates with more than plain {{ keywords }} cannot be rendered";
    struct findings *findings = &doctor->diagnosis->findings;
    cleanup_free char *text = NULL;
    cleanup_free char *line = NULL;
    cleanup_free char *mend = NULL;
    int exit_code;

    if (!doctor->python) {
        findings_addf(findings, FINDING_NOTE, "jinja2", means, "apt install python3-jinja2",
                      "python3 is not in PATH, and so there is no Jinja2");
        return;
    }
    if (doctor->python_error ||
        ask_finish(&doctor->ask_python, &text, &exit_code, &doctor->python_error) < 0) {
        findings_addf(findings, FINDING_NOTE, "jinja2", "whether there is Jinja2 is not known", NULL,
                      "%s: %s", doctor->python, error_text(doctor->python_error));
        return;
    }
    line = ask_first_line(text);
    mend = strncmp(doctor->python, "/usr/bin/", 9) == 0 || strncmp(doctor->python, "/bin/", 5) == 0
               ? text_copy("apt install python3-jinja2")
               : text_format("%s -m pip install jinja2", doctor->python);
    if (exit_code == 0)
        findings_addf(findings, FINDING_OK, "jinja2", NULL, NULL, "Jinja2 %s (%s)", line, doctor->python);
    else
        findings_addf(findings, FINDING_NOTE, "jinja2", means, mend,
                      strstr(text, "jinja2'") ? "%s has no Jinja2" : "%s cannot load Jinja2", doctor->python);
}

void doctor_examine(const struct doctor_options *options, struct diagnosis *diagnosis)
{
    struct doctor doctor = {.options = options, .diagnosis = diagnosis};
    struct findings *findings = &diagnosis->findings;

    *diagnosis = (struct diagnosis){0};
    check_host(&doctor.host);
    findings_add_all(findings, &doctor.host.installed);
    findings_add_all(findings, &doctor.host.tried);
    check_modes(&doctor);
    findings_add_all(findings, &doctor.host.limits);
    start_programs(&doctor); /* not before: they count as processes of this user, too */
    check_leftovers(options->results, findings);
    hear_sipp(&doctor);
    hear_python(&doctor);
    host_free(&doctor.host);
    free(doctor.sipp);
    free(doctor.python);
    error_free(doctor.sipp_error);
    error_free(doctor.python_error);
}

int doctor_explain_host(struct error **ret)
{
    struct host host = {0};
    const struct finding *bad;

    check_host(&host);
    bad = first_bad(&host, &host.tried);
    if (bad)
        error_set(ret, ERROR_HOST, "%s%s%s", bad->what, bad->mend ? "; mend it with: " : "",
                  bad->mend ? bad->mend : "");
    host_free(&host);
    return bad ? -1 : 0;
}
