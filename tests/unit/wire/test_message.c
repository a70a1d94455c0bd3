/* hyperstart's JSON: what is encoded decodes to the same, and what cannot be used is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "src/base/memory.h"
#include "src/wire/message.h"
#include "tests/unit/support/support.h"

/* ---- there and back ---- */

static void same(const char *a, const char *b)
{
    assert_true(text_equal(a, b));
}

static void same_strings(const struct strings *a, const struct strings *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        assert_string_equal(a->list[i], b->list[i]);
}

static void same_interface(const struct interface_message *a, const struct interface_message *b)
{
    same(a->device, b->device);
    same(a->new_name, b->new_name);
    same(a->mac, b->mac);
    same(a->type, b->type);
    assert_int_equal(a->mtu, b->mtu);
    assert_int_equal(a->address_count, b->address_count);
    for (size_t i = 0; i < a->address_count; i++) {
        same(a->addresses[i].address, b->addresses[i].address);
        same(a->addresses[i].mask, b->addresses[i].mask);
    }
}

static struct address_message addresses[] = {{(char *)"198.18.1.0", (char *)"32"},
                                             {(char *)"fd00::1", (char *)"128"},
                                             {(char *)"10.0.0.1", (char *)"255.255.255.0"}};
static struct interface_message interfaces[] = {
    {.device = (char *)"eth0"},
    {.device = (char *)"a",
     .new_name = (char *)"b",
     .mac = (char *)"02:00:00:00:00:01",
     .type = (char *)"dummy",
     .mtu = 1400,
     .addresses = addresses,
     .address_count = 3},
};

static void test_pod(void **state)
{
    struct route_message routes[] = {{(char *)"default", (char *)"169.254.1.1", (char *)"eth0"},
                                     {(char *)"10.0.0.0/8", NULL, (char *)"b"}};
    struct pod_message pod = {.hostname = (char *)"sipp-abcdef \xc3\xa9 \"\\\n",
                              .interfaces = interfaces,
                              .interface_count = 2,
                              .routes = routes,
                              .route_count = 2};
    struct pod_message back = {0}, only_routes = {0};
    cleanup_free char *json = pod_message_encode(&pod);

    (void)state;
    assert_int_equal(pod_message_decode(json, strlen(json), &back, NULL), 0);
    same(back.hostname, pod.hostname);
    assert_int_equal(back.interface_count, 2);
    for (size_t i = 0; i < 2; i++)
        same_interface(&back.interfaces[i], &interfaces[i]);
    assert_int_equal(routes_message_decode(json, strlen(json), &only_routes, NULL), 0);
    assert_null(only_routes.hostname);
    assert_int_equal(back.route_count, 2);
    assert_int_equal(only_routes.route_count, 2);
    for (size_t i = 0; i < 2; i++) {
        same(back.routes[i].destination, routes[i].destination);
        same(back.routes[i].gateway, routes[i].gateway);
        same(back.routes[i].device, routes[i].device);
        same(only_routes.routes[i].destination, routes[i].destination);
    }
    pod_message_free(&back);
    pod_message_free(&only_routes);
}

static void test_interface(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *json = interface_message_encode(&interfaces[i]);
        struct interface_message back = {0};

        assert_int_equal(interface_message_decode(json, strlen(json), &back, NULL), 0);
        same_interface(&back, &interfaces[i]);
        interface_message_free(&back);
    }
}

static void a_container(struct container_message *container)
{
    static struct environment_message envs[] = {{(char *)"PATH", (char *)"/bin"}, {(char *)"EMPTY", NULL}};
    static struct limit_message limits[] = {{(char *)"nofile", 1024, 4096},
                                            {(char *)"RLIMIT_CORE", 0, RLIM_INFINITY}};

    *container = (struct container_message){
        .id = (char *)"ua0",
        .process = {.id = (char *)"main",
                    .stdio = INT64_MAX,
                    .stderr_stream = 2,
                    .envs = envs,
                    .env_count = 2,
                    .limits = limits,
                    .limit_count = 2,
                    .workdir = (char *)"/tmp/a b"},
        .listen = {.address = (char *)"198.18.1.0", .protocol = (char *)"tcp", .port = 65535},
    };
    strings_add(&container->process.args, "sipp");
    strings_add(&container->process.args, "");
    strings_add(&container->process.args, "-x\t\"\xe2\x82\xac\"");
    strings_add(&container->process.capabilities, "CAP_NET_RAW");
}

