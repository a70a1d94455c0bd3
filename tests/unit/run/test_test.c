/* The life of a test: its states, and what is left when it is over, whatever its pod's agent does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/test.h"
#include "src/wire/frame.h"
#include "tests/unit/run/played_pod.h"
#include "tests/unit/support/support.h"

struct scene {
    struct played played;
    char *folder;
    struct suite suite;
    struct results_folder results;
    struct progress progress;
    FILE *null;
    struct sipp_options sipp;
    struct mounts_plan mounts;
    struct log_style style;
    struct test_context context;
    struct test_run *run;
    struct test_result *result;      /* once it is over */
    struct buffer commands;          /* that the agent got, a word each */
    const char *dies_at, *silent_at; /* the command, as in `commands`, that it ends at, or makes nothing of */
    int before_exit, caller_exit;
    bool floods;
    struct container_message callee, caller;
};

/* ---- an agent, as it should be unless the scene says otherwise; in a thread of its own ---- */

static char *describe(const struct played_command *command)
{
    const struct container_message *container = &command->container;

    if (!container->id)
        return text_copy(ctl_name(command->code));
    return text_format("%s:%s", ctl_name(command->code),
                       container->process.id ? container->process.id : container->id);
}

static void tell_listening(struct scene *scene, const struct container_message *container)
{
    assert_int_equal(
        hyperstart_mock_send_event(scene->played.mock, container->id, container->id, "listening", NULL, 0),
        0);
}

static void keep_streams(struct container_message *kept, const struct container_message *container)
{
    kept->process.stdio = container->process.stdio;
    kept->process.stderr_stream = container->process.stderr_stream;
}

static void end_call(void *user)
{
    struct scene *scene = user;

    hyperstart_mock_send_exit_status(scene->played.mock, 77, 1); /* of a stream that nobody knows */
    played_exit(&scene->played, &scene->caller, scene->caller_exit);
    if (!scene->caller_exit)
        played_exit(&scene->played, &scene->callee, 0);
}

static void start_sipp(struct scene *scene, const struct container_message *container)
{
    bool is_callee = container->listen.address;

    keep_streams(is_callee ? &scene->callee : &scene->caller, container);
    if (is_callee)
        tell_listening(scene, container);
    else if (scene->floods)
        played_flood(&scene->played, scene->callee.process.stdio, end_call, scene);
    else
        end_call(scene);
}

static void on_command(void *user, const struct played_command *command)
{
    struct scene *scene = user;
    cleanup_free char *text = describe(command);

    buffer_addf(&scene->commands, "%s ", text);
    if (text_equal(scene->dies_at, text))
        played_die(&scene->played);
    else if (text_equal(scene->silent_at, text))
        return;
    else if (command->code == CTL_EXECCMD)
        played_exit(&scene->played, &command->container, strstr(text, "before") ? scene->before_exit : 0);
    else if (command->code == CTL_NEWCONTAINER)
        start_sipp(scene, &command->container);
    else if (command->code == CTL_KILLCONTAINER)
        played_exit(&scene->played, &scene->callee, 0);
}

/* ---- a test ---- */

static void load_suite(struct scene *scene)
{
    static const struct suite_filter filter = {0};
    cleanup_free char *suite = text_format("%s/suite", scene->folder);
    cleanup_strings struct strings paths = {0};
    cleanup_strings struct strings problems = {0};

    folder_put(scene->folder, "suite/call/uas_ua0.xml", "<scenario/>");
    folder_put(scene->folder, "suite/call/uac_ua1.xml", "<scenario/>");
    folder_put(scene->folder, "suite/call/before.sh", "true\n");
    folder_put(scene->folder, "suite/call/after.sh", "true\n");
    strings_add(&paths, suite);
    if (suite_load(&paths, &filter, &scene->suite, &problems) < 0)
        fail_msg("%s", problems.count ? problems.list[0] : "the suite cannot be loaded");
}

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    cleanup_free char *results = NULL;

    played_open(&scene->played, true);
    played_act(&scene->played, on_command, scene);
    scene->folder = folder_make();
    load_suite(scene);
    results = text_format("%s/results", scene->folder);
    assert_int_equal(results_folder_open(results, &scene->results, NULL), 0);
    scene->null = fopen("/dev/null", "we");
    progress_open(&scene->progress, PROGRESS_QUIET, scene->null);
    scene->sipp = (struct sipp_options){.program = "/usr/bin/sipp", .descriptors = 1024};
    scene->callee.id = (char *)"ua0";
    scene->caller.id = (char *)"ua1";
    scene->context = (struct test_context){
        .host = &scene->played.host,
        .suite = &scene->suite,
        .results = &scene->results,
        .progress = &scene->progress,
        .sipp = &scene->sipp,
        .mounts = &scene->mounts,
        .log_style = &scene->style,
        .keep = KEEP_FAILED,
    };
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    test_result_free(scene->result);
    played_close(&scene->played);
    suite_free(&scene->suite);
    results_folder_close(&scene->results);
    fclose(scene->null);
    folder_remove(scene->folder);
    buffer_free(&scene->commands);
    free(scene);
    return 0;
}

