/* The router's capabilities, one at a time. */
#include <stdio.h>
#include <unistd.h>

#include "netns/router/router.h"

/* Should: hold a capability for a few calls. Mustn't: go on with it raised. */
int router_raise(uint64_t capability, struct error **ret)
{
    return capabilities_raise(CAPABILITY(capability), ret);
}

void router_lower(void)
{
    cleanup_error struct error *error = NULL;

    if (capabilities_lower(&error) == 0)
        return;
    fprintf(stderr, "sippod-router: %s\n", error_text(error));
    _exit(ERROR_FAILED);
}
