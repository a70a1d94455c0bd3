/* The last step of a capture by itself, fed with packets of any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/sniffer/assemble.h"
#include "src/base/file.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define FILE_NAME "sipp-abcdef.pcapng"
#define MOST      3000

struct work {
    char *path;
    int folder;
    struct stream stream;
    struct buffer ahead, tail;

    /* What is in the file afterwards: its blocks as letters and digits ('S': section header; else the type;
     * one 'P' for all packets in a row), times and numbers of the packets. */
    char blocks[16];
    size_t count;
    uint64_t times[MOST];
    uint32_t numbers[MOST];
};

static int setup(void **state)
{
    cleanup_buffer struct buffer head = {0};
    struct work *work = memory_new(sizeof *work);

    work->path = folder_make();
    work->folder = folder_open(work->path);
    assert_int_equal(stream_open(&work->stream, work->folder, FILE_NAME, 0644, NULL), 0);
    pcapng_add_section(&head, &(struct pcapng_section){0});
    pcapng_add_interface(&head, &(struct pcapng_interface){.linktype = PCAPNG_LINKTYPE_ETHERNET});
    stream_add(&work->stream, head.data, head.length);
    *state = work;
    return 0;
}

static int teardown(void **state)
{
    struct work *work = *state;

    stream_close(&work->stream);
    buffer_free(&work->ahead);
    buffer_free(&work->tail);
    close_fd(&work->folder);
    folder_remove(work->path);
    free(work);
    return 0;
}

/* A packet whose data is its number; every hundredth is too large to be copied in one piece. */
static void add_packet(struct work *work, uint64_t timestamp, uint32_t number)
{
    static uint8_t data[100000];
    uint32_t length = number % 100 ? 4 + number % 9 : sizeof data;

    memcpy(data, &number, sizeof number);
    stream_packet(&work->stream, &(struct pcapng_packet){
                                     .timestamp = timestamp,
                                     .captured = length,
                                     .original = length,
                                     .data = data,
                                 });
}

/* Some block to be put ahead of the packets, of a type of its own: 7. */
static void add_block_ahead(struct work *work)
{
    static const uint32_t block[] = {7, 12, 12};

    buffer_add(&work->ahead, block, sizeof block);
}

static char block_letter(uint32_t type)
{
    if (type == 0x0a0d0d0a)
        return 'S';
    return type == 6 ? 'P' : (char)('0' + type);
}

static void note_block(struct work *work, const char *block)
{
    uint32_t head[8];
    char letter;

    memcpy(head, block, 12);
    letter = block_letter(head[0]);
    if (letter != 'P' || !work->count) {
        assert_true(strlen(work->blocks) + 1 < sizeof work->blocks);
        work->blocks[strlen(work->blocks)] = letter;
    }
    if (letter != 'P')
        return;
    memcpy(head, block, sizeof head);
    assert_true(work->count < MOST);
    work->times[work->count] = (uint64_t)head[3] << 32 | head[4];
    work->numbers[work->count++] = head[7];
}

static void assemble_and_read(struct work *work)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *data = NULL;
    uint32_t block_length;
    size_t length;

    if (assemble(&work->stream, work->folder, &work->ahead, &work->tail, &error) < 0)
        fail_msg("%s", error_text(error));
    assert_int_equal(file_read(work->folder, FILE_NAME, 64 << 20, &data, &length, NULL), 0);
    for (size_t at = 0; at < length; at += block_length) {
        assert_in_range(length - at, 12, length);
        memcpy(&block_length, data + at + 4, sizeof block_length);
        assert_in_range(block_length, 12, length - at);
        note_block(work, data + at);
    }
}

static void assert_only_file(const struct work *work)
{
    cleanup_strings struct strings names = {0};

    assert_int_equal(file_list(work->folder, &names, NULL), 0);
    assert_int_equal(names.count, 1);
}

static void sort_is_stable(void **state)
{
    static const uint64_t times[] = {50, 10, 50, 1ULL << 40, 10, 50, 9, 10};
    static const uint32_t expected[] = {6, 1, 4, 7, 0, 2, 5, 3};
    struct work *work = *state;

    for (uint32_t i = 0; i < 8; i++)
        add_packet(work, times[i], i);
    assert_true(work->stream.unordered);
    pcapng_add_statistics(&work->tail, &(struct pcapng_statistics){0});
    assemble_and_read(work);
    assert_string_equal(work->blocks, "S1P5");
    assert_int_equal(work->count, 8);
    assert_memory_equal(work->numbers, expected, sizeof expected);
    assert_only_file(work);
}

static void sort_of_many(void **state)
{
    struct work *work = *state;

    srandom(1);
    for (uint32_t i = 0; i < MOST; i++)
        add_packet(work, i / 10 + (uint64_t)random() % 20, i);
    assemble_and_read(work);
    assert_string_equal(work->blocks, "S1P");
    assert_int_equal(work->count, MOST);
    for (size_t i = 1; i < MOST; i++) {
        assert_true(work->times[i - 1] <= work->times[i]);
        if (work->times[i - 1] == work->times[i])
            assert_true(work->numbers[i - 1] < work->numbers[i]);
    }
}

static void blocks_ahead(void **state)
{
    struct work *work = *state;

    for (uint32_t i = 0; i < 3; i++)
        add_packet(work, i, i);
    add_block_ahead(work);
    assemble_and_read(work);
    assert_string_equal(work->blocks, "S17P");
    assert_int_equal(work->count, 3);
}

static void blocks_and_no_packets(void **state)
{
    struct work *work = *state;

    add_block_ahead(work);
    pcapng_add_statistics(&work->tail, &(struct pcapng_statistics){0});
    assemble_and_read(work);
    assert_string_equal(work->blocks, "S175");
}

/* In order already: the file is not copied. */
static void nothing_to_sort(void **state)
{
    struct work *work = *state;
    struct stat before, after;

    for (uint32_t i = 0; i < 10; i++)
        add_packet(work, 5, i);
    pcapng_add_statistics(&work->tail, &(struct pcapng_statistics){0});
    assert_int_equal(fstat(work->stream.fd, &before), 0);
    assemble_and_read(work);
    assert_string_equal(work->blocks, "S1P5");
    assert_int_equal(fstatat(work->folder, FILE_NAME, &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

/* What a killed run left, or what someone put there: never followed, and gone afterwards. */
static void temporary_name_is_taken(void **state)
{
    struct work *work = *state;

    folder_put(work->path, "precious", "text");
    folder_link(work->path, "precious", FILE_NAME ".new");
    add_packet(work, 2, 1);
    add_packet(work, 1, 2);
    assemble_and_read(work);
    assert_string_equal(work->blocks, "S1P");
    assert_false(folder_has(work->path, FILE_NAME ".new"));

    cleanup_free char *text = folder_get(work->path, "precious");

    assert_string_equal(text, "text");
}

/* A script of the test may do anything to the file: an error, and no crash. */
static void file_cut_short(void **state)
{
    struct work *work = *state;
    cleanup_error struct error *error = NULL;

    add_packet(work, 2, 1);
    add_packet(work, 1, 2);
    stream_flush(&work->stream);
    assert_int_equal(ftruncate(work->stream.fd, 60), 0);
    assert_int_equal(assemble(&work->stream, work->folder, &work->ahead, &work->tail, &error), -1);
    assert_error(error, ERROR_FAILED, "cut short");
    assert_only_file(work);
}

#define work_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        work_test(sort_is_stable),        work_test(sort_of_many),    work_test(blocks_ahead),
        work_test(blocks_and_no_packets), work_test(nothing_to_sort), work_test(temporary_name_is_taken),
        work_test(file_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
