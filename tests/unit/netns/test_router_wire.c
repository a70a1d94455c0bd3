/* The router's requests and replies as bytes: what is encoded decodes to the same, all else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "netns/router/wire.h"

static const struct router_request requests[] = {
    {.type = ROUTER_HELLO, .serial = 1, .version = ROUTER_PROTOCOL},
    {.type = ROUTER_HELLO, .serial = UINT32_MAX, .version = UINT32_MAX},
    {.type = ROUTER_POD_ADD, .serial = 2, .run_id = "azbycx"},
    {.type = ROUTER_POD_REMOVE, .serial = 0, .run_id = "aaaaaa"},
    {.type = ROUTER_POD_UP, .serial = 3, .run_id = "qwerty"},
    {.type = ROUTER_ADDRESS_ADD,
     .serial = 5,
     .run_id = "zzzzzz",
     .network = {.family = AF_INET, .bytes = {198, 18, 0, 1}, .prefix = 32},
     .shared = true},
    {.type = ROUTER_ADDRESS_REMOVE,
     .serial = 6,
     .run_id = "azbycx",
     .network = {.family = AF_INET6, .bytes = {0x20, 1, [15] = 9}, .prefix = 128}},
    {.type = ROUTER_OPEN, .serial = 7, .network = {.family = AF_INET, .bytes = {10, 22, 22, 5}}},
    {.type = ROUTER_ALLOW, .serial = 8, .network = {.family = AF_INET, .bytes = {10}, .prefix = 8}},
};
#define REQUESTS (sizeof requests / sizeof *requests)

static void refused(const void *bytes, size_t length, const char *words)
{
    struct router_request request = {.type = 77};
    cleanup_error struct error *error = NULL;

    assert_int_equal(router_request_decode(bytes, length, &request, &error), -1);
    assert_int_equal(error->code, ERROR_INPUT);
    assert_non_null(strstr(error->text, words));
    assert_int_equal(request.type, 77);
}

static void test_request_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUESTS; i++) {
        uint8_t bytes[ROUTER_REQUEST_MOST];
        size_t length = router_request_encode(&requests[i], bytes);
        struct router_request back;

        assert_int_equal(router_request_decode(bytes, length, &back, NULL), 0);
        assert_int_equal(back.type, requests[i].type);
        assert_int_equal(back.serial, requests[i].serial);
        assert_int_equal(back.version, requests[i].version);
        assert_string_equal(back.run_id, requests[i].run_id);
        assert_memory_equal(&back.network, &requests[i].network, sizeof back.network);
        assert_int_equal(back.shared, requests[i].shared);
    }
}

static void test_request_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUESTS; i++) {
        uint8_t bytes[2 * ROUTER_REQUEST_MOST] = {0};
        size_t length = router_request_encode(&requests[i], bytes);

        for (size_t wrong = 0; wrong <= sizeof bytes; wrong++)
            if (wrong != length)
                refused(bytes, wrong, "bytes");
    }
}

static void test_request_type(void **state)
{
    static const uint32_t wrong[] = {0, ROUTER_TYPES, 77, 0x01000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[ROUTER_REQUEST_MOST] = {0};

        memcpy(bytes, &wrong[i], sizeof wrong[i]);
        refused(bytes, sizeof bytes, "unknown request");
        assert_string_equal(router_type_name(wrong[i]), "unknown");
    }
}

static void test_run_id(void **state)
{
    static const char wrong[][8] = {"",          "abcde",   "abcdeF",  "abcde1",      "abc/ef",
                                    "abcdef\0x", "abcdefg", "abc\0ef", "abcd\xc3\xa9"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[ROUTER_REQUEST_MOST];

        for (size_t kind = 2; kind < 7; kind++) {
            size_t length = router_request_encode(&requests[kind], bytes);

            memcpy(bytes + 8, wrong[i], 8);
            refused(bytes, length, "six lower-case letters");
        }
    }
}

static void test_flag(void **state)
{
    static const uint32_t wrong[] = {2, 256, 0x01000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[ROUTER_REQUEST_MOST];
        size_t length = router_request_encode(&requests[5], bytes);

        memcpy(bytes + 40, &wrong[i], sizeof wrong[i]);
        refused(bytes, length, "flag");
    }
}

/* Family, prefix, or bytes where the family has none. */
static void test_network(void **state)
{
    static const struct {
        size_t place;
        uint8_t value;
    } wrong[] = {{8, 0}, {8, 5}, {8, 6 + 1}, {11, 1}, {12, 33}, {13, 1}, {20, 1}, {31, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[ROUTER_REQUEST_MOST];
        size_t length = router_request_encode(&requests[7], bytes);

        bytes[wrong[i].place] = wrong[i].value;
        refused(bytes, length, "address");
    }
}

static struct router_reply a_reply(void)
{
    struct router_reply reply = {.type = ROUTER_POD_ADD,
                                 .serial = 9,
                                 .status = ERROR_HOST,
                                 .sys = 13,
                                 .version = 1,
                                 .mac = {1, 2, 3, 4, 5, 6},
                                 .network = {.family = AF_INET, .bytes = {10, 22}, .prefix = 24},
                                 .device = "eth0.abcdefghij"};

    memset(reply.text, 'x', ROUTER_TEXT_MOST);
    return reply;
}

static void test_reply_round_trip(void **state)
{
    struct router_reply reply = a_reply(), back;
    uint8_t bytes[ROUTER_REPLY_LENGTH];

    (void)state;
    router_reply_encode(&reply, bytes);
    assert_int_equal(router_reply_decode(bytes, sizeof bytes, &back, NULL), 0);
    assert_int_equal(back.type, reply.type);
    assert_int_equal(back.serial, reply.serial);
    assert_int_equal(back.status, reply.status);
    assert_int_equal(back.sys, reply.sys);
    assert_int_equal(back.version, reply.version);
    assert_memory_equal(back.mac, reply.mac, sizeof reply.mac);
    assert_memory_equal(&back.network, &reply.network, sizeof reply.network);
    assert_string_equal(back.device, reply.device);
    assert_string_equal(back.text, reply.text);
}

static void reply_refused(const uint8_t *bytes, size_t length)
{
    struct router_reply reply;
    cleanup_error struct error *error = NULL;

    assert_int_equal(router_reply_decode(bytes, length, &reply, &error), -1);
    assert_int_equal(error->code, ERROR_INPUT);
}

static void test_reply_refused(void **state)
{
    struct router_reply reply = a_reply();
    uint8_t good[ROUTER_REPLY_LENGTH], bytes[ROUTER_REPLY_LENGTH + 1] = {0};

    (void)state;
    router_reply_encode(&reply, good);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        memcpy(bytes, good, sizeof good);
        if (length != sizeof good)
            reply_refused(bytes, length);
    }
    bytes[0] = 77; /* the type */
    reply_refused(bytes, sizeof good);
    memcpy(bytes, good, sizeof good);
    bytes[8] = 4; /* the status */
    reply_refused(bytes, sizeof good);
    memcpy(bytes, good, sizeof good);
    bytes[26] = 1; /* the padding */
    reply_refused(bytes, sizeof good);
    memcpy(bytes, good, sizeof good);
    bytes[ROUTER_REPLY_LENGTH - 1] = 'x'; /* the end of the text */
    reply_refused(bytes, sizeof good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_round_trip),
        cmocka_unit_test(test_request_length),
        cmocka_unit_test(test_request_type),
        cmocka_unit_test(test_run_id),
        cmocka_unit_test(test_flag),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_reply_round_trip),
        cmocka_unit_test(test_reply_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
