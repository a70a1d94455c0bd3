/* Capabilities in children with a user namespace of their own, whose every set is read from /proc afterwards;
 * this program starts itself, as "sets", to see what is handed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define NOBODY 65534
#define BOTH   (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))

struct sets {
    uint64_t inheritable, permitted, effective, bounding, ambient;
};

static struct sets read_sets(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    struct sets sets = {0};
    char line[256];

    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "CapInh: %" SCNx64, &sets.inheritable);
        (void)sscanf(line, "CapPrm: %" SCNx64, &sets.permitted);
        (void)sscanf(line, "CapEff: %" SCNx64, &sets.effective);
        (void)sscanf(line, "CapBnd: %" SCNx64, &sets.bounding);
        (void)sscanf(line, "CapAmb: %" SCNx64, &sets.ambient);
    }
    if (file)
        fclose(file);
    return sets;
}

static bool sets_are(uint64_t inheritable, uint64_t permitted, uint64_t effective, uint64_t bounding,
                     uint64_t ambient)
{
    struct sets sets = read_sets();

    if (sets.inheritable == inheritable && sets.permitted == permitted && sets.effective == effective &&
        sets.bounding == bounding && sets.ambient == ambient)
        return true;
    fprintf(stderr, "inh %" PRIx64 " prm %" PRIx64 " eff %" PRIx64 " bnd %" PRIx64 " amb %" PRIx64 "\n",
            sets.inheritable, sets.permitted, sets.effective, sets.bounding, sets.ambient);
    return false;
}

static bool map(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

enum inside { AS_ROOT, AS_USER };

/* All power in a new user namespace, as its root or as an ordinary user. */
static bool enter(enum inside inside)
{
    cleanup_free char *users = NULL;
    cleanup_free char *groups = NULL;

    if (geteuid() == 0 && inside == AS_USER &&
        (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
         setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return false;
    users = text_format("%u %u 1", inside == AS_ROOT ? 0 : geteuid(), geteuid());
    groups = text_format("%u %u 1", inside == AS_ROOT ? 0 : getegid(), getegid());
    return prctl(PR_SET_DUMPABLE, 1) == 0 && unshare(CLONE_NEWUSER) == 0 &&
           map("/proc/self/setgroups", "deny") && map("/proc/self/uid_map", users) &&
           map("/proc/self/gid_map", groups);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

/* ---- drop ---- */

static int drop(void *user)
{
    struct error *error = NULL;
    uint64_t permitted;

    (void)user;
    CHECK(enter(AS_USER));
    CHECK(capabilities_permitted(&permitted, NULL) == 0);
    CHECK(permitted == read_sets().permitted && permitted & CAPABILITY(CAP_SYS_ADMIN));
    CHECK(capabilities_drop(BOTH, &error) == 0);
    CHECK(!error);
    CHECK(sets_are(0, BOTH, 0, BOTH, 0));
    CHECK(capabilities_permitted(&permitted, NULL) == 0 && permitted == BOTH);
    /* No way back, and no way to more. */
    CHECK(capabilities_raise(CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_NET_RAW), &error) == -1);
    CHECK(error->code == ERROR_FAILED && strcmp(error->text, "missing capability: sys_admin") == 0);
    CHECK(sets_are(0, BOTH, 0, BOTH, 0));
    CHECK(capabilities_drop(CAPABILITY(CAP_NET_RAW) | CAPABILITY(CAP_SYS_ADMIN), NULL) == 0);
    CHECK(sets_are(0, CAPABILITY(CAP_NET_RAW), 0, BOTH, 0)); /* the bounding set takes CAP_SETPCAP */
    CHECK(capabilities_drop(0, NULL) == 0);
    CHECK(sets_are(0, 0, 0, BOTH, 0));
    error_free(error);
    return 0;
}

static void test_drop(void **state)
{
    (void)state;
    assert_int_equal(exit_of(drop, NULL), 0);
}

/* What came as ambient goes, too. */
static int drop_ambient(void *user)
{
    (void)user;
    CHECK(enter(AS_USER));
    CHECK(capabilities_hand_on(BOTH, NULL) == 0);
    CHECK(read_sets().ambient == BOTH);
    CHECK(capabilities_drop(CAPABILITY(CAP_NET_RAW), NULL) == 0);
    CHECK(sets_are(0, CAPABILITY(CAP_NET_RAW), 0, BOTH, 0));
    return 0;
}

static void test_drop_ambient(void **state)
{
    (void)state;
    assert_int_equal(exit_of(drop_ambient, NULL), 0);
}

/* ---- raise and lower ---- */

static int raise_lower(void *user)
{
    const uint64_t kept = BOTH | CAPABILITY(CAP_SYS_ADMIN);

    (void)user;
    CHECK(enter(AS_USER));
    CHECK(capabilities_drop(kept, NULL) == 0);
    CHECK(unshare(CLONE_NEWUTS) == -1 && errno == EPERM);
    CHECK(capabilities_raise(CAPABILITY(CAP_SYS_ADMIN), NULL) == 0);
    CHECK(sets_are(0, kept, CAPABILITY(CAP_SYS_ADMIN), kept, 0));
    CHECK(unshare(CLONE_NEWUTS) == 0); /* it has an effect */
    CHECK(capabilities_raise(CAPABILITY(CAP_NET_RAW), NULL) == 0);
    CHECK(sets_are(0, kept, CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_NET_RAW), kept, 0));
    CHECK(capabilities_lower_to(CAPABILITY(CAP_NET_RAW) | CAPABILITY(CAP_NET_ADMIN), NULL) == 0);
    CHECK(sets_are(0, kept, CAPABILITY(CAP_NET_RAW), kept, 0)); /* lowering raises nothing */
    CHECK(capabilities_lower(NULL) == 0);
    CHECK(sets_are(0, kept, 0, kept, 0));
    CHECK(unshare(CLONE_NEWUTS) == -1 && errno == EPERM);
    CHECK(capabilities_lower(NULL) == 0);
    CHECK(capabilities_raise(kept, NULL) == 0);
    CHECK(sets_are(0, kept, kept, kept, 0));
    return 0;
}

static void test_raise_lower(void **state)
{
    (void)state;
    assert_int_equal(exit_of(raise_lower, NULL), 0);
}

/* ---- hand on ---- */

struct hand_on {
    enum inside inside;
    uint64_t keep, set, expected; /* permitted before; asked for; what the program has */
};

static int hand_on(void *user)
{
    const struct hand_on *hand_on = user;
    char expected[32];

    snprintf(expected, sizeof expected, "%" PRIx64, hand_on->expected);
    CHECK(enter(hand_on->inside));
    if (hand_on->keep)
        CHECK(capabilities_drop(hand_on->keep, NULL) == 0);
    CHECK(capabilities_hand_on(hand_on->set, NULL) == 0);
    execl("/proc/self/exe", "test", "sets", expected, NULL);
    return 2;
}

static int check_handed_on(const char *expected)
{
    uint64_t set = strtoull(expected, NULL, 16);
    struct sets sets = read_sets();

    return sets.permitted == set && sets.effective == set && sets.ambient == set &&
                   (sets.bounding & set) == set && sets_are(set, set, set, sets.bounding, set)
               ? 0
               : 3;
}

static void test_hand_on(void **state)
{
    static const struct hand_on cases[] = {
        {AS_USER, 0, BOTH, BOTH},
        {AS_ROOT, 0, BOTH, BOTH},
        {AS_USER, 0, 0, 0},
        {AS_ROOT, 0, 0, 0}, /* root of its namespace, without power in it */
        {AS_USER, BOTH | CAPABILITY(CAP_SETPCAP), CAPABILITY(CAP_NET_RAW), CAPABILITY(CAP_NET_RAW)},
        {AS_ROOT, BOTH | CAPABILITY(CAP_SETPCAP), CAPABILITY(CAP_NET_RAW), CAPABILITY(CAP_NET_RAW)},
        {AS_USER, BOTH, CAPABILITY(CAP_NET_RAW) | CAPABILITY(CAP_SYS_ADMIN), CAPABILITY(CAP_NET_RAW)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(exit_of(hand_on, (void *)&cases[i]), 0);
}

static int hand_on_bounding(void *user)
{
    (void)user;
    CHECK(enter(AS_ROOT));
    CHECK(capabilities_hand_on(BOTH, NULL) == 0);
    CHECK(sets_are(BOTH, BOTH, BOTH, BOTH, BOTH)); /* nothing else can ever be had */
    return 0;
}

static void test_hand_on_bounding(void **state)
{
    (void)state;
    assert_int_equal(exit_of(hand_on_bounding, NULL), 0);
}

/* ---- names ---- */

static void test_names(void **state)
{
    static const char *const wrong[] = {"",         "CAP_", "net", "CAP_NONSENSE", "CAP_CAP_NET_RAW",
                                        "net_raw ", "13"};

    (void)state;
    assert_true(capability_by_name("CAP_NET_RAW") == CAPABILITY(CAP_NET_RAW));
    assert_true(capability_by_name("net_raw") == CAPABILITY(CAP_NET_RAW));
    assert_true(capability_by_name("cap_net_admin") == CAPABILITY(CAP_NET_ADMIN));
    assert_true(capability_by_name("CHOWN") == 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_true(capability_by_name(wrong[i]) == 0);
}

static void test_text(void **state)
{
    cleanup_free char *none = capabilities_text(0);
    cleanup_free char *one = capabilities_text(CAPABILITY(CAP_SYS_ADMIN));
    cleanup_free char *both = capabilities_text(BOTH);

    (void)state;
    assert_string_equal(none, "none");
    assert_string_equal(one, "sys_admin");
    assert_string_equal(both, "net_admin, net_raw");
}

static int try_to_enter(void *user)
{
    (void)user;
    return enter(AS_USER) ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_drop_ambient),
        cmocka_unit_test(test_raise_lower),
        cmocka_unit_test(test_hand_on),
        cmocka_unit_test(test_hand_on_bounding),
    };

    if (argc == 3 && strcmp(argv[1], "sets") == 0)
        _exit(check_handed_on(argv[2]));
    if (exit_of(try_to_enter, NULL) != 0) {
        fprintf(stderr, "SKIPPED, capabilities are not tested: no user namespace can be made here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
