/* The policy as it is read from files of root's, who has to run this for most of it; and what is refused by
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/router/policy.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define STRANGER 64123

struct scene {
    char *folder, *path;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->path = text_format("%s/policy.conf", scene->folder);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    folder_remove(scene->folder);
    free(scene->path);
    free(scene);
    return 0;
}

/* Before anything is allocated: skip() does not come back. */
static void need_root(void)
{
    if (geteuid() == 0)
        return;
    print_message("only root can make files of root's\n");
    skip();
}

/* NULL, with the error, if it is refused. */
static struct policy *policy_from(const struct scene *scene, const char *text, struct error **ret)
{
    folder_put(scene->folder, "policy.conf", text);
    assert_int_equal(chmod(scene->path, 0644), 0);
    return policy_read(scene->path, ret);
}

static struct policy *good(const struct scene *scene, const char *text)
{
    cleanup_error struct error *error = NULL;
    struct policy *policy = policy_from(scene, text, &error);

    if (!policy)
        fail_msg("%s", error_text(error));
    return policy;
}

static void test_whole(void **state)
{
    cleanup_policy struct policy *policy = NULL;
    char text[NETWORK_TEXT];

    need_root();
    policy = good(*state, "# who\n"
                          "groups = {\"sippod\", \"4711\"}\n"
                          "networks = {\"10.22.22.0/24\", \"2001:db8::/32\"} // where\n"
                          "uplinks = {\"eth0\", \"br-lan\"}\n"
                          "max_pods_per_user = 3\n"
                          "max_addresses_per_user = 40\n"
                          "allow_forwarding = true\n");
    assert_int_equal(policy->groups.count, 2);
    assert_string_equal(policy->groups.list[1], "4711");
    assert_int_equal(policy->network_count, 2);
    assert_string_equal(network_text(&policy->networks[0], text), "10.22.22.0/24");
    assert_string_equal(network_text(&policy->networks[1], text), "2001:db8::/32");
    assert_int_equal(policy->uplinks.count, 2);
    assert_string_equal(policy->uplinks.list[0], "eth0");
    assert_int_equal(policy->max_pods, 3);
    assert_int_equal(policy->max_addresses, 40);
    assert_true(policy->allow_forwarding);
}

static void test_empty(void **state)
{
    cleanup_policy struct policy *policy = NULL;

    need_root();
    policy = good(*state, "");
    assert_int_equal(policy->groups.count + policy->network_count + policy->uplinks.count, 0);
    assert_int_equal(policy->max_pods, 200);
    assert_int_equal(policy->max_addresses, 1000);
    assert_false(policy->allow_forwarding);
}

static void test_wrong_lines(void **state)
{
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"\n\nnetwork = {\"10.0.0.0/8\"}\n", "policy.conf:3: no such option 'network'"},
        {"networks = {\n\"10.22.22.1/24\"}\n",
         "policy.conf:2: networks: \"10.22.22.1/24\" is an address in a "
         "network, which is 10.22.22.0/24"},
        {"networks = {\"10.0.0.0/8\", \"all\"}\n", "policy.conf:1: networks: \"all\" is not a network"},
        {"networks = \"10.0.0.0\"\n", "policy.conf:1: networks: \"10.0.0.0\" is not a network"},
        {"max_pods_per_user = -1\n", "policy.conf:1: max_pods_per_user = -1: it is from 0 to 65536"},
        {"max_pods_per_user = 65537\n", "it is from 0 to 65536"},
        {"max_pods_per_user = many\n", "policy.conf:1"},
        {"max_addresses_per_user = 99999999999999999999\n", "policy.conf:1"},
        {"# one\nmax_addresses_per_user = -7\n", "policy.conf:2: max_addresses_per_user = -7"},
        {"allow_forwarding = maybe\n", "policy.conf:1"},
        {"groups = {\"sippod\"\n", "policy.conf"},
        {"groups = {\"sippod}\n", "policy.conf:1: what begins here is never closed"},
        {"include(\"/etc/shadow\")\n", "policy.conf:1: no such option 'include'"},
        {"groups\n", "policy.conf"},
    };

    need_root();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_error struct error *error = NULL;

        if (policy_from(*state, wrong[i].text, &error))
            fail_msg("taken: %s", wrong[i].text);
        assert_error(error, ERROR_HOST, wrong[i].words);
        assert_error(error, ERROR_HOST, "until root has mended its policy");
    }
}

static void test_absent(void **state)
{
    const struct scene *scene = *state;
    cleanup_error struct error *error = NULL, *folder = NULL;

    need_root(); /* who owns the folder, too */
    assert_null(policy_read(scene->path, &error));
    assert_error(error, ERROR_HOST, "there is no /");
    assert_error(error, ERROR_HOST, "policy.conf(5)");
    assert_int_equal(error->sys, ENOENT);
    assert_null(policy_read("/etc/no-such-folder/policy.conf", &folder));
    assert_error(folder, ERROR_HOST, "there is no /etc/no-such-folder/policy.conf");
}

