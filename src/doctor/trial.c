#include "src/doctor/trial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"

#define ID           "trial"
#define DEADLINE_NS  ((int64_t)5 * 1000 * 1000 * 1000)
#define LONGEST      4096 /* bytes of a finding */
#define MEANS_UNSURE "whether tests can be run is not known"

/* Until all of the trial's processes have ended, and with them the other end. False: not in time. */
static bool collect(int reports, struct findings *findings)
{
    int64_t deadline_ns = loop_now_ns() + DEADLINE_NS, left;
    char bytes[LONGEST];

    while ((left = deadline_ns - loop_now_ns()) > 0) {
        struct pollfd watched = {.fd = reports, .events = POLLIN};
        int ready = poll(&watched, 1, (int)(left / 1000000 + 1));
        struct finding finding;
        ssize_t length;

        if (ready < 0 && errno != EINTR)
            return true;
        if (ready <= 0)
            continue;
        length = recv(reports, bytes, sizeof bytes, 0);
        if (length <= 0)
            return true;
        if (finding_decode(bytes, (size_t)length, &finding) == 0)
            findings_add(findings, &finding);
    }
    return false;
}

static void conclude(pid_t pid, bool in_time, size_t before, struct findings *findings)
{
    int status = 0;

    if (!in_time)
        (void)kill(pid, SIGKILL); /* the pod's process dies with it, the router sees it gone */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time)
        findings_addf(findings, FINDING_BAD, ID, MEANS_UNSURE, NULL,
                      "the trial of making a pod was not through within %d seconds",
                      (int)(DEADLINE_NS / 1000000000));
    else if (WIFSIGNALED(status))
        findings_addf(findings, FINDING_BAD, ID, MEANS_UNSURE, NULL,
                      "the trial of making a pod was ended by %s", process_signal_name(WTERMSIG(status)));
    else if (findings->count == before)
        findings_addf(findings, FINDING_BAD, ID, MEANS_UNSURE, NULL,
                      "the trial of making a pod ended without a word");
}

void trial_make(const struct trial *config, struct findings *findings)
{
    cleanup_error struct error *error = NULL;
    struct trial trial = *config;
    size_t before = findings->count;
    int ends[2], sys;
    pid_t pid;

    if (socket_pair(SOCK_SEQPACKET, ends, &error) < 0) {
        findings_addf(findings, FINDING_BAD, ID, MEANS_UNSURE, trial_mend(error->sys), "%s",
                      error_text(error));
        return;
    }
    trial.reports = ends[1];
    pid = fork();
    sys = errno;
    if (pid == 0) {
        close(ends[0]);
        trial_run(&trial);
    }
    if (pid < 0)
        findings_addf(findings, FINDING_BAD, ID, MEANS_UNSURE, trial_mend(sys), "cannot start a process: %s",
                      strerror(sys));
    close(ends[1]);
    if (pid > 0)
        conclude(pid, collect(ends[0], findings), before, findings);
    close(ends[0]);
}

/* ---- inside ---- */

void trial_tell(const struct trial *trial, const struct finding *finding)
{
    cleanup_buffer struct buffer bytes = {0};

    finding_encode(finding, &bytes);
    /* Who does not get it sees that the trial ended early. */
    (void)socket_send(trial->reports, bytes.data, bytes.length < LONGEST ? bytes.length : LONGEST, -1);
}

void trial_tellf(const struct trial *trial, enum finding_level level, const char *id, const char *means,
                 const char *mend, const char *what, ...)
{
    struct finding finding = {.level = level, .id = id, .means = means, .mend = mend};
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, what);
    text = text_vformat(what, args);
    va_end(args);
    finding.what = text;
    trial_tell(trial, &finding);
}
