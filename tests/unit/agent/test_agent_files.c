/* READFILE and WRITEFILE: what a process of the pod could read and write, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/agent/pod.h"
#include "tests/unit/support/support.h"

#define MOST (FRAME_MOST - CTL_HEADER)

static char *path_in(const struct shared *shared, const char *name)
{
    return text_format("%s/%s", shared->folder, name);
}

/* Of the answer the pod keeps the ERROR's words, or the bytes. */
static void command(struct pod *pod, uint32_t code, const char *path, const void *data, size_t length)
{
    const struct file_message file = {
        .container = (char *)"hyperstart", .path = (char *)path, .data = data, .length = length};
    cleanup_buffer struct buffer payload = {0};

    file_message_encode(&payload, &file);
    pod_command_bytes(pod, code, payload.data, payload.length);
}

static void reads(struct pod *pod, const char *path, const void *data, size_t length)
{
    command(pod, CTL_READFILE, path, NULL, 0);
    if (pod->answer)
        fail_msg("%s: %s", path, pod->answer);
    assert_int_equal(pod->payload.length, length);
    if (length)
        assert_memory_equal(pod->payload.data, data, length);
}

static void writes(struct pod *pod, const char *path, const void *data, size_t length)
{
    command(pod, CTL_WRITEFILE, path, data, length);
    if (pod->answer)
        fail_msg("%s: %s", path, pod->answer);
    assert_int_equal(pod->payload.length, 0);
}

static void refuses(struct pod *pod, uint32_t code, const char *path, const char *words)
{
    command(pod, code, path, "new", 3);
    if (!pod->answer)
        fail_msg("%s: accepted", path);
    if (!strstr(pod->answer, words))
        fail_msg("%s: \"%s\" does not say \"%s\"", path, pod->answer, words);
}

static void test_write_and_read(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *path = path_in(shared, "file");
    struct stat status;

    writes(shared->pod, path, "old and long", 12);
    writes(shared->pod, path, "a\0\xff\n", 4);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 4); /* nothing of the old one is left */
    assert_int_equal(status.st_mode & 0777 & ~0644, 0);
    reads(shared->pod, path, "a\0\xff\n", 4);
    writes(shared->pod, path, "", 0);
    reads(shared->pod, path, NULL, 0);
}

/* As much as a message holds, to the byte; what is larger is refused, not cut. */
static void test_largest(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *path = path_in(shared, "file");
    cleanup_free char *larger = text_format("is too large: a message holds %d bytes", MOST);
    cleanup_free char *most = memory_new(MOST);
    cleanup_free char *asked = NULL;
    size_t json = strlen("{\"container\":\"hyperstart\",\"file\":\"\"}") + strlen(path) + 1;

    for (size_t i = 0; i < MOST; i++)
        most[i] = (char)(i * 7 % 251);
    writes(shared->pod, path, most, MOST - json);
    reads(shared->pod, path, most, MOST - json);
    asked = text_format("truncate -s %d %s; printf x >>%s; truncate -s %d %s; wc -c <%s", MOST, path, path,
                        MOST, path, path);
    free(pod_ask(shared->pod, asked));
    command(shared->pod, CTL_READFILE, path, NULL, 0);
    assert_null(shared->pod->answer);
    assert_int_equal(shared->pod->payload.length, MOST);
    free(asked);
    asked = text_format("printf x >>%s", path);
    free(pod_ask(shared->pod, asked));
    refuses(shared->pod, CTL_READFILE, path, larger);
}

static void test_refused(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *missing = path_in(shared, "no/such");
    cleanup_free char *fifo = path_in(shared, "fifo");

    assert_int_equal(mkfifo(fifo, 0666), 0);
    refuses(shared->pod, CTL_READFILE, missing, "No such file");
    refuses(shared->pod, CTL_WRITEFILE, missing, "No such file");
    refuses(shared->pod, CTL_READFILE, shared->folder, "is not a regular file");
    refuses(shared->pod, CTL_WRITEFILE, shared->folder, "Is a directory");
    refuses(shared->pod, CTL_READFILE, fifo, "is not a regular file");
    refuses(shared->pod, CTL_WRITEFILE, fifo, "No such device or address");
    refuses(shared->pod, CTL_READFILE, "/dev/zero", "is not a regular file");
    refuses(shared->pod, CTL_WRITEFILE, "/dev/null", "is not a regular file");
    refuses(shared->pod, CTL_WRITEFILE, "/dev/full", "is not a regular file");
    refuses(shared->pod, CTL_READFILE, "", "\"file\" is empty");
    pod_acks(shared->pod, CTL_PING, "");
}

static void test_malformed(void **state)
{
    struct pod *pod = *state;

    pod_refuses(pod, CTL_WRITEFILE, "{\"container\":\"hyperstart\",\"file\":\"/tmp/x\"}", "no NUL byte");
    pod_refuses(pod, CTL_READFILE, "{\"container\":\"nobody\",\"file\":\"/etc/passwd\"}",
                "no container nobody");
    pod_refuses(pod, CTL_READFILE, "{\"file\":\"/etc/passwd\"}", "\"container\" is missing");
    pod_refuses(pod, CTL_READFILE, "{\"container\":\"hyperstart\",\"file\":\"a\\u0000b\"}", "not JSON");
    pod_refuses(pod, CTL_WRITEFILE, "", "not JSON");
}

