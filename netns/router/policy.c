#include "netns/router/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/suite/confuse.h"

#define MOST_BYTES ((size_t)64 * 1024)
#define HIGHEST    65536 /* number of pods, of addresses */

/* ---- the file ---- */

/* In a folder with the sticky bit (/tmp), others may make files, but not replace those of root. */
static int check_owner(const char *path, const struct stat *status, struct error **ret)
{
    bool sticky = S_ISDIR(status->st_mode) && status->st_mode & S_ISVTX;

    if (status->st_uid != 0)
        error_set(ret, ERROR_HOST, "%s belongs to uid %u, not to root: chown root %s", path, status->st_uid,
                  path);
    else if (status->st_mode & 022 && !sticky)
        error_set(ret, ERROR_HOST, "others than root may write %s: chmod go-w %s", path, path);
    else
        return 0;
    return -1;
}

static int open_failed(const char *path, int sys, struct error **ret)
{
    if (sys == EACCES)
        return error_sys(ret, ERROR_HOST, sys,
                         "%s is not readable for you: an administrator may chmod a+r it, and a+rx the "
                         "folders above it",
                         path);
    if (sys == ELOOP || sys == ENOTDIR)
        return error_sys(ret, ERROR_HOST, sys, "%s is a link, or not a folder: no links lead to a policy",
                         path);
    return error_sys(ret, ERROR_HOST, sys, "%s", path);
}

/* From the root down, so that nobody but root can have put another file there. */
static int open_checked(const char *path, struct error **ret)
{
    cleanup_fd int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    for (const char *name = path + 1, *end;; name = end + 1) {
        cleanup_free char *part = NULL, *so_far = NULL;
        cleanup_fd int opened = -1;
        struct stat status;
        bool last;

        end = strchrnul(name, '/');
        last = !*end;
        part = text_slice(name, (size_t)(end - name));
        so_far = text_slice(path, (size_t)(end - path));
        opened =
            openat(folder, part,
                   O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY));
        if (opened < 0 || fstat(opened, &status) < 0)
            return open_failed(so_far, errno, ret);
        if (check_owner(so_far, &status, ret) < 0)
            return -1;
        if (last)
            return steal_fd(&opened);
        close_fd(&folder);
        folder = steal_fd(&opened);
    }
}

static char *read_text(const char *path, int file, struct error **ret)
{
    cleanup_free char *text = memory_new(MOST_BYTES + 2);
    struct stat status;
    size_t length = 0;
    ssize_t more = 1;

    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
        error_set(ret, ERROR_HOST, "%s is not a regular file", path);
        return NULL;
    }
    while (length <= MOST_BYTES && (more = read(file, text + length, MOST_BYTES + 1 - length)) > 0)
        length += (size_t)more;
    if (more < 0)
        error_sys(ret, ERROR_HOST, errno, "cannot read %s", path);
    else if (length > MOST_BYTES)
        error_set(ret, ERROR_HOST, "%s is longer than %zu bytes", path, MOST_BYTES);
    else if (strlen(text) != length)
        error_set(ret, ERROR_HOST, "%s: a NUL byte is in it", path);
    else
        return steal_pointer(&text);
    return NULL;
}

/* ---- what is in it ---- */

static int check_networks(cfg_t *config, cfg_opt_t *option)
{
    for (unsigned i = 0; i < cfg_opt_size(option); i++) {
        cleanup_error struct error *error = NULL;
        struct network ignored;

        if (network_parse(cfg_opt_getnstr(option, i), &ignored, &error) < 0) {
            cfg_error(config, "%s: %s", cfg_opt_name(option), error_text(error));
            return -1;
        }
    }
    return 0;
}

static int check_number(cfg_t *config, cfg_opt_t *option)
{
    long number = cfg_opt_getnint(option, 0);

    if (number >= 0 && number <= HIGHEST)
        return 0;
    cfg_error(config, "%s = %ld: it is from 0 to %d", cfg_opt_name(option), number, HIGHEST);
    return -1;
}

static const struct confuse_check checks[] = {
    {"networks", check_networks},
    {"max_pods_per_user", check_number},
    {"max_addresses_per_user", check_number},
    {0},
};

static void take_list(cfg_t *config, const char *name, struct strings *ret_list)
{
    for (unsigned i = 0; i < cfg_size(config, name); i++)
        strings_add(ret_list, cfg_getnstr(config, name, i));
}

static int parse(struct policy *policy, const char *text, struct error **ret)
{
    cfg_opt_t options[] = {
        CFG_STR_LIST("groups", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("networks", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("uplinks", NULL, CFGF_NODEFAULT),
        CFG_INT("max_pods_per_user", 200, CFGF_NONE),
        CFG_INT("max_addresses_per_user", 1000, CFGF_NONE),
        CFG_BOOL("allow_forwarding", cfg_false, CFGF_NONE),
        CFG_END(),
    };
    cfg_t *config = confuse_parse(policy->path, text, options, checks, ret);

    if (!config)
        return -1;
    take_list(config, "groups", &policy->groups);
    take_list(config, "uplinks", &policy->uplinks);
    policy->network_count = cfg_size(config, "networks");
    policy->networks = memory_array(NULL, policy->network_count, sizeof *policy->networks);
    for (unsigned i = 0; i < policy->network_count; i++)
        (void)network_parse(cfg_getnstr(config, "networks", i), &policy->networks[i], NULL); /* was checked */
    policy->max_pods = (unsigned)cfg_getint(config, "max_pods_per_user");
    policy->max_addresses = (unsigned)cfg_getint(config, "max_addresses_per_user");
    policy->allow_forwarding = cfg_getbool(config, "allow_forwarding");
    cfg_free(config);
    return 0;
}

struct policy *policy_read(const char *path, struct error **ret)
{
    cleanup_policy struct policy *policy = memory_new(sizeof *policy);
    cleanup_error struct error *error = NULL;
    cleanup_free char *text = NULL;
    cleanup_fd int file = open_checked(path, &error);

    policy->path = text_copy(path);
    if (file >= 0)
        text = read_text(path, file, &error);
    if (text && parse(policy, text, &error) == 0)
        return steal_pointer(&policy);
    if (error->sys == ENOENT)
        error_set(ret, ERROR_HOST,
                  "there is no %s, so that only root may reach devices outside: an administrator says there "
                  "who else may (policy.conf(5))",
                  path);
    else
        error_set(ret, ERROR_HOST, "nothing outside may be reached until root has mended its policy: %s",
                  error_text(error));
    if (ret && *ret)
        (*ret)->sys = error->sys;
    return NULL;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    strings_free(&policy->groups);
    strings_free(&policy->uplinks);
    free(policy->networks);
    free(policy->path);
    free(policy);
}
