/* SIP and RTP: what is taken for them, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "src/packet/media.h"

static void requests(void **state)
{
    const char *text = "INVITE sip:a@b SIP/2.0\r\nCall-ID: 1\r\nTo: <sip:a@b>\r\n\r\nbody\r\n\r\n";
    struct sip_start start;

    (void)state;
    assert_true(sip_parse(text, strlen(text), &start));
    assert_int_equal(start.status, 0);
    assert_int_equal(start.method_length, 6);
    assert_memory_equal(start.method, "INVITE", 6);
    assert_int_equal(start.headers_length, strlen("Call-ID: 1\r\nTo: <sip:a@b>\r\n"));
    assert_memory_equal(start.headers, "Call-ID: 1", 10);
    text = "OPTIONS sip:b SIP/2.0\r\n\r\n";
    assert_true(sip_parse(text, strlen(text), &start));
    assert_int_equal(start.headers_length, 0);
    text = "OPTIONS sip:b SIP/2.0\r\nVia: cut o"; /* the rest was not captured */
    assert_true(sip_parse(text, strlen(text), &start));
    assert_int_equal(start.headers_length, 10);
}

static void responses(void **state)
{
    const char *text = "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n";
    struct sip_start start;

    (void)state;
    assert_true(sip_parse(text, strlen(text), &start));
    assert_int_equal(start.status, 486);
    assert_null(start.method);
    assert_true(sip_parse("SIP/2.0 100\n", 12, &start));
    assert_int_equal(start.status, 100);
}

static void no_sip(void **state)
{
    static const char *const wrong[] = {
        "",
        "\r\n",
        "INVITE sip:a@b SIP/2.0",
        "INVITE sip:a@b SIP/1.0\r\n",
        "INVITE  SIP/2.0\r\n",
        "INVITE SIP/2.0\r\n",
        " INVITE sip:a SIP/2.0\r\n",
        "INV@TE sip:a SIP/2.0\r\n",
        "GET / HTTP/1.1\r\n",
        "SIP/2.0\r\n",
        "SIP/2.0 99 Low\r\n",
        "SIP/2.0 700 High\r\n",
        "SIP/2.0 2000 Long\r\n",
        "SIP/2.0 20x Odd\r\n",
        "SIP/2.0_200 OK\r\n",
    };
    struct sip_start start;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sip_parse(wrong[i], strlen(wrong[i]), &start))
            fail_msg("taken for SIP: %s", wrong[i]);
}

static void rtp(void **state)
{
    static const uint8_t plain[] = "\x80\x88\x12\x34\0\0\0\xa0\xde\xad\xbe\xef";
    static const uint8_t extended[] = "\x92\x00\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\xbe\xde\0\1\1\2\3\4";
    struct rtp_header header;

    (void)state;
    assert_true(rtp_parse(plain, 12, &header));
    assert_int_equal(header.payload_type, 8);
    assert_int_equal(header.sequence, 0x1234);
    assert_int_equal(header.timestamp, 160);
    assert_int_equal(header.ssrc, 0xdeadbeef);
    assert_int_equal(header.length, 12);
    assert_true(rtp_parse(extended, 28, &header));
    assert_int_equal(header.length, 28);
    for (size_t length = 0; length < 28; length++)
        assert_false(rtp_parse(extended, length, &header));
    assert_false(rtp_parse("\x40\0\0\0\0\0\0\0\0\0\0\0", 12, &header));   /* version 1 */
    assert_false(rtp_parse("\x80\xc8\0\0\0\0\0\0\0\0\0\0", 12, &header)); /* RTCP */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(responses),
        cmocka_unit_test(no_sip),
        cmocka_unit_test(rtp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