static void same_process(const struct process_message *a, const struct process_message *b)
{
    same(a->id, b->id);
    assert_true(a->stdio == b->stdio && a->stderr_stream == b->stderr_stream);
    same_strings(&a->args, &b->args);
    assert_int_equal(a->env_count, b->env_count);
    for (size_t i = 0; i < a->env_count; i++) {
        same(a->envs[i].name, b->envs[i].name);
        same(a->envs[i].value, b->envs[i].value);
    }
    assert_int_equal(a->limit_count, b->limit_count);
    for (size_t i = 0; i < a->limit_count; i++) {
        same(a->limits[i].type, b->limits[i].type);
        assert_true(a->limits[i].soft == b->limits[i].soft && a->limits[i].hard == b->limits[i].hard);
    }
    same(a->workdir, b->workdir);
    same_strings(&a->capabilities, &b->capabilities);
}

static void free_container(struct container_message *container)
{
    strings_free(&container->process.args);
    strings_free(&container->process.capabilities);
}

static void test_container(void **state)
{
    struct container_message container, back = {0};
    cleanup_free char *json = NULL;

    (void)state;
    a_container(&container);
    json = container_message_encode(&container);
    assert_int_equal(container_message_decode(json, strlen(json), &back, NULL), 0);
    same(back.id, "ua0");
    same_process(&back.process, &container.process);
    same(back.listen.address, "198.18.1.0");
    same(back.listen.protocol, "tcp");
    assert_int_equal(back.listen.port, 65535);
    container_message_free(&back);
    assert_null(back.id);
    free_container(&container);
}

static void test_exec(void **state)
{
    struct container_message exec, back = {0};
    cleanup_free char *json = NULL;

    (void)state;
    a_container(&exec);
    json = exec_message_encode(&exec);
    assert_int_equal(exec_message_decode(json, strlen(json), &back, NULL), 0);
    same(back.id, "ua0");
    same_process(&back.process, &exec.process);
    assert_null(back.listen.address);
    container_message_free(&back);
    free_container(&exec);
}

static void test_kill(void **state)
{
    struct kill_message kills[] = {{(char *)"c", (char *)"p", 15, false}, {(char *)"c", NULL, 64, true}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *json = kill_message_encode(&kills[i]);
        struct kill_message back = {0};

        assert_int_equal(kill_message_decode(json, strlen(json), &back, NULL), 0);
        same(back.container, kills[i].container);
        same(back.process, kills[i].process);
        assert_int_equal(back.signal, kills[i].signal);
        assert_int_equal(back.all, kills[i].all);
        kill_message_free(&back);
    }
}

static void test_event(void **state)
{
    struct event_message events[] = {
        {(char *)"c", (char *)"p", (char *)"signalled", (char *)"SIGTERM", 15},
        {(char *)"c", NULL, (char *)"exited", NULL, 255},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *json = event_message_encode(&events[i]);
        struct event_message back = {0};

        assert_int_equal(event_message_decode(json, strlen(json), &back, NULL), 0);
        same(back.container, "c");
        same(back.process, events[i].process ? events[i].process : "c");
        same(back.event, events[i].event);
        same(back.info, events[i].info);
        assert_int_equal(back.status, events[i].status);
        event_message_free(&back);
    }
}

/* File names and environments may hold any bytes; JSON does not: it stays JSON. */
static void test_bytes_that_are_not_text(void **state)
{
    struct container_message container = {.id = (char *)"a\xff\x01", .process.workdir = (char *)"/caf\xe9"},
                             back = {0};
    cleanup_free char *json = NULL;

    (void)state;
    strings_add(&container.process.args, "\xc3\x28");
    json = container_message_encode(&container);
    assert_int_equal(container_message_decode(json, strlen(json), &back, NULL), 0);
    same(back.id, "a\\xff\\x01");
    same(back.process.workdir, "/caf\\xe9");
    same(back.process.args.list[0], "\\xc3(");
    container_message_free(&back);
    free_container(&container);
}

