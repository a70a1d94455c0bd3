/* Which kind of device link_add_dummy() asks for, and when it goes on to the next: the kernel's answers are
 * played by a wrapper round the libnl call that sends the request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
#include <string.h>

#include "netns/link.h"

int __wrap_rtnl_link_add(struct nl_sock *socket, struct rtnl_link *link, int flags);
int __wrap_rtnl_link_add(struct nl_sock *socket, struct rtnl_link *link, int flags)
{
    const char *kind = rtnl_link_get_type(link), *name = rtnl_link_get_name(link);

    assert_non_null(socket);
    assert_int_equal(flags, NLM_F_CREATE | NLM_F_EXCL);
    check_expected_ptr(kind);
    check_expected_ptr(name);
    return (int)mock();
}

static void kernel_answers(const char *kind, int result)
{
    expect_string(__wrap_rtnl_link_add, kind, kind);
    expect_string(__wrap_rtnl_link_add, name, "sipp-abcdef");
    will_return(__wrap_rtnl_link_add, result);
}

static int open_netlink(void **state)
{
    *state = netlink_open(NULL);
    return *state ? 0 : -1;
}

static int close_netlink(void **state)
{
    netlink_close(*state);
    return 0;
}

static void test_dummy(void **state)
{
    const char *kind = NULL;

    kernel_answers("dummy", 0);
    assert_int_equal(link_add_dummy(*state, "sipp-abcdef", &kind, NULL), 0);
    assert_string_equal(kind, "dummy");
}

static void test_ifb(void **state)
{
    const char *kind = NULL;

    kernel_answers("dummy", -NLE_OPNOTSUPP);
    kernel_answers("ifb", 0);
    assert_int_equal(link_add_dummy(*state, "sipp-abcdef", &kind, NULL), 0);
    assert_string_equal(kind, "ifb");
}

static void test_neither(void **state)
{
    cleanup_error struct error *error = NULL;

    kernel_answers("dummy", -NLE_OPNOTSUPP);
    kernel_answers("ifb", -NLE_OPNOTSUPP);
    assert_int_equal(link_add_dummy(*state, "sipp-abcdef", NULL, &error), -1);
    assert_int_equal(error->code, ERROR_HOST);
    assert_int_equal(error->sys, EOPNOTSUPP);
    assert_non_null(strstr(error->text, "sipp-abcdef"));
}

static void test_other_error(void **state)
{
    cleanup_error struct error *error = NULL;
    const char *kind = "untouched";

    kernel_answers("dummy", -NLE_EXIST); /* and nothing more is asked */
    assert_int_equal(link_add_dummy(*state, "sipp-abcdef", &kind, &error), -1);
    assert_int_equal(error->sys, EEXIST);
    assert_non_null(strstr(error->text, "sipp-abcdef"));
    assert_non_null(strstr(error->text, strerror(EEXIST)));
    assert_string_equal(kind, "untouched");
}

static void test_names(void **state)
{
    static const char *const wrong[] = {"", "sixteen-bytes-no", "much-longer-than-any-device"};
    uint8_t mac[MAC_LENGTH];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_error struct error *error = NULL;

        assert_int_equal(link_add_dummy(*state, wrong[i], NULL, &error), -1);
        assert_int_equal(error->code, ERROR_INPUT);
        assert_int_equal(
            link_add_veth(*state, &(struct link_veth){wrong[i], "eth0", .netns = -1}, mac, mac, NULL), -1);
        assert_int_equal(
            link_add_veth(*state, &(struct link_veth){"sipp-abcdef", wrong[i], .netns = -1}, mac, mac, NULL),
            -1);
        assert_int_equal(link_up(*state, wrong[i], NULL), -1);
        assert_int_equal(link_delete(*state, wrong[i], NULL), -1);
    }
}

static void test_mac_text(void **state)
{
    static const char *const wrong[] = {"",
                                        "02:00:00:00:00",
                                        "02:00:00:00:00:0",
                                        "02:00:00:00:00:0g",
                                        "02:00:00:00:00:011",
                                        "02-00-00-00-00-01",
                                        " 2:00:00:00:00:01",
                                        "02:00:00::00:0001"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_error struct error *error = NULL;

        assert_int_equal(link_set_mac(*state, "sipp-abcdef", wrong[i], &error), -1);
        assert_int_equal(error->code, ERROR_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dummy),       cmocka_unit_test(test_ifb),   cmocka_unit_test(test_neither),
        cmocka_unit_test(test_other_error), cmocka_unit_test(test_names), cmocka_unit_test(test_mac_text),
    };

    return cmocka_run_group_tests(tests, open_netlink, close_netlink);
}
