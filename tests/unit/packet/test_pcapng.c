/* The blocks, word by word as the draft has them. Expected blocks are written as numbers of 32 bits in the
 * byte order of this host, as the encoder does; texts are bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/base/memory.h"
#include "src/packet/pcapng.h"

#define assert_block(buffer, expected)                                                                       \
    do {                                                                                                     \
        assert_int_equal((buffer).length, sizeof(expected));                                                 \
        assert_memory_equal((buffer).data, expected, sizeof(expected));                                      \
    } while (0)

/* Two numbers of 16 bits that stand in one word; and four characters. */
static uint32_t halves(uint16_t first, uint16_t second)
{
    uint16_t both[2] = {first, second};
    uint32_t word;

    memcpy(&word, both, sizeof word);
    return word;
}

static uint32_t text(const char *four)
{
    char bytes[4] = {0};
    uint32_t word;

    memcpy(bytes, four, strnlen(four, sizeof bytes));
    memcpy(&word, bytes, sizeof word);
    return word;
}

static void section(void **state)
{
    cleanup_buffer struct buffer out = {0};
    uint32_t expected[] = {
        0x0a0d0d0a,
        60,
        0x1a2b3c4d,
        halves(1, 0), /* version 1.0 */
        0xffffffff,
        0xffffffff, /* length: not known */
        halves(2, 6),
        text("x86_"),
        text("64"),
        halves(3, 5),
        text("Linu"),
        text("x"),    /* hardware, os */
        halves(4, 0), /* an empty text is one too */
        0,
        60,
    };

    (void)state;
    pcapng_add_section(&out,
                       &(struct pcapng_section){.hardware = "x86_64", .os = "Linux", .application = ""});
    assert_block(out, expected);
}

static void section_without_texts(void **state)
{
    cleanup_buffer struct buffer out = {0};
    uint32_t expected[] = {0x0a0d0d0a, 32, 0x1a2b3c4d, halves(1, 0), 0xffffffff, 0xffffffff, 0, 32};

    (void)state;
    pcapng_add_section(&out, &(struct pcapng_section){0});
    assert_block(out, expected);
}

static void interface(void **state)
{
    cleanup_buffer struct buffer out = {0};
    uint32_t expected[] = {
        1,
        40,
        halves(PCAPNG_LINKTYPE_ETHERNET, 0),
        262144,
        halves(2, 4),
        text("eth0"),
        halves(9, 1),
        text("\x09"), /* nanoseconds */
        0,
        40,
    };

    (void)state;
    pcapng_add_interface(&out, &(struct pcapng_interface){
                                   .name = "eth0", .linktype = PCAPNG_LINKTYPE_ETHERNET, .snaplen = 262144});
    assert_block(out, expected);
}

static void packets_of_all_paddings(void **state)
{
    static const char frame[] = "abcde";

    (void)state;
    for (uint32_t length = 0; length <= 5; length++) {
        cleanup_buffer struct buffer out = {0};
        uint32_t words = (length + 3) / 4, total = 32 + 4 * words;
        uint32_t expected[] = {6, total, 7, 0x17e5d1a0, 0x3b9ac9ff, length, 1500, 0, 0, 0};
        char padded[8] = {0};

        memcpy(padded, frame, length);
        memcpy(expected + 7, padded, words * sizeof *expected);
        expected[7 + words] = total;
        pcapng_add_packet(&out, &(struct pcapng_packet){.interface = 7,
                                                        .timestamp = 0x17e5d1a03b9ac9ff,
                                                        .captured = length,
                                                        .original = 1500,
                                                        .data = length ? frame : NULL});
        assert_int_equal(out.length, total);
        assert_memory_equal(out.data, expected, total);
    }
}

static void statistics(void **state)
{
    cleanup_buffer struct buffer out = {0};
    uint64_t received = 0x100000002, dropped = 3;
    uint32_t expected[] = {5, 52, 1, 2, 3, halves(4, 8), 0, 0, halves(5, 8), 0, 0, 0, 52};

    (void)state;
    memcpy(expected + 6, &received, sizeof received);
    memcpy(expected + 9, &dropped, sizeof dropped);
    pcapng_add_statistics(
        &out, &(struct pcapng_statistics){
                  .interface = 1, .timestamp = 0x200000003, .received = received, .dropped = dropped});
    assert_block(out, expected);
}

/* A text longer than an option can say is cut off, and the block is whole all the same. */
static void endless_text(void **state)
{
    cleanup_buffer struct buffer out = {0};
    char *name = malloc(70001);
    uint32_t length;

    (void)state;
    assert_non_null(name);
    memset(name, 'n', 70000);
    name[70000] = '\0';
    pcapng_add_interface(&out, &(struct pcapng_interface){.name = name});
    free(name);
    memcpy(&length, out.data + 4, sizeof length);
    assert_int_equal(length, out.length);
    assert_int_equal(out.length, 16 + 4 + 65536 + 8 + 4 + 4);
}

