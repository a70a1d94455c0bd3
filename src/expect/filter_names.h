/* Names of hosts and networks in a filter. libpcap asks the host's resolver for them, which may take its
 * time, and whose answers are not those of the network that is listened to. */
#pragma once

#include <stdbool.h>

/* Whether there is one: *ret is it, to be freed (NULL: out of memory). Of a filter that is wrong some other
 * way this may be anything. */
bool filter_has_name(const char *filter, char **ret);
