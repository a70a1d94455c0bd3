/* A device that rewrites packets, tested with cmocka and libsippod-expect: send into one side of it, expect
 * on the other. README.md says how to run it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sippod/expect.h>
#include <sippod/expect_cmocka.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static struct sippod_context *context;

/* A datagram from 10.1.0.2 to 10.2.0.2, by way of the device. Its checksum is left out, which IPv4 allows. */
static void send_datagram(uint16_t port)
{
    uint8_t frame[60] = {
        0x02,
        0,
        0,
        0,
        0,
        0x01,
        0x02,
        0,
        0,
        0,
        0,
        0x02,
        0x08,
        0, /* Ethernet */
        0x45,
        0,
        0,
        32,
        0,
        1,
        0,
        0,
        64,
        17,
        0,
        0,
        10,
        1,
        0,
        2,
        10,
        2,
        0,
        2, /* IPv4 */
        0x13,
        0xcd,
        (uint8_t)(port >> 8),
        (uint8_t)port,
        0,
        12,
        0,
        0,
        'p',
        'i',
        'n',
        'g',
    };
    uint32_t sum = 0;

    for (size_t i = 14; i < 34; i += 2)
        sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
    assert_int_equal(sippod_send(context, "lan0", frame, sizeof frame), 0);
}

static void rewrites(void **state)
{
    struct sippod_future *future =
        sippod_expect(context, "wan0",
                      sippod_and(sippod_saw_filter("udp dst port 5060 and ip[1] = 0xb8 and ip[8] = 63"),
                                 sippod_saw_dst_mac("02:00:00:00:00:22")),
                      NULL);

    (void)state;
    send_datagram(5070);
    sippod_assert_true(future);
}

static void loses_none(void **state)
{
    struct sippod_options options = {.timeout_ms = 500, .filter = "udp dst port 5060"};
    struct sippod_future *future = sippod_expect(context, "wan0", sippod_packet_count_was(42), &options);

    (void)state;
    for (int i = 0; i < 42; i++)
        send_datagram(5070);
    sippod_assert_true(future);
}

static void drops(void **state)
{
    struct sippod_options options = {.timeout_ms = 500};
    struct sippod_future *future =
        sippod_expect(context, "wan0", sippod_did_not_see_filter("udp dst port 9"), &options);

    (void)state;
    send_datagram(9);
    sippod_assert_true(future);
}

static int start(void **state)
{
    char *const words[] = {(char *)"sh", (char *)"./rewriter.sh", NULL};
    pid_t pid;
    int status;

    (void)state;
    if (posix_spawnp(&pid, words[0], NULL, NULL, words, environ) != 0 || waitpid(pid, &status, 0) != pid ||
        status != 0)
        return -1;
    context = sippod_context_new();
    return context ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    sippod_context_free(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewrites),
        cmocka_unit_test(loses_none),
        cmocka_unit_test(drops),
    };

    return cmocka_run_group_tests(tests, start, end);
}
