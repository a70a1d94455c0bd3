#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/run/played_pod.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/pod_launch.h"
#include "src/wire/frame.h"
#include "tests/unit/support/support.h"

#define HURRIED_MS 300 /* what time limits of a pod come to, where they are to be over */

/* ---- time ---- */

struct timer *__real_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);

static bool hurried;

void played_hurry(void)
{
    hurried = true;
}

/* Those for the agent: 30 s for an answer, 2 s for its end, and for a process's. */
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user)
{
    return __real_loop_after(loop, hurried && (ms == 30000 || ms == 2000) ? HURRIED_MS : ms, fn, user);
}

/* ---- the launch ---- */

struct pod_launch {
    struct played *played;
    const struct pod_launch_callbacks *callbacks;
    void *user;
    struct timer *timer;
    struct line {
        struct pod_launch *launch;
        int fd; /* sippod's end once more, to see the other one go; -1: none */
        struct watch *watch;
    } lines[2];
};

static void on_first(void *user)
{
    struct pod_launch *launch = user;
    cleanup_error struct error *error = NULL;

    launch->timer = NULL;
    if (!launch->played->no_namespaces) {
        launch->callbacks->namespaces(launch->user);
        return;
    }
    error_set(&error, ERROR_HOST, "the pod cannot be made: no namespaces");
    launch->callbacks->failed(launch->user, error);
}

/* The end of PID 1 closes all that it had; here it is the other way round. */
static void on_hang_up(void *user, uint32_t events)
{
    struct line *line = user;
    struct pod_launch *launch = line->launch;
    struct process_end end = {0};

    (void)events;
    watch_stop(&line->watch);
    if (!launch->lines[0].watch && !launch->lines[1].watch)
        launch->callbacks->ended(launch->user, &end);
}

struct pod_launch *__wrap_pod_launch_start(struct host *host, const struct pod_launch_config *config,
                                           const struct pod_launch_callbacks *callbacks, void *user,
                                           struct error **ret);
void __wrap_pod_launch_channels(struct pod_launch *launch, int *ret_ctl, int *ret_io);
void __wrap_pod_launch_namespaces(const struct pod_launch *launch, int *ret_user, int *ret_network);
void __wrap_pod_launch_listen(struct pod_launch *launch);
void __wrap_pod_launch_kill(struct pod_launch *launch);
void __wrap_pod_launch_free(struct pod_launch *launch);

struct pod_launch *__wrap_pod_launch_start(struct host *host, const struct pod_launch_config *config,
                                           const struct pod_launch_callbacks *callbacks, void *user,
                                           struct error **ret)
{
    struct played *played = (struct played *)host;
    struct pod_launch *launch;

