/* hyperstart's JSON: what is encoded decodes to the same. */
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
    struct route_message routes[] = {{.destination = (char *)"default",
                                      .gateway = (char *)"169.254.1.1",
                                      .gateway_mac = (char *)"ee:ee:ee:ee:ee:ee",
                                      .source = (char *)"198.18.1.0",
                                      .device = (char *)"eth0"},
                                     {.destination = (char *)"10.0.0.0/8", .device = (char *)"b"}};
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
        same(back.routes[i].gateway_mac, routes[i].gateway_mac);
        same(back.routes[i].source, routes[i].source);
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

    static struct environment_message settings[] = {{(char *)"net.ipv4.ip_forward", (char *)"1"},
                                                    {(char *)"net/x", (char *)""}};

    *container = (struct container_message){
        .id = (char *)"ua0",
        .process = {.id = (char *)"main",
                    .stdio = INT64_MAX,
                    .stderr_stream = 2,
                    .envs = envs,
                    .env_count = 2,
                    .limits = limits,
                    .limit_count = 2,
                    .workdir = (char *)"/tmp/a b",
                    .user = (char *)"nobody",
                    .group = (char *)"7",
                    .terminal = true,
                    .input = true},
        .settings = settings,
        .setting_count = 2,
        .listen = {.address = (char *)"198.18.1.0", .protocol = (char *)"tcp", .port = 65535},
    };
    strings_add(&container->process.args, "sipp");
    strings_add(&container->process.args, "");
    strings_add(&container->process.args, "-x\t\"\xe2\x82\xac\"");
    strings_add(&container->process.capabilities, "CAP_NET_RAW");
    strings_add(&container->process.bounding, "b");
    strings_add(&container->process.effective, "e");
    strings_add(&container->process.inheritable, "i");
    strings_add(&container->process.permitted, "p");
    strings_add(&container->process.groups, "audio");
    strings_add(&container->process.groups, "9");
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
    same(a->user, b->user);
    same(a->group, b->group);
    assert_int_equal(a->input, b->input);
    assert_int_equal(a->terminal, b->terminal);
    same_strings(&a->groups, &b->groups);
    same_strings(&a->capabilities, &b->capabilities);
    same_strings(&a->bounding, &b->bounding);
    same_strings(&a->effective, &b->effective);
    same_strings(&a->inheritable, &b->inheritable);
    same_strings(&a->permitted, &b->permitted);
}

/* On the wire a process has standard input unless it says that it has none; sippod's have none unless told.
 */
static void test_standard_input(void **state)
{
    struct container_message container = {.id = (char *)"c"}, back = {0};
    cleanup_free char *json = NULL;
    static const char other[] = "{\"id\": \"c\", \"process\": {\"args\": [\"x\"]}}";

    (void)state;
    strings_add(&container.process.args, "x");
    json = container_message_encode(&container);
    assert_non_null(strstr(json, "\"noStdin\":true"));
    assert_int_equal(container_message_decode(json, strlen(json), &back, NULL), 0);
    assert_false(back.process.input);
    container_message_free(&back);
    assert_int_equal(container_message_decode(other, strlen(other), &back, NULL), 0);
    assert_true(back.process.input);
    container_message_free(&back);
    strings_free(&container.process.args);
}

static void free_container(struct container_message *container)
{
    strings_free(&container->process.groups);
    strings_free(&container->process.bounding);
    strings_free(&container->process.effective);
    strings_free(&container->process.inheritable);
    strings_free(&container->process.permitted);
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
    assert_int_equal(back.setting_count, 2);
    same(back.settings[0].name, "net.ipv4.ip_forward");
    same(back.settings[0].value, "1");
    same(back.settings[1].value, "");
    container_message_free(&back);
    assert_null(back.id);
    free_container(&container);
}

static void test_pod_with_containers(void **state)
{
    struct container_message container;
    struct pod_message pod = {.containers = &container, .container_count = 1}, back = {0};
    cleanup_free char *json = NULL;

    (void)state;
    a_container(&container);
    strings_add(&pod.dns, "192.0.2.1");
    strings_add(&pod.dns, "2001:db8::1");
    json = pod_message_encode(&pod);
    assert_int_equal(pod_message_decode(json, strlen(json), &back, NULL), 0);
    same_strings(&back.dns, &pod.dns);
    assert_int_equal(back.container_count, 1);
    same(back.containers[0].id, "ua0");
    same_process(&back.containers[0].process, &container.process);
    pod_message_free(&back);
    strings_free(&pod.dns);
    free_container(&container);
}

static void test_file(void **state)
{
    static const char bytes[] = "a\0b";
    struct file_message file = {.container = (char *)"c", .path = (char *)"/tmp/\"x\""}, back = {0};
    cleanup_buffer struct buffer payload = {0};

    (void)state;
    file_message_encode(&payload, &file);
    assert_int_equal(file_message_decode(payload.data, payload.length, &back, NULL), 0);
    same(back.container, "c");
    same(back.path, "/tmp/\"x\"");
    assert_null(back.data);
    file_message_free(&back);
    for (size_t length = 0; length <= 3; length++) {
        payload.length = 0;
        file.data = (const uint8_t *)bytes;
        file.length = length;
        file_message_encode(&payload, &file);
        assert_int_equal(file_message_decode(payload.data, payload.length, &back, NULL), 0);
        assert_non_null(back.data);
        assert_int_equal(back.length, length);
        assert_memory_equal(back.data, bytes, length);
        file_message_free(&back);
    }
}

static void test_small_ones(void **state)
{
    struct winsize_message size = {(char *)"c", (char *)"p", 65535, 0}, size_back = {0};
    struct remove_message removal = {(char *)"c"}, removal_back = {0};
    cleanup_free char *size_json = winsize_message_encode(&size);
    cleanup_free char *removal_json = remove_message_encode(&removal);

    (void)state;
    assert_int_equal(winsize_message_decode(size_json, strlen(size_json), &size_back, NULL), 0);
    same(size_back.container, "c");
    same(size_back.process, "p");
    assert_int_equal(size_back.rows, 65535);
    assert_int_equal(size_back.columns, 0);
    winsize_message_free(&size_back);
    assert_int_equal(remove_message_decode(removal_json, strlen(removal_json), &removal_back, NULL), 0);
    same(removal_back.container, "c");
    remove_message_free(&removal_back);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod),
        cmocka_unit_test(test_interface),
        cmocka_unit_test(test_container),
        cmocka_unit_test(test_pod_with_containers),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_small_ones),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_bytes_that_are_not_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
