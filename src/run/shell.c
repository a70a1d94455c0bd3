#include "src/run/shell.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/run/terminal.h"

#define INPUT_PIECE  ((size_t)64 * 1024)
#define OUTPUT_PIECE ((size_t)4096) /* PIPE_BUF: a pipe that is writable takes as much without blocking */
#define OUTPUT_HIGH  ((size_t)256 * 1024)
#define PATIENCE_MS  1000 /* after SIGHUP */

struct shell {
    struct shell_config config;
    struct terminal *terminal;   /* NULL: none */
    const char *programs[4];     /* the first that can be run is it; NULL ends them */
    size_t program;              /* being tried */
    struct pod_process *process; /* NULL: over */
    bool started;
    bool ending;         /* nobody wants to know what it still prints */
    bool hung_up;        /* the terminal was closed */
    struct watch *input; /* while it is read */
    struct timer *file;  /* in its place: a file is always ready */
    bool input_ended;
    struct way {
        struct shell *shell;
        int fd;
        struct buffer waiting;
        struct watch *watch; /* while something waits */
    } ways[2];               /* its output, its errors */
    struct timer *timer;     /* of patience, or of the end */
    int exit_code;
    struct error *problem;
    void (*over)(void *user, int exit_code, const struct error *error);
    void *user;
};

/* ---- the way out ---- */

static void stop_input(struct shell *shell)
{
    watch_stop(&shell->input);
    timer_stop(&shell->file);
}

static void shell_free(struct shell *shell)
{
    stop_input(shell);
    timer_stop(&shell->timer);
    for (int i = 0; i < 2; i++) {
        watch_stop(&shell->ways[i].watch);
        buffer_free(&shell->ways[i].waiting);
    }
    terminal_give_back(shell->terminal);
    error_free(shell->problem);
    free(shell);
}

static void on_over(void *user)
{
    struct shell *shell = user;
    void (*over)(void *user, int exit_code, const struct error *error) = shell->over;
    cleanup_error struct error *problem = steal_pointer(&shell->problem);
    int exit_code = shell->exit_code;
    void *over_user = shell->user;

    shell->timer = NULL;
    if (shell->terminal && (shell->ending || problem))
        terminal_drop_keys();
    shell_free(shell);
    over(over_user, exit_code, problem);
}

/* From the loop: whoever hears of it may stand in the midst of ending it. */
static void leave_when_complete(struct shell *shell)
{
    if (shell->process || shell->ways[0].waiting.length || shell->ways[1].waiting.length)
        return;
    timer_stop(&shell->timer);
    shell->timer = loop_after(shell->config.loop, 0, on_over, shell);
}

static void start(struct shell *shell);

static void on_ended(void *user, const struct process_end *end, const struct error *error)
{
    struct shell *shell = user;

    shell->process = NULL;
    stop_input(shell);
    if (error && !shell->started && !shell->ending && shell->programs[shell->program + 1]) {
        shell->program++;
        start(shell);
        return;
    }
    if (error)
        error_set(&shell->problem, error->code, "the shell: %s", error_text(error));
    else
        shell->exit_code = shell->hung_up ? 128 + SIGHUP : end->exit_code; /* whichever it saw first */
    leave_when_complete(shell);
}

static void on_impatient(void *user)
{
    struct shell *shell = user;

    shell->timer = NULL;
    shell_kill(shell);
}

/* What it prints from now on would keep it waiting, if nobody reads it. */
static void drop_output(struct shell *shell)
{
    for (int i = 0; i < 2; i++) {
        watch_stop(&shell->ways[i].watch);
        buffer_free(&shell->ways[i].waiting);
    }
    if (shell->process)
        pod_process_hold_output(shell->process, false);
}

void shell_end(struct shell *shell)
{
    if (shell->ending)
        return;
    shell->ending = true;
    stop_input(shell);
    drop_output(shell);
    if (shell->process) {
        pod_process_kill(shell->process, SIGHUP, true);
        if (shell->terminal && shell->started) /* bash may not look at the signal before the next key */
            pod_process_input(shell->process, NULL, 0);
        shell->timer = loop_after(shell->config.loop, PATIENCE_MS, on_impatient, shell);
    } else {
        leave_when_complete(shell);
    }
}

void shell_kill(struct shell *shell)
{
    if (shell->process)
        pod_process_kill(shell->process, SIGKILL, true);
}

/* ---- what it prints ---- */

static bool is_full(const struct shell *shell)
{
    return shell->ways[0].waiting.length > OUTPUT_HIGH || shell->ways[1].waiting.length > OUTPUT_HIGH;
}

