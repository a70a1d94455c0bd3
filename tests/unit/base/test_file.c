/* Whole files, lists of folders, folders that are made on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

/* ---- reading ---- */

static void test_read(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_free char *data = NULL;
    cleanup_free char *empty = NULL;
    size_t length = 77;

    folder_put_bytes(scene->folder, "a", "x\0y\n", 4);
    folder_put(scene->folder, "empty", "");
    assert_int_equal(file_read(scene->dir, "a", 100, &data, &length, NULL), 0);
    assert_int_equal(length, 4);
    assert_memory_equal(data, "x\0y\n\0", 5); /* with one NUL behind it */
    assert_int_equal(file_read(scene->dir, "empty", 0, &empty, &length, NULL), 0);
    assert_int_equal(length, 0);
    assert_string_equal(empty, "");
}

static void test_read_at_most(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_error struct error *error = NULL;
    cleanup_free char *text = text_format("%0100000d", 5);
    cleanup_free char *data = NULL;
    char *untouched = scene->folder;
    size_t length = 77;

    folder_put(scene->folder, "a", text);
    assert_int_equal(file_read(scene->dir, "a", 99999, &untouched, &length, &error), -1);
    assert_error(error, ERROR_FAILED, "a is larger than 99999 bytes");
    assert_ptr_equal(untouched, scene->folder);
    assert_int_equal(length, 77);
    assert_int_equal(file_read(scene->dir, "a", 100000, &data, &length, NULL), 0);
    assert_string_equal(data, text);
}

static void cannot_read(struct folder_scene *scene, const char *name, const char *words, int sys)
{
    cleanup_error struct error *error = NULL;
    char *data = NULL;
    size_t length;

    assert_int_equal(file_read(scene->dir, name, 100, &data, &length, &error), -1);
    assert_error(error, ERROR_FAILED, words);
    assert_int_equal(error->sys, sys);
    assert_null(data);
}

static void test_cannot_read(void **state)
{
    struct folder_scene *scene = *state;

    assert_int_equal(mkfifoat(scene->dir, "fifo", 0600), 0);
    folder_put(scene->folder, "folder/", "");
    cannot_read(scene, "missing", "cannot open missing", ENOENT);
    cannot_read(scene, "fifo", "fifo is not a regular file", 0); /* and nobody waits for its writer */
    cannot_read(scene, "folder", "folder is not a regular file", 0);
}

/* ---- writing ---- */

static mode_t mode_of(const struct folder_scene *scene, const char *name)
{
    struct stat status;

    assert_int_equal(fstatat(scene->dir, name, &status, 0), 0);
    return status.st_mode & 07777;
}

