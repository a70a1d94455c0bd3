#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/suite.h"

#define MOST_UAS (SUITE_LAST - SUITE_FIRST_UA + 1)

static int by_number(const void *a, const void *b)
{
    const char *left = ((const struct ua *)a)->name + 2, *right = ((const struct ua *)b)->name + 2;
    const char *x = left + strspn(left, "0"), *y = right + strspn(right, "0");

    if (strlen(x) != strlen(y))
        return strlen(x) < strlen(y) ? -1 : 1;
    return strcmp(x, y) ? strcmp(x, y) : strcmp(left, right);
}

static bool taken(const long *numbers, size_t count, long number)
{
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

/* First come those whose names say it plainly (ua0, ua17), then the rest takes the lowest ones that are free.
 */
static void number(const struct test *test, long *numbers)
{
    long next = 0;

    for (size_t i = 0; i < test->ua_count; i++) {
        const char *digits = test->uas[i].name + 2;
        long said;

        numbers[i] = -1;
        if (text_number(digits, 0, MOST_UAS - 1, &said) && (*digits != '0' || !digits[1]))
            numbers[i] = said;
    }
    for (size_t i = 0; i < test->ua_count; i++) {
        if (numbers[i] >= 0)
            continue;
        while (taken(numbers, test->ua_count, next))
            next++;
        numbers[i] = next;
    }
}

static bool known(const struct test *test, const char *name)
{
    return test_ua(test, name) != NULL;
}

void suite_assign_addresses(struct test *test)
{
    cleanup_free long *numbers = NULL;

    for (size_t i = 0; i < test->scenario_count; i++) {
        if (known(test, test->scenarios[i].ua))
            continue;
        test->uas = memory_array(test->uas, test->ua_count + 1, sizeof *test->uas);
        test->uas[test->ua_count++] = (struct ua){.name = text_copy(test->scenarios[i].ua)};
    }
    if (!test->ua_count)
        return;
    qsort(test->uas, test->ua_count, sizeof *test->uas, by_number);
    numbers = memory_array(NULL, test->ua_count, sizeof *numbers);
    number(test, numbers);
    for (size_t i = 0; i < test->ua_count; i++)
        test->uas[i].address = suite_address(test->family, SUITE_FIRST_UA + (unsigned)numbers[i]);
}

const struct ua *test_ua(const struct test *test, const char *name)
{
    for (size_t i = 0; i < test->ua_count; i++)
        if (strcmp(test->uas[i].name, name) == 0)
            return &test->uas[i];
    return NULL;
}

const struct ua *test_called(const struct test *test)
{
    for (size_t i = 0; i < test->ua_count; i++)
        for (size_t j = 0; j < test->scenario_count; j++) {
            const struct scenario *scenario = &test->scenarios[j];

            if (scenario->server && strcmp(scenario->part, test->scenarios[0].part) == 0 &&
                strcmp(scenario->ua, test->uas[i].name) == 0)
                return &test->uas[i];
        }
    return NULL;
}

const char *suite_dut_host(const struct suite *suite, const struct test *test)
{
    const struct ua *called = test_called(test);

    if (suite->dut)
        return suite_dut_address(test->family);
    return called ? called->address : NULL;
}
