/* Theory of operation. The pod's mount namespace starts as a copy of the host's. All of it is made read-only
 * at once (mount_setattr(2), recursively), then fresh tmpfs go where programs write, and overlays with a
 * tmpfs upper on /etc and /var. What the test needs from below those places (its run folder, the suite) was
 * opened before as detached copies of mounts (open_tree(2)) and is moved into place last, at the path that it
 * has outside. In the end all is nosuid.
 *
 * Limits: an overlay of / itself is refused in a user namespace. An overlay shows one file system, so mounts
 * below /etc and /var (a separate /var/lib, the three files that container engines mount into /etc) are
 * carried over one by one. An ordinary user can change through the overlay only what lies directly in /etc or
 * /var. See mount_namespaces(7), section on restrictions, and Documentation/filesystems/overlayfs.rst. */
#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/resolv_conf.h"
#include "src/base/file.h"
#include "src/base/memory.h"

/* glibc 2.36 has these in <sys/mount.h>, which does not go together with <linux/mount.h> there. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#define MNT_DETACH 2

struct detached {
    char *path; /* where it goes back to */
    int tree;   /* from open_tree(2) */
    bool is_folder;
    bool writable;
};

struct set_up {
    void (*notice)(void *user, const char *text);
    void *user;
    struct detached *detached;
    size_t count;
};

int mounts_mode_by_name(const char *name)
{
    static const char *const names[] = {"throwaway", "readonly", "host"};

    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

static void notice(struct set_up *set_up, int sys, const char *text)
{
    cleanup_free char *line = text_format("%s: %s", text, strerror(sys));

    set_up->notice(set_up->user, line);
}

static int make_read_only(int tree, const char *path, struct error **ret)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

    if (syscall(SYS_mount_setattr, tree, tree < 0 ? path : "", AT_RECURSIVE | (tree < 0 ? 0 : AT_EMPTY_PATH),
                &attributes, sizeof attributes) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make %s read-only in the pod", path);
    return 0;
}

/* Programs that have capabilities by their files (SIPp on Fedora, ping) run with what the pod gives them. The
 * kernel would refuse to execute them: there they cannot have what their files say. */
static int ignore_file_capabilities(struct error **ret)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID};

    if (syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &attributes, sizeof attributes) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make the pod's mounts nosuid");
    return 0;
}

/* ---- what is carried over ---- */

static int detach(struct set_up *set_up, const char *path, bool writable, struct error **ret)
{
    struct detached detached = {.path = text_copy(path), .writable = writable};
    struct stat status;

    detached.tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);
    if (detached.tree < 0 || fstat(detached.tree, &status) < 0) {
        error_sys(ret, ERROR_HOST, errno, "cannot carry %s over into the pod", path);
        free(detached.path);
        close_fd(&detached.tree);
        return -1;
    }
    detached.is_folder = S_ISDIR(status.st_mode);
    set_up->detached = memory_array(set_up->detached, set_up->count + 1, sizeof detached);
    set_up->detached[set_up->count++] = detached;
    return writable ? 0 : make_read_only(detached.tree, path, ret);
}

/* Undoes the \ooo escapes of mountinfo, in place. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] && from[2] && from[3]) {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static bool below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* Mounts below `folder`, the topmost of each tree only: what hangs below them comes along. */
static int detach_mounts_below(struct set_up *set_up, const char *folder, struct error **ret)
{
    cleanup_free char *text = NULL;
    cleanup_free char *topmost = NULL;
    char *rest, *line;
    size_t length;

    if (file_read(AT_FDCWD, "/proc/self/mountinfo", (size_t)16 << 20, &text, &length, ret) < 0)
        return -1;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        char path[4097];

        if (sscanf(line, "%*s %*s %*s %*s %4096s", path) != 1)
            continue;
        unescape(path);
        if (!below(path, folder) || (topmost && below(path, topmost)))
            continue;
        /* A mount that is covered by another one, or that may not be looked at, is left behind. */
        if (detach(set_up, path, false, NULL) < 0)
            continue;
        free(topmost);
        topmost = text_copy(path);
    }
    return 0;
}

/* The folders above `path` (made where they are missing and can be made), then a place to mount on. */
static int make_mount_point(const char *path, bool is_folder, struct error **ret)
{
    cleanup_free char *above = text_copy(path);
    cleanup_fd int fd = -1;
    struct stat status;
    char *slash = strrchr(above, '/');

    if (lstat(path, &status) == 0)
        return 0;
    if (slash > above) {
        *slash = '\0';
        if (file_make_folders(above, NULL, ret) < 0)
            return -1;
    }
    if (is_folder)
        return file_make_folders(path, NULL, ret);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make %s in the pod", path);
    return 0;
}

