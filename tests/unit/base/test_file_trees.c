/* Copies of trees, which follow links, and removal of trees, which never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define NOBODY 65534

struct scene {
    char *folder; /* holds "from/" and "to/" */
    char *from;
    int dir, to;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    folder_put(scene->folder, "from/", "");
    folder_put(scene->folder, "to/", "");
    scene->from = text_format("%s/from", scene->folder);
    scene->dir = folder_open(scene->folder);
    scene->to = openat(scene->dir, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    close(scene->dir);
    close(scene->to);
    free(scene->from);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static void holds(const struct scene *scene, const char *name, const char *expected)
{
    cleanup_free char *text = folder_get(scene->folder, name);

    if (!text)
        fail_msg("%s is missing", name);
    assert_string_equal(text, expected);
}

static mode_t mode_of(const struct scene *scene, const char *name)
{
    struct stat status;

    assert_int_equal(fstatat(scene->dir, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mode;
}

/* ---- copying ---- */

static void test_copy(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *big = text_format("%0200000d", 3);

    folder_put(scene->folder, "from/a", "A");
    folder_put(scene->folder, "from/big", big);
    folder_put(scene->folder, "from/empty", "");
    folder_put(scene->folder, "from/.hidden", "h");
    folder_put(scene->folder, "from/x/y/z", "Z");
    folder_put(scene->folder, "from/x/none/", "");
    assert_int_equal(file_copy_tree(scene->from, scene->to, NULL), 0);
    holds(scene, "to/a", "A");
    holds(scene, "to/big", big);
    holds(scene, "to/empty", "");
    holds(scene, "to/.hidden", "h");
    holds(scene, "to/x/y/z", "Z");
    assert_true(S_ISDIR(mode_of(scene, "to/x/none")));
}

static void test_copy_modes(void **state)
{
    struct scene *scene = *state;
    static const mode_t modes[][2] = {{0755, 0755}, {0644, 0644}, {0700, 0700}, {0444, 0644}, {04755, 0755}};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        cleanup_free char *name = text_format("from/f%zu", i);

        folder_put(scene->folder, name, "x");
        assert_int_equal(fchmodat(scene->dir, name, modes[i][0], 0), 0);
    }
    umask(077); /* has no say in it */
    assert_int_equal(file_copy_tree(scene->from, scene->to, NULL), 0);
    umask(022);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        cleanup_free char *name = text_format("to/f%zu", i);

        assert_int_equal(mode_of(scene, name) & 07777, modes[i][1]); /* the owner can write, always */
    }
}

static void test_copy_follows_links(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "elsewhere/file", "E");
    folder_put(scene->folder, "elsewhere/below/deep", "D");
    folder_link(scene->folder, "../elsewhere/file", "from/l");
    folder_link(scene->folder, "../elsewhere", "from/folder");
    folder_link(scene->folder, "l", "from/twice");
    assert_int_equal(file_copy_tree(scene->from, scene->to, NULL), 0);
    holds(scene, "to/l", "E");
    holds(scene, "to/twice", "E");
    holds(scene, "to/folder/below/deep", "D");
    assert_true(S_ISREG(mode_of(scene, "to/l")));
    assert_true(S_ISDIR(mode_of(scene, "to/folder")));
}

/* The same folder twice is no loop. */
static void test_copy_diamond(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "elsewhere/file", "E");
    folder_link(scene->folder, "../elsewhere", "from/one");
    folder_link(scene->folder, "../elsewhere", "from/two");
    assert_int_equal(file_copy_tree(scene->from, scene->to, NULL), 0);
    holds(scene, "to/one/file", "E");
    holds(scene, "to/two/file", "E");
}

static void copy_refused(struct scene *scene, const char *words)
{
    cleanup_error struct error *error = NULL;
    size_t before = descriptors_open();

    assert_int_equal(file_copy_tree(scene->from, scene->to, &error), -1);
    assert_error(error, ERROR_FAILED, words);
    assert_non_null(strstr(error->text, scene->from));
    assert_int_equal(descriptors_open(), before);
}

static void test_copy_loop(void **state)
{
    struct scene *scene = *state;

    folder_link(scene->folder, "..", "from/x/up");
    copy_refused(scene, "x: up: a link leads back into the folder that holds it");
}

static void test_copy_loop_of_two(void **state)
{
    struct scene *scene = *state;

    folder_link(scene->folder, "../b", "a/to_b");
    folder_link(scene->folder, "../a", "b/to_a");
    folder_link(scene->folder, "../a", "from/a");
    copy_refused(scene, "a link leads back");
}

