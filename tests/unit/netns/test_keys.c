/* What of a key log goes into a capture: nothing but keys, whatever the file is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/sniffer/keys.h"
#include "src/base/memory.h"
#include "src/packet/pcapng.h"
#include "tests/unit/support/support.h"

#define NAME  "tls_premaster_keys.txt"
#define TLS12 "CLIENT_RANDOM 00ff 0123456789abcdef\n"
#define TLS13 "CLIENT_HANDSHAKE_TRAFFIC_SECRET 00FF 0123456789ABCDEF\n"

struct work {
    char *path;
    int folder;
    struct buffer lines;
    mode_t mode;
    struct error *error;
};

static int setup(void **state)
{
    struct work *work = memory_new(sizeof *work);

    work->path = folder_make();
    work->folder = folder_open(work->path);
    *state = work;
    return 0;
}

static int teardown(void **state)
{
    struct work *work = *state;

    close_fd(&work->folder);
    folder_remove(work->path);
    buffer_free(&work->lines);
    error_free(work->error);
    free(work);
    return 0;
}

/* Reads the log, and compares; complaint NULL: there is none. */
static void check(struct work *work, const char *expected, const char *complaint)
{
    size_t length = strlen(expected);

    error_free(steal_pointer(&work->error));
    buffer_drop(&work->lines, work->lines.length);
    assert_int_equal(keys_read(work->folder, NAME, &work->lines, &work->mode, &work->error),
                     complaint ? -1 : 0);
    if (complaint)
        assert_error(work->error, ERROR_FAILED, complaint);
    assert_int_equal(work->lines.length, length);
    if (length)
        assert_memory_equal(work->lines.data, expected, length);
}

static void check_text(struct work *work, const char *text, const char *expected, const char *complaint)
{
    folder_put(work->path, NAME, text);
    check(work, expected, complaint);
}

static void none(void **state)
{
    check(*state, "", NULL);
    check_text(*state, "", "", NULL);
}

static void keys(void **state)
{
    struct work *work = *state;

    check_text(work, TLS12 TLS13, TLS12 TLS13, NULL);
    assert_int_equal(fchmodat(work->folder, NAME, 0640, 0), 0);
    check(work, TLS12 TLS13, NULL);
    assert_int_equal(work->mode, 0640);
    check_text(*state, "# a comment\n\n" TLS12 "#\n" TLS13, TLS12 TLS13, NULL);
}

static void no_keys(void **state)
{
    static const char *const lines[] = {
        "CLIENT_RANDOM 00ff 00ff", /* not written to its end */
        "CLIENT_RANDOM 00ff 00f",
        "CLIENT_RANDOM 00ff 00ff \n",
        "CLIENT_RANDOM 00ff 00ff 00ff\n",
        "CLIENT_RANDOM  00ff 00ff\n",
        " CLIENT_RANDOM 00ff 00ff\n",
        "CLIENT_RANDOM 00ff \n",
        "CLIENT_RANDOM 00ff\n",
        "CLIENT_RANDOM\n",
        "client_random 00ff 00ff\n",
        "CLIENT_RANDOM 00fg 00ff\n",
        "CLIENT_RANDOM 00ff 00ff\r\n",
        "CLIENT_RANDOM 00ff 00\xff\n",
        " # no comment\n",
        "root:x:0:0:root:/root:/bin/bash\n",
        " \n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        cleanup_free char *text = text_format("%s%s", TLS12, lines[i]);

        check_text(*state, text, TLS12, "1 line of " NAME " is no TLS key");
    }
    check_text(*state, "a\nb\n" TLS13 "c", TLS13, "3 lines of " NAME " are no TLS key");
}

static void no_text(void **state)
{
    static const char bytes[] = "CLIENT_RANDOM 00\0ff 00ff\n\0\n" TLS12;
    struct work *work = *state;

    folder_put_bytes(work->path, NAME, bytes, sizeof bytes - 1);
    check(work, TLS12, "2 lines");
}

/* None of them is followed, opened for long, or waited for. */
static void no_file(void **state)
{
    struct work *work = *state;

    folder_put(work->path, "elsewhere", TLS12);
    folder_link(work->path, "elsewhere", NAME);
    check(work, "", "cannot open " NAME);
    assert_int_equal(unlinkat(work->folder, NAME, 0), 0);
    folder_link(work->path, "nowhere", NAME);
    check(work, "", "cannot open " NAME);
    assert_int_equal(unlinkat(work->folder, NAME, 0), 0);
    assert_int_equal(mkfifoat(work->folder, NAME, 0600), 0);
    check(work, "", "not a regular file");
    assert_int_equal(unlinkat(work->folder, NAME, 0), 0);
    assert_int_equal(mkdirat(work->folder, NAME, 0700), 0);
    check(work, "", "not a regular file");
}

/* As many whole lines as a block has room for. */
static void endless(void **state)
{
    struct work *work = *state;
    struct buffer text = {0};
    size_t line = strlen(TLS12);

    while (text.length <= PCAPNG_SECRETS_MOST)
        buffer_add(&text, TLS12, line);
    folder_put_bytes(work->path, NAME, text.data, text.length);
    buffer_free(&text);
    assert_int_equal(keys_read(work->folder, NAME, &work->lines, &work->mode, &work->error), -1);
    assert_error(work->error, ERROR_FAILED, "only the first 16777196 bytes of " NAME " are taken");
    assert_int_equal(work->lines.length, PCAPNG_SECRETS_MOST / line * line);
}

#define work_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        work_test(none),    work_test(keys),    work_test(no_keys),
        work_test(no_text), work_test(no_file), work_test(endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
