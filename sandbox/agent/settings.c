/* Settings of the pod as a whole, for all its containers share it: its network's in /proc/sys/net, and the
 * name servers that its programs ask. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/resolv_conf.h"
#include "src/base/memory.h"

/* ---- sysctl ---- */

/* "net.ipv4.ip_forward" or, where names of devices hold dots, "net/ipv4/conf/eth0.7/forwarding": what is
 * below /proc/sys/net. NULL for what is not. */
static char *path_of(const char *name)
{
    bool dots = !strchr(name, '/');
    char *path;

    if (strncmp(name, "net", 3) != 0 || name[3] != (dots ? '.' : '/') || !name[4])
        return NULL;
    path = text_copy(name + 4);
    for (char *letter = path; dots && *letter; letter++)
        if (*letter == '.')
            *letter = '/';
    return path;
}

static int open_setting(const char *path)
{
    struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    cleanup_fd int folder = open("/proc/sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC);

    return folder < 0 ? -1 : (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

static int set(const struct environment_message *setting, struct error **ret)
{
    cleanup_free char *path = path_of(setting->name);
    cleanup_fd int fd = -1;

    if (!path)
        return error_set(ret, ERROR_INPUT, "the setting %s is not the pod's own: only net.* is",
                         setting->name);
    fd = open_setting(path);
    if (fd < 0 || write(fd, setting->value, strlen(setting->value)) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot set %s to \"%s\"", setting->name, setting->value);
    return 0;
}

int settings_apply(const struct container_message *container, struct error **ret)
{
    int result = 0;

    if (!container->setting_count)
        return 0;
    if (capabilities_raise(CAPABILITY(CAP_NET_ADMIN), ret) < 0)
        return -1;
    for (size_t i = 0; i < container->setting_count && result == 0; i++)
        result = set(&container->settings[i], ret);
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}

/* ---- name servers ---- */

static bool is_address(const char *text)
{
    uint8_t bytes[16];

    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

int settings_dns(const struct agent *agent, const struct strings *servers, struct error **ret)
{
    cleanup_buffer struct buffer text = {0};

    if (!servers->count)
        return 0;
    for (size_t i = 0; i < servers->count; i++) {
        if (!is_address(servers->list[i]))
            return error_set(ret, ERROR_INPUT, "dns[%zu]: \"%s\" is not an address", i, servers->list[i]);
        buffer_addf(&text, "nameserver %s\n", servers->list[i]);
    }
    buffer_add(&text, "", 1);
    if (agent->file_system != MOUNTS_THROWAWAY)
        return error_set(ret, ERROR_INPUT,
                         "dns: " RESOLV_CONF " is the host's in this pod, only --fs=throwaway has its own");
    return resolv_conf_replace((const char *)text.data) < 0
               ? error_sys(ret, ERROR_FAILED, errno, "dns: cannot replace " RESOLV_CONF)
               : 0;
}