/* Blocks stand one behind the other, and both lengths of each agree: a reader can walk either way. */
static void walk(void **state)
{
    cleanup_buffer struct buffer out = {0};
    uint32_t types[4] = {0}, length, again;
    size_t count = 0;

    (void)state;
    pcapng_add_section(&out, &(struct pcapng_section){.application = "sippod"});
    pcapng_add_interface(&out, &(struct pcapng_interface){.name = "lo"});
    pcapng_add_packet(&out, &(struct pcapng_packet){.captured = 3, .original = 3, .data = "abc"});
    pcapng_add_statistics(&out, &(struct pcapng_statistics){0});
    for (size_t at = 0; at < out.length; at += length) {
        assert_in_range(count, 0, 3);
        memcpy(&types[count++], out.data + at, sizeof *types);
        memcpy(&length, out.data + at + 4, sizeof length);
        assert_in_range(length, 12, out.length - at);
        assert_int_equal(length % 4, 0);
        memcpy(&again, out.data + at + length - 4, sizeof again);
        assert_int_equal(length, again);
    }
    assert_int_equal(count, 4);
    assert_int_equal(types[3], 5);
}

static void names(void **state)
{
    static const struct pcapng_name names[] = {
        {"198.18.1.0", "ua0"},
        {"198.18.1.0", "a.b"},
        {"fd00::1", "ua1x"},
        {"198.18.1.0", "z"},
    };
    cleanup_buffer struct buffer out = {0};
    uint32_t expected[] = {
        4,
        72,
        halves(1, 12),
        text("\xc6\x12\x01"),
        text("ua0"),
        text("a.b"),
        halves(2, 21),
        text("\xfd"),
        0,
        0,
        0,
        text("ua1x"),
        0,
        halves(1, 6),
        text("\xc6\x12\x01"),
        text("z"),
        0, /* end of records */
        72,
    };

    (void)state;
    ((uint8_t *)&expected[10])[3] = 1; /* …::1 */
    pcapng_add_names(&out, names, sizeof names / sizeof *names);
    assert_block(out, expected);
}

/* What no record can hold is left out, the rest is as ever. */
static void names_left_out(void **state)
{
    cleanup_buffer struct buffer out = {0};
    cleanup_free char *endless = memory_new(70001);
    const struct pcapng_name names[] = {
        {"example.com", "no address"}, {"198.18.1.0", ""}, {"fd00::g", "none"},
        {"198.18.1.0", endless},       {"", "none"},       {"198.18.1.256", "none"},
    };
    const struct pcapng_name mixed[] = {{"198.18.1.0", ""}, {"198.18.1.0", endless}, {"198.18.1.0", "ua0"}};
    uint32_t expected[] = {4, 28, halves(1, 8), text("\xc6\x12\x01"), text("ua0"), 0, 28};

    (void)state;
    memset(endless, 'n', 70000);
    pcapng_add_names(&out, names, sizeof names / sizeof *names);
    pcapng_add_names(&out, NULL, 0);
    assert_int_equal(out.length, 0);
    pcapng_add_names(&out, mixed, sizeof mixed / sizeof *mixed);
    assert_block(out, expected);
}

/* More names than a record can count go into another one; more than a reader takes in are cut off. */
static void names_without_end(void **state)
{
    static struct pcapng_name names[400];
    cleanup_buffer struct buffer out = {0};
    cleanup_free char *name = memory_new(65532);
    size_t records = 0, at = 8;
    uint16_t head[2];
    uint32_t length;

    (void)state;
    memset(name, 'n', 65530); /* with its NUL and its address: the longest one that fits */
    for (size_t i = 0; i < 400; i++)
        names[i] = (struct pcapng_name){"198.18.1.0", name};
    pcapng_add_names(&out, names, 400);
    memcpy(&length, out.data + 4, sizeof length);
    assert_int_equal(length, out.length);
    assert_in_range(out.length, PCAPNG_BLOCK_MOST - 4 * 65536, PCAPNG_BLOCK_MOST);
    for (;; at += 4 + (head[1] + 3U) / 4 * 4, records++) {
        memcpy(head, out.data + at, sizeof head);
        if (!head[0])
            break;
        assert_int_equal(head[0], 1);
        assert_int_equal(head[1], 65535);
    }
    assert_int_equal(at + 8, out.length);
    assert_in_range(records, 250, 256);
}

static void secrets(void **state)
{
    (void)state;
    for (uint32_t length = 0; length <= 5; length++) {
        cleanup_buffer struct buffer out = {0};
        uint32_t words = (length + 3) / 4, total = 20 + 4 * words;
        uint32_t expected[] = {10, total, 0x544c534b, length, 0, 0, 0};
        char padded[8] = {0};

        memcpy(padded, "A b c", length);
        memcpy(expected + 4, padded, words * sizeof *expected);
        expected[4 + words] = total;
        pcapng_add_secrets(&out, "A b c", length);
        assert_int_equal(out.length, total);
        assert_memory_equal(out.data, expected, total);
    }
}

static void secrets_without_end(void **state)
{
    cleanup_buffer struct buffer out = {0};
    cleanup_free char *keys = memory_new(PCAPNG_SECRETS_MOST + 1);
    uint32_t head[4];

    (void)state;
    pcapng_add_secrets(&out, keys, PCAPNG_SECRETS_MOST + 1);
    memcpy(head, out.data, sizeof head);
    assert_int_equal(out.length, PCAPNG_BLOCK_MOST);
    assert_int_equal(head[1], PCAPNG_BLOCK_MOST);
    assert_int_equal(head[3], PCAPNG_SECRETS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(section),        cmocka_unit_test(section_without_texts),
        cmocka_unit_test(interface),      cmocka_unit_test(packets_of_all_paddings),
        cmocka_unit_test(statistics),     cmocka_unit_test(endless_text),
        cmocka_unit_test(walk),           cmocka_unit_test(names),
        cmocka_unit_test(names_left_out), cmocka_unit_test(names_without_end),
        cmocka_unit_test(secrets),        cmocka_unit_test(secrets_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
