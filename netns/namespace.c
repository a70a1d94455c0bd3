#include "netns/namespace.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

int namespace_userns(int netns, int *ret_userns, struct error **ret)
{
    int type = ioctl(netns, NS_GET_NSTYPE);
    int userns;

    if (type != CLONE_NEWNET)
        return error_set(ret, ERROR_INPUT, "the descriptor is not one of a network namespace");
    userns = ioctl(netns, NS_GET_USERNS); /* the kernel makes it close-on-exec */
    if (userns < 0 && errno == EPERM)
        return error_sys(ret, ERROR_HOST, EPERM, "the network namespace belongs to another user namespace");
    if (userns < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot ask for the owner of a network namespace");
    *ret_userns = userns;
    return 0;
}

int namespace_owner(int userns, uid_t *ret_uid, struct error **ret)
{
    if (ioctl(userns, NS_GET_OWNER_UID, ret_uid) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot ask for the owner of a user namespace");
    return 0;
}
