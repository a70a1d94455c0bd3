/* Assertions about futures for cmocka: a test fails at the line that asserts, with the sentence of the
 * verdict. Each waits until the future has ended. Include cmocka.h first.
 *
 *     sippod_assert_true(sippod_expect(context, "eth0", sippod_packet_count_was(42), NULL));
 *
 * fails with "packet_count_was(42): saw 17 of 42 in 5.0 s on eth0". A future is evaluated once. */
#ifndef SIPPOD_EXPECT_CMOCKA_H
#define SIPPOD_EXPECT_CMOCKA_H

#include <stdio.h>

#include "expect.h"

#ifdef __cplusplus
extern "C" {
#endif

#define sippod_assert_true(future)  sippod_assert_true_at((future), __FILE__, __LINE__)
#define sippod_assert_false(future) sippod_assert_false_at((future), __FILE__, __LINE__)

/* That the result is this integer. */
#define sippod_assert_value(future, expected) sippod_assert_value_at((future), (expected), __FILE__, __LINE__)

static inline void sippod_fail_at(struct sippod_future *future, const char *expected, const char *file,
                                  int line)
{
    print_error("%s; expected: %s\n", future ? sippod_future_detail(future) : "no future: out of memory",
                expected);
    _fail(file, line);
}

static inline void sippod_assert_true_at(struct sippod_future *future, const char *file, int line)
{
    if (!future || !sippod_check_true(future))
        sippod_fail_at(future, "true", file, line);
}

static inline void sippod_assert_false_at(struct sippod_future *future, const char *file, int line)
{
    if (!future || !sippod_check_false(future))
        sippod_fail_at(future, "false", file, line);
}

static inline void sippod_assert_value_at(struct sippod_future *future, int64_t expected, const char *file,
                                          int line)
{
    char words[32];

    if (future && sippod_check_value(future, expected))
        return;
    (void)snprintf(words, sizeof words, "%lld", (long long)expected);
    sippod_fail_at(future, words, file, line);
}

#ifdef __cplusplus
}
#endif

#endif
