/* /etc/sippod/policy.conf: what an administrator lets ordinary users have of the host's network. The router
 * obeys it, doctor shows it; policy.conf(5) is for those who write it.
 *
 * Nobody is trusted with it but root: neither the file nor any folder above it may be another's, or be
 * writable by others. Everything that is not said is not allowed. Errors are ERROR_HOST and say who has to do
 * what; refusals have EACCES. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/network.h"
#include "src/base/text.h"

#define POLICY_PATH SIPPOD_SYSCONFDIR "/sippod/policy.conf"

struct policy {
    char *path;
    struct strings groups; /* names and numbers */
    struct strings uplinks;
    struct network *networks;
    size_t network_count;
    unsigned max_pods, max_addresses; /* for each user */
    bool allow_forwarding;
};

/* NULL on failure; the errno of the error is ENOENT if there is no such file. `path` is absolute. Groups are
 * looked up later: nothing here but opening and reading the file reaches outside of the process. */
struct policy *policy_read(const char *path, struct error **ret);
void policy_free(struct policy *policy); /* NULL is fine */

static inline void policy_freep(struct policy **policy)
{
    policy_free(*policy);
}
#define cleanup_policy __attribute__((cleanup(policy_freep)))

/* Whether the caller, by his real group and his supplementary ones, is in one of `groups`. It asks the host's
 * databases of users and groups, which may load libraries of root's and talk to daemons. */
int policy_check_user(const struct policy *policy, struct error **ret);

/* Whether all of it lies in one of `networks`. */
int policy_check_network(const struct policy *policy, const struct network *network, struct error **ret);
/* `bytes`: 4 or 16, in network order */
int policy_check_address(const struct policy *policy, int family, const uint8_t *bytes, struct error **ret);

int policy_check_uplink(const struct policy *policy, const char *device, struct error **ret);
