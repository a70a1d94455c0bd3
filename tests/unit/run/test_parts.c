/* The order in which a test's SIPps are started and ended. The pod and the clock are played by this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/parts.h"
#include "tests/unit/support/support.h"

/* ---- a pod ---- */

struct pod_process {
    char *ua;
    const struct pod_process_callbacks *callbacks;
    void *user;
    struct pod_process *next;
};

static struct pod_process *processes;
static struct buffer told; /* what was done to the pod, a word each */

struct pod_process *__wrap_pod_run(struct pod *pod, struct container_message *container, bool exec,
                                   const struct pod_process_callbacks *callbacks, void *user);
void __wrap_pod_process_kill(struct pod_process *process, int signal, bool all);

/* "ua1-m5" is ua1 started with -m 5, "ua1-m5@udp5060" if somebody waits for that socket. */
struct pod_process *__wrap_pod_run(struct pod *pod, struct container_message *container, bool exec,
                                   const struct pod_process_callbacks *callbacks, void *user)
{
    struct pod_process *process = memory_new(sizeof *process);
    const struct strings *arguments = &container->process.args;

    (void)pod;
    assert_false(exec);
    *process = (struct pod_process){text_copy(container->id), callbacks, user, processes};
    processes = process;
    buffer_addf(&told, "%s", container->id);
    for (size_t i = 0; i + 1 < arguments->count; i++)
        if (strcmp(arguments->list[i], "-m") == 0)
            buffer_addf(&told, "-m%s", arguments->list[i + 1]);
    if (container->listen.address)
        buffer_addf(&told, "@%s%u", container->listen.protocol, container->listen.port);
    buffer_addf(&told, " ");
    return process;
}

void __wrap_pod_process_kill(struct pod_process *process, int signal, bool all)
{
    assert_int_equal(all, signal == SIGKILL);
    buffer_addf(&told, "%s:%s ", process_signal_name(signal), process->ua);
}

static struct pod_process **find(const char *ua)
{
    struct pod_process **place = &processes;

    while (*place && strcmp((*place)->ua, ua) != 0)
        place = &(*place)->next;
    if (!*place)
        fail_msg("%s is not running", ua);
    return place;
}

static void bind_it(const char *ua)
{
    struct pod_process *process = *find(ua);

    process->callbacks->listening(process->user, NULL);
}

static void end(const char *ua, int exit_code)
{
    struct pod_process **place = find(ua), *process = *place;
    struct process_end how = {.exit_code = exit_code};

    *place = process->next;
    process->callbacks->ended(process->user, &how, NULL);
    free(process->ua);
    free(process);
}

/* ---- a clock: the last timer that was set ---- */

static struct {
    bool running;
    int64_t ms;
    void (*fn)(void *user);
    void *user;
} clock_;

struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);
void __wrap_timer_stop(struct timer **timer);

struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user)
{
    (void)loop;
    clock_.running = true;
    clock_.ms = ms;
    clock_.fn = fn;
    clock_.user = user;
    return (struct timer *)&clock_;
}

void __wrap_timer_stop(struct timer **timer)
{
    if (*timer)
        clock_.running = false;
    *timer = NULL;
}

static void time_is_over(int64_t ms)
{
    assert_true(clock_.running);
    assert_int_equal(clock_.ms, ms);
    clock_.running = false;
    clock_.fn(clock_.user);
}

/* ---- a test ---- */

static struct ua uas[] = {{(char *)"ua0", (char *)"198.18.1.0"},
                          {(char *)"ua1", (char *)"198.18.1.1"},
                          {(char *)"ua2", (char *)"198.18.1.2"}};
static struct scenario call[] = {
    {(char *)"uas_ua0.xml", (char *)"", (char *)"ua0", true},
    {(char *)"uac_ua1.xml", (char *)"", (char *)"ua1", false},
    {(char *)"uac_ua2.xml", (char *)"", (char *)"ua2", false},
};
static struct scenario two_parts[] = {
    {(char *)"1_uas_ua0.xml", (char *)"1", (char *)"ua0", true},
    {(char *)"1_uac_ua1.xml", (char *)"1", (char *)"ua1", false},
    {(char *)"2_uac_ua2.xml", (char *)"2", (char *)"ua2", false},
};

