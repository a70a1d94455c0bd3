/* What sippod and the renderer say to each other: requests that are one line, replies that come in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/render_message.h"
#include "tests/unit/support/support.h"

static void test_request(void **state)
{
    struct keywords keywords = {0};
    struct render_request request = {.folder = "a b/\"c\"\n", .file = "x.sh", .keywords = &keywords};
    cleanup_free char *line = render_request_encode(&request, NULL);
    cleanup_free char *other = NULL;

    (void)state;
    assert_string_equal(
        line, "{\"folder\":\"a b/\\\"c\\\"\\n\",\"file\":\"x.sh\",\"templates\":\"\",\"keywords\":{}}\n");
    keywords_set(&keywords, "a.b", "c\nd");
    request.templates = "/t";
    other = render_request_encode(&request, NULL);
    assert_non_null(strstr(other, "\"templates\":\"/t\",\"keywords\":{\"a\":{\"b\":\"c\\nd\"}}}\n"));
    keywords_free(&keywords);
}

static void test_names_that_are_no_text(void **state)
{
    struct keywords keywords = {0};
    struct render_request request = {.folder = "f", .file = "dut/caf\xe9", .keywords = &keywords};
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_null(render_request_encode(&request, &error));
    assert_error(error, ERROR_INPUT, "dut/caf\\xe9: its name, or that of a folder above it, is not UTF-8");
}

/* Decodes from an exact copy, so that a sanitizer sees who reads on. */
static int decode(const char *text, size_t length, struct render_reply *reply, size_t *used,
                  struct error **error)
{
    uint8_t *copy = memory_array(NULL, length + 1, 1);
    int result;

    memcpy(copy + 1, text, length);
    result = render_reply_decode(copy + 1, length, reply, used, error);
    if (result == 1 && reply->length)
        assert_memory_equal(reply->text, text + *used - reply->length, reply->length);
    free(copy);
    return result;
}

static void test_replies(void **state)
{
    static const char text[] = "{\"length\": 5}\nab\0\n{more";
    static const char error[] = "{\"error\": \"f:1: \xc3\xa9\\u001b\"}\n";
    struct render_reply reply = {0};
    size_t used;

    (void)state;
    for (size_t length = 0; length < 19; length++)
        assert_int_equal(decode(text, length, &reply, &used, NULL), 0);
    for (size_t length = 19; length < sizeof text; length++) {
        assert_int_equal(decode(text, length, &reply, &used, NULL), 1);
        assert_int_equal(used, 19);
        assert_int_equal(reply.length, 5);
        assert_true(!reply.ready && !reply.error);
    }
    assert_int_equal(decode(error, sizeof error - 1, &reply, &used, NULL), 1);
    assert_string_equal(reply.error, "f:1: \xc3\xa9\\x1b");
    assert_int_equal(used, sizeof error - 1);
    free(reply.error);
    assert_int_equal(decode("{\"ready\": true}\n", 16, &reply, &used, NULL), 1);
    assert_true(reply.ready && !reply.error && reply.length == 0);
    assert_int_equal(decode("{\"length\":0}\n", 13, &reply, &used, NULL), 1);
    assert_true(!reply.ready && !reply.error && reply.length == 0);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"\n", "something that is no reply"},
        {"[]\n", "something that is no reply"},
        {"{}\n", "something that is no reply"},
        {"{\"length\": -1}\n", "something that is no reply"},
        {"{\"length\": \"1\"}\n", "something that is no reply"},
        {"{\"length\": 1.5}\n", "something that is no reply"},
        {"{\"error\": 1}\n", "something that is no reply"},
        {"{\"ready\": false}\n", "something that is no reply"},
        {"{\"length\": 67108865}\n", "more than 64 MiB"},
        {"{\"length\": 99999999999999999999}\n", "something that is no reply"},
    };
    cleanup_free char *endless = memory_array(NULL, 65537, 1);
    struct render_reply reply = {0};
    struct error *error = NULL;
    size_t used;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(decode(cases[i].text, strlen(cases[i].text), &reply, &used, &error), -1);
        assert_error(error, ERROR_FAILED, cases[i].words);
        error_free(steal_pointer(&error));
    }
    memset(endless, '{', 65537);
    assert_int_equal(decode(endless, 65536, &reply, &used, NULL), 0);
    assert_int_equal(decode(endless, 65537, &reply, &used, &error), -1);
    assert_error(error, ERROR_FAILED, "a line that does not end");
    error_free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_names_that_are_no_text),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
