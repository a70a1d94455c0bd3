/* READFILE and WRITEFILE. A process of its own does it, without any capability: it can touch what a process
 * of the pod could, and nothing of the agent, whatever the path says (/proc/self/mem, /proc/self/fd/3). No
 * command is read before it has ended, so that answers keep their order; all else goes on. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"
#include "src/base/process.h"

#define MOST (FRAME_MOST - CTL_HEADER) /* what an answer holds */

/* What the helper reports first; the bytes that were read, or a sentence, follow. */
struct report {
    bool done;
    size_t length; /* a test may kill the helper at any time: less is not all */
};

/* ---- the helper ---- */

static int open_file(const char *path, uint64_t flags, struct error **ret)
{
    /* The pod's root is this process's: no link, no "..", no magic link of /proc leads out of it. */
    struct open_how how = {
        .flags = flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .mode = flags & O_CREAT ? 0644 : 0,
        .resolve = RESOLVE_IN_ROOT,
    };
    cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot open %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(ret, ERROR_INPUT, "%s is not a regular file", path);
    return steal_fd(&fd);
}

static int read_file(const char *path, struct buffer *data, struct error **ret)
{
    cleanup_fd int fd = open_file(path, O_RDONLY, ret);
    uint8_t piece[65536];
    ssize_t length = 0;

    while (fd >= 0 && data->length <= MOST && (length = read(fd, piece, sizeof piece)) > 0)
        buffer_add(data, piece, (size_t)length);
    if (fd < 0)
        return -1;
    if (length < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read %s", path);
    if (data->length > MOST)
        return error_set(ret, ERROR_INPUT, "%s is too large: a message holds %d bytes", path, MOST);
    return 0;
}

static int write_file(const char *path, const uint8_t *data, size_t length, struct error **ret)
{
    cleanup_fd int fd = open_file(path, O_WRONLY | O_CREAT, ret);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, 0) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot write %s", path);
    while (length) {
        ssize_t written = write(fd, data, length);

        if (written < 0)
            return error_sys(ret, ERROR_FAILED, errno, "cannot write %s", path);
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

static void tell(int pipe, bool done, const void *data, size_t length)
{
    const struct report report = {.done = done, .length = length};
    cleanup_buffer struct buffer bytes = {0};

    buffer_add(&bytes, &report, sizeof report);
    buffer_add(&bytes, data, length);
    while (bytes.length) {
        ssize_t written = write(pipe, bytes.data, bytes.length);

        if (written < 0)
            return; /* the agent misses the rest */
        buffer_drop(&bytes, (size_t)written);
    }
}

/* Whoever could look into it would see a copy of the agent's memory. */
static int give_up_power(struct error **ret)
{
    if (capabilities_hand_on(0, ret) < 0)
        return -1;
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot hide a process");
    return 0;
}

static void help(const struct file_message *file, bool write, int pipe)
{
    struct buffer data = {0};
    struct error *error = NULL;
    int result;

    process_reset_signals();
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit is an error like others */
    if (process_keep_only(&pipe, 1) < 0)
        _exit(1);
    pipe = 3;
    result = give_up_power(&error);
    if (result == 0)
        result = write ? write_file(file->path, file->data, file->length, &error)
                       : read_file(file->path, &data, &error);
    if (result == 0)
        tell(pipe, true, data.data, data.length);
    else
        tell(pipe, false, error_text(error), strlen(error_text(error)));
    _exit(0);
}

/* ---- the agent ---- */

struct files {
    struct agent *agent;
    int report; /* the pipe */
    struct watch *watch;
    struct buffer told;
};

static void tell_client(struct agent *agent, const struct buffer *told)
{
    static const char killed[] = "what was to handle the file has been killed";
    struct report report = {0};

    if (told->length >= sizeof report)
        memcpy(&report, told->data, sizeof report);
    if (told->length < sizeof report || told->length != sizeof report + report.length)
        agent_send(agent, CTL_ERROR, killed, strlen(killed));
    else
        agent_send(agent, report.done ? CTL_ACK : CTL_ERROR, told->data + sizeof report, report.length);
}

static void answer(struct files *files)
{
    struct agent *agent = files->agent;

    tell_client(agent, &files->told);
    watch_stop(&files->watch);
    close_fd(&files->report);
    buffer_free(&files->told);
    free(files);
    agent->busy = false;
    channels_update(agent);
}

static void on_report(void *user, uint32_t events)
{
    struct files *files = user;
    uint8_t data[65536];
    ssize_t length = read(files->report, data, sizeof data);

    (void)events;
    if (length > 0)
        buffer_add(&files->told, data, (size_t)length);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR))
        answer(files);
}

static int start(struct agent *agent, const struct file_message *file, bool write, struct error **ret)
{
    struct files *files = memory_new(sizeof *files);
    cleanup_fd int theirs = -1;
    int ends[2];
    pid_t pid = -1;

    *files = (struct files){.agent = agent, .report = -1};
    if (pipe2(ends, O_CLOEXEC) == 0) {
        files->report = ends[0];
        theirs = ends[1];
        files->watch = loop_watch(agent->loop, files->report, EPOLLIN, on_report, files, NULL);
        pid = files->watch ? fork() : -1;
    }
    if (pid == 0)
        help(file, write, theirs);
    if (pid > 0) {
        agent->busy = true;
        channels_update(agent);
        return 0;
    }
    error_sys(ret, ERROR_HOST, errno, "cannot start a process");
    watch_stop(&files->watch);
    close_fd(&files->report);
    free(files);
    return -1;
}

/* All containers see the same files; that there is such a one is all that is asked of its name. */
static int check_container(const struct agent *agent, const char *container, struct error **ret)
{
    return text_equal(container, "hyperstart") || container_find(agent, container, ret) ? 0 : -1;
}

int files_read(struct agent *agent, const struct file_message *file, struct error **ret)
{
    return check_container(agent, file->container, ret) < 0 ? -1 : start(agent, file, false, ret);
}

int files_write(struct agent *agent, const struct file_message *file, struct error **ret)
{
    if (!file->data)
        return error_set(ret, ERROR_INPUT, "no NUL byte behind the JSON, and so nothing to write");
    return check_container(agent, file->container, ret) < 0 ? -1 : start(agent, file, true, ret);
}
