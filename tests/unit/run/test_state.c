/* Which state of a test may follow which: all of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "src/run/state.h"

#define STATES (STATE_DIRTY + 1)

static const struct {
    const char *name;
    enum progress_tone tone;
    const char *next; /* names, each with a ";" behind it */
} table[STATES] = {
    [STATE_CREATED] = {"CREATED", TONE_HIDDEN, "PREPARING;"},
    [STATE_PREPARING] = {"PREPARING", TONE_GOOD, "READY;NOT READY;"},
    [STATE_READY] = {"READY", TONE_HIDDEN, "DRY-RUNNING;STARTING;CLEANING;"},
    [STATE_NOT_READY] = {"NOT READY", TONE_BAD, ""},
    [STATE_STARTING] = {"STARTING", TONE_GOOD, "FAIL;SUCCESS;"},
    [STATE_DRY_RUNNING] = {"DRY-RUNNING", TONE_GOOD, "SUCCESS;"},
    [STATE_SUCCESS] = {"SUCCESS", TONE_GOOD, "CLEANING;"},
    [STATE_FAIL] = {"FAIL", TONE_BAD, "CLEANING;"},
    [STATE_CLEANING] = {"CLEANING", TONE_GOOD, "CLEAN;DIRTY;"},
    [STATE_CLEAN] = {"CLEAN", TONE_HIDDEN, ""},
    [STATE_DIRTY] = {"DIRTY", TONE_BAD, ""},
};

static bool listed(const char *list, const char *name)
{
    for (; *list; list = strchr(list, ';') + 1)
        if (strncmp(list, name, strlen(name)) == 0 && list[strlen(name)] == ';')
            return true;
    return false;
}

static void test_transitions(void **state)
{
    unsigned allowed = 0;

    (void)state;
    for (enum state from = 0; from < STATES; from++)
        for (enum state to = 0; to < STATES; to++) {
            if (state_follows(from, to) != listed(table[from].next, table[to].name))
                fail_msg("%s -> %s", table[from].name, table[to].name);
            allowed += state_follows(from, to);
        }
    assert_int_equal(allowed, 13);
}

static void test_names_and_tones(void **state)
{
    (void)state;
    for (enum state number = 0; number < STATES; number++) {
        assert_string_equal(state_name(number), table[number].name);
        assert_int_equal(state_tone(number), table[number].tone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transitions),
        cmocka_unit_test(test_names_and_tones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