static void assert_refused(const char *path, const char *words)
{
    cleanup_error struct error *error = NULL;

    assert_null(policy_read(path, &error));
    assert_error(error, ERROR_HOST, words);
    assert_error(error, ERROR_HOST, "until root has mended its policy");
}

/* What an ordinary user makes is no policy. */
static int by_stranger(void *user)
{
    const char *path = user;
    cleanup_error struct error *error = NULL;

    return policy_read(path, &error) == NULL && strstr(error_text(error), "chown root") ? 0 : 1;
}

static void test_of_a_user(void **state)
{
    const struct scene *scene = *state;

    if (geteuid() != 0) {
        folder_put(scene->folder, "policy.conf", "");
        assert_refused(scene->path, "not to root");
        return;
    }
    policy_free(good(scene, ""));
    assert_int_equal(chown(scene->path, STRANGER, 0), 0);
    assert_refused(scene->path, "policy.conf belongs to uid 64123, not to root: chown root ");
    assert_int_equal(exit_of(by_stranger, scene->path), 0);
}

static void test_writable(void **state)
{
    static const mode_t modes[] = {0664, 0646, 0622};
    const struct scene *scene = *state;

    need_root();
    policy_free(good(scene, ""));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(scene->path, modes[i]), 0);
        assert_refused(scene->path, "others than root may write ");
        assert_refused(scene->path, "chmod go-w ");
    }
    assert_int_equal(chmod(scene->path, 0640), 0);
    policy_free(policy_read(scene->path, NULL));
}

static void test_folder(void **state)
{
    need_root();

    const struct scene *scene = *state;
    cleanup_free char *below = text_format("%s/a/b", scene->folder);
    cleanup_free char *path = text_format("%s/policy.conf", below);
    cleanup_free char *above = text_format("%s/a", scene->folder);
    cleanup_free char *words = text_format("others than root may write %s: ", above);
    cleanup_policy struct policy *policy = NULL;

    folder_put(scene->folder, "a/b/policy.conf", "");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(above, 0775), 0); /* who may write there could bring a folder of his own */
    assert_refused(path, words);
    assert_int_equal(chmod(above, 0755), 0);
    assert_int_equal(chown(below, STRANGER, 0), 0);
    assert_refused(path, "a/b belongs to uid 64123");
    assert_int_equal(chown(below, 0, 0), 0);
    policy = policy_read(path, NULL);
    assert_non_null(policy);
}

static void test_no_file(void **state)
{
    need_root();

    const struct scene *scene = *state;
    cleanup_free char *fifo = text_format("%s/fifo", scene->folder);
    cleanup_free char *link = text_format("%s/link", scene->folder);
    cleanup_free char *through = text_format("%s/way/policy.conf", scene->folder);

    policy_free(good(scene, ""));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_refused(fifo, "fifo is not a regular file"); /* and does not wait for a writer */
    assert_refused(scene->folder, "is not a regular file");
    folder_link(scene->folder, "policy.conf", "link");
    assert_refused(link, "is a link");
    folder_link(scene->folder, ".", "way");
    assert_refused(through, "/way is a link");
}

static void test_size(void **state)
{
    need_root();

    const struct scene *scene = *state;
    enum { MOST = 64 * 1024 };
    cleanup_free char *text = memory_new(MOST + 2);

    memset(text, '\n', MOST);
    policy_free(good(scene, text));
    text[MOST] = '\n';
    folder_put(scene->folder, "policy.conf", text);
    assert_refused(scene->path, "is longer than 65536 bytes");
    folder_put_bytes(scene->folder, "policy.conf", "groups = {}\0groups = {\"users\"}", 30);
    assert_refused(scene->path, "a NUL byte is in it");
}

/* ---- who, where, over what ---- */

static int in_groups(gid_t own, gid_t other, const struct policy *policy, struct error **ret)
{
    return setgroups(1, &other) == 0 && setresgid(own, own, own) == 0 &&
                   setresuid(STRANGER, STRANGER, STRANGER) == 0
               ? policy_check_user(policy, ret)
               : -2;
}

/* 0 if allowed */
static int user_of_first(void *user)
{
    return -in_groups(4711, 1, user, NULL);
}

static int user_of_second(void *user)
{
    return -in_groups(STRANGER, 4711, user, NULL);
}

static int user_by_name(void *user)
{
    const struct group *group = getgrnam("daemon");

    return group ? -in_groups(STRANGER, group->gr_gid, user, NULL) : 3;
}

