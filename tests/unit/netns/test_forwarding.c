/* In a network namespace of its own; routers are played by descriptors of one file, as flock(2) goes by them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "netns/link.h"
#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/support/support.h"

static char *folder;
static struct netlink *nl;

static int router(void)
{
    cleanup_free char *path = text_format("%s/lock", folder);
    int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    return file;
}

static void assert_setting(const char *path, const char *expected)
{
    cleanup_free char *text = folder_get("/proc/sys/net", path);

    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void assert_forwarding(const char *device, const char *expected)
{
    cleanup_free char *text = interface_forwarding(device);

    assert_non_null(text);
    assert_string_equal(text, expected);
}

static int setup(void **state)
{
    (void)state;
    return link_set_forwarding(nl, "lo", 0, NULL);
}

static void test_on_and_off(void **state)
{
    cleanup_strings struct strings before = {0}, on = {0}, after = {0};
    cleanup_fd int file = router();

    (void)state;
    assert_int_equal(forwarding_list(AF_INET, &before, NULL), 0);
    assert_int_equal(before.count, 0);
    assert_int_equal(forwarding_lock(file, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    assert_forwarding("lo", "198\n");
    assert_forwarding("all", "0\n");
    assert_int_equal(forwarding_list(AF_INET, &on, NULL), 0);
    assert_int_equal(on.count, 1);
    assert_string_equal(on.list[0], "lo");
    assert_int_equal(forwarding_unlock(nl, file, NULL), 0);
    assert_forwarding("lo", "0\n");
    assert_int_equal(forwarding_list(AF_INET, &after, NULL), 0);
    assert_int_equal(after.count, 0);
}

static void test_of_an_administrator(void **state)
{
    cleanup_fd int file = router();

    (void)state;
    assert_int_equal(link_set_forwarding(nl, "lo", 1, NULL), 0);
    assert_int_equal(forwarding_lock(file, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    assert_forwarding("lo", "1\n");
    assert_int_equal(forwarding_unlock(nl, file, NULL), 0);
    assert_forwarding("lo", "1\n");
}

static void test_the_last(void **state)
{
    cleanup_fd int first = router(), second = router(), asker = router();
    cleanup_strings struct strings restored = {0};

    (void)state;
    assert_int_equal(forwarding_lock(first, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    assert_int_equal(forwarding_lock(second, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    assert_int_equal(forwarding_unlock(nl, first, NULL), 0);
    assert_forwarding("lo", "198\n");
    assert_int_equal(forwarding_restore(asker, forwarding_set_by_proc, NULL, &restored, NULL), 1);
    assert_int_equal(restored.count, 0);
    assert_forwarding("lo", "198\n");
    assert_int_equal(forwarding_unlock(nl, second, NULL), 0);
    assert_forwarding("lo", "0\n");
}

/* What each run opens for itself is the same lock, on a host with the folder of the policy and without. */
static void test_whose(void **state)
{
    cleanup_strings struct strings restored = {0};
    cleanup_fd int lock = forwarding_open(NULL), other = forwarding_open(NULL);

    (void)state;
    assert_true(lock >= 0 && other >= 0);
    assert_int_equal(forwarding_lock(lock, NULL), 0);
    assert_true(forwarding_in_use(other));
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    assert_int_equal(forwarding_restore(other, forwarding_set_by_proc, NULL, &restored, NULL), 1);
    assert_int_equal(restored.count, 0);
    assert_forwarding("lo", "198\n");
    assert_int_equal(forwarding_unlock(nl, lock, NULL), 0);
    assert_false(forwarding_in_use(other));
    assert_forwarding("lo", "0\n");
}

