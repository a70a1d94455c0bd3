/* The real doctor on this host as it is, and on what is left of it after something was taken away: each
 * examination is sippod itself, started by a child that has crippled its own surroundings before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "sandbox/seccomp.h"
#include "src/base/memory.h"
#include "src/doctor/device.h"
#include "src/doctor/doctor.h"
#include "tests/unit/support/support.h"

#define ORDINARY_UID   64127
#define CANNOT_CRIPPLE 77

struct examination {
    int exit_code;
    json_t *json; /* NULL: it printed none */
};

/* ---- ways to cripple a child; 0, or -1 if this host does not let us ---- */

static int not_at_all(void)
{
    return 0;
}

/* An ordinary user already is one. */
static int as_ordinary(void)
{
    if (getuid() != 0)
        return 0;
    return setgroups(0, NULL) < 0 || setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) < 0 ||
                   setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0
               ? -1
               : 0;
}

static int write_setting(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) > 0 ? 0 : -1;
}

static int in_namespace_with(const char *setting, const char *value)
{
    uint64_t keep;

    return namespaces_enter_own(&keep, NULL) < 0 ? -1 : write_setting(setting, value);
}

static int without_user_namespaces(void)
{
    return in_namespace_with("/proc/sys/user/max_user_namespaces", "0");
}

static int with_one_user_namespace(void)
{
    return in_namespace_with("/proc/sys/user/max_user_namespaces", "1");
}

static int without_network_namespaces(void)
{
    return in_namespace_with("/proc/sys/user/max_net_namespaces", "0");
}

static int without_process_namespaces(void)
{
    return in_namespace_with("/proc/sys/user/max_pid_namespaces", "0");
}

/* The sanitizer's search for leaks takes a thread and traces the process. */
static int without_leak_search(void)
{
    return setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
}

/* No unshare, no clone with namespaces, no clone3: what container engines install, and more. */
static int under_filter(void)
{
    return without_leak_search() < 0 ? -1 : seccomp_pod(NULL);
}

static int with_covered_proc(void)
{
    uint64_t keep;

    if (getuid() != 0 && namespaces_enter_own(&keep, NULL) < 0)
        return -1;
    return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                   mount("tmpfs", "/proc/sys", "tmpfs", 0, NULL) < 0
               ? -1
               : 0;
}

static int without_programs(void)
{
    return setenv("PATH", "/nonexistent", 1);
}

static int with_two_processes(void)
{
    const struct rlimit limit = {2, 2};

    return without_leak_search() < 0 || as_ordinary() < 0 || setrlimit(RLIMIT_NPROC, &limit) < 0 ? -1 : 0;
}

