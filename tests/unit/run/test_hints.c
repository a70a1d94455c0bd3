/* What a script that fails in a pod is told to have missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "src/run/hints.h"
#include "src/run/script_capabilities.h"

/* As programs say it, and a word of the hint; NULL: none. */
static const struct {
    const char *said, *hint;
} cases[] = {
    {"RTNETLINK answers: Operation not permitted", "net_admin"},
    {"first / Error: ipv4: RTNETLINK answers: Operation not permitted / last", "net_admin"},
    {"SIOCSIFADDR: Operation not permitted", "net_admin"},
    {"iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be "
     "root)",
     "net_admin"},
    {"Error: Could not process rule: Operation not permitted / nft add table x", "net_admin"},
    {"tcpdump: eth0: You don't have permission to perform this capture on that device", "net_raw"},
    {"ping: socktype: SOCK_RAW / ping: socket: Operation not permitted", "net_raw"},
    {"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
     "--fs host"},
    {"System has not been booted with systemd as init system (PID 1). Can't operate.", "--fs host"},
    {"Failed to connect to bus: No such file or directory", "--fs host"},
    {"sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.", "sudo"},
    {"setup.sh: this script must be run as root; you must be root", "caller"},
    {"E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied) / E: Unable to "
     "acquire "
     "the dpkg frontend lock, are you root?",
     "caller"},
    {"connect: Network is unreachable", "device under test"},
    {"curl: (6) Could not resolve host: example.com", "device under test"},
    {"psql: could not translate host name: Temporary failure in name resolution", "device under test"},
    {"touch: cannot touch '/opt/x': Read-only file system", "--writable"},
    {"before.sh: 1: ping: Operation not permitted", "net_raw"},
    {"su: cannot set groups: Operation not permitted", "caller"},
    {"chown: changing ownership of 'f': Invalid argument", "caller"},
    {"mount: /mnt: permission denied.", "caller"},
    {"sysctl: permission denied on key \"net.ipv4.ip_forward\"", "net_admin"},
    {"sysctl: setting key \"net.ipv4.ip_forward\": Operation not permitted", "net_admin"},
    {"sysctl: permission denied on key \"kernel.msgmax\"", NULL},
    {"curl: (7) Failed to connect to 192.0.2.1 port 80 after 0 ms: Couldn't connect to server",
     "device under test"},
    {"cat: /tmp/token: No such file or directory", "SIPPOD_SHARED"},
    {"cat: /run/kamailio/pid: No such file or directory", "SIPPOD_SHARED"},
    {"cat: x/tmp/token: No such file or directory", NULL},
    {"before.sh: 3: foo: not found", NULL},
    {"cat: nothing: No such file or directory", NULL},
    {"cp: cannot open 'x': Permission denied", NULL},
    {"", NULL},
    {NULL, NULL},
};

static void test_hints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *hint = script_hint(cases[i].said, NULL);

        if (!hint != !cases[i].hint || (hint && !strstr(hint, cases[i].hint)))
            fail_msg("%s: %s", cases[i].said, hint ? hint : "no hint");
    }
}

/* Who has the capability is not told to ask for it. */
static void test_capabilities(void **state)
{
    cleanup_strings struct strings names = {0};

    (void)state;
    assert_int_equal(script_capabilities_parse("net_raw", &names, NULL), 0);
    assert_non_null(script_hint("RTNETLINK answers: Operation not permitted", &names));
    assert_null(script_hint("ping: socket: Operation not permitted", &names));
    assert_int_equal(script_capabilities_parse("CAP_NET_ADMIN", &names, NULL), 0);
    assert_null(script_hint("RTNETLINK answers: Operation not permitted", &names));
    assert_non_null(script_hint("ping: socket: Operation not permitted", &names));
}

static void test_parsing(void **state)
{
    static const char *const wrong[] = {
        "", "sys_admin", "net_admin,", "net_admin,sys_ptrace", "net_admin net_raw", "all", "-"};
    cleanup_strings struct strings names = {0};

    (void)state;
    assert_false(script_capabilities_have(NULL, "net_raw"));
    assert_int_equal(script_capabilities_parse("net_admin,net_raw", &names, NULL), 0);
    assert_int_equal(names.count, 2);
    assert_true(script_capabilities_have(&names, "net_raw"));
    assert_int_equal(script_capabilities_parse("net_admin", &names, NULL),
                     0); /* in the place of the others */
    assert_int_equal(names.count, 1);
    assert_false(script_capabilities_have(&names, "net_raw"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_error struct error *error = NULL;

        assert_int_equal(script_capabilities_parse(wrong[i], &names, &error), -1);
        assert_non_null(strstr(error->text, "net_admin and net_raw"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_parsing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
