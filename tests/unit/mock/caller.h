/* A mock, its log, and a client that says what the test tells it to, over the mock's sockets. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/sippod/hyperstart_mock.h"
#include "src/base/text.h"

#define SOON 5000 /* milliseconds that nothing here should take */

struct call {
    struct hyperstart_mock *mock;
    int ctl, io; /* the client's; -1 */
    pthread_mutex_t lock;
    struct buffer log; /* under the lock */
};

/* For cmocka: a mock that was made and not started; one that a client is connected to. */
int call_setup(void **state);
int call_connected(void **state);
int call_teardown(void **state);
struct call *call_new(const struct hyperstart_mock_options *options); /* log and user are the call's */
void call_free(struct call *call);

void call_start(struct call *call);
void call_connect(struct call *call);
int connect_to(const char *path); /* -1 with errno */

/* -1 with that errno. */
#define assert_errno(call, expected)                                                                         \
    do {                                                                                                     \
        assert_int_equal(call, -1);                                                                          \
        assert_int_equal(errno, expected);                                                                   \
    } while (0)

/* What the client sends. */
void say(struct call *call, uint32_t code, const char *payload);
void say_bytes(int socket, const void *bytes, size_t length);
#define SAY_BYTES(socket, literal) say_bytes(socket, literal, sizeof(literal) - 1)
void put(struct call *call, uint64_t sequence, const char *payload);

/* What it gets: the next message is that; NEXT, NEXT and the answer; the end. */
#define hears(call, code, payload) hears_bytes(call, code, payload, strlen(payload), __FILE__, __LINE__)
void hears_bytes(struct call *call, uint32_t code, const void *payload, size_t length, const char *file,
                 int line);
#define hears_next(call, bytes) hears_next_check(call, bytes, __FILE__, __LINE__)
void hears_next_check(struct call *call, uint32_t bytes, const char *file, int line);
#define gets(call, sequence, payload) gets_check(call, sequence, payload, __FILE__, __LINE__)
void gets_check(struct call *call, uint64_t sequence, const char *payload, const char *file, int line);
#define hears_end(socket) hears_end_check(socket, __FILE__, __LINE__)
void hears_end_check(int socket, const char *file, int line);
bool hears_nothing(int socket); /* by now */

/* A command, and its answer as it is by default. */
void ask(struct call *call, uint32_t code, const char *payload);

#define assert_logged(call, words) logged_check(call, words, __FILE__, __LINE__)
void logged_check(struct call *call, const char *words, const char *file, int line);

/* That the commands since the last time are these: "ping: startpod:{}", as name:payload each. */
#define assert_messages(call, expected) messages_check(call, expected, __FILE__, __LINE__)
void messages_check(struct call *call, const char *expected, const char *file, int line);