static int with_few_descriptors(void)
{
    const struct rlimit limit = {16, 16};

    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- the examination ---- */

static void child(int (*cripple)(void), const char *const arguments[], int output)
{
    const char *all[16] = {"sippod", "doctor", "--json"};

    for (size_t i = 0; arguments && arguments[i]; i++)
        all[3 + i] = arguments[i];
    /* A python3 that comes by way of a version manager takes its time. */
    if (setenv("PATH", "/usr/bin:/bin", 1) < 0 || cripple() < 0)
        _exit(CANNOT_CRIPPLE);
    if (dup2(output, STDOUT_FILENO) >= 0)
        execv(SIPPOD, (char *const *)all);
    _exit(126);
}

static json_t *read_json(int fd)
{
    cleanup_buffer struct buffer text = {0};
    char chunk[4096];
    ssize_t length;

    while ((length = read(fd, chunk, sizeof chunk)) > 0)
        buffer_add(&text, chunk, (size_t)length);
    assert_int_equal(length, 0);
    return json_loadb((char *)text.data, text.length, 0, NULL);
}

/* Ends the test as skipped if the host cannot be crippled that way. */
static struct examination examine(int (*cripple)(void), const char *const arguments[])
{
    struct examination examination;
    int ends[2], status;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(cripple, arguments, ends[1]);
    close(ends[1]);
    examination.json = read_json(ends[0]);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    examination.exit_code = WEXITSTATUS(status);
    if (examination.exit_code == CANNOT_CRIPPLE) {
        print_message("SKIPPED: this host does not let us take that away\n");
        skip();
    }
    return examination;
}

static json_t *find(const struct examination *examination, const char *id)
{
    json_t *finding;
    size_t i;

    json_array_foreach(json_object_get(examination->json, "findings"), i, finding)
    {
        if (strcmp(json_string_value(json_object_get(finding, "id")), id) == 0)
            return finding;
    }
    return NULL;
}

static bool holds(const json_t *object, const char *member, const char *text)
{
    const char *value = json_string_value(json_object_get(object, member));

    return value && strstr(value, text);
}

static bool is(const struct examination *examination, const char *id, const char *level)
{
    return holds(find(examination, id), "level", level);
}

static bool works(const struct examination *examination, const char *mode)
{
    return json_is_true(
        json_object_get(json_object_get(json_object_get(examination->json, "modes"), mode), "works"));
}

static void check_works(const struct examination *examination)
{
    static const char *const ids[] = {"programs", "user-namespace", "namespaces", "veth",       "dummy",
                                      "router",   "files",          "seccomp",    "left-overs", "capture"};

    assert_non_null(examination->json);
    assert_int_equal(json_integer_value(json_object_get(examination->json, "schema")), 1);
    assert_int_equal(examination->exit_code, 0);
    assert_true(works(examination, "rootless"));
    assert_false(works(examination, "capabilities"));
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_non_null(find(examination, ids[i]));
        assert_false(is(examination, ids[i], "bad"));
    }
}

/* A finding is bad and says what mends it, and no mode works. */
static void check_refused(const struct examination *examination, const char *id, const char *mend)
{
    json_t *modes = json_object_get(examination->json, "modes"), *mode;
    const char *name;

    assert_non_null(examination->json);
    assert_int_equal(examination->exit_code, 3);
    assert_true(is(examination, id, "bad"));
    assert_non_null(json_string_value(json_object_get(find(examination, id), "means")));
    if (mend)
        assert_true(holds(find(examination, id), "mend", mend));
    json_object_foreach(modes, name, mode)
    {
        assert_true(json_is_false(json_object_get(mode, "works")));
        assert_non_null(json_string_value(json_object_get(mode, "why")));
    }
}

/* ---- the host as it is ---- */

static void test_host(void **state)
{
    struct examination examination = examine(not_at_all, NULL);

    (void)state;
    check_works(&examination);
    assert_int_equal(works(&examination, "root"), getuid() == 0);
    json_decref(examination.json);
}

static void test_ordinary(void **state)
{
    struct examination examination = examine(as_ordinary, NULL);

    (void)state;
    check_works(&examination);
    assert_false(works(&examination, "root"));
    json_decref(examination.json);
}

/* As a subreaper this process would inherit what an examination leaves running. */
static void test_nothing_is_left(void **state)
{
    struct examination examination;

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    examination = examine(not_at_all, NULL);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    json_decref(examination.json);
}

/* ---- what was taken away ---- */

static void test_no_user_namespaces(void **state)
{
    struct examination examination = examine(without_user_namespaces, NULL);

    (void)state;
    check_refused(&examination, "user-namespace", "sysctl user.max_user_namespaces=");
    assert_true(is(&examination, "namespace-limit", "bad"));
    json_decref(examination.json);
}

static void test_one_user_namespace(void **state)
{
    struct examination examination = examine(with_one_user_namespace, NULL);

    (void)state;
    check_refused(&examination, "user-namespace", "sysctl user.max_user_namespaces=");
    json_decref(examination.json);
}

static void test_no_network_namespaces(void **state)
{
    struct examination examination = examine(without_network_namespaces, NULL);

    (void)state;
    check_refused(&examination, "namespaces", "sysctl user.max_net_namespaces=");
    assert_true(holds(find(&examination, "namespaces"), "what", "network"));
    json_decref(examination.json);
}