static void written(const struct folder_scene *scene, const char *name, const char *expected)
{
    cleanup_free char *text = folder_get(scene->folder, name);

    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void test_write(void **state)
{
    struct folder_scene *scene = *state;

    assert_int_equal(file_write(scene->dir, "a", "one", 3, 0640, NULL), 0);
    written(scene, "a", "one");
    assert_int_equal(mode_of(scene, "a"), 0640);
    assert_int_equal(file_write(scene->dir, "a", "", 0, 0666, NULL), 0); /* whatever the umask */
    written(scene, "a", "");
    assert_int_equal(mode_of(scene, "a"), 0666);
    assert_false(folder_has(scene->folder, "a.new"));
}

/* Who has the old file open, or a hard link to it, keeps the old file: it is replaced, not written over. */
static void test_write_is_atomic(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_fd int old = -1;
    char text[8] = "";

    folder_put(scene->folder, "a", "old");
    folder_put(scene->folder, "a.new", "left by a killed run");
    assert_int_equal(linkat(scene->dir, "a", scene->dir, "hard", 0), 0);
    old = openat(scene->dir, "a", O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_write(scene->dir, "a", "new", 3, 0644, NULL), 0);
    assert_int_equal(read(old, text, sizeof text), 3);
    assert_string_equal(text, "old");
    written(scene, "a", "new");
    written(scene, "hard", "old");
    assert_false(folder_has(scene->folder, "a.new"));
}

/* A link of that name is replaced, and what it leads to is left alone; the temporary file's name too. */
static void test_write_follows_no_link(void **state)
{
    struct folder_scene *scene = *state;

    folder_put(scene->folder, "victim", "mine");
    folder_link(scene->folder, "victim", "a");
    folder_link(scene->folder, "victim", "a.new");
    assert_int_equal(file_write(scene->dir, "a", "new", 3, 0644, NULL), 0);
    written(scene, "victim", "mine");
    written(scene, "a", "new");
}

static void test_cannot_write(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_error struct error *missing = NULL;
    cleanup_error struct error *folder = NULL;

    assert_int_equal(file_write(scene->dir, "no/a", "x", 1, 0644, &missing), -1);
    assert_error(missing, ERROR_FAILED, "cannot create no/a");
    folder_put(scene->folder, "folder/", "");
    assert_int_equal(file_write(scene->dir, "folder", "x", 1, 0644, &folder), -1);
    assert_error(folder, ERROR_FAILED, "cannot write folder");
    assert_false(folder_has(scene->folder, "folder.new")); /* nothing is left behind */
}

/* ---- folders ---- */

static void test_list(void **state)
{
    struct folder_scene *scene = *state;
    static const char *const names[] = {"b", "B", "a10", "a2", ".hidden", "\xc3\xa9", "_", "a"};
    static const char *const sorted[] = {".hidden", "B", "_", "a", "a10", "a2", "b", "\xc3\xa9"};
    cleanup_strings struct strings list = {0};
    cleanup_strings struct strings again = {0};

    for (size_t i = 0; i < 8; i++)
        folder_put(scene->folder, names[i], "");
    assert_int_equal(file_list(scene->dir, &list, NULL), 0);
    assert_int_equal(list.count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(list.list[i], sorted[i]);
    assert_int_equal(file_list(scene->dir, &again, NULL), 0); /* the descriptor has not moved */
    assert_int_equal(again.count, 8);
}

static void test_list_many(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_strings struct strings list = {0};

    for (int i = 0; i < 1200; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%04d", 1199 - i);
        folder_put(scene->folder, name, "");
    }
    assert_int_equal(file_list(scene->dir, &list, NULL), 0);
    assert_int_equal(list.count, 1200);
    for (size_t i = 1; i < list.count; i++)
        assert_true(strcmp(list.list[i - 1], list.list[i]) < 0);
}

static void test_list_nothing(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_strings struct strings list = {0};
    cleanup_error struct error *error = NULL;
    size_t before = descriptors_open();

    assert_int_equal(file_list(scene->dir, &list, NULL), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(file_list(-1, &list, &error), -1);
    assert_error(error, ERROR_FAILED, "cannot list a folder");
    assert_int_equal(descriptors_open(), before);
}

static void test_make_folders(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_free char *deep = text_format("%s/a//b/c/", scene->folder);
    cleanup_free char *file = text_format("%s/file/b", scene->folder);
    cleanup_error struct error *error = NULL;
    cleanup_fd int fd = -1;

    assert_int_equal(file_make_folders(deep, &fd, NULL), 0);
    assert_true(fd >= 0);
    assert_true(folder_has(scene->folder, "a/b/c"));
    folder_put(scene->folder, "a/b/c/kept", "x");
    assert_int_equal(file_make_folders(deep, NULL, NULL), 0); /* what is there is left alone */
    assert_true(folder_has(scene->folder, "a/b/c/kept"));
    folder_put(scene->folder, "file", "x");
    assert_int_equal(file_make_folders(file, NULL, &error), -1);
    assert_error(error, ERROR_INPUT, "file");
    assert_int_equal(error->sys, ENOTDIR);
}

static int make_relative(void *user)
{
    return chdir(user) == 0 && file_make_folders("x/y", NULL, NULL) == 0 && access("x/y", F_OK) == 0 &&
                   file_make_folders("", NULL, NULL) == -1
               ? 0
               : 1;
}

static void test_make_folders_relative(void **state)
{
    struct folder_scene *scene = *state;

    assert_int_equal(exit_of(make_relative, scene->folder), 0);
}

static void test_absolute(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_free char *link = text_format("%s/x/../l", scene->folder);
    cleanup_free char *expected = text_format("%s/t", scene->folder);
    cleanup_free char *path = NULL;
    cleanup_error struct error *error = NULL;

    folder_put(scene->folder, "x/", "");
    folder_put(scene->folder, "t", "");
    folder_link(scene->folder, "t", "l");
    path = file_absolute(link, NULL);
    assert_string_equal(path, expected);
    assert_null(file_absolute("/no/such", &error));
    assert_error(error, ERROR_INPUT, "/no/such: No such file");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_read),
        TEST(test_read_at_most),
        TEST(test_cannot_read),
        TEST(test_write),
        TEST(test_write_is_atomic),
        TEST(test_write_follows_no_link),
        TEST(test_cannot_write),
        TEST(test_list),
        TEST(test_list_many),
        TEST(test_list_nothing),
        TEST(test_make_folders),
        TEST(test_make_folders_relative),
        TEST(test_absolute),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