/* Of two at the same place the writable one is on top. */
static int by_path(const void *a, const void *b)
{
    const struct detached *left = a, *right = b;
    int order = strcmp(left->path, right->path);

    return order ? order : (int)left->writable - (int)right->writable;
}

/* Outer ones first: an inner one is then mounted on top of what the outer one shows. */
static int put_back(struct set_up *set_up, struct error **ret)
{
    if (set_up->count)
        qsort(set_up->detached, set_up->count, sizeof *set_up->detached, by_path);
    for (size_t i = 0; i < set_up->count; i++) {
        const struct detached *detached = &set_up->detached[i];

        if (make_mount_point(detached->path, detached->is_folder, ret) < 0)
            return -1;
        if (syscall(SYS_move_mount, detached->tree, "", AT_FDCWD, detached->path, MOVE_MOUNT_F_EMPTY_PATH) <
            0)
            return error_sys(ret, ERROR_HOST, errno, "cannot mount %s in the pod", detached->path);
    }
    return 0;
}

static void forget_detached(struct set_up *set_up)
{
    for (size_t i = 0; i < set_up->count; i++) {
        close(set_up->detached[i].tree);
        free(set_up->detached[i].path);
    }
    free(set_up->detached);
}

/* ---- fresh places ---- */

/* One overlay, its upper folder on the tmpfs that is mounted at /tmp for the moment. */
static void overlay(struct set_up *set_up, const char *folder)
{
    cleanup_free char *upper = text_format("/tmp%s/upper", folder);
    cleanup_free char *work = text_format("/tmp%s/work", folder);
    cleanup_free char *options =
        text_format("lowerdir=%s,upperdir=%s,workdir=%s,userxattr", folder, upper, work);
    cleanup_free char *text = text_format("%s cannot be made writable in the pod", folder);

    if (file_make_folders(upper, NULL, NULL) < 0 || file_make_folders(work, NULL, NULL) < 0 ||
        chmod(upper, 0755) < 0 || mount("overlay", folder, "overlay", 0, options) < 0)
        notice(set_up, errno, text);
}

static int make_overlays(struct set_up *set_up, struct error **ret)
{
    if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot mount a tmpfs in the pod");
    overlay(set_up, "/etc");
    overlay(set_up, "/var");
    /* The overlays hold on to the upper folders; nobody else needs to see them. */
    if (umount2("/tmp", MNT_DETACH) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot unmount a tmpfs in the pod");
    return 0;
}

/* A /dev with what every program expects and nothing that is a piece of the host: its disks can be written by
 * root's uid alone. The nodes themselves come with what is carried over. */
static int make_devices(struct error **ret)
{
    static const struct {
        const char *target, *path;
    } links[] = {
        {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
        {"pts/ptmx", "/dev/ptmx"},
    };

    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=0755") < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot mount a tmpfs on /dev in the pod");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i].target, links[i].path) < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot make %s in the pod", links[i].path);
    if (mkdir("/dev/pts", 0755) < 0 || mkdir("/dev/shm", 01777) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot fill /dev in the pod");
    return 0;
}

static int detach_devices(struct set_up *set_up, struct error **ret)
{
    static const char *const nodes[] = {"/dev/null",    "/dev/zero", "/dev/full",   "/dev/random",
                                        "/dev/urandom", "/dev/tty",  "/dev/net/tun"};

    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (access(nodes[i], F_OK) == 0 && detach(set_up, nodes[i], true, ret) < 0)
            return -1;
    return 0;
}

static int make_tmpfs(struct set_up *set_up, struct error **ret)
{
    static const struct {
        const char *path, *options;
    } places[] = {
        {"/tmp", "mode=1777"},     {"/run", "mode=0755"},       {"/var/tmp", "mode=1777"},
        {"/var/log", "mode=0755"}, {"/var/cache", "mode=0755"}, {"/dev/shm", "mode=1777"},
    };

    if (make_devices(ret) < 0)
        return -1;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct stat status;

        if (lstat(places[i].path, &status) < 0 || !S_ISDIR(status.st_mode))
            continue;
        if (mount("tmpfs", places[i].path, "tmpfs", MS_NOSUID | MS_NODEV, places[i].options) < 0)
            return error_sys(ret, ERROR_HOST, errno, "cannot mount a tmpfs on %s in the pod", places[i].path);
    }
    if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") <
        0)
        notice(set_up, errno, "the pod sees the host's terminals, /dev/pts cannot be mounted");
    return 0;
}