/* ---- what is refused ---- */

enum kind { POD, INTERFACE, ROUTES, CONTAINER, EXEC, KILL, EVENT };

static int decode(enum kind kind, const char *json, size_t length, struct error **ret)
{
    struct container_message container = {0};
    struct interface_message interface = {0};
    struct event_message event = {0};
    struct kill_message kill = {0};
    struct pod_message pod = {0};
    int result = kind == POD         ? pod_message_decode(json, length, &pod, ret)
                 : kind == INTERFACE ? interface_message_decode(json, length, &interface, ret)
                 : kind == ROUTES    ? routes_message_decode(json, length, &pod, ret)
                 : kind == CONTAINER ? container_message_decode(json, length, &container, ret)
                 : kind == EXEC      ? exec_message_decode(json, length, &container, ret)
                 : kind == KILL      ? kill_message_decode(json, length, &kill, ret)
                                     : event_message_decode(json, length, &event, ret);

    container_message_free(&container);
    interface_message_free(&interface);
    event_message_free(&event);
    kill_message_free(&kill);
    pod_message_free(&pod);
    return result;
}

struct refusal {
    enum kind kind;
    const char *json, *words;
};

static void refused(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_error struct error *error = NULL;

        if (decode(refusals[i].kind, refusals[i].json, strlen(refusals[i].json), &error) == 0)
            fail_msg("accepted: %s", refusals[i].json);
        assert_error(error, ERROR_INPUT, refusals[i].words);
    }
}
#define REFUSED(list) refused(list, sizeof(list) / sizeof *(list))

static void test_missing(void **state)
{
    static const struct refusal list[] = {
        {INTERFACE, "{}", "\"device\" is missing"},
        {INTERFACE, "{\"device\":null}", "\"device\" is missing"},
        {INTERFACE, "{\"device\":\"\"}", "\"device\" is empty"},
        {INTERFACE, "{\"device\":\"a\",\"ipAddresses\":[{\"netMask\":\"1\"}]}",
         "ipAddresses[0]: the field \"ipAddress\""},
        {POD, "{\"interfaces\":[{\"device\":\"a\"},{}]}", "interfaces[1]: the field \"device\" is missing"},
        {POD, "{\"routes\":[{\"dest\":\"a\"}]}", "routes[0]: the field \"device\" is missing"},
        {ROUTES, "{\"routes\":[{\"device\":\"a\"}]}", "routes[0]: the field \"dest\" is missing"},
        {CONTAINER, "{\"process\":{\"args\":[\"a\"]}}", "\"id\" is missing"},
        {CONTAINER, "{\"id\":\"a\"}", "\"process\" is missing"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{}}", "process: the field \"args\" is missing"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[]}}", "process: the field \"args\" is missing"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"envs\":[{\"value\":\"b\"}]}}",
         "process: envs[0]: the field \"env\" is missing"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"rlimits\":[{\"type\":\"b\",\"soft\":1}]}}",
         "process: rlimits[0]: the field \"hard\" is missing"},
        {CONTAINER,
         "{\"id\":\"a\",\"process\":{\"args\":[\"a\"]},\"listen\":{\"address\":\"b\",\"protocol\":\"udp\"}}",
         "listen: the field \"port\" is missing"},
        {EXEC, "{\"process\":{\"args\":[\"a\"]}}", "\"container\" is missing"},
        {KILL, "{\"container\":\"a\"}", "\"signal\" is missing"},
        {KILL, "{\"signal\":9}", "\"container\" is missing"},
        {EVENT, "{\"container\":\"a\"}", "\"event\" is missing"},
    };

    (void)state;
    REFUSED(list);
}

