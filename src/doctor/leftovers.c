#include "src/doctor/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "src/base/file.h"
#include "src/base/memory.h"

#define ID         "left-overs"
#define JOURNAL    ".sippod-running" /* of a run under way: one "<test>/<run_id>" a line */
#define MOST_BYTES ((size_t)16 * 1024 * 1024)

/* ---- run folders ---- */

/* How many of the journal's folders are still there. */
static size_t count_folders(int folder, char *journal)
{
    char *rest = journal, *line;
    size_t count = 0;

    while ((line = strsep(&rest, "\n"))) {
        struct stat status;

        count += *line && fstatat(folder, line, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
    }
    return count;
}

/* A run holds the folder's lock as long as it lives. A shared one is enough to see that, and does not make
 * another doctor believe that there is a run. */
static bool is_killed(int folder)
{
    bool killed = flock(folder, LOCK_SH | LOCK_NB) == 0;

    if (killed)
        (void)flock(folder, LOCK_UN);
    return killed;
}

static void check_folders(const char *results, struct findings *findings)
{
    cleanup_fd int folder = open(results, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_free char *journal = NULL;
    cleanup_free char *mend = text_format("sippod cleanup %s", results);
    cleanup_error struct error *error = NULL;
    struct stat status;
    size_t length, count;

    if (folder < 0) {
        if (errno != ENOENT)
            findings_addf(findings, FINDING_WARNING, ID, "a run cannot write its results there", NULL,
                          "the results folder %s cannot be opened: %s", results, strerror(errno));
        return;
    }
    if (fstatat(folder, JOURNAL, &status, AT_SYMLINK_NOFOLLOW) < 0 || !is_killed(folder))
        return;
    if (file_read(folder, JOURNAL, MOST_BYTES, &journal, &length, &error) < 0) {
        findings_addf(findings, FINDING_WARNING, ID, "it is what a killed run has left", mend, "%s: %s",
                      results, error_text(error));
        return;
    }
    count = count_folders(folder, journal);
    findings_addf(findings, FINDING_WARNING, ID, "they take up room, and are in no results.json", mend,
                  "%zu folder%s of a killed run in %s", count, count == 1 ? "" : "s", results);
}

/* ---- network devices ---- */

bool leftover_device_name(const char *name)
{
    return strncmp(name, "sipp-", 5) == 0 && strspn(name + 5, "abcdefghijklmnopqrstuvwxyz") == 6 && !name[11];
}

static void check_devices(struct findings *findings)
{
    cleanup_buffer struct buffer names = {0};
    cleanup_free char *mend = NULL;
    struct if_nameindex *devices = if_nameindex();
    size_t count = 0;

    for (const struct if_nameindex *device = devices; device && device->if_index; device++)
        if (leftover_device_name(device->if_name)) {
            buffer_addf(&names, "%s%s", count ? " " : "", device->if_name);
            count++;
        }
    if (devices)
        if_freenameindex(devices); /* does not take NULL */
    if (!count)
        return;
    buffer_add(&names, "", 1);
    mend = count == 1 ? text_format("sudo ip link delete %s", (char *)names.data)
                      : text_format("for d in %s; do sudo ip link delete $d; done", (char *)names.data);
    findings_addf(findings, FINDING_WARNING, ID,
                  "a killed run (of Sipplauncher, too) left them, unless one is under way", mend,
                  "network device%s %s", count == 1 ? "" : "s", (char *)names.data);
}

static void add_forwarding(int family, bool unknown, struct findings *findings)
{
    cleanup_strings struct strings devices = {0};
    bool six = family == AF_INET6;

    (void)forwarding_list(family, &devices, NULL);
    for (size_t i = 0; i < devices.count; i++)
        findings_addf(
            findings, FINDING_WARNING, ID,
            unknown ? "a killed run left it so, unless one is under way" : "a killed run left it so",
            "sudo sippod cleanup", "%s forwards %spackets (net.ipv4.conf.%s.%s is %d)", devices.list[i],
            six ? "IPv6 " : "", devices.list[i], six ? "tag" : "forwarding", FORWARDING_OURS);
}

/* Only the lock tells them from those of a run under way; who cannot have it does not know. */
static void check_forwarding(struct findings *findings)
{
    cleanup_fd int lock = forwarding_open(NULL);
    bool unknown = lock < 0;

    if (!unknown && forwarding_in_use(lock))
        return;
    add_forwarding(AF_INET, unknown, findings);
    add_forwarding(AF_INET6, unknown, findings);
}

void check_leftovers(const char *results, struct findings *findings)
{
    size_t before = findings->count;

    check_folders(results, findings);
    check_devices(findings);
    check_forwarding(findings);
    if (findings->count == before)
        findings_addf(findings, FINDING_OK, ID, NULL, NULL, "none of killed runs");
}
