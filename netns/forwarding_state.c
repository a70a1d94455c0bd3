/* What of it takes no netlink socket, and so no libnl: sippod has that too, for its doctor and its clean-up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "src/base/file.h"
#include "src/base/memory.h"

#define IPV4    "/proc/sys/net/ipv4/conf"
#define IPV6    "/proc/sys/net/ipv6/conf"
#define FORCE   IPV6 "/%s/force_forwarding"
#define WAIT_MS 2000
#define STEP_MS 10

/* The number in the file; -1 on failure. */
static long number_in(const char *path, struct error **ret)
{
    cleanup_free char *text = NULL;
    size_t length;
    long value;

    if (file_read(AT_FDCWD, path, 32, &text, &length, ret) < 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    if (!text_number(text, 0, 1L << 31, &value))
        return error_set(ret, ERROR_FAILED, "%s: \"%s\" is no number", path, text);
    return value;
}

static int set_number(const char *path, unsigned value, struct error **ret)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || dprintf(fd, "%u\n", value) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot write %s", path);
    return 0;
}

static long flag_of(const char *device, struct error **ret)
{
    cleanup_free char *path = text_format(IPV4 "/%s/forwarding", device);

    return number_in(path, ret);
}

long forwarding_tag(const char *device, struct error **ret)
{
    cleanup_free char *path = text_format(IPV4 "/%s/tag", device);

    return number_in(path, ret);
}

/* ---- IPv6 ---- */

static bool forwards_all_ipv6(void)
{
    return number_in(IPV6 "/all/forwarding", NULL) > 0;
}

bool forwarding_is_possible_ipv6(const char *device)
{
    cleanup_free char *path = text_format(FORCE, device);

    return access(path, F_OK) == 0 || forwards_all_ipv6();
}

int forwarding_turn_on_own(const char *device, struct error **ret)
{
    cleanup_free char *path = text_format(FORCE, device);

    return forwards_all_ipv6() ? 0 : set_number(path, 1, ret);
}

static bool forwards_ipv6(const char *device)
{
    cleanup_free char *path = text_format(FORCE, device);

    return forwards_all_ipv6() || number_in(path, NULL) > 0;
}

/* The tag goes last. */
static int restore_ipv6(forwarding_set *set, void *user, const char *device, struct error **ret)
{
    cleanup_free char *path = text_format(FORCE, device);

    if (access(path, F_OK) == 0 && set_number(path, 0, ret) < 0)
        return -1;
    return set(user, device, FORWARDING_TAG, 0, ret);
}

int forwarding_is_on(int family, const char *device, struct error **ret)
{
    long value = family == AF_INET6 ? forwards_ipv6(device) : flag_of(device, ret);

    return value < 0 ? -1 : value > 0;
}

/* ---- the lock ---- */

static int try_lock(int file, int how)
{
    int result;

    do
        result = flock(file, how | LOCK_NB);
    while (result < 0 && errno == EINTR);
    return result;
}

int forwarding_open(struct error **ret)
{
    int lock = open(SIPPOD_SYSCONFDIR "/sippod", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (lock < 0 && errno == ENOENT)
        lock = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (lock < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot open what runs with devices outside lock");
    return lock;
}

/* There is no event for a lock that becomes free but to block. It is held exclusively for a moment only,
 * unless somebody means harm. */
int forwarding_lock(int lock, struct error **ret)
{
    for (int waited = 0; try_lock(lock, LOCK_SH) < 0; waited += STEP_MS) {
        if (errno != EWOULDBLOCK || waited >= WAIT_MS)
            return error_sys(ret, ERROR_HOST, errno,
                             "cannot lock " SIPPOD_SYSCONFDIR
                             "/sippod, which another process holds (lslocks shows which)");
        (void)poll(NULL, 0, STEP_MS);
    }
    return 0;
}

/* ---- restoring ---- */

int forwarding_list(int family, struct strings *ret_devices, struct error **ret)
{
    DIR *folder = opendir(IPV4);
    struct dirent *entry;

    if (!folder)
        return error_sys(ret, ERROR_FAILED, errno, "cannot list " IPV4);
    while ((entry = readdir(folder))) {
        const char *device = entry->d_name;

        if (*device != '.' &&
            FORWARDING_OURS == (family == AF_INET6 ? forwarding_tag(device, NULL) : flag_of(device, NULL)))
            strings_add(ret_devices, device); /* one that has just gone is not among them */
    }
    closedir(folder);
    return 0;
}

bool forwarding_in_use(int lock)
{
    if (try_lock(lock, LOCK_EX) < 0)
        return true;
    (void)flock(lock, LOCK_UN);
    return false;
}

static int restore(int family, forwarding_set *set, void *user, const char *device, struct error **ret)
{
    return family == AF_INET6 ? restore_ipv6(set, user, device, ret)
                              : set(user, device, FORWARDING_FLAG, 0, ret);
}

static void add_once(struct strings *strings, const char *string)
{
    for (size_t i = 0; i < strings->count; i++)
        if (text_equal(strings->list[i], string))
            return;
    strings_add(strings, string);
}

/* What could not be restored is none of ret_restored. The first error is told. */
static int restore_all(int family, forwarding_set *set, void *user, struct strings *ret_restored,
                       struct error **ret)
{
    cleanup_strings struct strings devices = {0};
    int result = 0;

    if (forwarding_list(family, &devices, ret) < 0)
        return -1;
    for (size_t i = 0; i < devices.count; i++)
        if (restore(family, set, user, devices.list[i], result < 0 ? NULL : ret) < 0)
            result = -1;
        else
            add_once(ret_restored, devices.list[i]);
    return result;
}

int forwarding_restore(int lock, forwarding_set *set, void *user, struct strings *ret_restored,
                       struct error **ret)
{
    int result;

    if (try_lock(lock, LOCK_EX) < 0)
        return 1;
    result = restore_all(AF_INET, set, user, ret_restored, ret);
    if (restore_all(AF_INET6, set, user, ret_restored, result < 0 ? NULL : ret) < 0)
        result = -1;
    (void)flock(lock, LOCK_UN);
    return result;
}

int forwarding_set_by_proc(void *user, const char *device, enum forwarding_setting setting, unsigned value,
                           struct error **ret)
{
    cleanup_free char *path =
        text_format(IPV4 "/%s/%s", device, setting == FORWARDING_TAG ? "tag" : "forwarding");

    (void)user;
    return set_number(path, value, ret);
}
