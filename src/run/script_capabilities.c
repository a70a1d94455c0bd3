#include "src/run/script_capabilities.h"

#include <linux/capability.h>
#include <string.h>

#include "sandbox/capabilities.h"
#include "src/base/memory.h"

int script_capabilities_parse(const char *list, struct strings *names, struct error **ret)
{
    cleanup_free char *copy = text_copy(list);
    char *rest = copy, *name;

    strings_free(names);
    while ((name = strsep(&rest, ","))) {
        if (!(capability_by_name(name) & (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))))
            return error_set(ret, ERROR_INPUT, "it is a list of net_admin and net_raw");
        strings_add(names, name);
    }
    return 0;
}

bool script_capabilities_have(const struct strings *names, const char *name)
{
    for (size_t i = 0; names && i < names->count; i++)
        if (capability_by_name(names->list[i]) == capability_by_name(name))
            return true;
    return false;
}