struct scene {
    char *folder;
    int dir;
    struct test test;
    struct sipp_options sipp;
    struct third_party third_party;
    struct ua_result results[3];
    struct parts *parts;
    bool done;
    char *failure;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->dir = folder_open(scene->folder);
    for (size_t i = 0; i < 3; i++) {
        folder_put(scene->folder, call[i].file, "<scenario/>");
        folder_put(scene->folder, two_parts[i].file, "<scenario/>");
    }
    scene->sipp = (struct sipp_options){.program = "sipp", .descriptors = 1024};
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    close(scene->dir);
    folder_remove(scene->folder);
    free(scene->failure);
    free(scene);
    buffer_free(&told);
    clock_.running = false;
    return processes ? -1 : 0;
}

static void on_done(void *user, const char *failure)
{
    struct scene *scene = user;

    assert_false(scene->done);
    scene->done = true;
    scene->failure = text_copy(failure);
}

static struct ua_config config_of(struct scene *scene, struct scenario *scenarios)
{
    scene->test = (struct test){.scenarios = scenarios, .scenario_count = 3, .uas = uas, .ua_count = 3};
    return (struct ua_config){
        .test = &scene->test,
        .sipp = &scene->sipp,
        .dut = "198.18.0.1",
        .third_party = &scene->third_party,
        .folder = scene->folder,
        .folder_fd = scene->dir,
    };
}

static void begin(struct scene *scene, struct scenario *scenarios)
{
    struct parts_config config = {.ua = config_of(scene, scenarios), .results = scene->results};

    scene->parts = parts_start(&config, on_done, scene);
}

/* What was done to the pod since this was asked last. */
static void did(const char *expected)
{
    buffer_add(&told, "", 1);
    assert_string_equal((const char *)told.data, expected);
    told.length = 0;
}

static void is_done(const struct scene *scene, const char *failure)
{
    assert_true(scene->done);
    assert_false(clock_.running);
    if (failure && !scene->failure)
        fail_msg("no failure");
    assert_true(text_equal(scene->failure, failure));
}

static void test_one_part(void **state)
{
    struct scene *scene = *state;

    scene->sipp.calls = 5;
    begin(scene, call);
    did("ua0-m5@udp5060 ");
    bind_it("ua0");
    did("ua1-m5 ua2-m5 ");
    end("ua1", 0);
    end("ua0", 0);
    assert_false(scene->done);
    end("ua2", 0);
    did("");
    is_done(scene, NULL);
    assert_true(scene->results[0].started && scene->results[1].started && scene->results[2].started);
}

/* Call after call, and in each part after part; each time the callee has to be bound. */
static void test_parts_and_calls(void **state)
{
    struct scene *scene = *state;

    scene->sipp.calls = 2;
    begin(scene, two_parts);
    for (int i = 0; i < 2; i++) {
        did("ua0-m1@udp5060 ");
        bind_it("ua0");
        did("ua1-m1 ");
        end("ua0", 0);
        end("ua1", 0);
        did("ua2-m1 ");
        assert_false(scene->done);
        end("ua2", 0);
    }
    did("");
    is_done(scene, NULL);
}

/* No other part and no other call; the exit codes are those of the last run of each. */
static void test_failure(void **state)
{
    struct scene *scene = *state;

    scene->sipp.calls = 3;
    begin(scene, two_parts);
    bind_it("ua0");
    end("ua0", 0);
    end("ua1", 0);
    end("ua2", 0);
    bind_it("ua0");
    told.length = 0;
    end("ua1", 1);
    did("SIGUSR1:ua0 ");
    time_is_over(5000);
    did("SIGKILL:ua0 ");
    end("ua0", 137);
    did("");
    is_done(scene, "part 1, call 2 of 3: ua1 (1_uac_ua1.xml): a call failed (exit code 1)");
    assert_int_equal(scene->results[0].exit_code, 137);
    assert_int_equal(scene->results[1].exit_code, 1);
    assert_int_equal(scene->results[2].exit_code, 0);
}

/* Each run of a part has its own time. */
static void test_time_of_a_part(void **state)
{
    struct scene *scene = *state;

    begin(scene, two_parts);
    bind_it("ua0");
    end("ua0", 0);
    told.length = 0;
    time_is_over(180000);
    did("SIGTERM:ua1 ");
    time_is_over(5000);
    did("SIGKILL:ua1 ");
    end("ua1", 137);
    is_done(scene, "part 1 was not over after 180 s; still running: ua1 (1_uac_ua1.xml)");
    assert_false(scene->results[2].started);
}