static void on_ended(void *user, struct test_result *result, bool no_room)
{
    struct scene *scene = user;

    assert_false(no_room);
    scene->result = result;
    scene->run = NULL;
    loop_quit(scene->played.host.loop);
}

static const struct test_callbacks callbacks = {.ended = on_ended};

static void start(struct scene *scene)
{
    scene->run = test_run_start(&scene->context, &scene->suite.tests[0], 1, &callbacks, scene);
}

/* It ends with these states, this reason, and nothing of its pod is left. */
#define goes(scene, states, reason) goes_check(scene, states, reason, __FILE__, __LINE__)
static void goes_check(struct scene *scene, const char *states, const char *reason, const char *file,
                       int line)
{
    cleanup_buffer struct buffer text = {0};

    if (!scene->run)
        start(scene);
    loop_run_out_within(scene->played.host.loop, PLAYED_WAIT_MS);
    for (size_t i = 0; i < scene->result->states.count; i++)
        buffer_addf(&text, "%s%s", i ? ", " : "", scene->result->states.list[i]);
    buffer_add(&text, "", 1);
    _assert_string_equal((const char *)text.data, states, file, line);
    _assert_string_equal(scene->result->reason ? scene->result->reason : "", reason, file, line);
    _assert_true(scene->played.launch == NULL, "no pod is left", file, line);
}

static void agent_got(struct scene *scene, const char *commands)
{
    played_act_out(&scene->played);
    buffer_add(&scene->commands, "", 1);
    assert_string_equal((const char *)scene->commands.data, commands);
}

static bool folder_is_kept(const struct scene *scene)
{
    cleanup_free char *path =
        scene->result->folder ? text_format("%s/%s", scene->results.path, scene->result->folder) : NULL;

    return path && access(path, F_OK) == 0;
}

#define NEVER_READY "CREATED, PREPARING, NOT READY"
#define PASSED      "CREATED, PREPARING, READY, STARTING, SUCCESS, CLEANING, CLEAN"
#define FAILED      "CREATED, PREPARING, READY, STARTING, FAIL, CLEANING, CLEAN"
#define DIRTY       "CREATED, PREPARING, READY, STARTING, FAIL, CLEANING, DIRTY"

/* ---- as it should be ---- */

static void test_success(void **state)
{
    struct scene *scene = *state;

    goes(scene, PASSED, "");
    agent_got(scene,
              "startpod execcmd:before.sh newcontainer:ua0 newcontainer:ua1 execcmd:after.sh destroypod ");
    assert_int_equal(scene->result->verdict, VERDICT_PASS);
    assert_int_equal(scene->result->uas[0].exit_code, 0);
    assert_false(folder_is_kept(scene));
}

static void test_failed_call(void **state)
{
    struct scene *scene = *state;

    scene->caller_exit = 1;
    goes(scene, FAILED, "ua1 (uac_ua1.xml): a call failed (exit code 1)");
    agent_got(scene, "startpod execcmd:before.sh newcontainer:ua0 newcontainer:ua1 killcontainer "
                     "execcmd:after.sh destroypod ");
    assert_int_equal(scene->result->verdict, VERDICT_FAIL);
    assert_true(scene->result->clean && folder_is_kept(scene));
}

static void test_failed_before(void **state)
{
    struct scene *scene = *state;

    scene->before_exit = 4;
    goes(scene, NEVER_READY, "before.sh ended with exit code 4");
    agent_got(scene, "startpod execcmd:before.sh destroypod ");
}

/* ---- an agent that refuses, dies or is silent ---- */

static void test_startpod_refused(void **state)
{
    struct scene *scene = *state;

    played_answers(&scene->played, CTL_STARTPOD, HYPERSTART_MOCK_ERROR, "cannot make a dummy: no such type");
    goes(scene, NEVER_READY, "cannot make a dummy: no such type");
    agent_got(scene, "startpod destroypod ");
    assert_int_equal(scene->result->outcome, OUTCOME_NOT_READY);
    assert_int_equal(scene->result->verdict, VERDICT_FAIL);
    assert_true(scene->result->clean && folder_is_kept(scene));
}

