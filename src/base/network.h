/* Networks, as "10.22.22.0/24" and "2001:db8::/32" write them, and addresses, which are those of one address
 * (10.22.22.1/32). */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/base/error.h"

#define NETWORK_TEXT (INET6_ADDRSTRLEN + 4) /* room for one, and its NUL */

struct network {
    int family; /* AF_INET or AF_INET6 */
    uint8_t bytes[16];
    unsigned prefix;
};

/* Whether the kernel has IPv6. It may be turned off on the host: new namespaces have it all the same. */
bool network_has_ipv6(void);

/* Parses ADDRESS/PREFIX; one with bits behind the prefix is refused with the words of the one that was meant.
 */
int network_parse(const char *text, struct network *ret_network, struct error **ret);

/* That of the address alone; of `bytes`, the 4 or 16 that its family has are taken. */
struct network network_of(int family, const uint8_t *bytes);

struct sockaddr_storage;
struct network network_of_socket(const struct sockaddr_storage *address); /* AF_INET or AF_INET6 */

/* Whether it is that of one address. */
bool network_is_address(const struct network *network);

/* Whether all of `inner` lies in `outer`. */
bool network_holds(const struct network *outer, const struct network *inner);

/* "10.22.22.0/24"; the address alone without prefix. Returns `text`. */
const char *network_text(const struct network *network, char text[NETWORK_TEXT]);
