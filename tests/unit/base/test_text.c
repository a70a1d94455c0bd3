/* Text that is safe to print, numbers that are numbers, lists and buffers that grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/text.h"
#include "src/base/words.h"

static void printable(const char *bytes, size_t length, const char *expected)
{
    cleanup_free char *text = text_printable(bytes, length);

    assert_string_equal(text, expected);
}
#define PRINTABLE(bytes, expected) printable(bytes, sizeof(bytes) - 1, expected)

static void test_printable_keeps(void **state)
{
    (void)state;
    PRINTABLE("", "");
    PRINTABLE(" ~azAZ09\\\"", " ~azAZ09\\\"");
    PRINTABLE("\xc2\xa0\xc3\xa9\xdf\xbf", "\xc2\xa0\xc3\xa9\xdf\xbf");
    PRINTABLE("\xe0\xa0\x80\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80",
              "\xe0\xa0\x80\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80");
    PRINTABLE("\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
              "\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
}

static void test_printable_control(void **state)
{
    (void)state;
    PRINTABLE("a\nb\tc\r", "a\\x0ab\\x09c\\x0d");
    PRINTABLE("\0x\0", "\\x00x\\x00");
    PRINTABLE("\x1b[31m\x7f", "\\x1b[31m\\x7f");
    /* C1: U+009B is a CSI to some terminals. */
    PRINTABLE("\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f");
    for (unsigned char byte = 0; byte < 0x20; byte++) {
        cleanup_free char *expected = text_format("\\x%02x", byte);

        printable((const char *)&byte, 1, expected);
    }
}

static void test_printable_not_utf8(void **state)
{
    (void)state;
    PRINTABLE("\x80", "\\x80");
    PRINTABLE("\xc3", "\\xc3");
    PRINTABLE("\xc3z", "\\xc3z");
    PRINTABLE("\xc0\xaf\xc1\xbf", "\\xc0\\xaf\\xc1\\xbf"); /* overlong */
    PRINTABLE("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf");
    PRINTABLE("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf");
    PRINTABLE("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
    PRINTABLE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    PRINTABLE("\xf5\xff\xfe", "\\xf5\\xff\\xfe");
    PRINTABLE("\xe2\x82", "\\xe2\\x82"); /* cut off */
    PRINTABLE("\xe2\x82\xc3\xa9", "\\xe2\\x82\xc3\xa9");
    /* What lies behind the given length is not looked at. */
    printable("\xc3\xa9", 1, "\\xc3");
}

static void test_number(void **state)
{
    static const char *const wrong[] = {"",
                                        " 1",
                                        "1 ",
                                        "+1",
                                        "-1",
                                        "4.0",
                                        "0x5",
                                        "1e1",
                                        "ten",
                                        "11",
                                        "2",
                                        "\xd9\xa3",
                                        "99999999999999999999"};
    long number = 77;

    (void)state;
    assert_true(text_number("3", 3, 10, &number));
    assert_int_equal(number, 3);
    assert_true(text_number("10", 3, 10, &number));
    assert_int_equal(number, 10);
    assert_true(text_number("010", 3, 10, &number)); /* decimal, not octal */
    assert_int_equal(number, 10);
    assert_true(text_number("9223372036854775807", 0, LONG_MAX, &number));
    assert_true(number == LONG_MAX);
    number = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(text_number(wrong[i], 3, 10, &number));
    assert_false(text_number(NULL, 3, 10, &number));
    assert_false(text_number("9223372036854775808", 0, LONG_MAX, &number));
    assert_int_equal(number, 77);
}

static void test_copies(void **state)
{
    cleanup_free char *copy = text_copy("abc");
    cleanup_free char *slice = text_slice("abcdef", 4);
    cleanup_free char *empty = text_slice("x", 0);

    (void)state;
    assert_string_equal(copy, "abc");
    assert_string_equal(slice, "abcd");
    assert_string_equal(empty, "");
    assert_null(text_copy(NULL));
    assert_false(text_equal("ab", copy));
    assert_true(text_equal("abc", copy));
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_false(text_equal("", NULL));
}

static void test_format_is_not_cut(void **state)
{
    cleanup_free char *long_text = text_format("%0*d%s", 100000, 7, "!");

    (void)state;
    assert_int_equal(strlen(long_text), 100001);
    assert_string_equal(long_text + 99999, "7!");
}

static void test_strings(void **state)
{
    struct strings strings = {0};

    (void)state;
    strings_free(&strings);
    for (int i = 0; i < 1000; i++)
        strings_addf(&strings, "<%d>", i);
    strings_add(&strings, "last");
    assert_int_equal(strings.count, 1001);
    assert_string_equal(strings.list[0], "<0>");
    assert_string_equal(strings.list[999], "<999>");
    assert_string_equal(strings.list[1000], "last");
    assert_null(strings.list[1001]); /* as execv wants it */
    strings_free(&strings);
    assert_null(strings.list);
    assert_int_equal(strings.count, 0);
}

static void test_buffer_grows(void **state)
{
    cleanup_buffer struct buffer buffer = {0};

    (void)state;
    buffer_add(&buffer, NULL, 0);
    assert_int_equal(buffer.length, 0);
    for (int i = 0; i < 100000; i++)
        buffer_add(&buffer, (uint8_t[]){(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16)}, 3);
    assert_int_equal(buffer.length, 300000);
    assert_true(buffer.size >= buffer.length);
    for (int i = 0; i < 100000; i++)
        assert_true(buffer.data[3 * i] == (uint8_t)i && buffer.data[3 * i + 1] == (uint8_t)(i >> 8) &&
                    buffer.data[3 * i + 2] == (uint8_t)(i >> 16));
    buffer_addf(&buffer, "%s-%d", "x", 12);
    assert_memory_equal(buffer.data + 300000, "x-12", 4);
    buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.length, 0);
    assert_int_equal(buffer.size, 0);
}

