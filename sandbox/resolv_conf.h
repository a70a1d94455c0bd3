/* A pod's own list of name servers. */
#pragma once

#define RESOLV_CONF "/etc/resolv.conf"

/* Makes the file `path`, which must not be there. -1 with errno on failure. */
int resolv_conf_write(const char *path, const char *text);

/* In an /etc that is an overlay of the pod's own: the file is replaced, or the link that it may be. Fails
 * with errno where it is a mount itself. */
int resolv_conf_replace(const char *text);
