/* What the sniffer writes beside packets: names, and keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/packet/pcapng.h"
#include "tests/unit/netns/scene.h"
#include "tests/unit/support/support.h"

#define KEYS "keys.txt"

static void add_names(struct scene *scene)
{
    static const struct pcapng_name names[] = {{"198.18.1.0", "ua0"}, {"fd00::1", "ua1"}};

    pcapng_add_names(&scene->names, names, 2);
}

/* In front of the first packet while the capture goes on, so that the file is not copied for them. */
static void names_in_the_head(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct outline outline;
    struct stat before, after;
    struct seen seen;

    add_names(scene);
    scene_open(scene, false);
    scene_outline(scene, &outline);
    assert_int_equal(outline.types[4], 1);
    assert_int_equal(fstatat(scene->folder, FILE_NAME, &before, 0), 0);
    assert_true(scene_send(scene, ON_LO, 0, 10));
    scene_stop(scene);
    scene_run(scene, &counts);
    assert_int_equal(fstatat(scene->folder, FILE_NAME, &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 10);
    scene_outline(scene, &outline);
    assert_int_equal(outline.types[4], 1);
    assert_true(outline.first[1] < outline.first[4] && outline.first[4] < outline.first[6]);
}

/* They are read when the capture ends, and what is no key is told. */
static void keys_ahead_of_the_packets(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct outline outline;
    struct stat file;
    struct seen seen;

    add_names(scene);
    scene->keys = KEYS;
    scene_open(scene, false);
    assert_true(scene_send(scene, ON_LO, 0, 10));
    folder_put(scene->path, KEYS, "CLIENT_RANDOM 01 ab\nsomething else\n");
    assert_int_equal(fchmodat(scene->folder, KEYS, 0600, 0), 0);
    scene_stop(scene);
    scene_run(scene, &counts);
    assert_error(counts.keys, ERROR_FAILED, "1 line of " KEYS " is no TLS key");
    error_free(counts.keys);
    assert_int_equal(unlinkat(scene->folder, KEYS, 0), 0);
    assert_good_file(scene, &counts, &seen);
    assert_numbers(seen.lo, seen.lo_count, 10);
    scene_outline(scene, &outline);
    assert_int_equal(outline.types[4], 1);
    assert_int_equal(outline.types[10], 1);
    assert_int_equal(fstatat(scene->folder, FILE_NAME, &file, 0), 0);
    assert_int_equal(file.st_mode & 0777, 0600); /* as the keys were */
    assert_true(outline.first[4] < outline.first[10] && outline.first[10] < outline.first[6]);
}

/* As nearly always: it costs no copy of the file. */
static void no_keys(void **state)
{
    struct scene *scene = *state;
    struct sniffer_counts counts;
    struct outline outline;
    struct stat before, after;

    scene->keys = KEYS;
    scene_open(scene, false);
    assert_int_equal(fstatat(scene->folder, FILE_NAME, &before, 0), 0);
    assert_true(scene_send(scene, ON_LO, 0, 10));
    scene_stop(scene);
    scene_run(scene, &counts);
    assert_null(counts.keys);
    assert_int_equal(fstatat(scene->folder, FILE_NAME, &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    scene_outline(scene, &outline);
    assert_int_equal(outline.types[10], 0);
}

/* The classic format has no place for either. */
static void nothing_but_packets_in_a_classic_file(void **state)
{
    struct scene *scene = *state;
    const char *const interfaces[] = {"lo"};
    const struct sniffer_config config = {
        .folder = scene->folder,
        .file = "a.pcap",
        .interfaces = interfaces,
        .interface_count = 1,
        .names = &scene->names,
        .keys = KEYS,
    };
    struct sniffer_counts counts;
    struct stat file;

    add_names(scene);
    folder_put(scene->path, KEYS, "CLIENT_RANDOM 01 ab\n");
    scene->sniffer = sniffer_open(&config, NULL);
    assert_non_null(scene->sniffer);
    scene_stop(scene);
    scene_run(scene, &counts);
    assert_int_equal(fstatat(scene->folder, "a.pcap", &file, 0), 0);
    assert_int_equal(file.st_size, 24);
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(names_in_the_head),
        scene_test(keys_ahead_of_the_packets),
        scene_test(no_keys),
        scene_test(nothing_but_packets_in_a_classic_file),
    };

    if (!interfaces_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
