#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/doctor/limits.h"
#include "src/doctor/trial.h"

#define ALLOW "allow it with: " /* before a command, in namespaces_explain() */

/* Containers: a filter is on every process in them, and else on hardly any that starts tests. */
static bool is_filtered(void)
{
    cleanup_free char *status = NULL;
    size_t length;

    return file_read(AT_FDCWD, "/proc/self/status", 65536, &status, &length, NULL) == 0 &&
           strstr(status, "\nSeccomp:\t2");
}

const char *trial_mend(int sys)
{
    switch (sys) {
    case EAGAIN:
        return limits_mend_processes();
    case EMFILE:
        return limits_mend_descriptors();
    case ENOSPC:
        return "sysctl user.max_user_namespaces=10000 user.max_net_namespaces=10000";
    case EPERM:
    case EACCES:
    case ENOSYS:
        return is_filtered() ? "docker run --security-opt seccomp=unconfined --security-opt "
                               "apparmor=unconfined --security-opt systempaths=unconfined ..."
                             : NULL;
    default:
        return NULL;
    }
}

void trial_take_apart(const struct error *error, char **ret_what, char **ret_mend, char **ret_advice)
{
    cleanup_free char *reason = text_format(": %s", strerror(error->sys));
    const char *text = error_text(error), *advice = strstr(text, "; ");
    size_t length = strlen(text), tail = strlen(reason);

    *ret_mend = *ret_advice = NULL;
    if (!advice || length < tail || strcmp(text + length - tail, reason) != 0 ||
        advice > text + length - tail) {
        *ret_what = text_copy(text);
        return;
    }
    *ret_what = text_format("%.*s%s", (int)(advice - text), text, reason);
    advice += strlen("; ");
    if (strncmp(advice, ALLOW, strlen(ALLOW)) == 0) {
        advice += strlen(ALLOW);
        *ret_mend = text_slice(advice, length - tail - (size_t)(advice - text));
    } else {
        *ret_advice = text_slice(advice, length - tail - (size_t)(advice - text));
    }
}

void trial_refused(const struct trial *trial, const char *id, const char *means, const struct error *error)
{
    cleanup_free char *what = NULL;
    cleanup_free char *mend = NULL;
    cleanup_free char *advice = NULL;

    trial_take_apart(error, &what, &mend, &advice);
    trial_tellf(trial, FINDING_BAD, id, advice ? advice : means, mend ? mend : trial_mend(error->sys), "%s",
                what);
}