    assert_null(config->guest);
    if (played->no_fork) {
        error_set(ret, ERROR_HOST, "no fork");
        return NULL;
    }
    launch = memory_new(sizeof *launch);
    *launch = (struct pod_launch){
        .played = played, .callbacks = callbacks, .user = user, .lines = {{.fd = -1}, {.fd = -1}}};
    launch->timer = __real_loop_after(host->loop, 0, on_first, launch);
    played->launch = launch;
    return launch;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void __wrap_pod_launch_channels(struct pod_launch *launch, int *ret_ctl, int *ret_io)
{
    struct hyperstart_mock *mock = launch->played->mock;

    *ret_ctl = connect_to(hyperstart_mock_ctl_path(mock));
    *ret_io = connect_to(hyperstart_mock_io_path(mock));
    for (int i = 0; i < 2; i++) {
        struct line *line = &launch->lines[i];

        *line = (struct line){.launch = launch, .fd = fcntl(i ? *ret_io : *ret_ctl, F_DUPFD_CLOEXEC, 0)};
        line->watch = loop_watch(launch->played->host.loop, line->fd, 0, on_hang_up, line, NULL);
        assert_non_null(line->watch);
    }
}

void __wrap_pod_launch_namespaces(const struct pod_launch *launch, int *ret_user, int *ret_network)
{
    (void)launch;
    *ret_user = *ret_network = -1;
}

void __wrap_pod_launch_listen(struct pod_launch *launch)
{
    (void)launch;
}

void __wrap_pod_launch_kill(struct pod_launch *launch)
{
    launch->played->killed++;
    played_die(launch->played);
}

void __wrap_pod_launch_free(struct pod_launch *launch)
{
    if (!launch)
        return;
    launch->played->launch = NULL;
    timer_stop(&launch->timer);
    for (int i = 0; i < 2; i++) {
        watch_stop(&launch->lines[i].watch);
        close_fd(&launch->lines[i].fd);
    }
    free(launch);
}

/* ---- the router ---- */

struct request {
    void (*done)(void *user, const struct error *error);
    void (*linked)(void *user, const struct error *error, const uint8_t mac[ROUTER_MAC_LENGTH]);
    void *user;
    bool fails;
};

static void on_request(void *user)
{
    static const uint8_t mac[ROUTER_MAC_LENGTH] = {2, 0, 0, 0, 0, 1};
    struct request *request = user;
    cleanup_error struct error *error = NULL;

    if (request->fails)
        error_set(&error, ERROR_FAILED, "no link");
    if (request->linked)
        request->linked(request->user, error, mac);
    else
        request->done(request->user, error);
    free(request);
}

static void answer_later(struct played *played, const struct request *request)
{
    struct request *copy = memory_new(sizeof *copy);

    *copy = *request;
    if (played->slow_link && request->linked)
        played->waiting = copy;
    else
        __real_loop_after(played->host.loop, 0, on_request, copy);
}

void played_answer_link(struct played *played)
{
    on_request(steal_pointer(&played->waiting));
}

void __wrap_router_client_pod_add(struct router_client *client, const char *run_id, int netns,
                                  void (*done)(void *user, const struct error *error,
                                               const uint8_t mac[ROUTER_MAC_LENGTH]),
                                  void *user);
void __wrap_router_client_pod_up(struct router_client *client, const char *run_id,
                                 void (*done)(void *user, const struct error *error), void *user);
void __wrap_router_client_pod_remove(struct router_client *client, const char *run_id,
                                     void (*done)(void *user, const struct error *error), void *user);
void __wrap_router_client_address_add(struct router_client *client, const char *run_id, const char *address,
                                      bool shared, void (*done)(void *user, const struct error *error),
                                      void *user);

void __wrap_router_client_pod_add(struct router_client *client, const char *run_id, int netns,
                                  void (*done)(void *user, const struct error *error,
                                               const uint8_t mac[ROUTER_MAC_LENGTH]),
                                  void *user)
{
    struct played *played = (struct played *)client;
    const struct request request = {.linked = done, .user = user, .fails = played->no_link};

    (void)run_id;
    (void)netns;
    buffer_addf(&played->told, "link ");
    answer_later(played, &request);
}

void __wrap_router_client_pod_up(struct router_client *client, const char *run_id,
                                 void (*done)(void *user, const struct error *error), void *user)
{
    struct played *played = (struct played *)client;
    const struct request request = {.done = done, .user = user};

    (void)run_id;
    buffer_addf(&played->told, "up ");
    answer_later(played, &request);
}

void __wrap_router_client_pod_remove(struct router_client *client, const char *run_id,
                                     void (*done)(void *user, const struct error *error), void *user)
{
    struct played *played = (struct played *)client;
    const struct request request = {.done = done, .user = user};

    (void)run_id;
    buffer_addf(&played->told, "remove ");
    answer_later(played, &request);
}

void __wrap_router_client_address_add(struct router_client *client, const char *run_id, const char *address,
                                      bool shared, void (*done)(void *user, const struct error *error),
                                      void *user)
{
    struct played *played = (struct played *)client;
    const struct request request = {.done = done, .user = user};

    (void)run_id;
    (void)shared;
    buffer_addf(&played->told, "%s ", address);
    answer_later(played, &request);
}

/* ---- the agent ---- */

void played_die(struct played *played)
{
    (void)hyperstart_mock_close(played->mock, HYPERSTART_MOCK_CTL);
    (void)hyperstart_mock_close(played->mock, HYPERSTART_MOCK_IO);
}

void played_answers(struct played *played, uint32_t code, enum hyperstart_mock_reply reply, const char *text)
{
    const struct hyperstart_mock_answer answer = {
        .reply = reply, .payload = text, .length = text ? strlen(text) : 0};

    assert_int_equal(hyperstart_mock_set_answer(played->mock, code, 0, &answer), 0);
}

/* In any thread: that the client may have gone is the test's to notice. */
void played_exit(struct played *played, const struct container_message *process, int exit_code)
{
    const struct process_message *message = &process->process;

    (void)hyperstart_mock_send_event(played->mock, process->id, message->id ? message->id : process->id,
                                     "exited", NULL, exit_code);
    (void)hyperstart_mock_close_io(played->mock, message->stderr_stream);
    (void)hyperstart_mock_close_io(played->mock, message->stdio);
    (void)hyperstart_mock_send_exit_status(played->mock, message->stdio, (uint8_t)exit_code);
}

struct played_agent {
    struct hyperstart_mock *mock;
    void (*command)(void *user, const struct played_command *command);
    void *user;
    pthread_t thread;
};

static void tell_command(const struct played_agent *agent, const struct hyperstart_mock_message *message)
{
    struct played_command command = {.code = message->code, .payload = (const char *)message->payload};

    if (message->code == CTL_NEWCONTAINER)
        (void)container_message_decode(message->payload, message->length, &command.container, NULL);
    if (message->code == CTL_EXECCMD)
        (void)exec_message_decode(message->payload, message->length, &command.container, NULL);
    agent->command(agent->user, &command);
    container_message_free(&command.container);
}

static void *act(void *user)
{
    const struct played_agent *agent = user;
    struct hyperstart_mock_message *message;

    while ((message = hyperstart_mock_next_message(agent->mock, -1))) {
        tell_command(agent, message);
        free(message);
    }
    return NULL;
}

void played_act(struct played *played, void (*command)(void *user, const struct played_command *command),
                void *user)
{
    struct played_agent *agent = memory_new(sizeof *agent);

    *agent = (struct played_agent){.mock = played->mock, .command = command, .user = user};
    assert_int_equal(pthread_create(&agent->thread, NULL, act, agent), 0);
    played->agent = agent;
}

void played_act_out(struct played *played)
{
    struct played_agent *agent = steal_pointer(&played->agent);

    if (agent)
        assert_int_equal(pthread_join(agent->thread, NULL), 0);
    free(agent);
}

/* ---- a flood ---- */

struct played_flood {
    struct played *played;
    uint64_t sequence;
    long before_kb;
    void (*enough)(void *user);
    void *user;
    pthread_t thread;
};

static void *pour(void *user)
{
    static const char data[60000];
    const struct played_flood *flood = user;
    struct hyperstart_mock *mock = flood->played->mock;
    bool enough = false;

    for (size_t bytes = 0;; bytes += 2 * sizeof data) {
        if (hyperstart_mock_send_io(mock, 99, data, sizeof data) < 0 ||
            hyperstart_mock_send_io(mock, flood->sequence, data, sizeof data) < 0)
            return NULL;
        if (enough || bytes < FLOOD_BYTES)
            continue;
        enough = true;
        flood->enough(flood->user);
    }
}

/* The most memory that this process has ever had. */
static long memory_kb(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

void played_flood(struct played *played, uint64_t sequence, void (*enough)(void *user), void *user)
{
    struct played_flood *flood = memory_new(sizeof *flood);

    *flood = (struct played_flood){
        .played = played, .sequence = sequence, .before_kb = memory_kb(), .enough = enough, .user = user};
    assert_int_equal(pthread_create(&flood->thread, NULL, pour, flood), 0);
    played->flood = flood;
}

void played_flood_is_bounded(const struct played *played)
{
#ifdef ADDRESS_SANITIZER
    (void)played;
#else
    assert_in_range(memory_kb() - played->flood->before_kb, 0, 10 * 1024);
#endif
}

/* ---- all of it ---- */

void played_open(struct played *played, bool ready)
{
    const struct hyperstart_mock_options options = {.ready = ready, .send_wait_ms = 20000};
    char detail[HYPERSTART_MOCK_DETAIL];

    *played = (struct played){.host = {.loop = loop_new(NULL)}};
    played->host.router = (struct router_client *)played;
    played->mock = hyperstart_mock_new(&options);
    assert_non_null(played->mock);
    if (hyperstart_mock_start(played->mock, detail) < 0)
        fail_msg("%s", detail);
    played_answers(played, CTL_DESTROYPOD, HYPERSTART_MOCK_CLOSE, NULL);
}

void played_close(struct played *played)
{
    hurried = false;
    assert_null(played->launch);
    loop_settle(played->host.loop); /* what the router still has to answer */
    (void)hyperstart_mock_stop(played->mock, 0);
    played_act_out(played);
    if (played->flood)
        assert_int_equal(pthread_join(played->flood->thread, NULL), 0);
    free(played->flood);
    hyperstart_mock_free(played->mock);
    loop_free(played->host.loop);
    buffer_free(&played->told);
}
