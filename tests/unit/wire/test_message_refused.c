/* hyperstart's JSON from a peer that may say anything: what cannot be used is named, the rest is ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/wire/message.h"
#include "tests/unit/support/support.h"

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
             "\"noNewPrivileges\":1,\"capabilities\":{\"other\":7}}}");
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
        cmocka_unit_test(test_missing),      cmocka_unit_test(test_wrong_type),
        cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_nul),          cmocka_unit_test(test_deep),
        cmocka_unit_test(test_duplicates),   cmocka_unit_test(test_unknown_and_optional),
        cmocka_unit_test(test_long_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