static void test_buffer_big_at_once(void **state)
{
    cleanup_buffer struct buffer buffer = {0};
    cleanup_free char *data = memory_new(1000000);

    (void)state;
    memset(data, 'q', 1000000);
    buffer_add(&buffer, "p", 1);
    buffer_add(&buffer, data, 1000000);
    assert_int_equal(buffer.length, 1000001);
    assert_int_equal(buffer.data[0], 'p');
    assert_memory_equal(buffer.data + 1, data, 1000000);
}

static void test_buffer_drop(void **state)
{
    cleanup_buffer struct buffer buffer = {0};

    (void)state;
    buffer_addf(&buffer, "0123456789");
    buffer_drop(&buffer, 0);
    assert_int_equal(buffer.length, 10);
    buffer_drop(&buffer, 4);
    assert_int_equal(buffer.length, 6);
    assert_memory_equal(buffer.data, "456789", 6);
    buffer_drop(&buffer, 6);
    assert_int_equal(buffer.length, 0);
    buffer_addf(&buffer, "again");
    assert_memory_equal(buffer.data, "again", 5);
}

static void splits(const char *text, const char *joined)
{
    cleanup_strings struct strings words = {0};
    cleanup_buffer struct buffer got = {0};

    assert_int_equal(words_split(text, &words, NULL), 0);
    for (size_t i = 0; i < words.count; i++)
        buffer_addf(&got, "[%s]", words.list[i]);
    buffer_add(&got, "", 1);
    assert_string_equal((const char *)got.data, joined);
}

static void test_split(void **state)
{
    (void)state;
    splits("", "");
    splits(" \t\n", "");
    splits("-mp 7000", "[-mp][7000]");
    splits("  a  b\t", "[a][b]");
    splits("'a b' \"c d\"e ''", "[a b][c de][]");
    splits("a\\ b \"\\\"\" '\\'", "[a b][\"][\\]");
    splits("$HOME * ~ `x`", "[$HOME][*][~][`x`]"); /* nothing is expanded */
    splits("end\\", "[end\\]");
}

static void test_split_refuses(void **state)
{
    static const char *const wrong[] = {"'", "a \"b", "'a\"", "\"a\\\""};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cleanup_strings struct strings words = {0};
        cleanup_error struct error *error = NULL;

        assert_int_equal(words_split(wrong[i], &words, &error), -1);
        assert_int_equal(error->code, ERROR_INPUT);
    }
}

static void test_start(void **state)
{
    static const struct {
        const char *text;
        size_t most;
        const char *start;
    } cases[] = {
        {"", 3, ""},
        {"abc", 3, "abc"},
        {"abcd", 3, "abc..."},
        {"ab\xc3\xa9", 4, "ab\xc3\xa9"},
        {"ab\xc3\xa9z", 3, "ab..."},
        {"\x80\x80\x80\x80", 2, "..."},
        {"\x1b\nab", 3, "\\x1b\\x0aa..."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *start = text_start(cases[i].text, strlen(cases[i].text), cases[i].most);

        assert_string_equal(start, cases[i].start);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable_keeps),
        cmocka_unit_test(test_printable_control),
        cmocka_unit_test(test_printable_not_utf8),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_format_is_not_cut),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_buffer_grows),
        cmocka_unit_test(test_buffer_big_at_once),
        cmocka_unit_test(test_buffer_drop),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