/* Neither the agent's memory and descriptors, nor what takes a capability. */
static void test_no_power(void **state)
{
    static const char *const paths[] = {"/proc/1/mem",
                                        "/proc/1/environ",
                                        "/proc/1/fd/3",
                                        "/proc/1/root/etc/passwd",
                                        "/proc/self/root/etc/passwd",
                                        "/proc/self/fd/3",
                                        "/proc/self/exe"};
    struct shared *shared = *state;
    cleanup_free char *closed = path_in(shared, "closed");

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        command(shared->pod, CTL_READFILE, paths[i], NULL, 0);
        if (!shared->pod->answer)
            fail_msg("%s: %zu bytes", paths[i], shared->pod->payload.length);
    }
    if (geteuid() != 0) /* nobody can look into who reads; root's uid may read what is root's */
        refuses(shared->pod, CTL_READFILE, "/proc/self/environ", "Permission denied");
    command(shared->pod, CTL_WRITEFILE, "/proc/sys/kernel/hostname", "owned", 5);
    assert_non_null(shared->pod->answer);
    command(shared->pod, CTL_READFILE, "/proc/self/status", NULL, 0);
    assert_null(shared->pod->answer);
    buffer_add(&shared->pod->payload, "", 1);
    assert_non_null(strstr((char *)shared->pod->payload.data, "CapPrm:\t0000000000000000\n"));
    assert_non_null(strstr((char *)shared->pod->payload.data, "CapBnd:\t0000000000000000\n"));
    folder_put(shared->folder, "closed", "secret");
    assert_int_equal(chmod(closed, 0), 0);
    refuses(shared->pod, CTL_READFILE, closed, "Permission denied");
    refuses(shared->pod, CTL_WRITEFILE, closed, "Permission denied");
}

/* Links are followed within the pod, and never out of it. */
static void test_links(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *link = path_in(shared, "link");
    cleanup_free char *up = text_format("/../../..%s/file", shared->folder);

    folder_put(shared->folder, "file", "here");
    assert_int_equal(symlink("../../../../../../..//etc/hostname/../../proc/version", link), 0);
    command(shared->pod, CTL_READFILE, link, NULL, 0);
    assert_non_null(shared->pod->answer); /* hostname is no folder */
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("file", link), 0);
    reads(shared->pod, link, "here", 4);
    reads(shared->pod, up, "here", 4);
    writes(shared->pod, link, "there", 5);
    reads(shared->pod, up, "there", 5);
}

/* Of the pod's own file system, which nobody else sees. */
static void test_pods_view(void **state)
{
    struct pod *pod = pod_open((char *[]){(char *)"--fs=throwaway", NULL});

    (void)state;
    writes(pod, "/tmp/agent-files-view", "mine", 4);
    reads(pod, "/tmp/agent-files-view", "mine", 4);
    assert_int_equal(access("/tmp/agent-files-view", F_OK), -1);
    refuses(pod, CTL_WRITEFILE, "/usr/agent-files-view", "cannot open /usr/agent-files-view: ");
    pod_free(pod);
}

/* Many at once are answered in order, with other commands between them, and output goes on. */
static void test_in_order(void **state)
{
    struct shared *shared = *state;
    cleanup_free char *path = path_in(shared, "file");
    struct answers answers = {0};

    for (int i = 0; i < 100; i++) {
        cleanup_free char *text = text_format("%d", i);
        struct file_message file = {
            .container = (char *)"hyperstart", .path = path, .data = (uint8_t *)text, .length = strlen(text)};
        cleanup_buffer struct buffer payload = {0};

        file_message_encode(&payload, &file);
        pod_queue(shared->pod, CTL_WRITEFILE, payload.data, payload.length, &answers);
        payload.length = 0;
        file.data = NULL;
        file.length = 0;
        file_message_encode(&payload, &file);
        pod_queue(shared->pod, CTL_READFILE, payload.data, payload.length, &answers);
    }
    pod_answers(shared->pod, &answers, 200);
    for (int i = 0; i < 100; i++) {
        cleanup_free char *text = text_format("%d", i);

        assert_string_equal(answers.texts.list[(size_t)2 * i], "");
        assert_string_equal(answers.texts.list[(size_t)2 * i + 1], text);
    }
    strings_free(&answers.texts);
}

int main(void)
{
#define TEST(name)   cmocka_unit_test_setup_teardown(name, pod_setup, pod_teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, shared_teardown)
    const struct CMUnitTest tests[] = {
        SHARED(test_write_and_read),
        SHARED(test_largest),
        SHARED(test_refused),
        TEST(test_malformed),
        SHARED(test_no_power),
        SHARED(test_links),
        cmocka_unit_test(test_pods_view),
        SHARED(test_in_order),
    };

    return pods_possible() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
