/* A user and network namespace of the test's own, with lo and one end of a veth pair, made without any
 * program. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#define ON_LO   "127.0.0.1"  /* passes lo */
#define ON_ETH0 "198.18.0.2" /* passes eth0: nobody is there, a neighbour entry says there is */

/* Steps into them and brings lo up. False, after saying why, if this host does not let us. */
bool interfaces_enter(void);

/* eth0, up, with an address; false, after saying so, if this kernel makes no veth pair. */
bool interfaces_make_eth0(void);

/* net.ipv4.conf.<name>.forwarding, with its newline; to be freed. */
char *interface_forwarding(const char *name);

void interface_set_up(const char *name, bool up);
bool interface_remove(const char *name);
