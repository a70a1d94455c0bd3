#include "src/doctor/programs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "src/base/file.h"
#include "src/base/memory.h"

#define NEEDED   CAPABILITY(CAP_NET_ADMIN)          /* the router does not start without it … */
#define EXPECTED (NEEDED | CAPABILITY(CAP_NET_RAW)) /* … nor with more than these */

#define ID    "programs"
#define MEANS "sippod cannot do without: no test can be run"

/* The program as a path, or NULL with a finding. It is opened only if it can be executed. */
static char *find(const char *folder, const char *name, int *ret_fd, struct findings *findings)
{
    cleanup_free char *path = text_format("%s/%s", folder, name);

    *ret_fd = open(path, O_PATH | O_CLOEXEC);
    if (*ret_fd < 0 && errno == ENOENT) {
        free(path);
        path = text_format("%s/%s", SIPPOD_LIBEXECDIR, name);
        *ret_fd = open(path, O_PATH | O_CLOEXEC);
    }
    if (*ret_fd < 0 && errno == ENOENT)
        findings_addf(findings, FINDING_BAD, ID, MEANS, NULL,
                      "%s is neither in %s nor in %s: the installation is incomplete", name, folder,
                      SIPPOD_LIBEXECDIR);
    else if (*ret_fd < 0)
        findings_addf(findings, FINDING_BAD, ID, MEANS, NULL, "%s cannot be opened: %s", path,
                      strerror(errno));
    if (*ret_fd < 0)
        return NULL;
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
        return steal_pointer(&path);
    findings_addf(findings, FINDING_BAD, ID, MEANS, NULL, "%s cannot be executed: %s", path, strerror(errno));
    close_fd(ret_fd);
    return NULL;
}

bool capabilities_of_attribute(const void *bytes, size_t length, uint64_t *ret_set)
{
    struct vfs_ns_cap_data data = {0};
    uint32_t revision;

    if (length < XATTR_CAPS_SZ_1 || length > sizeof data)
        return false;
    memcpy(&data, bytes, length);
    revision = le32toh(data.magic_etc) & VFS_CAP_REVISION_MASK;
    if (!(revision == VFS_CAP_REVISION_1 && length == XATTR_CAPS_SZ_1) &&
        !(revision == VFS_CAP_REVISION_2 && length == XATTR_CAPS_SZ_2) &&
        !(revision == VFS_CAP_REVISION_3 && length == XATTR_CAPS_SZ_3))
        return false;
    *ret_set = le32toh(data.data[0].permitted);
    if (revision != VFS_CAP_REVISION_1)
        *ret_set |= (uint64_t)le32toh(data.data[1].permitted) << 32;
    return true;
}

/* The router refuses to work with others than it expects, rootless too. */
static void check_router(struct programs *programs, struct findings *findings)
{
    struct vfs_ns_cap_data data;
    ssize_t length = getxattr(programs->router, "security.capability", &data, sizeof data);
    cleanup_free char *mend = NULL;
    cleanup_free char *names = NULL;

    programs->without_attributes = length < 0 && errno == EOPNOTSUPP;
    if (length < 0 || !capabilities_of_attribute(&data, (size_t)length, &programs->capabilities))
        return;
    programs->has_capabilities = true;
    if (!(programs->capabilities & ~EXPECTED) && programs->capabilities & NEEDED)
        return;
    mend = text_format("setcap cap_net_admin,cap_net_raw=p %s", programs->router);
    names = capabilities_text(programs->capabilities);
    findings_addf(findings, FINDING_BAD, "capabilities",
                  "it works with net_admin and net_raw or without any, and with nothing else", mend,
                  "%s has the file capabilities %s", programs->router, names);
}

void check_programs(struct programs *programs, struct findings *findings)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *folder = file_absolute("/proc/self/exe", &error);
    cleanup_free char *agent = NULL;
    cleanup_fd int agent_fd = -1;

    *programs = (struct programs){.router_fd = -1};
    if (!folder) {
        findings_addf(findings, FINDING_BAD, ID, "/proc has to be mounted", NULL, "%s", error_text(error));
        return;
    }
    *strrchr(folder, '/') = '\0';
    programs->router = find(folder, "sippod-router", &programs->router_fd, findings);
    agent = find(folder, "sippod-agent", &agent_fd, findings);
    if (programs->router && agent) {
        cleanup_free char *where = text_copy(agent);

        *strrchr(where, '/') = '\0';
        findings_addf(findings, FINDING_OK, ID, NULL, NULL, "sippod-router and sippod-agent are in %s",
                      where);
    }
    if (programs->router)
        check_router(programs, findings);
}

void programs_free(struct programs *programs)
{
    free(programs->router);
    close_fd(&programs->router_fd);
}
