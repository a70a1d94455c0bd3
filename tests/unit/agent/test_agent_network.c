/* The pod's side of the network, as the agent sets it up; this program, started in the pod as "network",
 * tells what is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

static char *self; /* the path of this program */

/* ---- in the pod ---- */

static void tell_link(const struct ifaddrs *entry, int fd)
{
    const struct sockaddr_ll *link = (const struct sockaddr_ll *)entry->ifa_addr;
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", entry->ifa_name);
    (void)ioctl(fd, SIOCGIFMTU, &request);
    printf("link %s mtu %d mac %02x%02x%s\n", entry->ifa_name, request.ifr_mtu, link->sll_addr[0],
           link->sll_addr[5], entry->ifa_flags & IFF_UP ? " up" : "");
}

static void tell_address(const struct ifaddrs *entry)
{
    int family = entry->ifa_addr->sa_family;
    const void *bytes = family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)entry->ifa_addr)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr;
    const void *mask = family == AF_INET
                           ? (const void *)&((const struct sockaddr_in *)entry->ifa_netmask)->sin_addr
                           : (const void *)&((const struct sockaddr_in6 *)entry->ifa_netmask)->sin6_addr;
    char text[INET6_ADDRSTRLEN], mask_text[INET6_ADDRSTRLEN];

    inet_ntop(family, bytes, text, sizeof text);
    inet_ntop(family, mask, mask_text, sizeof mask_text);
    printf("address %s %s %s\n", entry->ifa_name, text, mask_text);
}

static int network(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifaddrs *list = NULL;
    char name[65] = "";

    (void)gethostname(name, sizeof name - 1);
    printf("hostname %s\n", name);
    if (getifaddrs(&list) < 0)
        return 1;
    for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next) {
        if (entry->ifa_addr && entry->ifa_addr->sa_family == AF_PACKET)
            tell_link(entry, fd);
        else if (entry->ifa_addr)
            tell_address(entry);
    }
    freeifaddrs(list);
    close(fd);
    return 0;
}

/* ---- outside ---- */

static void there_is(struct pod *pod, const char *line)
{
    cleanup_free char *command = text_format("%s network", self);
    cleanup_free char *said = pod_ask(pod, command);

    if (!strstr(said, line))
        fail_msg("\"%s\" is not in:\n%s", line, said);
}

static void there_is_no(struct pod *pod, const char *line)
{
    cleanup_free char *command = text_format("%s network", self);
    cleanup_free char *said = pod_ask(pod, command);

    if (strstr(said, line))
        fail_msg("\"%s\" is in:\n%s", line, said);
}

static void test_fresh_pod(void **state)
{
    struct pod *pod = *state;

    there_is(pod, "link lo mtu 65536 mac 0000 up\n");
    there_is(pod, "address lo 127.0.0.1 255.0.0.0\n");
}

static void test_start_pod(void **state)
{
    struct pod *pod = *state;

    pod_acks(
        pod, CTL_STARTPOD,
        "{\"hostname\":\"sipp-abcdef\",\"interfaces\":[{\"device\":\"sipp-abcdef\",\"type\":\"dummy\","
        "\"ipAddresses\":[{\"ipAddress\":\"198.18.1.0\",\"netMask\":\"32\"},{\"ipAddress\":\"198.18.1.1\","
        "\"netMask\":\"255.255.255.0\"},{\"ipAddress\":\"fd00::7\",\"netMask\":\"128\"}]}]}");
    there_is(pod, "hostname sipp-abcdef\n");
    there_is(pod, "link sipp-abcdef mtu 1500");
    there_is(pod, " up\naddress");
    there_is(pod, "address sipp-abcdef 198.18.1.0 255.255.255.255\n");
    there_is(pod, "address sipp-abcdef 198.18.1.1 255.255.255.0\n");
    there_is(pod, "address sipp-abcdef fd00::7 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n");
    there_is_no(pod, "address sipp-abcdef fe80");
}

static void make_dummy(struct pod *pod)
{
    pod_acks(pod, CTL_STARTPOD,
             "{\"interfaces\":[{\"device\":\"d0\",\"type\":\"dummy\",\"ipAddresses\":"
             "[{\"ipAddress\":\"10.1.0.1\",\"netMask\":\"24\"}]}]}");
}

static void test_set_up_interface(void **state)
{
    struct pod *pod = *state;

    pod_acks(pod, CTL_SETUPINTERFACE,
             "{\"device\":\"d0\",\"type\":\"dummy\",\"newDeviceName\":\"eth7\",\"mtu\":1280,"
             "\"ipAddresses\":[{\"ipAddress\":\"10.1.0.1\",\"netMask\":\"24\"}]}");
    there_is(pod, "link eth7 mtu 1280 ");
    there_is_no(pod, "link d0");
    /* A second address, and nothing else. */
    pod_acks(pod, CTL_SETUPINTERFACE,
             "{\"device\":\"eth7\",\"ipAddresses\":[{\"ipAddress\":\"10.1.0.2\",\"netMask\":\"255.255.255."
             "240\"}]}");
    there_is(pod, "address eth7 10.1.0.1 255.255.255.0\n");
    there_is(pod, "address eth7 10.1.0.2 255.255.255.240\n");
    there_is(pod, "link eth7 mtu 1280 ");
}

