/* The library as a program uses it that has none of sippod's code, and names of its own that are sippod's
 * inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "include/sippod/hyperstart_mock_cmocka.h"

int loop_run(void);
int error_set(void);
int memory_new(void);

int loop_run(void)
{
    abort();
}

int error_set(void)
{
    abort();
}

int memory_new(void)
{
    abort();
}

static void test_life(void **state)
{
    struct hyperstart_mock *mock = hyperstart_mock_new(NULL);
    struct hyperstart_mock *second;
    struct hyperstart_mock_options options = {0};
    char detail[HYPERSTART_MOCK_DETAIL];

    (void)state;
    assert_int_equal(hyperstart_mock_start(mock, detail), 0);
    options.ctl_path = hyperstart_mock_ctl_path(mock);
    second = hyperstart_mock_new(&options);
    assert_int_equal(hyperstart_mock_start(second, detail), -1); /* an error is made */
    assert_int_equal(hyperstart_mock_stop(mock, 10), -1);
    hyperstart_mock_free(mock);
    hyperstart_mock_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
