/* Sections `expect` of test.conf: what they say, what is wrong with them, and as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/keywords.h"
#include "src/suite/suite.h"
#include "tests/unit/support/support.h"

/* A pcap file of one frame of 14 bytes. */
#define PCAP                                                                                                 \
    "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0"                                               \
    "\1\0\0\0\0\0\0\0\x0e\0\0\0\x0e\0\0\0"                                                                   \
    "\2\0\0\0\0\1\2\0\0\0\0\2\x12\x34"

struct scene {
    char *folder;
    struct keywords keywords;
    struct test_config_place place;
    struct test_config config;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    keywords_set(&scene->keywords, "ua0.host", "198.18.1.0");
    keywords_set(&scene->keywords, "test.run_id", "abcdef");
    scene->place = (struct test_config_place){.folder = scene->folder, .keywords = &scene->keywords};
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    test_config_free(&scene->config);
    keywords_free(&scene->keywords);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static const struct expectations *parsed(struct scene *scene, const char *text)
{
    cleanup_error struct error *error = NULL;

    test_config_free(&scene->config);
    if (test_config_parse("a/test.conf", text, &scene->place, &scene->config, &error) < 0)
        fail_msg("%s", error_text(error));
    return &scene->config.expectations;
}

static void refused(struct scene *scene, const char *text, int line, const char *words)
{
    cleanup_free char *place = text_format("a/test.conf:%d: %s", line, words);
    cleanup_error struct error *error = NULL;
    struct test_config config = {0};

    if (test_config_parse("a/test.conf", text, &scene->place, &config, &error) == 0)
        fail_msg("accepted: %s", text);
    assert_error(error, ERROR_INPUT, place);
    assert_int_equal(config.expectations.count, 0);
}

static void defaults(void **state)
{
    const struct expectations *list = parsed(*state, "expect \"one\" { predicate = received_packet }");

    assert_int_equal(list->count, 1);
    assert_string_equal(list->list[0].title, "one");
    assert_string_equal(list->list[0].predicate, "received_packet");
    assert_null(list->list[0].filter);
    assert_null(list->list[0].interface);
    assert_int_equal(list->list[0].timeout_ns, 0);
    assert_int_equal(list->list[0].settle_ns, 100000000);
    assert_int_equal(list->list[0].limit, 0);
    assert_false(list->list[0].negated);
    assert_int_equal(parsed(*state, "timeout = 5")->count, 0);
}

static void all_of_it(void **state)
{
    const struct expectations *list = parsed(
        *state, "expect one { predicate = 'saw_sip(INVITE, \"^To:.*\\d,\")'\n filter = \"udp port 5060\"\n"
                "timeout = 0.25 settle = 2 interface = lo\n limit = 7 not = true }\n"
                "timeout = 9\nexpect two { predicate = \"packet_count_was(1)\" settle = 0 not = false }\n");

    assert_int_equal(list->count, 2);
    assert_string_equal(list->list[0].predicate, "saw_sip(INVITE, \"^To:.*\\d,\")");
    assert_string_equal(list->list[0].filter, "udp port 5060");
    assert_string_equal(list->list[0].interface, "lo");
    assert_int_equal(list->list[0].timeout_ns, 250000000);
    assert_int_equal(list->list[0].settle_ns, 2000000000);
    assert_int_equal(list->list[0].limit, 7);
    assert_true(list->list[0].negated);
    assert_string_equal(list->list[1].title, "two");
    assert_int_equal(list->list[1].settle_ns, 0);
    assert_false(list->list[1].negated);
}

static void faults(void **state)
{
    struct scene *scene = *state;

    refused(scene, "expect a { predicate = packet_cuont }\n", 1,
            "predicate: there is no predicate packet_cuont; did you mean packet_count?");
    refused(scene, "\nexpect a {\n predicate = \"saw_vlan_tag(5000)\"\n}\n", 3, "predicate: saw_vlan_tag: ");
    refused(scene, "expect a {\n predicate = received_packet\n filter = \"port\"\n}\n", 3,
            "filter \"port\": ");
    refused(scene, "expect a { predicate = received_packet\n interface = eth1 }\n", 2,
            "interface \"eth1\": it can be lo or eth0");
    refused(scene, "expect a { predicate = received_packet timeout = 0 }\n", 1,
            "timeout 0: it is in seconds");
    refused(scene, "expect a { predicate = received_packet timeout = nan }\n", 1, "timeout nan: ");
    refused(scene, "expect a { predicate = received_packet timeout = 86401 }\n", 1, "timeout 86401: ");
    refused(scene, "expect a { predicate = received_packet settle = -1 }\n", 1,
            "settle -1: it is in seconds");
    refused(scene, "expect a { predicate = received_packet settle = 3601 }\n", 1, "settle 3601: ");
    refused(scene, "expect a { predicate = received_packet interface = lo limit = 0 }\n", 1, "limit 0: ");
    refused(scene, "expect a { predicate = received_packet limit = 1 }\n", 1,
            "expect \"a\": a limit takes an interface");
    refused(scene, "expect a { predicate = received_packet not = perhaps }\n", 1, "");
    refused(scene, "expect a {\n}\n", 2, "expect \"a\": it has no predicate");
    refused(scene, "expect a { predicate = received_packet\n colour = red }\n", 2, "no such option 'colour'");
    refused(scene, "expect \"\" { predicate = received_packet }\n", 1,
            "expect \"\": a title in printable words");
    refused(scene, "expect \"a\\nb\" { predicate = received_packet }\n", 1, "expect \"a\\x0ab\": a title");
    refused(scene, "expect a { predicate = timed_out }\n\nexpect a { predicate = timed_out }\n", 3,
            "found duplicate title 'a'");
    refused(scene, "expect { predicate = received_packet }\n", 1, "");
}

static void keywords_in_them(void **state)
{
    struct scene *scene = *state;
    const struct expectations *list;

    list = parsed(scene, "expect a { predicate = 'saw_sip(INVITE, \"{{test.run_id}}\")'\n"
                         "filter = \"host {{ ua0.host }}\" }\n");
    assert_string_equal(list->list[0].filter, "host {{ ua0.host }}"); /* it is rendered later */
    refused(scene,
            "expect a { predicate = received_packet\n filter = \"host {{ua0.host}} or {{ua9.host}}\" }\n", 2,
            "filter: {{ua9.host}} is no keyword of this test; only plain keywords can stand here");
    refused(scene, "expect a { predicate = \"saw_sip({{ua0.host|upper}})\" }\n", 1,
            "predicate: {{ua0.host|upper}} is no keyword");
    refused(scene, "expect a { predicate = \"{% if x %}\" }\n", 1, "predicate: {% if x %} is no keyword");
    refused(scene, "expect a { predicate = \"{{\" }\n", 1, "predicate: {{ is no keyword");
    scene->place.keywords = NULL; /* rendered: what is there now is meant */
    refused(scene, "expect a { predicate = received_packet filter = \"host {{ua0.host}}\" }\n", 1,
            "filter \"host {{ua0.host}}\": ");
}

static void files_in_the_folder(void **state)
{
    struct scene *scene = *state;

    folder_put_bytes(scene->folder, "call.pcap", PCAP, sizeof PCAP - 1);
    parsed(scene, "expect a { predicate = \"saw_packet_equaling(call.pcap#0)\" }");
    refused(scene, "expect a { predicate = \"saw_packet_equaling(call.pcap#1)\" }", 1,
            "predicate: saw_packet_equaling: ");
    refused(scene, "expect a { predicate = \"saw_packet_equaling(../call.pcap#0)\" }", 1,
            "predicate: saw_packet_equaling: ../call.pcap#0 does not lie in /");
    parsed(scene, "expect a { predicate = \"writer(out.pcap, received_packet)\" }");
    assert_false(folder_has(scene->folder, "out.pcap")); /* it is only checked */
}

static char *filler(size_t length)
{
    char *text = memory_new(length + 1);

    memset(text, 'a', length);
    return text;
}

/* All of them have to pass in one message. */
static void too_long(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *half = filler(EXPECTATIONS_MOST / 2);
    cleanup_free char *one = text_format("expect a { predicate = 'saw_sip(INVITE, \"[%s]\")' }\n", half);
    cleanup_free char *two =
        text_format("%sexpect b { predicate = 'saw_sip(INVITE, \"[%s]\")' }\n", one, half);

    parsed(scene, one);
    refused(scene, two, 2, "expect \"b\": the expectations up to this one are longer than 61440 bytes");
}

/* ---- as bytes ---- */

static void there_and_back(void **state)
{
    const struct expectations *list = parsed(
        *state, "expect one { predicate = received_packet\n filter = \"udp\"\n timeout = 3 settle = 2\n"
                "interface = lo\n limit = 7 not = true }\n expect two { predicate = timed_out }\n");
    cleanup_buffer struct buffer bytes = {0};
    struct expectations back;

    expectations_encode(list, &bytes);
    assert_int_equal(expectations_decode(bytes.data, bytes.length, &back, NULL), 0);
    assert_int_equal(back.count, 2);
    assert_string_equal(back.list[0].title, "one");
    assert_string_equal(back.list[0].predicate, "received_packet");
    assert_string_equal(back.list[0].filter, "udp");
    assert_string_equal(back.list[0].interface, "lo");
    assert_int_equal(back.list[0].timeout_ns, 3000000000);
    assert_int_equal(back.list[0].settle_ns, 2000000000);
    assert_int_equal(back.list[0].limit, 7);
    assert_true(back.list[0].negated);
    assert_null(back.list[1].filter);
    assert_null(back.list[1].interface);
    assert_false(back.list[1].negated);
    expectations_free(&back);
    for (size_t length = 1; length < bytes.length; length++) { /* every end but the first one's own is none */
        cleanup_error struct error *error = NULL;
        cleanup_free uint8_t *part = memory_new(length);

        memcpy(part, bytes.data, length);
        if (expectations_decode(part, length, &back, &error) == 0) {
            assert_int_equal(back.count, 1);
            expectations_free(&back);
        } else
            assert_error(error, ERROR_FAILED, "cut off");
    }
    assert_int_equal(expectations_decode(bytes.data, 0, &back, NULL), 0);
    assert_int_equal(back.count, 0);
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(defaults),         scene_test(all_of_it),           scene_test(faults),
        scene_test(keywords_in_them), scene_test(files_in_the_folder), scene_test(too_long),
        scene_test(there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
