/* What of it takes no netlink socket, and so no libnl: sippod has that too, for its doctor and its clean-up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "src/base/file.h"
#include "src/base/memory.h"

#define FOLDER  "/proc/sys/net/ipv4/conf"
#define WAIT_MS 2000
#define STEP_MS 10

/* The number in its file; -1 on failure. */
static long flag_of(const char *device, struct error **ret)
{
    cleanup_free char *path = text_format(FOLDER "/%s/forwarding", device);
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

int forwarding_is_on(const char *device, struct error **ret)
{
    long value = flag_of(device, ret);

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

int forwarding_list(struct strings *ret_devices, struct error **ret)
{
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;

    if (!folder)
        return error_sys(ret, ERROR_FAILED, errno, "cannot list " FOLDER);
    while ((entry = readdir(folder)))
        if (*entry->d_name != '.' &&
            flag_of(entry->d_name, NULL) == FORWARDING_OURS) /* a device may just have gone */
            strings_add(ret_devices, entry->d_name);
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

/* What could not be restored is none of ret_restored. */
static int restore_all(forwarding_set *set, void *user, struct strings *ret_restored, struct error **ret)
{
    cleanup_strings struct strings devices = {0};
    int result = 0;

    if (forwarding_list(&devices, ret) < 0)
        return -1;
    for (size_t i = 0; i < devices.count; i++)
        if (set(user, devices.list[i], 0, result < 0 ? NULL : ret) < 0)
            result = -1;
        else
            strings_add(ret_restored, devices.list[i]);
    return result;
}

int forwarding_restore(int lock, forwarding_set *set, void *user, struct strings *ret_restored,
                       struct error **ret)
{
    int result;

    if (try_lock(lock, LOCK_EX) < 0)
        return 1;
    result = restore_all(set, user, ret_restored, ret);
    (void)flock(lock, LOCK_UN);
    return result;
}

int forwarding_set_by_proc(void *user, const char *device, unsigned value, struct error **ret)
{
    cleanup_free char *path = text_format(FOLDER "/%s/forwarding", device);
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    (void)user;
    if (fd < 0 || dprintf(fd, "%u\n", value) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot write %s", path);
    return 0;
}
