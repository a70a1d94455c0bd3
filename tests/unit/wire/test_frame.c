/* Frames: what is encoded decodes to the same, wherever the stream is cut, and nothing that was only
 * announced is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/wire/frame.h"
#include "tests/unit/support/support.h"

static void test_ctl_bytes(void **state)
{
    cleanup_buffer struct buffer out = {0};

    (void)state;
    ctl_encode(&out, CTL_NEWCONTAINER, "{}", 2);
    ctl_encode(&out, CTL_PING, NULL, 0);
    ctl_encode_next(&out, 0x01020304);
    assert_int_equal(out.length, 10 + 8 + 12);
    assert_memory_equal(out.data, "\0\0\0\x11\0\0\0\x0a{}\0\0\0\x0c\0\0\0\x08\0\0\0\x0e\0\0\0\x0c\1\2\3\4",
                        out.length);
}

static void test_io_bytes(void **state)
{
    cleanup_buffer struct buffer out = {0};

    (void)state;
    io_encode(&out, UINT64_C(0x0102030405060708), "x", 1);
    io_encode(&out, 7, NULL, 0);
    assert_int_equal(out.length, 13 + 12);
    assert_memory_equal(out.data, "\1\2\3\4\5\6\7\10\0\0\0\x0dx\0\0\0\0\0\0\0\7\0\0\0\x0c", out.length);
}

struct sample {
    uint64_t number; /* code, or sequence */
    const char *payload;
    size_t length;
};