static void test_mac(void **state)
{
    struct pod *pod = *state;

    pod_command(pod, CTL_SETUPINTERFACE,
                "{\"device\":\"d0\",\"type\":\"dummy\",\"macAddr\":\"02:00:00:00:00:2a\"}");
    if (pod->answer && strstr(pod->answer, "not supported")) { /* an ifb, where the kernel has no dummy */
        print_message("SKIPPED: %s\n", pod->answer);
        skip();
    }
    assert_null(pod->answer);
    there_is(pod, "mac 022a up\n");
}

static void test_rename_later(void **state)
{
    struct pod *pod = *state;

    pod_acks(pod, CTL_SETUPINTERFACE, "{\"device\":\"d0\",\"type\":\"dummy\"}");
    pod_acks(pod, CTL_SETUPINTERFACE, "{\"device\":\"d0\",\"newDeviceName\":\"d1\",\"mtu\":1400}");
    there_is(pod, "link d1 mtu 1400");
    there_is_no(pod, "link d0");
}

static void test_interface_refused(void **state)
{
    struct pod *pod = *state;

    make_dummy(pod);
    pod_refuses(pod, CTL_SETUPINTERFACE, "{\"device\":\"none\"}", "none: No such device");
    pod_refuses(pod, CTL_SETUPINTERFACE, "{\"device\":\"d0\",\"type\":\"dummy\"}", "File exists");
    pod_refuses(pod, CTL_SETUPINTERFACE, "{\"device\":\"a-name-of-17-bytes\",\"type\":\"dummy\"}",
                "a-name-of-17-bytes");
    pod_refuses(pod, CTL_SETUPINTERFACE, "{\"device\":\"d0\",\"newDeviceName\":\"lo\"}", "File exists");
    pod_refuses(pod, CTL_SETUPINTERFACE, "{\"device\":\"d0\",\"macAddr\":\"nonsense\"}", "nonsense");
    pod_refuses(pod, CTL_SETUPINTERFACE,
                "{\"device\":\"d0\",\"ipAddresses\":[{\"ipAddress\":\"10.1.0.1\",\"netMask\":\"24\"}]}",
                "the address 10.1.0.1: ");
    pod_refuses(pod, CTL_SETUPINTERFACE,
                "{\"device\":\"d0\",\"ipAddresses\":[{\"ipAddress\":\"localhost\",\"netMask\":\"24\"}]}",
                "localhost");
    there_is(pod, "address d0 10.1.0.1 255.255.255.0\n");
}

static void test_delete_interface(void **state)
{
    struct pod *pod = *state;

    make_dummy(pod);
    there_is(pod, "link d0");
    pod_acks(pod, CTL_DELETEINTERFACE, "{\"device\":\"d0\"}");
    there_is_no(pod, "link d0");
    pod_refuses(pod, CTL_DELETEINTERFACE, "{\"device\":\"d0\"}", "d0");
    pod_refuses(pod, CTL_DELETEINTERFACE, "{\"device\":\"lo\"}", "not supported");
    pod_refuses(pod, CTL_DELETEINTERFACE, "{\"device\":\"a-name-of-17-bytes\"}", "a-name-of-17-bytes");
    pod_refuses(pod, CTL_DELETEINTERFACE, "{}", "\"device\" is missing");
    there_is(pod, "link lo");
}

static void test_masks_refused(void **state)
{
    static const char *const masks[] = {"33",          "-1",        "255.0.255.0", "255.255.255.256",
                                        "255.255.255", "0.0.0.255", "24 ",         "255.255.255.0.0",
                                        "ffffff00"};
    struct pod *pod = *state;

    make_dummy(pod);
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        cleanup_free char *json =
            text_format("{\"device\":\"d0\",\"ipAddresses\":[{\"ipAddress\":\"10.2.0.1\","
                        "\"netMask\":\"%s\"}]}",
                        masks[i]);

        pod_refuses(pod, CTL_SETUPINTERFACE, json, i ? masks[i] : "10.2.0.1");
    }
    there_is_no(pod, "10.2.0.1");
}

static void test_hostname_refused(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *json = text_format("{\"hostname\":\"%065d\"}", 1);

    pod_acks(pod, CTL_STARTPOD, "{\"hostname\":\"before\"}");
    pod_refuses(pod, CTL_STARTPOD, json, "cannot set the hostname 0000");
    there_is(pod, "hostname before\n");
}