/* A suite's results may lie in the folder of a test: its copy is then a part of what is copied. */
static void test_copy_into_itself(void **state)
{
    struct scene *scene = *state;
    struct rlimit few = {.rlim_cur = 256, .rlim_max = 256}, before;
    cleanup_error struct error *error = NULL;
    cleanup_fd int to = -1;
    int result;

    folder_put(scene->folder, "from/results/run/", "");
    folder_put(scene->folder, "from/uac_ua1.xml", "x");
    to = openat(scene->dir, "from/results/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0); /* what ends it, where nothing else does */
    result = file_copy_tree(scene->from, to, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    /* It may be refused, or leave itself out, but it does not copy its own copy. */
    assert_false(folder_has(scene->folder, "from/results/run/results/run/results"));
    if (result == 0)
        assert_true(folder_has(scene->folder, "from/results/run/uac_ua1.xml"));
}

static void test_copy_dangling(void **state)
{
    struct scene *scene = *state;

    folder_link(scene->folder, "nowhere", "from/x/l");
    copy_refused(scene, "x: cannot open l: No such file");
}

static void test_copy_fifo(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(mkfifoat(scene->dir, "from/fifo", 0600), 0);
    copy_refused(scene, "fifo is neither a file nor a folder");
}

static void test_copy_device(void **state)
{
    struct scene *scene = *state;

    folder_link(scene->folder, "/dev/zero", "from/zero");
    copy_refused(scene, "zero is neither a file nor a folder");
}

static void test_copy_socket(void **state)
{
    struct scene *scene = *state;
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", scene->from);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    copy_refused(scene, "cannot open s");
}

static void test_copy_over_something(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "victim", "mine");
    folder_put(scene->folder, "from/a", "A");
    folder_link(scene->folder, "../victim", "to/a");
    copy_refused(scene, "cannot create a: File exists");
    holds(scene, "victim", "mine");
}

static void test_copy_nothing(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(unlinkat(scene->dir, "from", AT_REMOVEDIR), 0);
    copy_refused(scene, "cannot open");
}

/* ---- removing ---- */

static void test_remove(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "t/a", "x");
    folder_put(scene->folder, "t/b/c/d", "x");
    folder_put(scene->folder, "t/b/none/", "");
    folder_put(scene->folder, "f", "x");
    assert_int_equal(mkfifoat(scene->dir, "t/fifo", 0600), 0);
    assert_int_equal(file_remove_tree(scene->dir, "t", NULL), 0);
    assert_int_equal(file_remove_tree(scene->dir, "f", NULL), 0);
    assert_int_equal(file_remove_tree(scene->dir, "missing", NULL), 0);
    assert_false(folder_has(scene->folder, "t"));
    assert_false(folder_has(scene->folder, "f"));
    assert_true(folder_has(scene->folder, "from"));
}

static void test_remove_follows_no_link(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "victim/file", "mine");
    folder_link(scene->folder, "../victim", "t/folder");
    folder_link(scene->folder, "../victim/file", "t/file");
    folder_link(scene->folder, "../..", "t/up");
    folder_link(scene->folder, "/", "t/root");
    folder_link(scene->folder, "victim", "link");
    assert_int_equal(fchmodat(scene->dir, "victim/file", 0444, 0), 0);
    assert_int_equal(fchmodat(scene->dir, "victim", 0555, 0), 0);
    assert_int_equal(file_remove_tree(scene->dir, "t", NULL), 0);
    assert_int_equal(file_remove_tree(scene->dir, "link", NULL), 0);
    assert_false(folder_has(scene->folder, "t"));
    assert_false(folder_has(scene->folder, "link"));
    holds(scene, "victim/file", "mine");
    assert_int_equal(mode_of(scene, "victim") & 0777, 0555);
    assert_int_equal(mode_of(scene, "victim/file") & 0777, 0444);
}

static int as_nobody(const char *folder)
{
    if (geteuid() != 0)
        return 0;
    return chown(folder, NOBODY, NOBODY) < 0 || setgroups(0, NULL) < 0 ||
                   setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0
               ? -1
               : 0;
}

struct locked {
    const struct scene *scene;
    mode_t mode;
};

/* What a script may have done to its run folder, which is its user's own. */
static int remove_locked(void *user)
{
    const struct locked *locked = user;
    int dir = locked->scene->dir;

    if (as_nobody(locked->scene->folder) < 0)
        return 99;
    if (mkdirat(dir, "t", 0755) < 0 || mkdirat(dir, "t/b", 0755) < 0 ||
        mknodat(dir, "t/b/f", S_IFREG | 0400, 0) < 0 || mknodat(dir, "t/f", S_IFREG | 0400, 0) < 0 ||
        fchmodat(dir, "t/b", locked->mode, 0) < 0 || fchmodat(dir, "t", locked->mode, 0) < 0)
        return 98;
    return file_remove_tree(dir, "t", NULL) < 0 ? 1 : faccessat(dir, "t", F_OK, 0) == 0 ? 2 : 0;
}

static void test_remove_read_only(void **state)
{
    static const mode_t modes[] = {0555, 0500, 0300, 0222, 0111, 0000};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        assert_int_equal(exit_of(remove_locked, &(struct locked){*state, modes[i]}), 0);
}

/* `chmod -R 644`: it can be listed, and nothing in it be reached. */
static void test_remove_without_search(void **state)
{
    static const mode_t modes[] = {0644, 0600, 0444};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        assert_int_equal(exit_of(remove_locked, &(struct locked){*state, modes[i]}), 0);
}

static int remove_foreign(void *user)
{
    const struct scene *scene = user;
    struct error *error = NULL;

    if (as_nobody(scene->folder) < 0)
        return 99;
    /* Linux lets nobody remove what is in /proc, not even its owner. */
    if (file_remove_tree(AT_FDCWD, "/proc/self/fdinfo", &error) == 0)
        return 1;
    return strstr(error_text(error), "fdinfo") ? 0 : 2;
}

static void test_cannot_remove(void **state)
{
    assert_int_equal(exit_of(remove_foreign, *state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_copy),
        TEST(test_copy_modes),
        TEST(test_copy_follows_links),
        TEST(test_copy_diamond),
        TEST(test_copy_loop),
        TEST(test_copy_loop_of_two),
        TEST(test_copy_into_itself),
        TEST(test_copy_dangling),
        TEST(test_copy_fifo),
        TEST(test_copy_device),
        TEST(test_copy_socket),
        TEST(test_copy_over_something),
        TEST(test_copy_nothing),
        TEST(test_remove),
        TEST(test_remove_follows_no_link),
        TEST(test_remove_read_only),
        TEST(test_remove_without_search),
        TEST(test_cannot_remove),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