static void test_time_of_one_part(void **state)
{
    struct scene *scene = *state;

    begin(scene, call);
    bind_it("ua0");
    end("ua1", 0);
    time_is_over(180000);
    end("ua0", 0);
    end("ua2", 0);
    is_done(scene, "SIPp was not over after 180 s; still running: ua0 (uas_ua0.xml), ua2 (uac_ua2.xml)");
}

static void test_callee_that_ends_unbound(void **state)
{
    struct scene *scene = *state;

    begin(scene, call);
    end("ua0", 0);
    is_done(scene, "ua0 (uas_ua0.xml): SIPp ended before its socket was bound");
}

static void test_stop(void **state)
{
    struct scene *scene = *state;

    begin(scene, call);
    told.length = 0;
    parts_stop(scene->parts, "enough");
    bind_it("ua0"); /* too late: nobody is started any more */
    did("SIGTERM:ua0 ");
    time_is_over(1000);
    did("SIGKILL:ua0 ");
    end("ua0", 137);
    is_done(scene, "enough");
}

/* The master comes last, when the slaves' sockets are bound, whoever is UAS or UAC. */
static void test_third_party(void **state)
{
    static struct twin twins[] = {
        {(char *)"m", (char *)"198.18.1.1", 6001, true},
        {(char *)"s1", (char *)"198.18.1.2", 6002, false},
    };
    struct scene *scene = *state;

    scene->third_party = (struct third_party){twins, 2};
    begin(scene, call);
    did("ua0-m1@udp5060 ");
    bind_it("ua0");
    did("ua2-m1@tcp6002 ");
    bind_it("ua2");
    did("ua1-m1 ");
    end("ua0", 0);
    end("ua1", 0);
    end("ua2", 0);
    is_done(scene, NULL);
}

static void test_third_party_of_uass(void **state)
{
    static struct twin twins[] = {
        {(char *)"s1", (char *)"198.18.1.0", 6000, false},
        {(char *)"m", (char *)"198.18.1.2", 6002, true},
    };
    struct scene *scene = *state;

    scene->third_party = (struct third_party){twins, 2};
    begin(scene, call);
    did("ua0-m1@tcp6000 ");
    bind_it("ua0");
    did("ua1-m1 ua2-m1 ");
    end("ua1", 0);
    end("ua2", 0);
    end("ua0", 0);
    is_done(scene, NULL);
}

/* ---- what would be started ---- */

static void on_told(void *user, const struct part_command *command)
{
    const struct strings *arguments = command->arguments;
    const char *calls = NULL;

    for (size_t i = 1; i < arguments->count; i++)
        if (strcmp(arguments->list[i - 1], "-m") == 0)
            calls = arguments->list[i];
    buffer_addf(user, "%s%s-m%s%s ", command->first ? "[" : "", command->scenario->ua, calls,
                command->last ? "]" : "");
}

static void tells(struct scene *scene, struct scenario *scenarios, const char *expected)
{
    struct ua_config config = config_of(scene, scenarios);

    parts_tell(&config, on_told, &told);
    did(expected);
}

static void test_tell(void **state)
{
    static struct twin twins[] = {
        {(char *)"m", (char *)"198.18.1.1", 6001, true},
        {(char *)"s1", (char *)"198.18.1.2", 6002, false},
    };
    struct scene *scene = *state;

    scene->sipp.calls = 5;
    tells(scene, call, "[ua0-m5 ua1-m5 ua2-m5] ");
    tells(scene, two_parts, "[ua0-m1 ua1-m1] [ua2-m1] ");
    scene->third_party = (struct third_party){twins, 2};
    tells(scene, call, "[ua0-m5 ua2-m5 ua1-m5] ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_part),       TEST(test_parts_and_calls),  TEST(test_failure),
        TEST(test_time_of_a_part), TEST(test_time_of_one_part), TEST(test_callee_that_ends_unbound),
        TEST(test_stop),           TEST(test_third_party),      TEST(test_third_party_of_uass),
        TEST(test_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
