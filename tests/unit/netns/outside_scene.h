/* What tests of devices outside play in: a "host", which is a network namespace of the test's own, so that
 * the built router does all without a policy, and the LAN that its uplink leads to. */
#pragma once

#include "tests/unit/netns/rig.h"

#define UPLINK     "lan0"
#define UPLINK_MAC "02:00:00:00:00:22"
#define DUT        "10.22.22.5"
#define TAKEN      "10.22.22.4" /* another machine on the LAN */
#define DUT6       "2001:db8:22::5"
#define TAKEN6     "2001:db8:22::4"
#define HOST6      "2001:db8:22::2"

struct outside_scene {
    int host, lan; /* network namespaces; the process is in the first */
    struct netlink *nl;
    struct router router;
    struct child pod, other;
};

/* For cmocka; *state becomes the scene, with a router that nobody has greeted. */
int outside_scene_setup(void **state);
int outside_scene_teardown(void **state);

/* How that one was started. */
extern const struct start on_host;

/* Of a request that was refused just now. */
#define assert_refused(router, number, words)                                                                \
    do {                                                                                                     \
        if (!strstr((router)->error->text, words))                                                           \
            fail_msg("\"%s\" is not in: %s", words, (router)->error->text);                                  \
        assert_int_equal((router)->error->sys, number);                                                      \
    } while (0)

/* How often the words are in what `ip` prints: its arguments are words of letters and digits. */
size_t count(int family, const char *command, const char *words);

/* By the alias of the device. */
void assert_counted(const char *device, unsigned addresses);
