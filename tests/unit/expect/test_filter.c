/* Filters: which ones libpcap may compile. The resolver of this program is none: libpcap must not ask it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "src/expect/match.h"

static unsigned asked;

/* In the place of the C library's, for libpcap, too: numbers and ports are found as ever. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    struct in6_addr address;
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!node || (hints && hints->ai_flags & AI_NUMERICHOST) || inet_pton(AF_INET6, node, &address) == 1)
        return real(node, service, hints, ret);
    asked++;
    return EAI_NONAME;
}

struct netent *getnetbyname(const char *name)
{
    (void)name;
    asked++;
    return NULL;
}

static struct match *filter_of(const char *text, char *error)
{
    struct match *match;

    asked = 0;
    match = match_filter(text, error);

    if (asked)
        fail_msg("a resolver was asked for what is in: %s", text);
    return match;
}

static void good(void **state)
{
    static const char *const filters[] = {
        "",
        "udp",
        "host 1.2.3.4",
        "net 10.0.0.0/8 or src net 10.1",
        "net 10.0.0.0 mask 255.0.0.0",
        "ip6 proto \\tcp",
        "ip proto \\tcp and host 10.0.0.1",
        "host 10.0.0.1 and tcp port http",
        "port sip or portrange 5060-5062",
        "ether host 02:00:5e:10:00:01",
        "ether src aabbccddeeff or ether dst aa-bb-cc-dd-ee-ff",
        "ether host aabb.ccdd.eeff or 02:00:5e:10:00:01",
        "src or dst host (10.0.0.1 or 10.0.0.2) and not 10.0.0.3",
        "src 10.0.0.1 && dst port sip",
        "ip6 host 2001:db8::1 or net fe80::/10",
        "host ::ffff:10.0.0.1",
        "host 10.0.0.1 and icmp[icmptype] == icmp-echo",
        "dst host 10.0.0.1 and tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "vlan 7 and host 10.0.0.1 and udp and len > 100",
        "host 10.0.0.1 and (greater 100 or ether broadcast)",
    };
    char error[MATCH_ERROR];

    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct match *match = filter_of(filters[i], error);

        if (!match)
            fail_msg("%s", error);
        match_free(match);
    }
}

static void names(void **state)
{
    static const char *const filters[] = {
        "host name",
        "src name",
        "ip6 dst host name",
        "net name",
        "udp and host 10.0.0.1 and (udp or host name)",
        "host (10.0.0.1 or name)",
        "host 10.0.0.1 or 10.0.0.2 or not name",
        "host 10.0.0.1||name",
        "host 10.0.0.1 and ether host aabbccddeeff or name",
        "src host name and port 5060",
        "udp or src or dst name",
        "gateway name",
        "ether host name",
    };
    char error[MATCH_ERROR];

    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        assert_null(filter_of(filters[i], error));
        if (!strstr(error, "\": name is no address, and names of hosts"))
            fail_msg("%s", error);
    }
}

/* Those that look like something else. */
static void odd_names(void **state)
{
    static const char *const words[] = {"sip",  "\\tcp",      "fed",     "a-b",       "1.2.3.4.5",
                                        "3com", "name:1:2:3", "x_y.z.q", "10.0.0.1a", "5060-5062"};
    char error[MATCH_ERROR], text[64];

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(text, sizeof text, "host %s", words[i]);
        assert_null(filter_of(text, error));
        snprintf(text, sizeof text, "\": %s is no address", words[i]);
        if (!strstr(error, text))
            fail_msg("%s", error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(names),
        cmocka_unit_test(odd_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