static void test_startpod_unanswered(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    played_answers(&scene->played, CTL_STARTPOD, HYPERSTART_MOCK_NEVER, NULL);
    goes(scene, NEVER_READY, "the agent did not answer startpod within 30 s");
    assert_int_equal(scene->played.killed, 1);
}

static void test_death_after_startpod(void **state)
{
    struct scene *scene = *state;

    scene->dies_at = "execcmd:before.sh";
    goes(scene, NEVER_READY, "before.sh: the agent has ended");
    assert_true(scene->result->clean && folder_is_kept(scene));
}

static void test_script_unanswered(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    played_answers(&scene->played, CTL_EXECCMD, HYPERSTART_MOCK_NEVER, NULL);
    scene->silent_at = "execcmd:before.sh";
    goes(scene, NEVER_READY, "before.sh: the agent did not answer execcmd within 30 s");
    assert_int_equal(scene->played.killed, 1);
}

/* after.sh is owed, and cannot be run. */
static void test_death_while_sipp_runs(void **state)
{
    struct scene *scene = *state;

    scene->dies_at = "newcontainer:ua1";
    goes(scene, DIRTY, "ua1 (uac_ua1.xml): the agent has ended; after.sh: the agent has ended");
    assert_int_equal(scene->result->outcome, OUTCOME_FAIL);
    assert_false(scene->result->clean);
}

static void test_sipp_unanswered(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    played_answers(&scene->played, CTL_NEWCONTAINER, HYPERSTART_MOCK_NEVER, NULL);
    scene->silent_at = "newcontainer:ua0";
    goes(scene, DIRTY,
         "ua0 (uas_ua0.xml): the agent did not answer newcontainer within 30 s; "
         "after.sh: the agent did not answer newcontainer within 30 s");
    assert_int_equal(scene->played.killed, 1);
}

static void test_after_unanswered(void **state)
{
    struct scene *scene = *state;
    const struct hyperstart_mock_answer never = {.reply = HYPERSTART_MOCK_NEVER};

    played_hurry();
    assert_int_equal(hyperstart_mock_set_answer(scene->played.mock, CTL_EXECCMD, 2, &never), 0);
    scene->silent_at = "execcmd:after.sh";
    goes(scene, "CREATED, PREPARING, READY, STARTING, SUCCESS, CLEANING, DIRTY",
         "after.sh: the agent did not answer execcmd within 30 s");
    assert_int_equal(scene->result->verdict, VERDICT_FAIL);
    assert_true(folder_is_kept(scene));
}

static void test_destroypod_unanswered(void **state)
{
    struct scene *scene = *state;

    played_hurry();
    played_answers(&scene->played, CTL_DESTROYPOD, HYPERSTART_MOCK_NEVER, NULL);
    goes(scene, PASSED, "");
    assert_int_equal(scene->played.killed, 1);
}

/* ---- an agent that is too talkative ---- */

static void test_flood(void **state)
{
    struct scene *scene = *state;

    scene->context.keep = KEEP_ALL;
    scene->floods = true;
    goes(scene, PASSED, "");
    played_flood_is_bounded(&scene->played);
    assert_true(folder_is_kept(scene));
}

/* ---- cut off ---- */

static void interrupt(void *user)
{
    struct scene *scene = user;

    test_run_interrupt(scene->run, "interrupted by SIGINT");
}

/* A signal while the agent does not answer. */
static void test_interrupt(void **state)
{
    struct scene *scene = *state;

    played_answers(&scene->played, CTL_STARTPOD, HYPERSTART_MOCK_NEVER, NULL);
    start(scene);
    loop_after(scene->played.host.loop, 10, interrupt, scene);
    goes(scene, NEVER_READY, "interrupted by SIGINT");
    assert_int_equal(scene->result->outcome, OUTCOME_INTERRUPTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_success),           TEST(test_failed_call),           TEST(test_failed_before),
        TEST(test_startpod_refused),  TEST(test_startpod_unanswered),   TEST(test_death_after_startpod),
        TEST(test_script_unanswered), TEST(test_death_while_sipp_runs), TEST(test_sipp_unanswered),
        TEST(test_after_unanswered),  TEST(test_destroypod_unanswered), TEST(test_flood),
        TEST(test_interrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