static int stranger(void *user)
{
    cleanup_error struct error *error = NULL;

    if (in_groups(STRANGER, STRANGER + 1, user, &error) != -1 || error->code != ERROR_HOST ||
        error->sys != EACCES)
        return 1;
    return strstr(error->text, "daemon, no-such-group, 4711") && strstr(error->text, "usermod -aG daemon ")
               ? 0
               : 2;
}

static void test_user(void **state)
{
    cleanup_policy struct policy *policy = NULL;

    need_root();
    policy = good(*state, "groups = {\"daemon\", \"no-such-group\", \"4711\"}\n");
    assert_int_equal(exit_of(user_of_first, policy), 0);
    assert_int_equal(exit_of(user_of_second, policy), 0);
    assert_int_equal(exit_of(user_by_name, policy), 0);
    assert_int_equal(exit_of(stranger, policy), 0);
}

static int nobody(void *user)
{
    cleanup_error struct error *error = NULL;

    return in_groups(STRANGER, 0, user, &error) == -1 && strstr(error->text, "lets nobody reach") ? 0 : 1;
}

static void test_no_groups(void **state)
{
    cleanup_policy struct policy *policy = NULL;

    need_root();
    policy = good(*state, "networks = {\"10.22.22.0/24\"}\n");
    assert_int_equal(exit_of(nobody, policy), 0);
}

static int check(const struct policy *policy, const char *address, struct error **ret)
{
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    uint8_t bytes[16];

    assert_int_equal(inet_pton(family, address, bytes), 1);
    return policy_check_address(policy, family, bytes, ret);
}

static void test_addresses(void **state)
{
    static const char *const outside[] = {"10.22.23.1", "10.22.21.255", "192.168.7.8",
                                          "0.0.0.0",    "2001:db9::",   "::ffff:10.22.22.1"};
    cleanup_policy struct policy *policy = NULL;

    need_root();
    policy = good(*state, "networks = {\"10.22.22.0/24\", \"192.168.7.7/32\", \"2001:db8::/32\"}\n");
    assert_int_equal(check(policy, "10.22.22.1", NULL), 0);
    assert_int_equal(check(policy, "192.168.7.7", NULL), 0);
    assert_int_equal(check(policy, "2001:db8:1::1", NULL), 0);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        cleanup_error struct error *error = NULL;

        assert_int_equal(check(policy, outside[i], &error), -1);
        assert_error(error, ERROR_HOST, outside[i]);
        assert_error(error, ERROR_HOST, "policy.conf (10.22.22.0/24, 192.168.7.7, 2001:db8::/32)");
        assert_int_equal(error->sys, EACCES);
    }
}

static void test_networks(void **state)
{
    cleanup_error struct error *error = NULL;
    cleanup_policy struct policy *policy = NULL;
    struct network half, twice;

    need_root();
    policy = good(*state, "networks = {\"10.22.22.0/24\"}\n");
    assert_int_equal(network_parse("10.22.22.128/25", &half, NULL), 0);
    assert_int_equal(network_parse("10.22.22.0/23", &twice, NULL), 0);
    assert_int_equal(policy_check_network(policy, &half, NULL), 0);
    assert_int_equal(policy_check_network(policy, &twice, &error), -1);
    assert_error(error, ERROR_HOST, "10.22.22.0/23 is in none of the networks of ");
}

static void test_uplinks(void **state)
{
    static const char *const others[] = {"eth", "eth00", "eth1", ""};
    cleanup_policy struct policy *policy = NULL;

    need_root();
    policy = good(*state, "uplinks = {\"eth0\", \"br0\"}\n");
    assert_int_equal(policy_check_uplink(policy, "eth0", NULL), 0);
    assert_int_equal(policy_check_uplink(policy, "br0", NULL), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cleanup_error struct error *error = NULL;

        assert_int_equal(policy_check_uplink(policy, others[i], &error), -1);
        assert_error(error, ERROR_HOST, "policy.conf (eth0, br0)");
        assert_int_equal(error->sys, EACCES);
    }
}

static void test_nothing(void **state)
{
    cleanup_error struct error *address = NULL, *uplink = NULL;
    cleanup_policy struct policy *policy = NULL;

    need_root();
    policy = good(*state, "groups = {\"daemon\"}\n");
    assert_int_equal(check(policy, "10.22.22.1", &address), -1);
    assert_error(address, ERROR_HOST, "(none)");
    assert_int_equal(policy_check_uplink(policy, "lo", &uplink), -1);
    assert_error(uplink, ERROR_HOST, "lo is none of the uplinks of ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),     TEST(test_empty),    TEST(test_wrong_lines), TEST(test_absent),
        TEST(test_of_a_user), TEST(test_writable), TEST(test_folder),      TEST(test_no_file),
        TEST(test_size),      TEST(test_user),     TEST(test_no_groups),   TEST(test_addresses),
        TEST(test_networks),  TEST(test_uplinks),  TEST(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
