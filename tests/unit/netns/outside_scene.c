#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netns/outside_scene.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/link.h"
#include "netns/route.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/text.h"
#include "tests/unit/netns/interfaces.h"

static int new_network(void)
{
    int fd;

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    interface_set_up("lo", true);
    return fd;
}

static void make_lan(struct outside_scene *scene)
{
    struct link_veth veth = {.outer = UPLINK, .inner = "eth0", .down = true};
    const struct route route = {.destination = "default", .gateway = DUT, .device = UPLINK};
    uint8_t mac[MAC_LENGTH];
    struct netlink *there;

    scene->lan = new_network();
    there = netlink_open(NULL);
    scene->host = new_network();
    scene->nl = netlink_open(NULL);
    assert_non_null(scene->nl);
    veth.netns = scene->lan;
    assert_int_equal(link_add_veth(scene->nl, &veth, mac, mac, NULL), 0);
    assert_int_equal(link_set_mac(scene->nl, UPLINK, UPLINK_MAC, NULL), 0);
    assert_int_equal(link_set_forwarding(scene->nl, UPLINK, 0, NULL), 0);
    assert_int_equal(link_up(there, "eth0", NULL), 0);
    assert_int_equal(address_add(there, "eth0", DUT, 24, NULL), 0);
    assert_int_equal(address_add(there, "eth0", TAKEN, 24, NULL), 0);
    assert_int_equal(address_add(there, "eth0", DUT6, 64, NULL), 0);
    assert_int_equal(address_add(there, "eth0", TAKEN6, 64, NULL), 0);
    assert_int_equal(link_up(scene->nl, UPLINK, NULL), 0);
    assert_int_equal(link_await_up(scene->nl, UPLINK, WAIT_MS, NULL), 0);
    assert_int_equal(link_await_up(there, "eth0", WAIT_MS, NULL), 0);
    assert_int_equal(address_add(scene->nl, UPLINK, "10.22.22.2", 24, NULL), 0);
    assert_int_equal(address_add(scene->nl, UPLINK, HOST6, 64, NULL), 0);
    assert_int_equal(address_add(scene->nl, UPLINK, "fe80::2", 64, NULL), 0); /* to ask for neighbours from */
    assert_int_equal(route_add(scene->nl, &route, NULL), 0);
    netlink_close(there);
}

const struct start on_host = {.capabilities = CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW),
                              .type = SOCK_SEQPACKET};

int outside_scene_setup(void **state)
{
    struct outside_scene *scene = memory_new(sizeof *scene);

    *state = scene;
    make_lan(scene);
    scene->pod = new_pod();
    scene->other = new_pod();
    start(&scene->router, &on_host);
    return 0;
}

int outside_scene_teardown(void **state)
{
    struct outside_scene *scene = *state;

    stop(&scene->router);
    kill_child(&scene->pod);
    kill_child(&scene->other);
    netlink_close(scene->nl);
    close(scene->host);
    close(scene->lan);
    free(scene);
    return 0;
}

static char *ip(int family, const char *command)
{
    cleanup_free char *words = text_copy(command);
    char *arguments[8] = {(char *)"ip", (char *)(family == AF_INET6 ? "-6" : "-4")};
    char *text = memory_new(65536);
    struct child child = {.pidfd = -1};
    size_t length = 0;
    ssize_t got;
    int ends[2], end;

    for (char *next = words, **place = arguments + 2; (*place = strsep(&next, " ")); place++)
        ;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child.pid = process_fork(0, &child.pidfd, NULL);
    if (child.pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        execvp("ip", arguments);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], text + length, 65535 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    end = end_of(&child);
    assert_true(end == 0 || end == 2); /* a table that is not there, of which there is nothing to print */
    return text;
}

size_t count(int family, const char *command, const char *words)
{
    cleanup_free char *text = ip(family, command);
    size_t found = 0;

    for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
        found++;
    return found;
}

/* By the device's alias. */
void assert_counted(const char *device, unsigned addresses)
{
    cleanup_free char *command = text_format("link show dev %s", device);
    cleanup_free char *alias = text_format("alias sippod %u %u\n", getuid(), addresses);

    assert_int_equal(count(AF_INET, command, alias), 1);
}
