/* --dns-listen: the address on this host where the names of all running tests are served. */
#pragma once

#include <sys/socket.h>

#include "src/base/error.h"

/* Parses ADDRESS[:PORT], an IPv6 address in brackets; the port is 53 where it is not said. ERROR_INPUT. */
int dns_address_parse(const char *text, struct sockaddr_storage *ret_address, struct error **ret);

/* Sockets for questions there, UDP and TCP, close-on-exec. What is in the way is told with what to do about
 * it, as ERROR_INPUT. */
int dns_address_bind(const char *text, int ret_sockets[2], struct error **ret);