/* A router that was killed has closed its file. */
static void test_left(void **state)
{
    cleanup_fd int killed = router(), next = router();
    cleanup_strings struct strings restored = {0};

    (void)state;
    assert_int_equal(forwarding_lock(killed, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    close_fd(&killed);
    assert_forwarding("lo", "198\n");
    assert_int_equal(forwarding_restore(next, forwarding_set_by_proc, NULL, &restored, NULL), 0);
    assert_int_equal(restored.count, 1);
    assert_string_equal(restored.list[0], "lo");
    assert_forwarding("lo", "0\n");
}

static void test_kept_lock(void **state)
{
    cleanup_error struct error *error = NULL;
    cleanup_fd int rude = router(), file = router();
    int64_t begin = loop_now_ns(), took;

    (void)state;
    assert_int_equal(flock(rude, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(forwarding_lock(file, &error), -1);
    took = (loop_now_ns() - begin) / 1000000;
    assert_in_range(took, 1900, 4000);
    assert_error(error, ERROR_HOST, "which another process holds");
}

static void test_no_device(void **state)
{
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "nothing0", &error), -1);
    assert_non_null(strstr(error->text, "nothing0"));
}

/* ---- IPv6 ---- */

#define FORCE "ipv6/conf/lo/force_forwarding"
#define TAG   "ipv4/conf/lo/tag"

static void put(const char *path, const char *text)
{
    cleanup_free char *whole = text_format("/proc/sys/net/%s", path);
    cleanup_fd int fd = open(whole, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void begin_ipv6(void)
{
    if (!forwarding_is_possible_ipv6("lo")) {
        print_message("skipped: this kernel has no net.ipv6.conf.*.force_forwarding (Linux 6.17)\n");
        skip();
    }
    put(FORCE, "0");
    put(TAG, "0");
}

/* Of all settings of IPv6 only that one changes, and it changes back. */
static void test_ipv6(void **state)
{
    cleanup_strings struct strings on = {0}, after = {0}, none = {0};
    cleanup_fd int file = router();

    (void)state;
    begin_ipv6();
    assert_int_equal(forwarding_lock(file, NULL), 0);
    assert_int_equal(forwarding_is_on(AF_INET6, "lo", NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", NULL), 0);
    assert_int_equal(forwarding_is_on(AF_INET6, "lo", NULL), 1);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", NULL), 0); /* again */
    assert_setting(FORCE, "1\n");
    assert_setting(TAG, "198\n");
    assert_setting("ipv6/conf/lo/forwarding", "0\n");
    assert_setting("ipv6/conf/all/forwarding", "0\n");
    assert_setting("ipv6/conf/all/force_forwarding", "0\n");
    assert_forwarding("lo", "0\n");
    assert_int_equal(forwarding_list(AF_INET6, &on, NULL), 0);
    assert_int_equal(on.count, 1);
    assert_string_equal(on.list[0], "lo");
    assert_int_equal(forwarding_list(AF_INET, &none, NULL), 0);
    assert_int_equal(none.count, 0);
    assert_int_equal(forwarding_unlock(nl, file, NULL), 0);
    assert_setting(FORCE, "0\n");
    assert_setting(TAG, "0\n");
    assert_int_equal(forwarding_list(AF_INET6, &after, NULL), 0);
    assert_int_equal(after.count, 0);
}

static void test_ipv6_of_an_administrator(void **state)
{
    cleanup_fd int file = router();

    (void)state;
    begin_ipv6();
    put(FORCE, "1");
    assert_int_equal(forwarding_lock(file, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", NULL), 0);
    assert_setting(TAG, "0\n");
    assert_int_equal(forwarding_unlock(nl, file, NULL), 0);
    assert_setting(FORCE, "1\n");
}

/* There is nowhere to note whose the flag is: it stays what it is. */
static void test_tag_of_an_administrator(void **state)
{
    cleanup_error struct error *error = NULL;
    cleanup_fd int file = router();

    (void)state;
    begin_ipv6();
    put(TAG, "7");
    assert_int_equal(forwarding_lock(file, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", &error), -1);
    assert_error(error, ERROR_HOST, "net.ipv4.conf.lo.tag is 7");
    assert_int_equal(forwarding_unlock(nl, file, NULL), 0);
    assert_setting(FORCE, "0\n");
    assert_setting(TAG, "7\n");
}

/* Both flags of a device, after a kill: by sippod cleanup, which has no netlink. */
static void test_both_left(void **state)
{
    cleanup_fd int killed = router(), next = router();
    cleanup_strings struct strings restored = {0};

    (void)state;
    begin_ipv6();
    assert_int_equal(forwarding_lock(killed, NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET, "lo", NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", NULL), 0);
    close_fd(&killed);
    assert_int_equal(forwarding_restore(next, forwarding_set_by_proc, NULL, &restored, NULL), 0);
    assert_int_equal(restored.count, 1);
    assert_string_equal(restored.list[0], "lo");
    assert_setting(FORCE, "0\n");
    assert_setting(TAG, "0\n");
    assert_forwarding("lo", "0\n");
}

/* What an older kernel has: no such setting. And one that is a router anyway. */
static void in_older_kernel(void)
{
    cleanup_error struct error *error = NULL;
    cleanup_fd int all = -1;

    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("none", "/proc/sys/net/ipv6/conf", "tmpfs", 0, NULL), 0);
    assert_false(forwarding_is_possible_ipv6("lo"));
    assert_int_equal(forwarding_is_on(AF_INET6, "lo", NULL), 0);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", &error), -1);
    assert_error(error, ERROR_HOST, "net.ipv6.conf.lo.force_forwarding");
    assert_int_equal(mkdir("/proc/sys/net/ipv6/conf/all", 0755), 0);
    all = open("/proc/sys/net/ipv6/conf/all/forwarding", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(all, "1\n", 2), 2);
    assert_int_equal(forwarding_turn_on(nl, AF_INET6, "lo", NULL), 0);
    assert_int_equal(forwarding_turn_on_own("lo", NULL), 0);
}

static void test_older_kernel(void **state)
{
    cleanup_fd int pidfd = -1;
    struct pollfd ended = {.events = POLLIN};
    struct process_end end;
    pid_t pid = process_fork(0, &pidfd, NULL);

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        in_older_kernel(); /* a failure is exit code 1 or worse */
        _exit(0);
    }
    ended.fd = pidfd;
    assert_int_equal(poll(&ended, 1, 5000), 1);
    assert_int_equal(process_reap(pidfd, &end, NULL), 1);
    assert_int_equal(end.exit_code, 0);
    assert_setting(TAG, "0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_on_and_off, setup),
        cmocka_unit_test_setup(test_of_an_administrator, setup),
        cmocka_unit_test_setup(test_the_last, setup),
        cmocka_unit_test_setup(test_left, setup),
        cmocka_unit_test_setup(test_whose, setup),
        cmocka_unit_test_setup(test_kept_lock, setup),
        cmocka_unit_test_setup(test_no_device, setup),
        cmocka_unit_test_setup(test_ipv6, setup),
        cmocka_unit_test_setup(test_ipv6_of_an_administrator, setup),
        cmocka_unit_test_setup(test_tag_of_an_administrator, setup),
        cmocka_unit_test_setup(test_both_left, setup),
        cmocka_unit_test_setup(test_older_kernel, setup),
    };
    int result;

    if (!interfaces_enter())
        return 77;
    folder = folder_make();
    nl = netlink_open(NULL);
    result = nl ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    netlink_close(nl);
    folder_remove(folder);
    return result;
}