static void test_no_process_namespaces(void **state)
{
    struct examination examination = examine(without_process_namespaces, NULL);

    (void)state;
    check_refused(&examination, "namespaces", "sysctl user.max_pid_namespaces=");
    json_decref(examination.json);
}

static void test_filter(void **state)
{
    struct examination examination = examine(under_filter, NULL);

    (void)state;
    check_refused(&examination, "user-namespace", "seccomp=unconfined");
    assert_true(holds(find(&examination, "user-namespace"), "means", "seccomp profile"));
    json_decref(examination.json);
}

static void test_covered_proc(void **state)
{
    struct examination examination = examine(with_covered_proc, NULL);

    (void)state;
    check_works(&examination);
    assert_true(is(&examination, "proc", "note"));
    assert_true(is(&examination, "namespace-limit", "note"));
    json_decref(examination.json);
}

static void test_no_programs(void **state)
{
    struct examination examination = examine(without_programs, NULL);

    (void)state;
    check_works(&examination);
    assert_true(is(&examination, "sipp", "bad"));
    assert_true(holds(find(&examination, "sipp"), "mend", "apt install sip-tester"));
    assert_true(is(&examination, "jinja2", "note"));
    assert_true(holds(find(&examination, "jinja2"), "mend", "apt install python3-jinja2"));
    json_decref(examination.json);
}

static void test_few_processes(void **state)
{
    struct examination examination = examine(with_two_processes, NULL);

    (void)state;
    check_refused(&examination, "processes", "--nproc=");
    json_decref(examination.json);
}

static void test_few_descriptors(void **state)
{
    struct examination examination = examine(with_few_descriptors, NULL);

    (void)state;
    check_refused(&examination, "descriptors", "--nofile=");
    json_decref(examination.json);
}

/* ---- SIPp and left-overs, in a folder of their own ---- */

static void test_named_sipp(void **state)
{
    char *folder = folder_make();
    cleanup_free char *path = text_format("%s/sipp", folder);
    struct examination examination;

    (void)state;
    folder_put(folder, "sipp", "#!/bin/sh\necho ' SIPp v3.7.3-TLS-SCTP-PCAP.'\nexit 99\n");
    assert_int_equal(chmod(path, 0755), 0);
    examination = examine(not_at_all, (const char *const[]){"--sipp", path, NULL});
    assert_true(is(&examination, "sipp", "ok"));
    assert_true(holds(find(&examination, "sipp"), "what", "v3.7.3 with TLS, SCTP, PCAP"));
    assert_null(find(&examination, "sipp-tls"));
    json_decref(examination.json);
    folder_remove(folder);
}

static void test_left_overs(void **state)
{
    char *path = folder_make();
    const char *const arguments[] = {"--results", path, NULL};
    cleanup_fd int folder = folder_open(path);
    struct examination killed, running;

    (void)state;
    folder_put(path, "call/abcdef/call.log", "");
    folder_put(path, ".sippod-running", "call/abcdef\ncall/gone\n");
    killed = examine(not_at_all, arguments);
    assert_int_equal(killed.exit_code, 0);
    assert_true(is(&killed, "left-overs", "warning"));
    assert_true(holds(find(&killed, "left-overs"), "what", "1 folder of a killed run"));
    assert_true(holds(find(&killed, "left-overs"), "mend", "sippod cleanup "));
    assert_int_equal(flock(folder, LOCK_EX | LOCK_NB), 0); /* as a run does */
    running = examine(not_at_all, arguments);
    assert_false(holds(find(&running, "left-overs"), "what", "run folder"));
    json_decref(killed.json);
    json_decref(running.json);
    folder_remove(path);
}

static void test_usage(void **state)
{
    struct examination option = examine(not_at_all, (const char *const[]){"--none-such", NULL});
    struct examination argument = examine(not_at_all, (const char *const[]){"call", NULL});
    struct examination help = examine(not_at_all, (const char *const[]){"--help", NULL});

    (void)state;
    assert_int_equal(option.exit_code, 2);
    assert_int_equal(argument.exit_code, 2);
    assert_int_equal(help.exit_code, 0);
}

