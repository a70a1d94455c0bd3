#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/seccomp.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/doctor/device.h"
#include "src/doctor/trial.h"

/* ---- namespaces ---- */

/* Which of them it is that cannot be made. */
static void tell_refused_namespaces(const struct trial *trial, const struct error *error)
{
    static const struct {
        int flag;
        const char *name, *kind;
    } namespaces[] = {
        {CLONE_NEWNET, "network", "net"},
        {CLONE_NEWNS, "mount", "mnt"},
        {CLONE_NEWIPC, "IPC", "ipc"},
        {CLONE_NEWUTS, "host name", "uts"},
    };
    cleanup_buffer struct buffer names = {0};
    cleanup_buffer struct buffer mend = {0};
    int sys = 0;

    buffer_addf(&mend, "sysctl");
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
        if (unshare(namespaces[i].flag) == 0)
            continue;
        sys = errno;
        buffer_addf(&names, "%s%s", names.length ? ", " : "", namespaces[i].name);
        buffer_addf(&mend, " user.max_%s_namespaces=10000", namespaces[i].kind);
    }
    if (!sys) { /* it is what comes after it */
        trial_refused(trial, "namespaces", MEANS_NAMESPACES, error);
        return;
    }
    buffer_add(&names, "", 1);
    buffer_add(&mend, "", 1);
    trial_tellf(trial, FINDING_BAD, "namespaces", MEANS_NAMESPACES,
                sys == ENOSPC ? (char *)mend.data : trial_mend(sys),
                "namespaces of kind %s cannot be made: %s", (char *)names.data, strerror(sys));
}

static bool try_namespaces(const struct trial *trial)
{
    cleanup_error struct error *error = NULL;

    if (namespaces_unshare_pod(&error) < 0) {
        tell_refused_namespaces(trial, error);
        return false;
    }
    trial_tellf(trial, FINDING_OK, "namespaces", NULL, NULL,
                "network, mount, process, IPC and host name namespaces can be made");
    return true;
}

/* ---- devices ---- */

static void try_veth(const struct trial *trial)
{
    int sys = device_add("doctor-veth", "veth");

    if (sys)
        trial_tellf(trial, FINDING_BAD, "veth", "a pair of them connects each pod: no test can be run",
                    sys == EOPNOTSUPP ? "modprobe veth" : trial_mend(sys),
                    "devices of kind veth cannot be made: %s", strerror(sys));
    else
        trial_tellf(trial, FINDING_OK, "veth", NULL, NULL, "devices of this kind can be made");
}

static void try_dummy(const struct trial *trial)
{
    static const char id[] = "dummy", means[] = "one holds a pod's addresses: no test can be run";
    int sys = device_add("doctor-dummy", "dummy"), other;

    if (!sys) {
        trial_tellf(trial, FINDING_OK, id, NULL, NULL, "devices of this kind can be made");
        return;
    }
    other = sys == EOPNOTSUPP ? device_add("doctor-ifb", "ifb") : sys;
    if (!other)
        trial_tellf(trial, FINDING_NOTE, id, "ifb devices take their place, which costs a test some 3 ms",
                    "modprobe dummy", "this kernel has no devices of this kind");
    else if (sys == EOPNOTSUPP)
        trial_tellf(trial, FINDING_BAD, id, means, "modprobe dummy",
                    "devices of kind dummy cannot be made, nor of kind ifb: %s", strerror(other));
    else
        trial_tellf(trial, FINDING_BAD, id, means, trial_mend(sys),
                    "devices of kind dummy cannot be made: %s", strerror(sys));
}

/* What libpcap opens for the sniffer. */
static void try_capture(const struct trial *trial)
{
    cleanup_fd int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    int sys = errno;

    if (fd >= 0)
        trial_tellf(trial, FINDING_OK, "capture", NULL, NULL, "packets can be captured in a pod");
    else
        trial_tellf(trial, FINDING_WARNING, "capture", "tests can be run with --no-pcap only",
                    sys == EAFNOSUPPORT ? "modprobe af_packet" : trial_mend(sys),
                    "packets cannot be captured in a pod: %s", strerror(sys));
}

/* ---- files ---- */

/* What a pod's file system can be without, by the words that mounts_set_up() has for it. */
static const struct part {
    const char *id, *words, *ok, *means;
    bool container; /* and a container is what refuses it, as a rule */
} parts[] = {
    {.id = "overlay",
     .words = "cannot be made writable",
     .ok = "a test can change /etc and /var, for itself",
     .means = "suites whose scripts change files there fail, all others do not miss it"},
    {.id = "proc",
     .words = "/proc in the pod",
     .ok = "a pod has a /proc of its own",
     .means = "scripts see the host's processes in it instead of the pod's (they cannot touch them)",
     .container = true},
    {.id = "devpts", .words = "/dev/pts", .means = "scripts that want a terminal may not get one"},
};
#define PARTS (sizeof parts / sizeof *parts)

struct notices {
    const struct trial *trial;
    bool told[PARTS];
};

static void on_notice(void *user, const char *text)
{
    struct notices *notices = user;

    for (size_t i = 0; i < PARTS; i++)
        if (strstr(text, parts[i].words)) {
            notices->told[i] = true;
            trial_tellf(notices->trial, FINDING_NOTE, parts[i].id, parts[i].means,
                        parts[i].container ? "docker run --security-opt systempaths=unconfined ..." : NULL,
                        "%s", text);
            return;
        }
    trial_tellf(notices->trial, FINDING_NOTE, "files", NULL, NULL, "%s", text);
}

static void try_files(const struct trial *trial)
{
    struct mounts_plan plan = {.mode = MOUNTS_THROWAWAY};
    cleanup_error struct error *error = NULL;
    struct notices notices = {.trial = trial};

    strings_add(&plan.readable, "/usr"); /* carried over, as a run's suite is */
    if (mounts_set_up(&plan, on_notice, &notices, &error) < 0) {
        if (error->sys == ENOSYS)
            trial_refused(trial, "files", "it takes Linux 5.12 or later: no test can be run", error);
        else
            trial_refused(trial, "files", "a pod's files cannot be set up: no test can be run", error);
    } else {
        trial_tellf(trial, FINDING_OK, "files", NULL, NULL, "a pod sees the host's files, read-only");
        for (size_t i = 0; i < PARTS; i++)
            if (!notices.told[i] && parts[i].ok)
                trial_tellf(trial, FINDING_OK, parts[i].id, NULL, NULL, "%s", parts[i].ok);
    }
    strings_free(&plan.readable);
}

/* Comes last: nothing that the others do is possible afterwards. */
static void try_filter(const struct trial *trial)
{
    cleanup_error struct error *error = NULL;

    if (seccomp_pod(&error) < 0)
        trial_refused(trial, "seccomp", "tests run under a system call filter: without it none can be run",
                      error);
    else
        trial_tellf(trial, FINDING_OK, "seccomp", NULL, NULL, "a system call filter can be installed");
}

void trial_pod(const struct trial *trial, int stage)
{
    char go[2];

    /* Both end when the process does that they are to die with, before this and after. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || recv(stage, go, sizeof go, 0) <= 0)
        _exit(1);
    if (!try_namespaces(trial))
        _exit(0);
    try_veth(trial);
    try_dummy(trial);
    try_capture(trial);
    if (socket_send(stage, "", 1, -1) < 0 || recv(stage, go, sizeof go, 0) <= 0)
        _exit(1);
    try_files(trial);
    try_filter(trial);
    _exit(0);
}