/* The kernel lets root's uid write these without any capability, and root is whom root's pods run as. What
 * belongs to the network namespace stays as it is: there the kernel asks who owns it. */
static int protect_settings(struct error **ret)
{
    static const char *const places[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
                                         "/proc/fs"};
    struct set_up set_up = {0};
    int result = 0;

    for (size_t i = 0; i < sizeof places / sizeof *places && result == 0; i++)
        if (access(places[i], F_OK) == 0)
            result = detach(&set_up, places[i], false, ret);
    if (result == 0 && access("/proc/sys/net", F_OK) == 0)
        result = detach(&set_up, "/proc/sys/net", true, ret);
    if (result == 0)
        result = put_back(&set_up, ret);
    forget_detached(&set_up);
    return result;
}

static int mount_proc(struct set_up *set_up, struct error **ret)
{
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        notice(set_up, errno,
               "/proc in the pod is the host's (in a nested container its /proc is partly covered)");
    return protect_settings(ret);
}

static int replace_places(const struct mounts_plan *plan, struct set_up *set_up, struct error **ret)
{
    for (size_t i = 0; i < plan->writable.count; i++)
        if (detach(set_up, plan->writable.list[i], true, ret) < 0)
            return -1;
    for (size_t i = 0; i < plan->readable.count; i++)
        if (detach(set_up, plan->readable.list[i], false, ret) < 0)
            return -1;
    if (plan->mode == MOUNTS_THROWAWAY &&
        (detach_mounts_below(set_up, "/etc", ret) < 0 || detach_mounts_below(set_up, "/var", ret) < 0))
        return -1;
    if (detach_devices(set_up, ret) < 0 || make_read_only(-1, "/", ret) < 0)
        return -1;
    if (plan->mode == MOUNTS_THROWAWAY && make_overlays(set_up, ret) < 0)
        return -1;
    if (make_tmpfs(set_up, ret) < 0)
        return -1;
    return put_back(set_up, ret);
}

/* ---- the pod's own DNS ---- */

static const char own_dns[] = "# the names of the test's dns.txt\nnameserver 127.0.0.1\n";

/* Where programs look: behind a link too, whose end may not exist in the pod's fresh /run. */
static char *find_resolv_conf(void)
{
    char link[4096];
    ssize_t length = readlink(RESOLV_CONF, link, sizeof link - 1);

    if (length < 0)
        return text_copy(RESOLV_CONF);
    link[length] = '\0';
    return *link == '/' ? text_copy(link) : text_format("/etc/%s", link);
}

/* A file of a tmpfs is mounted on the one that cannot be replaced. The tmpfs itself is seen by nobody. */
static int cover_resolv_conf(enum mounts_mode mode)
{
    cleanup_free char *path = find_resolv_conf();
    int result = -1, sys;

    if (mode != MOUNTS_HOST && make_mount_point(path, false, NULL) < 0)
        return -1; /* on the host nothing may be made */
    if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
        return -1;
    if (resolv_conf_write("/tmp/resolv.conf", own_dns) == 0)
        result = mount("/tmp/resolv.conf", path, NULL, MS_BIND, NULL);
    sys = errno;
    if (umount2("/tmp", MNT_DETACH) < 0)
        return -1;
    errno = sys;
    return result;
}

/* In /etc of an overlay the file is the pod's own to replace; it may be a mount itself, which is not. */
static void use_own_dns(const struct mounts_plan *plan, struct set_up *set_up)
{
    if (plan->mode == MOUNTS_THROWAWAY && resolv_conf_replace(own_dns) == 0)
        return;
    if (cover_resolv_conf(plan->mode) < 0)
        notice(set_up, errno,
               "programs in the pod do not ask the test's DNS, " RESOLV_CONF
               " cannot be replaced (127.0.0.1 answers all the same)");
}

int mounts_set_up(const struct mounts_plan *plan, void (*tell)(void *user, const char *text), void *user,
                  struct error **ret)
{
    struct set_up set_up = {.notice = tell, .user = user};
    int result = 0;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot separate the pod's mounts from the host's");
    if (plan->mode != MOUNTS_HOST)
        result = replace_places(plan, &set_up, ret);
    forget_detached(&set_up);
    if (result == 0 && plan->own_dns)
        use_own_dns(plan, &set_up);
    if (result == 0)
        result = mount_proc(&set_up, ret);
    return result == 0 ? ignore_file_capabilities(ret) : -1;
}
