#include "netns/forwarding.h"

#include <sys/file.h>

#include "netns/link.h"

int forwarding_turn_on(struct netlink *nl, const char *device, struct error **ret)
{
    int on = forwarding_is_on(device, ret);

    return on ? (on < 0 ? -1 : 0) : link_set_forwarding(nl, device, FORWARDING_OURS, ret);
}

static int set_by_netlink(void *user, const char *device, unsigned value, struct error **ret)
{
    return link_set_forwarding(user, device, value, ret);
}

/* Back first, then for oneself: of two that end at the same moment one at least gets it. */
int forwarding_unlock(struct netlink *nl, int lock, struct error **ret)
{
    cleanup_strings struct strings restored = {0};

    (void)flock(lock, LOCK_UN);
    return forwarding_restore(lock, set_by_netlink, nl, &restored, ret) < 0 ? -1 : 0;
}
