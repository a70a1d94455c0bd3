/* The results folder, which one run at a time owns, and the run folders in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/folder.h"
#include "tests/unit/support/support.h"

struct scene {
    char *folder, *path; /* the latter: the results folder */
    struct results_folder results;
    struct test test;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->path = text_format("%s/a/results", scene->folder);
    folder_put(scene->folder, "suite/call/uac_ua1.xml", "<scenario/>");
    folder_put(scene->folder, "suite/call/before.sh", "true");
    scene->test =
        (struct test){.name = (char *)"call", .folder = text_format("%s/suite/call", scene->folder)};
    scene->results.fd = -1;
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    results_folder_close(&scene->results);
    free(scene->test.folder);
    free(scene->path);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static void open_results(struct scene *scene)
{
    cleanup_error struct error *error = NULL;

    if (results_folder_open(scene->path, &scene->results, &error) < 0)
        fail_msg("%s", error_text(error));
}

static bool has(const struct scene *scene, const char *name)
{
    return folder_has(scene->path, name);
}

static void test_made(void **state)
{
    struct scene *scene = *state;

    open_results(scene);
    assert_string_equal(scene->results.path, scene->path);
    assert_true(scene->results.fd >= 0);
    assert_true(fcntl(scene->results.fd, F_GETFD) & FD_CLOEXEC);
    results_folder_close(&scene->results);
    assert_int_equal(scene->results.fd, -1);
    open_results(scene); /* it may be there */
}

static void test_locked(void **state)
{
    struct scene *scene = *state;
    struct results_folder second;
    cleanup_error struct error *error = NULL;

    open_results(scene);
    folder_put(scene->path, "call/abcdef/kept", "x");
    folder_put(scene->path, "results.json", "{\"tests\":[{\"folder\":\"call/abcdef\"}]}");
    assert_int_equal(results_folder_open(scene->path, &second, &error), -1);
    assert_error(error, ERROR_INPUT, "is in use by another run");
    assert_non_null(strstr(error->text, scene->path));
    results_folder_close(&second);
    assert_true(has(scene, "call/abcdef/kept")); /* who has no lock removes nothing */
    results_folder_close(&scene->results);
    open_results(scene);
    assert_false(has(scene, "call"));
}

/* By the path and by a link to it: the same folder. */
static void test_locked_behind_a_link(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *link = text_format("%s/link", scene->folder);
    struct results_folder second;
    cleanup_error struct error *error = NULL;

    open_results(scene);
    folder_link(scene->folder, "a/results", "link");
    assert_int_equal(results_folder_open(link, &second, &error), -1);
    assert_error(error, ERROR_INPUT, "is in use by another run");
    results_folder_close(&second);
    results_folder_close(&scene->results);
    assert_int_equal(results_folder_open(link, &scene->results, NULL), 0);
    assert_string_equal(scene->results.path, scene->path);
}

static void test_removes_earlier_runs(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "a/results/", "");
    folder_put(scene->path, "call/abcdef/sub/file", "x");
    folder_put(scene->path, "hold/ghijkl/file", "x");
    folder_put(scene->path, "hold/mnopqr/file", "of somebody else");
    folder_put(scene->path, "notes.txt", "mine");
    folder_put(scene->path, "other/stuvwx/file", "not listed");
    folder_put(scene->folder, "victim/file", "mine");
    folder_put(
        scene->path, "results.json",
        "{\"tests\":[{\"folder\":\"call/abcdef\"},{\"folder\":\"hold/ghijkl\"},{\"folder\":\"gone/abcdef\"},"
        "{\"folder\":\"../victim\"},{\"folder\":null}]}");
    open_results(scene);
    assert_false(has(scene, "call")); /* nothing else was in it */
    assert_false(has(scene, "hold/ghijkl"));
    assert_true(has(scene, "hold/mnopqr/file"));
    assert_true(has(scene, "notes.txt"));
    assert_true(has(scene, "other/stuvwx/file"));
    assert_true(has(scene, "results.json"));
    assert_true(folder_has(scene->folder, "victim/file"));
}