static const struct sample samples[] = {
    {0, "", 0},       {CTL_STARTPOD, "{\"a\":1}", 7}, {UINT32_MAX, "\0\0\0\xff\n", 5},
    {CTL_ACK, "", 0}, {CTL_NEXT, "\0\0\1\0", 4},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void check_ctl(const struct ctl_frame *frame, const struct sample *sample)
{
    assert_int_equal(frame->code, sample->number);
    assert_int_equal(frame->length, sample->length);
    if (sample->length)
        assert_memory_equal(frame->payload, sample->payload, sample->length);
    else
        assert_null(frame->payload);
}

static void check_io(const struct io_frame *frame, const struct sample *sample)
{
    assert_true(frame->sequence == sample->number << 20);
    assert_int_equal(frame->length, sample->length);
    if (sample->length)
        assert_memory_equal(frame->payload, sample->payload, sample->length);
    else
        assert_null(frame->payload);
}

/* Decodes what is whole of the first `length` bytes, each time with memory that ends there. */
static size_t decode_all(const struct buffer *stream, size_t length, bool io)
{
    size_t offset = 0, count = 0;

    for (;;) {
        cleanup_free uint8_t *copy = memory_new(length - offset + 1);
        struct error *error = NULL;
        struct ctl_frame ctl;
        struct io_frame frame;
        size_t used = 77;
        int result;

        copy = memory_array(copy, length - offset, 1); /* so that a sanitizer sees who reads on */
        memcpy(copy, stream->data + offset, length - offset);
        result = io ? io_decode(copy, length - offset, &frame, &used, &error)
                    : ctl_decode(copy, length - offset, &ctl, &used, &error);
        assert_null(error);
        if (result == 0)
            return count;
        assert_int_equal(result, 1);
        if (io)
            check_io(&frame, &samples[count]);
        else
            check_ctl(&ctl, &samples[count]);
        assert_int_equal(used, samples[count].length + (io ? IO_HEADER : CTL_HEADER));
        offset += used;
        count++;
    }
}

static void every_split(bool io)
{
    cleanup_buffer struct buffer stream = {0};
    size_t ends[SAMPLES];

    for (size_t i = 0; i < SAMPLES; i++) {
        if (io)
            io_encode(&stream, samples[i].number << 20, samples[i].payload, samples[i].length);
        else
            ctl_encode(&stream, (uint32_t)samples[i].number, samples[i].payload, samples[i].length);
        ends[i] = stream.length;
    }
    for (size_t length = 0; length <= stream.length; length++) {
        size_t expected = 0;

        while (expected < SAMPLES && ends[expected] <= length)
            expected++;
        assert_int_equal(decode_all(&stream, length, io), expected);
    }
}

static void test_ctl_split_anywhere(void **state)
{
    (void)state;
    every_split(false);
}

static void test_io_split_anywhere(void **state)
{
    (void)state;
    every_split(true);
}

/* The header alone is enough to know. */
static void test_length_refused(void **state)
{
    static const uint32_t ctl_wrong[] = {0, 1, 7, FRAME_MOST + 1, 0x7fffffff, 0x80000000, UINT32_MAX};
    static const uint32_t io_wrong[] = {0, 8, 11, FRAME_MOST + 1, UINT32_MAX};
    uint8_t header[IO_HEADER] = {0};
    struct ctl_frame ctl;
    struct io_frame io;
    size_t used;

    (void)state;
    for (size_t i = 0; i < sizeof ctl_wrong / sizeof *ctl_wrong; i++) {
        cleanup_error struct error *error = NULL;
        uint32_t wire = __builtin_bswap32(ctl_wrong[i]);

        memcpy(header + 4, &wire, 4);
        assert_int_equal(ctl_decode(header, CTL_HEADER - 1, &ctl, &used, &error), 0);
        assert_int_equal(ctl_decode(header, CTL_HEADER, &ctl, &used, &error), -1);
        assert_error(error, ERROR_FAILED, "between 8 and 1048576");
    }
    for (size_t i = 0; i < sizeof io_wrong / sizeof *io_wrong; i++) {
        cleanup_error struct error *error = NULL;
        uint32_t wire = __builtin_bswap32(io_wrong[i]);

        memcpy(header + 8, &wire, 4);
        assert_int_equal(io_decode(header, IO_HEADER - 1, &io, &used, &error), 0);
        assert_int_equal(io_decode(header, IO_HEADER, &io, &used, &error), -1);
        assert_error(error, ERROR_FAILED, "between 12 and 1048576");
    }
}

static void test_longest(void **state)
{
    cleanup_buffer struct buffer stream = {0};
    cleanup_free uint8_t *payload = memory_new(FRAME_MOST);
    struct ctl_frame ctl;
    struct io_frame io;
    size_t used;

    (void)state;
    ctl_encode(&stream, CTL_WRITEFILE, payload, FRAME_MOST - CTL_HEADER);
    assert_int_equal(stream.length, FRAME_MOST);
    assert_int_equal(ctl_decode(stream.data, FRAME_MOST - 1, &ctl, &used, NULL), 0);
    assert_int_equal(ctl_decode(stream.data, FRAME_MOST, &ctl, &used, NULL), 1);
    assert_int_equal(ctl.length, FRAME_MOST - CTL_HEADER);
    stream.length = 0;
    io_encode(&stream, 1, payload, FRAME_MOST - IO_HEADER);
    assert_int_equal(io_decode(stream.data, FRAME_MOST - 1, &io, &used, NULL), 0);
    assert_int_equal(io_decode(stream.data, FRAME_MOST, &io, &used, NULL), 1);
    assert_int_equal(used, FRAME_MOST);
}

static void test_number(void **state)
{
    struct ctl_frame frame = {.payload = (const uint8_t *)"\0\0\x10\x94Z", .length = 4};

    (void)state;
    assert_int_equal(ctl_number(&frame), API_VERSION);
    frame.length = 3;
    assert_int_equal(ctl_number(&frame), 0);
    frame.length = 5;
    assert_int_equal(ctl_number(&frame), 0);
    frame = (struct ctl_frame){0};
    assert_int_equal(ctl_number(&frame), 0);
}

static void test_names(void **state)
{
    static const uint32_t nameless[] = {2, 3, 5, 7, 13, 26, 1000, UINT32_MAX};

    (void)state;
    assert_string_equal(ctl_name(CTL_GETVERSION), "version");
    assert_string_equal(ctl_name(CTL_STARTPOD), "startpod");
    assert_string_equal(ctl_name(CTL_NEWCONTAINER), "newcontainer");
    assert_string_equal(ctl_name(CTL_DELETEINTERFACE), "deleteinterface");
    for (size_t i = 0; i < sizeof nameless / sizeof *nameless; i++)
        assert_string_equal(ctl_name(nameless[i]), "unknown");
    for (uint32_t code = 0; code <= CTL_DELETEINTERFACE; code++)
        for (uint32_t other = 0; other < code; other++)
            if (strcmp(ctl_name(code), "unknown") != 0)
                assert_string_not_equal(ctl_name(code), ctl_name(other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ctl_bytes),
        cmocka_unit_test(test_io_bytes),
        cmocka_unit_test(test_ctl_split_anywhere),
        cmocka_unit_test(test_io_split_anywhere),
        cmocka_unit_test(test_length_refused),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
