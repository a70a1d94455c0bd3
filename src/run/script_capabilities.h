/* Capabilities that a program in a pod may be given: over the pod's own network only, never over the host's.
 */
#pragma once

#include "src/base/error.h"
#include "src/base/text.h"

/* "net_admin,net_raw": the names, in the place of those that are in `names`. Anything else is an error, which
 * says what it may be. */
int script_capabilities_parse(const char *list, struct strings *names, struct error **ret);

/* Whether `name` ("net_admin") is among them; `names` may be NULL. */
bool script_capabilities_have(const struct strings *names, const char *name);