/* Links in a results folder do not lead the removal out of it. */
static void test_removes_nothing_behind_links(void **state)
{
    struct scene *scene = *state;
    struct results_folder results;

    folder_put(scene->folder, "a/results/", "");
    folder_put(scene->folder, "victim/abcdef/file", "mine");
    folder_link(scene->path, "../../victim", "call");
    folder_link(scene->path, "../../../victim/abcdef", "hold/ghijkl");
    folder_put(scene->path, "results.json",
               "{\"tests\":[{\"folder\":\"hold/ghijkl\"},{\"folder\":\"call/abcdef\"}]}");
    (void)results_folder_open(scene->path, &results, NULL); /* whether it complains or not */
    results_folder_close(&results);
    assert_true(folder_has(scene->folder, "victim/abcdef/file"));
    assert_false(has(scene, "hold/ghijkl"));
    assert_true(has(scene, "call"));
}

static void test_cannot_open(void **state)
{
    struct scene *scene = *state;
    struct results_folder results;
    cleanup_error struct error *error = NULL;

    folder_put(scene->folder, "a", "a file");
    assert_int_equal(results_folder_open(scene->path, &results, &error), -1);
    assert_error(error, ERROR_INPUT, "results");
    results_folder_close(&results);
}

/* ---- run folders ---- */

static void test_run_folder(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *copied = NULL;
    cleanup_free char *name = NULL;
    cleanup_free char *file = NULL;
    struct run_folder folder;

    open_results(scene);
    assert_int_equal(run_folder_make(&scene->results, &scene->test, &folder, NULL), 0);
    assert_int_equal(strlen(folder.run_id), 6);
    assert_int_equal(strspn(folder.run_id, "abcdefghijklmnopqrstuvwxyz"), 6);
    assert_int_equal(strlen(folder.number), 12);
    assert_int_equal(strspn(folder.number, "0123456789"), 12);
    name = text_format("call/%s", folder.run_id);
    assert_string_equal(folder.name, name);
    file = text_format("%s/%s", scene->path, name);
    assert_string_equal(folder.path, file);
    copied = folder_get(folder.path, "uac_ua1.xml");
    assert_string_equal(copied, "<scenario/>");
    assert_int_equal(faccessat(folder.fd, "before.sh", F_OK, 0), 0);
    assert_int_equal(run_folder_remove(&scene->results, &folder, NULL), 0);
    assert_false(has(scene, "call"));
    assert_true(folder_has(scene->folder, "suite/call/uac_ua1.xml"));
    run_folder_close(&folder);
    assert_int_equal(folder.fd, -1);
}

static void test_many_run_folders(void **state)
{
    struct scene *scene = *state;
    struct run_folder folders[50];

    open_results(scene);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(run_folder_make(&scene->results, &scene->test, &folders[i], NULL), 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(folders[i].run_id, folders[j].run_id);
            assert_string_not_equal(folders[i].number, folders[j].number);
        }
    }
    for (int i = 0; i < 50; i++) {
        assert_true(has(scene, folders[i].name));
        assert_int_equal(run_folder_remove(&scene->results, &folders[i], NULL), 0);
        assert_false(has(scene, folders[i].name));
        assert_int_equal(has(scene, "call"), i < 49); /* with the last one it goes too */
        run_folder_close(&folders[i]);
    }
}

/* Half a copy is not left behind. */
static void test_cannot_copy(void **state)
{
    struct scene *scene = *state;
    struct run_folder folder;
    cleanup_error struct error *error = NULL;

    open_results(scene);
    folder_link(scene->folder, "nowhere", "suite/call/users.csv");
    assert_int_equal(run_folder_make(&scene->results, &scene->test, &folder, &error), -1);
    assert_error(error, ERROR_FAILED, "users.csv");
    assert_false(has(scene, "call"));
    assert_int_equal(folder.fd, -1);
    run_folder_close(&folder);
}

/* The place of a test is taken by a link or a file of others. */
static void test_place_is_taken(void **state)
{
    struct scene *scene = *state;
    struct run_folder folder;
    cleanup_error struct error *error = NULL;

    open_results(scene);
    folder_put(scene->folder, "victim/", "");
    folder_link(scene->path, "../../victim", "call");
    assert_int_equal(run_folder_make(&scene->results, &scene->test, &folder, &error), -1);
    assert_error(error, ERROR_FAILED, "/call");
    run_folder_close(&folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_made),
        TEST(test_locked),
        TEST(test_locked_behind_a_link),
        TEST(test_removes_earlier_runs),
        TEST(test_removes_nothing_behind_links),
        TEST(test_cannot_open),
        TEST(test_run_folder),
        TEST(test_many_run_folders),
        TEST(test_cannot_copy),
        TEST(test_place_is_taken),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