static void test_wrong_type(void **state)
{
    static const struct refusal list[] = {
        {POD, "{\"hostname\":1}", "\"hostname\" has the wrong type"},
        {POD, "{\"interfaces\":{}}", "\"interfaces\" has the wrong type"},
        {POD, "{\"interfaces\":[1]}", "\"interfaces\" has the wrong type"},
        {INTERFACE, "{\"device\":\"a\",\"mtu\":\"1500\"}", "\"mtu\" has the wrong type"},
        {INTERFACE, "{\"device\":\"a\",\"mtu\":1.5}", "\"mtu\" has the wrong type"},
        {INTERFACE, "{\"device\":\"a\",\"ipAddresses\":[{\"ipAddress\":1,\"netMask\":\"1\"}]}",
         "\"ipAddress\" has the wrong"},
        {CONTAINER, "{\"id\":[],\"process\":{\"args\":[\"a\"]}}", "\"id\" has the wrong type"},
        {CONTAINER, "{\"id\":\"a\",\"process\":[]}", "\"process\" has the wrong type"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":\"a\"}}",
         "process: the field \"args\" has the wrong type"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\",2]}}",
         "process: the field \"args\" has the wrong type"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"stdio\":true}}",
         "\"stdio\" has the wrong type"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"capabilities\":[]}}",
         "\"capabilities\" has the wrong"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"capabilities\":{\"ambient\":1}}}",
         "\"ambient\" has the wrong"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"]},\"listen\":\"udp\"}",
         "\"listen\" has the wrong type"},
        {KILL, "{\"container\":\"a\",\"signal\":9,\"allProcesses\":1}",
         "\"allProcesses\" has the wrong type"},
        {KILL, "{\"container\":\"a\",\"signal\":\"TERM\"}", "\"signal\" has the wrong type"},
        {EVENT, "{\"container\":\"a\",\"event\":\"b\",\"info\":{}}", "\"info\" has the wrong type"},
    };

    (void)state;
    REFUSED(list);
}

static void test_out_of_range(void **state)
{
    static const struct refusal list[] = {
        {INTERFACE, "{\"device\":\"a\",\"mtu\":-1}", "\"mtu\" is out of range"},
        {INTERFACE, "{\"device\":\"a\",\"mtu\":65537}", "\"mtu\" is out of range"},
        {INTERFACE, "{\"device\":\"a\",\"type\":\"veth\"}", "\"type\" can only be"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"stdio\":-1}}",
         "\"stdio\" is out of range"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"envs\":[{\"env\":\"a=b\"}]}}",
         "\"env\" holds a \"=\""},
        {CONTAINER,
         "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"rlimits\":[{\"type\":\"b\",\"soft\":-2,\"hard\":1}]}"
         "}",
         "\"soft\" is out of range"},
        {CONTAINER,
         "{\"id\":\"a\",\"process\":{\"args\":[\"a\"]},\"listen\":{\"address\":\"b\",\"protocol\":\"udp\","
         "\"port\":0}}",
         "\"port\" is out of range"},
        {CONTAINER,
         "{\"id\":\"a\",\"process\":{\"args\":[\"a\"]},\"listen\":{\"address\":\"b\",\"protocol\":\"udp\","
         "\"port\":65536}}",
         "\"port\" is out of range"},
        {CONTAINER,
         "{\"id\":\"a\",\"process\":{\"args\":[\"a\"]},\"listen\":{\"address\":\"b\",\"protocol\":\"sctp\","
         "\"port\":1}}",
         "\"protocol\" can only be"},
        {KILL, "{\"container\":\"a\",\"signal\":65}", "\"signal\" is out of range"},
        {KILL, "{\"container\":\"a\",\"signal\":-9}", "\"signal\" is out of range"},
        {KILL, "{\"container\":\"a\",\"signal\":99999999999999999999}", "not JSON"},
        {EVENT, "{\"container\":\"a\",\"event\":\"b\",\"status\":256}", "\"status\" is out of range"},
    };

    (void)state;
    REFUSED(list);
}

static void test_not_json(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "{}{}",
                                        "[]",
                                        "null",
                                        "7",
                                        "\"x\"",
                                        "{\"container\":\"a\",\"signal\":9,}",
                                        "{'container':'a'}",
                                        "{\"container\":\"\xff\",\"signal\":9}",
                                        "{\"container\":\"a\nb\",\"signal\":9}",
                                        "{\"container\":\"\\ud800\",\"signal\":9}",
                                        "\xef\xbb\xbf{}"};
    cleanup_error struct error *error = NULL;

    (void)state;
    for (enum kind kind = POD; kind <= EVENT; kind++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            refused(&(struct refusal){kind, texts[i], "not "}, 1);
    assert_int_equal(pod_message_decode(NULL, 0, &(struct pod_message){0}, &error),
                     -1); /* an empty payload */
    assert_error(error, ERROR_INPUT, "not JSON");
}

