#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/process.h"

#define WAIT_MS 5000

/* ---- folders ---- */

char *folder_make(void)
{
    const char *temporary = getenv("TMPDIR");
    cleanup_free char *made = text_format("%s/sippod-unit-XXXXXX", temporary ? temporary : "/tmp");
    char *real;

    assert_non_null(mkdtemp(made));
    real = realpath(made, NULL);
    assert_non_null(real);
    return real;
}

static int open_up(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)where;
    if (kind == FTW_D || kind == FTW_DNR)
        (void)chmod(path, 0700);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void folder_remove(char *folder)
{
    (void)nftw(folder, open_up, 64, FTW_PHYS);
    (void)nftw(folder, remove_one, 64, FTW_PHYS | FTW_DEPTH);
    free(folder);
}

static char *below(const char *folder, const char *name)
{
    char *path = text_format("%s/%s", folder, name);

    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    return path;
}

void folder_put_bytes(const char *folder, const char *name, const void *bytes, size_t length)
{
    cleanup_free char *path = below(folder, name);
    cleanup_fd int fd = -1;

    if (path[strlen(path) - 1] == '/')
        return; /* only the folder was wanted */
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
}

void folder_put(const char *folder, const char *name, const char *text)
{
    folder_put_bytes(folder, name, text, strlen(text));
}

void folder_link(const char *folder, const char *target, const char *name)
{
    cleanup_free char *path = below(folder, name);

    assert_int_equal(symlink(target, path), 0);
}

char *folder_get(const char *folder, const char *name)
{
    cleanup_free char *path = text_format("%s/%s", folder, name);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct buffer data = {0};
    char chunk[4096];
    ssize_t length;

    if (fd < 0)
        return NULL;
    while ((length = read(fd, chunk, sizeof chunk)) > 0)
        buffer_add(&data, chunk, (size_t)length);
    buffer_add(&data, "", 1);
    return (char *)data.data;
}

bool folder_has(const char *folder, const char *name)
{
    cleanup_free char *path = text_format("%s/%s", folder, name);
    struct stat status;

    return lstat(path, &status) == 0;
}

int folder_open(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

int folder_setup(void **state)
{
    struct folder_scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->dir = folder_open(scene->folder);
    *state = scene;
    return 0;
}

int folder_teardown(void **state)
{
    struct folder_scene *scene = *state;

    close(scene->dir);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

/* ---- words ---- */

void error_check(const struct error *error, enum error_code code, const char *words, const char *file,
                 int line)
{
    if (!error)
        print_error("no error, expected \"%s\"\n", words);
    else if (error->code != code || !strstr(error_text(error), words))
        print_error("code %d \"%s\", expected %d \"%s\"\n", error->code, error_text(error), code, words);
    else
        return;
    _fail(file, line);
}

void said_check(const struct strings *problems, const char *words, const char *file, int line)
{
    for (size_t i = 0; i < problems->count; i++)
        if (strstr(problems->list[i], words))
            return;
    print_error("nobody says \"%s\"; said is:\n", words);
    for (size_t i = 0; i < problems->count; i++)
        print_error("  %s\n", problems->list[i]);
    _fail(file, line);
}

/* ---- output and children ---- */

char *output_of(int number, void (*fn)(void *user), void *user)
{
    cleanup_fd int saved = -1;
    cleanup_fd int file = memfd_create("output", MFD_CLOEXEC);
    struct stat status;
    char *text;

    fflush(NULL);
    saved = fcntl(number, F_DUPFD_CLOEXEC, 10);
    assert_true(file >= 0 && saved >= 0);
    assert_int_equal(dup2(file, number), number);
    fn(user);
    fflush(NULL);
    assert_int_equal(dup2(saved, number), number);
    assert_int_equal(fstat(file, &status), 0);
    text = memory_new((size_t)status.st_size + 1);
    assert_int_equal(pread(file, text, (size_t)status.st_size, 0), status.st_size);
    return text;
}

int exit_of(int (*fn)(void *user), void *user)
{
    struct process_end end = {.exit_code = -1};
    struct pollfd poll_end = {.events = POLLIN};
    cleanup_fd int pidfd = -1;
    pid_t pid;

    fflush(NULL);
    pid = process_fork(0, &pidfd, NULL);
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(user));
    poll_end.fd = pidfd;
    if (poll(&poll_end, 1, WAIT_MS) != 1)
        (void)kill(pid, SIGKILL);
    else
        assert_int_equal(process_reap(pidfd, &end, NULL), 1);
    return end.exit_code;
}

/* ---- loops ---- */

struct run_out {
    struct loop *loop;
    bool late;
};

static void on_late(void *user)
{
    struct run_out *run_out = user;

    run_out->late = true;
    loop_quit(run_out->loop);
}

void loop_run_out(struct loop *loop)
{
    loop_run_out_within(loop, WAIT_MS);
}

void loop_run_out_within(struct loop *loop, int64_t ms)
{
    struct run_out run_out = {.loop = loop};
    struct timer *timer = loop_after(loop, ms, on_late, &run_out);

    assert_int_equal(loop_run(loop, NULL), 0);
    if (run_out.late)
        fail_msg("nobody has ended the loop");
    timer_stop(&timer);
}

/* Callbacks of the test may quit the loop on the way: that ends none of these two. */
struct settle {
    struct loop *loop;
    int rounds; /* that are left */
};

static void on_time(void *user)
{
    struct settle *settle = user;

    settle->rounds = 0;
    loop_quit(settle->loop);
}

void loop_run_for(struct loop *loop, int64_t ms)
{
    struct settle settle = {.loop = loop, .rounds = 1};

    loop_after(loop, ms, on_time, &settle);
    while (settle.rounds)
        assert_int_equal(loop_run(loop, NULL), 0);
}

static void on_round(void *user)
{
    struct settle *settle = user;

    if (--settle->rounds)
        loop_after(settle->loop, 0, on_round, settle);
    else
        loop_quit(settle->loop);
}

void loop_settle(struct loop *loop)
{
    struct settle settle = {.loop = loop, .rounds = 20};

    loop_after(loop, 0, on_round, &settle);
    while (settle.rounds)
        assert_int_equal(loop_run(loop, NULL), 0);
}

size_t descriptors_open(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}
