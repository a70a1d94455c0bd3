#include "netns/forwarding.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "netns/link.h"

static int set_by_netlink(void *user, const char *device, enum forwarding_setting setting, unsigned value,
                          struct error **ret)
{
    return setting == FORWARDING_TAG ? link_set_tag(user, device, value, ret)
                                     : link_set_forwarding(user, device, value, ret);
}

/* The tag comes first, so that there never is a flag of ours that does not say so. */
static int turn_on_ipv6(struct netlink *nl, const char *device, struct error **ret)
{
    long tag;

    if (!forwarding_is_possible_ipv6(device))
        return error_sys(ret, ERROR_HOST, EOPNOTSUPP,
                         "%s: this kernel forwards IPv6 for all devices or none (there is no "
                         "net.ipv6.conf.%s.force_forwarding, which Linux 6.17 brought), and for all sippod "
                         "never turns it on: that can cost the host its default route",
                         device, device);
    tag = forwarding_tag(device, ret);
    if (tag < 0)
        return -1;
    if (tag && tag != FORWARDING_OURS)
        return error_set(ret, ERROR_HOST,
                         "%s: net.ipv4.conf.%s.tag is %ld, somebody else's: sippod would note there that it "
                         "turned on IPv6 forwarding",
                         device, device, tag);
    return link_set_tag(nl, device, FORWARDING_OURS, ret) < 0 ? -1 : forwarding_turn_on_own(device, ret);
}

int forwarding_turn_on(struct netlink *nl, int family, const char *device, struct error **ret)
{
    int on = forwarding_is_on(family, device, ret);

    if (on)
        return on < 0 ? -1 : 0;
    return family == AF_INET6 ? turn_on_ipv6(nl, device, ret)
                              : link_set_forwarding(nl, device, FORWARDING_OURS, ret);
}

/* Back first, then for oneself: of two that end at the same moment one at least gets it. */
int forwarding_unlock(struct netlink *nl, int lock, struct error **ret)
{
    cleanup_strings struct strings restored = {0};

    (void)flock(lock, LOCK_UN);
    return forwarding_restore(lock, set_by_netlink, nl, &restored, ret) < 0 ? -1 : 0;
}