/* ---- kinds of devices ---- */

static int add_devices(void *user)
{
    uint64_t keep;

    (void)user;
    if (namespaces_enter_own(&keep, NULL) < 0 || namespaces_unshare_network(NULL) < 0)
        return CANNOT_CRIPPLE;
    if (device_add("doctor", "none-such") != EOPNOTSUPP)
        return 1;
    if (device_add("doctor", "veth") != 0 || if_nametoindex("doctor") == 0)
        return 2;
    if (device_add("doctor", "veth") != EEXIST)
        return 3;
    return device_add("a-name-that-is-too-long", "veth") == EINVAL ? 0 : 4;
}

static void test_devices(void **state)
{
    (void)state;
    assert_int_equal(exit_of(add_devices, NULL), 0);
}

/* ---- what a run asks, from where it is by then ---- */

static ino_t user_namespace(void)
{
    struct stat status = {0};

    return stat("/proc/self/ns/user", &status) == 0 ? status.st_ino : 0;
}

/* In a child: whether doctor_explain_host() finds nothing (`mend` NULL), or that, and leaves no trace. */
static void explain(bool entered, int (*cripple)(void), const char *mend)
{
    struct error *error = NULL;
    uint64_t keep = 0, before, after;
    ino_t namespace;
    int result;

    if (entered && (namespaces_enter_own(&keep, NULL) < 0 || capabilities_drop(keep, NULL) < 0))
        _exit(CANNOT_CRIPPLE);
    if (cripple() < 0)
        _exit(CANNOT_CRIPPLE);
    namespace = user_namespace();
    if (capabilities_permitted(&before, NULL) < 0)
        _exit(1);
    result = doctor_explain_host(&error);
    if (capabilities_permitted(&after, NULL) < 0 || before != after || namespace != user_namespace() ||
        waitpid(-1, NULL, WNOHANG) >= 0)
        _exit(2);
    if (result < 0)
        print_message("%s\n", error_text(error));
    if (mend)
        _exit(result < 0 && error->code == ERROR_HOST && strstr(error->text, mend) ? 0 : 3);
    _exit(result == 0 && !error ? 0 : 4);
}

static void check_explained(bool entered, int (*cripple)(void), const char *mend)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        explain(entered, cripple, mend);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_CRIPPLE) {
        print_message("SKIPPED: this host does not let us take that away\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_nothing_to_explain(void **state)
{
    (void)state;
    check_explained(false, not_at_all, NULL);
    check_explained(true, not_at_all, NULL);
    check_explained(false, as_ordinary, NULL);
}

static void test_explanation(void **state)
{
    (void)state;
    check_explained(false, without_user_namespaces, "; mend it with: sysctl user.max_user_namespaces=");
    check_explained(false, without_network_namespaces, "; mend it with: sysctl user.max_net_namespaces=");
    check_explained(true, under_filter, "; mend it with: docker run ");
}

/* On a host where no test can be run these have nothing to compare with. */
static int check_host(void)
{
    uint64_t keep;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(namespaces_enter_own(&keep, NULL) == 0 && namespaces_unshare_pod(NULL) == 0 ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_ordinary),
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_no_user_namespaces),
        cmocka_unit_test(test_one_user_namespace),
        cmocka_unit_test(test_no_network_namespaces),
        cmocka_unit_test(test_no_process_namespaces),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_covered_proc),
        cmocka_unit_test(test_no_programs),
        cmocka_unit_test(test_few_processes),
        cmocka_unit_test(test_few_descriptors),
        cmocka_unit_test(test_named_sipp),
        cmocka_unit_test(test_left_overs),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_nothing_to_explain),
        cmocka_unit_test(test_explanation),
    };

    if (check_host() < 0) {
        fputs("SKIPPED: this host does not let us make namespaces\n", stderr);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