static void on_writable(void *user, uint32_t events)
{
    struct way *way = user;
    struct shell *shell = way->shell;
    size_t length = way->waiting.length < OUTPUT_PIECE ? way->waiting.length : OUTPUT_PIECE;
    ssize_t written = write(way->fd, way->waiting.data, length);

    (void)events;
    if (written < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (written < 0) /* whoever read it has gone; SIGPIPE tells the rest */
        buffer_free(&way->waiting);
    else
        buffer_drop(&way->waiting, (size_t)written);
    if (!way->waiting.length)
        watch_stop(&way->watch);
    if (shell->process)
        pod_process_hold_output(shell->process, is_full(shell));
    leave_when_complete(shell);
}

static void on_output(void *user, bool errors, const uint8_t *data, size_t length)
{
    struct shell *shell = user;
    struct way *way = &shell->ways[errors];

    if (shell->ending)
        return;
    if (!way->watch)
        way->watch = loop_watch(shell->config.loop, way->fd, EPOLLOUT, on_writable, way, NULL);
    if (!way->watch) { /* a file, which takes all at once */
        (void)file_write_all(way->fd, data, length);
        return;
    }
    buffer_add(&way->waiting, data, length);
    if (is_full(shell))
        pod_process_hold_output(shell->process, true);
}

/* ---- what it reads ---- */

static void start_input(struct shell *shell);

/* Only once there is something: it does not block. */
static void take_input(struct shell *shell)
{
    uint8_t data[INPUT_PIECE];
    ssize_t length = read(STDIN_FILENO, data, sizeof data);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0 && shell->terminal) {
        shell->hung_up = true;
        shell_end(shell);
        return;
    }
    if (length <= 0) {
        shell->input_ended = true;
        stop_input(shell);
        pod_process_input(shell->process, NULL, 0);
        return;
    }
    pod_process_input(shell->process, data, (size_t)length);
    if (pod_process_input_waiting(shell->process))
        stop_input(shell); /* until that has been sent */
}

static void on_readable(void *user, uint32_t events)
{
    (void)events;
    take_input(user);
}

static void on_file(void *user)
{
    struct shell *shell = user;

    shell->file = NULL;
    take_input(shell);
    start_input(shell);
}

static void start_input(struct shell *shell)
{
    if (!shell->started || shell->input_ended || shell->ending || shell->input || shell->file ||
        pod_process_input_waiting(shell->process))
        return;
    shell->input = loop_watch(shell->config.loop, STDIN_FILENO, EPOLLIN, on_readable, shell, NULL);
    if (!shell->input)
        shell->file = loop_after(shell->config.loop, 0, on_file, shell);
}

static void on_input_sent(void *user)
{
    start_input(user);
}

/* ---- its start ---- */

static void on_resized(void *user)
{
    struct shell *shell = user;
    unsigned rows, columns;

    terminal_size(&rows, &columns);
    if (shell->started && shell->process)
        pod_process_resize(shell->process, rows, columns);
}

static void on_started(void *user)
{
    struct shell *shell = user;

    shell->started = true;
    if (shell->terminal)
        on_resized(shell);
    start_input(shell);
}

static const struct pod_process_callbacks callbacks = {
    .started = on_started,
    .input_sent = on_input_sent,
    .output = on_output,
    .ended = on_ended,
};

static void start(struct shell *shell)
{
    const struct shell_config *config = &shell->config;
    struct limit_message descriptors = config->descriptors;
    struct container_message container = {
        .id = (char *)"shell",
        .process =
            {
                .workdir = (char *)config->folder,
                .envs = config->envs,
                .env_count = config->env_count,
                .capabilities = *config->capabilities, /* which stay whose they are */
                .limits = &descriptors,
                .limit_count = 1,
                .input = true,
                .terminal = shell->terminal != NULL,
            },
    };

    strings_add(&container.process.args, shell->programs[shell->program]);
    shell->process = pod_run(config->pod, &container, false, &callbacks, shell);
    strings_free(&container.process.args);
}

/* What reads commands from a pipe is always the same, and what runs the suite's scripts. */
static void choose_programs(struct shell *shell)
{
    size_t count = 0;

    if (shell->terminal && shell->config.program)
        shell->programs[count++] = shell->config.program;
    if (shell->terminal)
        shell->programs[count++] = "bash";
    shell->programs[count] = "/bin/sh";
}

struct shell *shell_start(const struct shell_config *config,
                          void (*over)(void *user, int exit_code, const struct error *error), void *user)
{
    struct shell *shell = memory_new(sizeof *shell);

    *shell = (struct shell){
        .config = *config,
        .ways = {{.shell = shell, .fd = STDOUT_FILENO}, {.shell = shell, .fd = STDERR_FILENO}},
        .over = over,
        .user = user,
    };
    if (terminal_is_there()) {
        shell->terminal = terminal_borrow(config->loop, on_resized, shell, &shell->problem);
        if (!shell->terminal) {
            leave_when_complete(shell);
            return shell;
        }
        shell->ways[0].fd = terminal_output(shell->terminal);
    }
    choose_programs(shell);
    start(shell);
    return shell;
}