/* The gateway is in no network of the device, as a pod's is: on-link. */
static void test_routes(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *routes = NULL;

    make_dummy(pod);
    pod_acks(pod, CTL_SETUPROUTE,
             "{\"routes\":[{\"dest\":\"default\",\"gateway\":\"169.254.1.1\",\"device\":\"d0\"},"
             "{\"dest\":\"10.9.0.0/"
             "16\",\"device\":\"d0\"},{\"dest\":\"192.0.2.7\",\"gateway\":\"169.254.1.1\",\"device\":"
             "\"d0\"}]}");
    routes = pod_ask(pod, "cat /proc/net/route");
    assert_non_null(strstr(routes, "d0\t00000000\t0101FEA9\t")); /* little endian */
    assert_non_null(strstr(routes, "d0\t0000090A\t00000000\t"));
    assert_non_null(strstr(routes, "d0\t070200C0\t0101FEA9\t"));
}

/* A routed pod: nobody is asked for the gateway's Ethernet address, and what is sent comes from the UA's. */
static void test_routed(void **state)
{
    struct pod *pod = *state;
    cleanup_free char *neighbours = NULL;

    make_dummy(pod);
    pod_acks(pod, CTL_SETUPROUTE,
             "{\"routes\":[{\"dest\":\"198.18.0.1\",\"gateway\":\"169.254.1.1\",\"gatewayMac\":"
             "\"ee:ee:ee:ee:ee:ee\",\"source\":\"10.1.0.1\",\"device\":\"d0\"}]}");
    neighbours = pod_ask(pod, "cat /proc/net/arp");
    assert_non_null(strstr(neighbours, "169.254.1.1"));
    assert_non_null(strstr(neighbours, "0x6")); /* complete, permanent */
    assert_non_null(strstr(neighbours, "ee:ee:ee:ee:ee:ee"));
    pod_refuses(pod, CTL_SETUPROUTE,
                "{\"routes\":[{\"dest\":\"192.0.2.1\",\"gateway\":\"169.254.1.1\",\"source\":\"10.1.0.2\","
                "\"device\":\"d0\"}]}",
                "192.0.2.1"); /* not an address of the pod */
    pod_refuses(pod, CTL_SETUPROUTE,
                "{\"routes\":[{\"dest\":\"192.0.2.1\",\"gateway\":\"169.254.1.1\",\"source\":\"me\","
                "\"device\":\"d0\"}]}",
                "me");
    pod_refuses(pod, CTL_SETUPROUTE,
                "{\"routes\":[{\"dest\":\"192.0.2.1\",\"gateway\":\"169.254.1.1\",\"gatewayMac\":\"ee\","
                "\"device\":\"d0\"}]}",
                "Ethernet");
    pod_refuses(pod, CTL_SETUPROUTE,
                "{\"routes\":[{\"dest\":\"192.0.2.1\",\"gatewayMac\":\"ee:ee:ee:ee:ee:ee\",\"device\":"
                "\"d0\"}]}",
                "gatewayMac");
}

static void test_routes_refused(void **state)
{
    struct pod *pod = *state;

    make_dummy(pod);
    pod_refuses(pod, CTL_SETUPROUTE, "{\"routes\":[{\"dest\":\"default\",\"device\":\"none\"}]}",
                "none: No such device");
    pod_refuses(pod, CTL_SETUPROUTE, "{\"routes\":[{\"dest\":\"nowhere\",\"device\":\"d0\"}]}", "nowhere");
    pod_refuses(pod, CTL_SETUPROUTE, "{\"routes\":[{\"dest\":\"10.0.0.0/33\",\"device\":\"d0\"}]}",
                "10.0.0.0");
    pod_refuses(pod, CTL_SETUPROUTE,
                "{\"routes\":[{\"dest\":\"default\",\"gateway\":\"x\",\"device\":\"d0\"}]}", "x");
    pod_acks(pod, CTL_SETUPROUTE, "{\"routes\":[{\"dest\":\"10.9.0.0/16\",\"device\":\"d0\"}]}");
    pod_refuses(pod, CTL_SETUPROUTE, "{\"routes\":[{\"dest\":\"10.9.0.0/16\",\"device\":\"d0\"}]}",
                "10.9.0.0/16 over d0: File exists");
    pod_acks(pod, CTL_SETUPROUTE, "{}");
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fresh_pod),        TEST(test_start_pod),
        TEST(test_set_up_interface), TEST(test_mac),
        TEST(test_rename_later),     TEST(test_interface_refused),
        TEST(test_delete_interface), TEST(test_masks_refused),
        TEST(test_hostname_refused), TEST(test_routes),
        TEST(test_routed),           TEST(test_routes_refused),
    };

    if (argc == 2 && strcmp(argv[1], "network") == 0) {
        int code = network();

        fflush(stdout);
        _exit(code);
    }
    self = realpath("/proc/self/exe", NULL);
    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
