#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "netns/router/policy.h"
#include "src/base/memory.h"

#define MOST_TO_NAME 200 /* bytes of a list in an error */

static int refused(struct error **ret)
{
    if (ret && *ret)
        (*ret)->sys = EACCES;
    return -1;
}

/* "a, b", or "none" */
static char *listed(const struct strings *strings)
{
    cleanup_buffer struct buffer buffer = {0};

    if (!strings->count)
        return text_copy("none");
    for (size_t i = 0; i < strings->count; i++)
        buffer_addf(&buffer, "%s%s", i ? ", " : "", strings->list[i]);
    return text_start((const char *)buffer.data, buffer.length, MOST_TO_NAME);
}

static bool is_one_of(const char *group, const gid_t *gids, size_t count)
{
    const struct group *entry = getgrnam(group);
    long number;

    if (!entry && !text_number(group, 0, UINT32_MAX - 1, &number))
        return false;
    for (size_t i = 0; i < count; i++)
        if (gids[i] == (entry ? entry->gr_gid : (gid_t)number))
            return true;
    return false;
}

int policy_check_user(const struct policy *policy, struct error **ret)
{
    int count = getgroups(0, NULL);
    cleanup_free gid_t *gids = memory_array(NULL, (size_t)(count > 0 ? count : 0) + 1, sizeof *gids);
    cleanup_free char *groups = listed(&policy->groups);
    const struct passwd *user = getpwuid(getuid());

    count = getgroups(count, gids);
    if (count < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot see your groups");
    gids[count] = getgid();
    for (size_t i = 0; i < policy->groups.count; i++)
        if (is_one_of(policy->groups.list[i], gids, (size_t)count + 1))
            return 0;
    if (policy->groups.count)
        error_set(ret, ERROR_HOST,
                  "you are in none of the groups that may reach devices outside (%s: %s): an administrator "
                  "adds you with `usermod -aG %s %s`, then log in again",
                  policy->path, groups, policy->groups.list[0], user ? user->pw_name : "USER");
    else
        error_set(ret, ERROR_HOST,
                  "%s lets nobody reach devices outside: an administrator adds a group of yours to `groups`",
                  policy->path);
    return refused(ret);
}

int policy_check_network(const struct policy *policy, const struct network *network, struct error **ret)
{
    cleanup_strings struct strings words = {0};
    cleanup_free char *networks = NULL;
    char text[NETWORK_TEXT];

    for (size_t i = 0; i < policy->network_count; i++) {
        if (network_holds(&policy->networks[i], network))
            return 0;
        strings_add(&words, network_text(&policy->networks[i], text));
    }
    networks = listed(&words);
    error_set(ret, ERROR_HOST, "%s is in none of the networks of %s (%s)", network_text(network, text),
              policy->path, networks);
    return refused(ret);
}

int policy_check_address(const struct policy *policy, int family, const uint8_t *bytes, struct error **ret)
{
    const struct network network = network_of(family, bytes);

    return policy_check_network(policy, &network, ret);
}

int policy_check_uplink(const struct policy *policy, const char *device, struct error **ret)
{
    cleanup_free char *uplinks = listed(&policy->uplinks);

    for (size_t i = 0; i < policy->uplinks.count; i++)
        if (text_equal(policy->uplinks.list[i], device))
            return 0;
    error_set(ret, ERROR_HOST, "%s is none of the uplinks of %s (%s)", device, policy->path, uplinks);
    return refused(ret);
}
