#include "sandbox/capabilities.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

static uint64_t collect(capng_type_t type)
{
    uint64_t set = 0;

    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (capng_have_capability(type, (unsigned)i))
            set |= CAPABILITY(i);
    return set;
}

static void change(capng_act_t action, unsigned types, uint64_t set)
{
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (set & CAPABILITY(i))
            capng_update(action, (capng_type_t)types, (unsigned)i);
}

/* libcap-ng's picture of this process, which is what it then applies: taken with one system call. Its own
 * capng_get_caps_process() also takes the bounding and the ambient set, out of files in /proc. */
static int load(struct error **ret)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, halves) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read the capabilities of this process");
    capng_clear(CAPNG_SELECT_ALL);
    capng_setpid(getpid()); /* libcap-ng remembers it, and does not notice clone3 */
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        change(CAPNG_ADD, CAPNG_EFFECTIVE, (uint64_t)halves[i].effective << 32 * i);
        change(CAPNG_ADD, CAPNG_PERMITTED, (uint64_t)halves[i].permitted << 32 * i);
        change(CAPNG_ADD, CAPNG_INHERITABLE, (uint64_t)halves[i].inheritable << 32 * i);
    }
    return 0;
}

static int apply(struct error **ret)
{
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot change the capabilities of this process");
    return 0;
}

int capabilities_permitted(uint64_t *ret_set, struct error **ret)
{
    if (load(ret) < 0)
        return -1;
    *ret_set = collect(CAPNG_PERMITTED);
    return 0;
}

/* Shrinks the bounding set to `keep`; needs CAP_SETPCAP among the permitted ones, else it is left. */
static int shrink_bounding(uint64_t keep, struct error **ret)
{
    if (!(collect(CAPNG_PERMITTED) & CAPABILITY(CAP_SETPCAP)))
        return 0;
    if (capabilities_raise(CAPABILITY(CAP_SETPCAP), ret) < 0)
        return -1;
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (!(keep & CAPABILITY(i)) && prctl(PR_CAPBSET_READ, i) > 0 && prctl(PR_CAPBSET_DROP, i) < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot shrink the bounding set");
    return 0;
}

static int clear_ambient(struct error **ret)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot clear the ambient capabilities");
    return 0;
}

int capabilities_drop(uint64_t keep, struct error **ret)
{
    if (load(ret) < 0 || clear_ambient(ret) < 0 || shrink_bounding(keep, ret) < 0)
        return -1;
    keep &= collect(CAPNG_PERMITTED);
    capng_clear(CAPNG_SELECT_CAPS);
    change(CAPNG_ADD, CAPNG_PERMITTED, keep);
    return apply(ret);
}

int capabilities_raise(uint64_t set, struct error **ret)
{
    if (load(ret) < 0)
        return -1;
    if (set & ~collect(CAPNG_PERMITTED)) {
        cleanup_free char *missing = capabilities_text(set & ~collect(CAPNG_PERMITTED));

        return error_set(ret, ERROR_FAILED, "missing capability: %s", missing);
    }
    change(CAPNG_ADD, CAPNG_EFFECTIVE, set);
    return apply(ret);
}

int capabilities_lower_to(uint64_t set, struct error **ret)
{
    if (load(ret) < 0)
        return -1;
    change(CAPNG_DROP, CAPNG_EFFECTIVE, collect(CAPNG_EFFECTIVE) & ~set);
    return apply(ret);
}

int capabilities_lower(struct error **ret)
{
    return capabilities_lower_to(0, ret);
}

int capabilities_hand_on(uint64_t set, struct error **ret)
{
    const struct capability_sets sets = {set, set, set, set, set};

    return capabilities_hand_on_sets(&sets, ret);
}

int capabilities_hand_on_sets(const struct capability_sets *sets, struct error **ret)
{
    uint64_t had;

    if (load(ret) < 0 || clear_ambient(ret) < 0 || shrink_bounding(sets->bounding, ret) < 0)
        return -1;
    had = collect(CAPNG_PERMITTED);
    capng_clear(CAPNG_SELECT_CAPS);
    change(CAPNG_ADD, CAPNG_PERMITTED, sets->permitted & had);
    change(CAPNG_ADD, CAPNG_EFFECTIVE, sets->effective & had);
    change(CAPNG_ADD, CAPNG_INHERITABLE, sets->inheritable & had);
    if (apply(ret) < 0)
        return -1;
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (sets->ambient & had & CAPABILITY(i) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot hand on a capability");
    return 0;
}

uint64_t capability_by_name(const char *name)
{
    int number;

    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    number = capng_name_to_capability(name);
    return number < 0 ? 0 : CAPABILITY(number);
}

char *capabilities_text(uint64_t set)
{
    struct buffer text = {0};

    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (set & CAPABILITY(i))
            buffer_addf(&text, "%s%s", text.length ? ", " : "", capng_capability_to_name((unsigned)i));
    if (!text.length)
        buffer_addf(&text, "none");
    buffer_add(&text, "", 1);
    return (char *)text.data;
}