/* A name that ends early for one reader would be another one for the next. */
static void test_nul(void **state)
{
    static const char raw[] = "{\"container\":\"a\0b\",\"signal\":9}";
    static const char behind[] = "{\"container\":\"a\",\"signal\":9}\0";
    static const struct refusal list[] = {
        {KILL, "{\"container\":\"a\\u0000b\",\"signal\":9}", "0"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\\u0000\"]}}", "0"},
    };
    struct error *error = NULL;

    (void)state;
    REFUSED(list);
    assert_int_equal(decode(KILL, raw, sizeof raw - 1, &error), -1);
    assert_error(error, ERROR_INPUT, "not JSON");
    error_free(error);
    error = NULL;
    assert_int_equal(decode(KILL, behind, sizeof behind - 1, &error), -1);
    assert_error(error, ERROR_INPUT, "not JSON");
    error_free(error);
}

static void test_deep(void **state)
{
    cleanup_buffer struct buffer json = {0};
    cleanup_error struct error *error = NULL;

    (void)state;
    buffer_addf(&json, "{\"hostname\":");
    for (int i = 0; i < 200000; i++)
        buffer_add(&json, "[", 1);
    assert_int_equal(decode(POD, (const char *)json.data, json.length, &error), -1);
    assert_error(error, ERROR_INPUT, "not JSON");
}

static void test_duplicates(void **state)
{
    static const struct refusal list[] = {
        {KILL, "{\"container\":\"a\",\"signal\":9,\"container\":\"b\"}", "duplicate"},
        {CONTAINER, "{\"id\":\"a\",\"process\":{\"args\":[\"a\"],\"args\":[\"b\"]}}", "duplicate"},
        {KILL, "{\"container\":\"a\",\"signal\":9,\"x\":{\"y\":1,\"y\":1}}", "duplicate"},
    };

    (void)state;
    REFUSED(list);
}

static void accepted(enum kind kind, const char *json)
{
    cleanup_error struct error *error = NULL;

    if (decode(kind, json, strlen(json), &error) < 0)
        fail_msg("%s: %s", json, error_text(error));
}

static void test_unknown_and_optional(void **state)
{
    (void)state;
    accepted(POD, "{}");
    accepted(POD, "{\"hostname\":null,\"interfaces\":null,\"routes\":[],\"dns\":[\"x\"],\"shareDir\":7,"
                  "\"containers\":[]}");
    accepted(INTERFACE, "{\"device\":\"a\",\"newDeviceName\":\"\",\"more\":{\"x\":[]}}");
    accepted(CONTAINER,
             "{\"id\":\"a\",\"rootfs\":1,\"process\":{\"args\":[\"a\"],\"terminal\":true,\"user\":\"x\","
             "\"noNewPrivileges\":1,\"capabilities\":{\"bounding\":7}}}");
    accepted(KILL, "{\"container\":\"a\",\"signal\":0,\"allProcesses\":null}");
    accepted(EVENT, "{\"container\":\"a\",\"event\":\"b\"}");
}

/* Many small things: a peer's list is as long as it likes within a frame. */
static void test_long_list(void **state)
{
    cleanup_buffer struct buffer json = {0};
    struct container_message container = {0};

    (void)state;
    buffer_addf(&json, "{\"id\":\"a\",\"process\":{\"args\":[\"x\"");
    for (int i = 0; i < 5000; i++)
        buffer_addf(&json, ",\"%d\"", i);
    buffer_addf(&json, "]}}");
    assert_int_equal(container_message_decode(json.data, json.length, &container, NULL), 0);
    assert_int_equal(container.process.args.count, 5001);
    assert_string_equal(container.process.args.list[5000], "4999");
    container_message_free(&container);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod),
        cmocka_unit_test(test_interface),
        cmocka_unit_test(test_container),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_bytes_that_are_not_text),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_wrong_type),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_unknown_and_optional),
        cmocka_unit_test(test_long_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
