/* What SIPp complains of: real samples of SIPp 3.6.1, and what is made of anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/complaint.h"
#include "tests/unit/support/support.h"

#define HEADING "The following events occurred:\n"
#define STAMP   "2026-11-23\t21:23:34.598436\t1795469014.598436: "
#define RESPONSE                                                                                             \
    "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-22845-1-0\r\n"                  \
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
#define UNEXPECTED "Aborting call on unexpected message for Call-Id '1-22845@127.0.0.1': "
#define DEAD       STAMP "Dead call 1-22845@127.0.0.1 (successful), received 'BYE sip:b@h SIP/2.0\r\n\r\n'\n"
#define TIMEOUT                                                                                              \
    "Call-Id: 1-22881@127.0.0.1, receive timeout on message caller: a:1 without label to jump to "           \
    "(ontimeout attribute): aborting call"

static void reads(const char *text, bool known, bool of_a_call, const char *expected)
{
    struct complaint complaint;
    bool result = complaint_read(text, &complaint);

    if (!text_equal(complaint.text, expected))
        fail_msg("%s: \"%s\"", text, complaint.text ? complaint.text : "NULL");
    assert_int_equal(result, known);
    assert_int_equal(complaint.of_a_call, of_a_call);
    free(complaint.text);
}

static void test_calls(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {UNEXPECTED "while expecting '200' (index 1), received '" RESPONSE "'\n",
         "expected 200 (step 1), received SIP/2.0 404 Not Found"},
        {UNEXPECTED "while expecting '180' (index 12), received 'SIP/2.0 404 Not Found'",
         "expected 180 (step 12), received SIP/2.0 404 Not Found"},
        {UNEXPECTED "while pausing (index 1), received '" RESPONSE "'\n",
         "received SIP/2.0 404 Not Found while pausing (step 1)"},
        {UNEXPECTED "while expecting command (index 2), received '" RESPONSE "'",
         "received SIP/2.0 404 Not Found while expecting command (step 2)"},
        {TIMEOUT, "nothing was received in time at step 1 (receive timeout)"},
        {"Call-Id: 1-2@h, send timeout on message caller:3: aborting call",
         "could not send in time at step 3 (send timeout)"},
        {"Failed regexp match: looking in ' 1 OPTIONS', with regexp 'xx(.*)'",
         "the regular expression 'xx(.*)' does not match ' 1 OPTIONS'"},
        {"Failed regexp match: looking in '" RESPONSE "', with regexp 'Foo: (.*)'\n",
         "the regular expression 'Foo: (.*)' does not match 'SIP/2.0 404 Not Found' and what follows"},
        {"Failed regexp match: header Foo: not found in message " RESPONSE,
         "there is no header Foo:, which a regular expression looks for"},
        {"Regexp matched but should not: looking in ' 1 OPTIONS', with regexp 'OPT'",
         "the regular expression 'OPT' matches ' 1 OPTIONS', but should not"},
        {"Aborting call on UDP retransmission timeout for Call-ID '1-9191@127.0.0.1'",
         "no answer came, after all retransmissions"},
        {"Aborting call on an unexpected BYE for call: 1-2@h", "received an unexpected BYE"},
        {"Aborting call on an unexpected CANCEL for call: 1-2@h", "received an unexpected CANCEL"},
        {"Field 7 not found in the file /suite/users.csv", "there is no field 7 in /suite/users.csv"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *log = text_format(HEADING STAMP "%s", cases[i].text);

        reads(log, true, true, cases[i].words);
    }
}

static void test_sipp_itself(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"Unable to load or parse 'uac_ua1.xml' xml scenario file", "uac_ua1.xml is not well-formed XML"},
        {"Unable to open file /nope.csv", "cannot open the injection file /nope.csv"},
        {"Can't open PCAP file 'nothere.pcap': nothere.pcap: No such file or directory",
         "cannot open the media file nothere.pcap: No such file or directory"},
        {"Unable to bind main socket, errno = 98 (Address already in use)",
         "cannot bind its SIP socket: Address already in use"},
        {"Unable to bind twin sipp socket , errno = 98 (Address already in use)",
         "cannot bind its 3PCC socket: Address already in use"},
        {"Error on TCP connection, remote peer probably closed the socket: Connection refused",
         "no TCP connection: Connection refused"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *log = text_format(HEADING STAMP "%s\n", cases[i].text);

        reads(log, true, false, cases[i].words);
    }
}

/* Words that are not known are passed on: the first line of the last ones, as far as they say anything. */
static void test_unknown(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {STAMP "Unknown element 'nonsense' in xml scenario file",
         "Unknown element 'nonsense' in xml scenario file"},
        {STAMP "Invalid argument: '-nonsense'.\nUse 'sipp -h' for details\n",
         "Invalid argument: '-nonsense'."},
        {STAMP "one\n" STAMP "two: more\r\nx", "two: more"},
        {STAMP "one" STAMP "Dead call 1-2@h", "one"},
        {STAMP "a\tb\x1b[2J\xff", "a\\x09b\\x1b[2J\\xff"},
        {HEADING, NULL},
        {STAMP, NULL},
        {HEADING DEAD DEAD, NULL},
        {"no stamp", NULL},
        {"", NULL},
        {"2026-11-23\t21:23", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        reads(cases[i].text, false, false, cases[i].words);
}

/* What is known comes before what is not; of several known ones the first tells most; messages follow each
 * other without a line end. */
static void test_several(void **state)
{
    (void)state;
    reads(HEADING STAMP "Failed to shutdown socket 9, errno = 107 (Transport endpoint is not connected)" STAMP
                        "Error on TCP connection, remote peer probably closed the socket: Connection refused",
          true, false, "no TCP connection: Connection refused");
    reads(HEADING STAMP "One of the twin instances has ended -> exiting" STAMP TIMEOUT, true, true,
          "nothing was received in time at step 1 (receive timeout)");
    reads(HEADING DEAD STAMP
          "something\n" STAMP UNEXPECTED
          "while expecting 'ACK' (index 3), received 'BYE sip:x SIP/2.0\r\n\r\n'" STAMP TIMEOUT,
          true, true, "expected ACK (step 3), received BYE sip:x SIP/2.0");
    /* What a message holds is no message of SIPp's. */
    reads(STAMP UNEXPECTED "while expecting 'ACK' (index 3), received 'A\r\n" TIMEOUT "'", true, true,
          "expected ACK (step 3), received A");
}

static void test_length(void **state)
{
    cleanup_free char *long_one = text_format(STAMP "%01000d", 7);
    cleanup_free char *received =
        text_format(STAMP UNEXPECTED "while expecting 'ACK' (index 3), received '%0100000d\r\n'", 7);
    struct complaint complaint;

    (void)state;
    assert_false(complaint_read(long_one, &complaint));
    assert_int_equal(strlen(complaint.text), 303);
    assert_string_equal(complaint.text + 297, "000...");
    free(complaint.text);
    assert_true(complaint_read(received, &complaint));
    assert_int_equal(strlen(complaint.text), 303);
    free(complaint.text);
}

/* ---- where they stand ---- */

static struct scenario server = {(char *)"uas_ua0.xml", (char *)"", (char *)"ua0", true};

/* A log of that time, in seconds. */
static void put(const struct folder_scene *scene, const char *name, time_t time, const char *text)
{
    struct timespec times[2] = {{.tv_sec = time}, {.tv_sec = time}};

    folder_put(scene->folder, name, text);
    assert_int_equal(utimensat(scene->dir, name, times, 0), 0);
}

static void finds(const struct folder_scene *scene, const char *said, const char *expected)
{
    struct timespec since = {.tv_sec = 1000};
    struct complaint complaint = complaint_find(scene->dir, &server, &since, said);

    if (!text_equal(complaint.text, expected))
        fail_msg("\"%s\", expected \"%s\"", complaint.text ? complaint.text : "NULL",
                 expected ? expected : "NULL");
    free(complaint.text);
}

/* Of this run and this scenario only: there is a log for each start of SIPp, with its process in the name. */
static void test_whose_log(void **state)
{
    struct folder_scene *scene = *state;

    finds(scene, "", NULL);
    put(scene, "uas_ua0_20_errors.log", 999, STAMP "of an earlier call");
    put(scene, "uas_ua01_1_errors.log", 1001, STAMP "of ua01");
    put(scene, "uas_ua0_1_messages.log", 1001, STAMP "no error log");
    put(scene, "uas_ua0_errors.log", 1001, STAMP "without a process");
    put(scene, "uas_ua0_x_errors.log", 1001, STAMP "without a process");
    put(scene, "02_uas_ua0_1_errors.log", 1001, STAMP "of part 02");
    put(scene, "uas_ua0_1_errors.log.bak", 1001, STAMP "a copy");
    finds(scene, "", NULL);
    put(scene, "uas_ua0_9_errors.log", 1000, STAMP "of this one");
    finds(scene, "", "of this one");
    put(scene, "uas_ua0_3_errors.log", 1002, STAMP "and the newest");
    finds(scene, "", "and the newest");
    folder_put(scene->folder, "uas_ua0_4_errors.log/x", "");
    finds(scene, "", NULL); /* a folder can be the newest, too */
}

static void test_log_or_standard_error(void **state)
{
    static const char said[] = "Resolving remote host '127.0.0.1'... Done.\n" STAMP
                               "Error on TCP connection, remote peer probably closed the socket: refused\n"
                               "There were more errors, see 'uac_23724_errors.log' file\n";
    struct folder_scene *scene = *state;

    finds(scene, said, "no TCP connection: refused");
    put(scene, "uas_ua0_1_errors.log", 1001, STAMP "first" STAMP "second");
    finds(scene, said, "no TCP connection: refused"); /* the known words of either */
    finds(scene, STAMP "third\n", "second");
    finds(scene, "", "second");
    put(scene, "uas_ua0_1_errors.log", 1001, HEADING STAMP TIMEOUT);
    finds(scene, said, "nothing was received in time at step 1 (receive timeout)");
}

/* What is no SIPp, or a SIPp that crashed, has no stamps. */
static void test_last_line(void **state)
{
    struct folder_scene *scene = *state;

    finds(scene, "Resolving remote host '127.0.0.1'... Done.\n", NULL);
    finds(scene, "one\n\ntwo: \xff\r\n  \n", "two: \\xff");
    finds(scene, "one\nResolving remote host '127.0.0.1'... Done.\n", "one");
    put(scene, "uas_ua0_1_errors.log", 1001, HEADING DEAD);
    finds(scene, "*** stack smashing detected ***: terminated\n",
          "*** stack smashing detected ***: terminated");
}

/* Of a huge log the beginning is read; a NUL does not end it. */
static void test_huge_log(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_buffer struct buffer log = {0};

    buffer_add(&log, "\0\0", 2);
    buffer_addf(&log, STAMP TIMEOUT "\n");
    for (int i = 0; i < 100000; i++)
        buffer_addf(&log, DEAD);
    folder_put_bytes(scene->folder, "uas_ua0_1_errors.log", log.data, log.length);
    finds(scene, "", "nothing was received in time at step 1 (receive timeout)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_sipp_itself),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_length),
        TEST(test_whose_log),
        TEST(test_log_or_standard_error),
        TEST(test_last_line),
        TEST(test_huge_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
