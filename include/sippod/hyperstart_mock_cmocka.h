/* Assertions about a mock for cmocka: a test fails at the line that asserts, and says what it saw instead.
 * Include cmocka.h first. Each waits for at most so many milliseconds.
 *
 *     hyperstart_mock_assert_commands(mock, 1000, HYPERSTART_STARTPOD, HYPERSTART_NEWCONTAINER);
 *
 * fails with "command 2: expected newcontainer, got execcmd". */
#ifndef HYPERSTART_MOCK_CMOCKA_H
#define HYPERSTART_MOCK_CMOCKA_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hyperstart_mock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* That the client connects on both channels. */
#define hyperstart_mock_assert_connected(mock, timeout_ms)                                                   \
    hyperstart_mock_assert_connected_at((mock), (timeout_ms), __FILE__, __LINE__)

/* That the client leaves, or both channels are closed. */
#define hyperstart_mock_assert_left(mock, timeout_ms)                                                        \
    hyperstart_mock_assert_left_at((mock), (timeout_ms), __FILE__, __LINE__)

/* That the commands since hyperstart_mock_last_messages() begin with these codes, see
 * hyperstart_mock_expect(). */
#define hyperstart_mock_assert_commands(mock, timeout_ms, ...)                                               \
    do {                                                                                                     \
        const uint32_t hyperstart_mock_codes_[] = {__VA_ARGS__};                                             \
        hyperstart_mock_assert_commands_at((mock), (timeout_ms), hyperstart_mock_codes_,                     \
                                           sizeof hyperstart_mock_codes_ / sizeof *hyperstart_mock_codes_,   \
                                           __FILE__, __LINE__);                                              \
    } while (0)

/* That the next packet on the I/O channel has this sequence and text as its payload; "" is the end of the
 * stream. Takes it. */
#define hyperstart_mock_assert_io(mock, timeout_ms, sequence, text)                                          \
    hyperstart_mock_assert_io_at((mock), (timeout_ms), (sequence), (text), __FILE__, __LINE__)

static inline void hyperstart_mock_assert_connected_at(struct hyperstart_mock *mock, int timeout_ms,
                                                       const char *file, int line)
{
    if (hyperstart_mock_wait_connected(mock, timeout_ms) == 0)
        return;
    print_error("the client has not connected on both channels: %s\n", strerror(errno));
    _fail(file, line);
}

static inline void hyperstart_mock_assert_left_at(struct hyperstart_mock *mock, int timeout_ms,
                                                  const char *file, int line)
{
    if (hyperstart_mock_wait_left(mock, timeout_ms) == 0)
        return;
    print_error("the client has not left: %s\n", strerror(errno));
    _fail(file, line);
}

static inline void hyperstart_mock_assert_commands_at(struct hyperstart_mock *mock, int timeout_ms,
                                                      const uint32_t *codes, size_t count, const char *file,
                                                      int line)
{
    char detail[HYPERSTART_MOCK_DETAIL];

    if (hyperstart_mock_expect(mock, codes, count, timeout_ms, detail) == 0)
        return;
    print_error("%s\n", detail);
    _fail(file, line);
}

static inline void hyperstart_mock_assert_io_at(struct hyperstart_mock *mock, int timeout_ms,
                                                uint64_t sequence, const char *text, const char *file,
                                                int line)
{
    struct hyperstart_mock_packet *packet = hyperstart_mock_read_io(mock, timeout_ms);
    bool same = packet && packet->sequence == sequence && packet->length == strlen(text) &&
                memcmp(packet->payload, text, packet->length) == 0;

    if (!packet)
        print_error("expected \"%s\" on stream %llu, got nothing: %s\n", text, (unsigned long long)sequence,
                    strerror(errno));
    else if (!same)
        print_error("expected \"%s\" on stream %llu, got \"%.*s\" on stream %llu\n", text,
                    (unsigned long long)sequence, (int)packet->length, (const char *)packet->payload,
                    (unsigned long long)packet->sequence);
    free(packet);
    if (!same)
        _fail(file, line);
}

#ifdef __cplusplus
}
#endif

#endif
