#include "src/run/state.h"

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    enum progress_tone tone;
    unsigned next;
} states[] = {
    [STATE_CREATED] = {"CREATED", TONE_HIDDEN, BIT(STATE_PREPARING)},
    [STATE_PREPARING] = {"PREPARING", TONE_GOOD, BIT(STATE_READY) | BIT(STATE_NOT_READY)},
    [STATE_READY] = {"READY", TONE_HIDDEN,
                     BIT(STATE_STARTING) | BIT(STATE_DRY_RUNNING) | BIT(STATE_CLEANING)},
    [STATE_NOT_READY] = {"NOT READY", TONE_BAD, 0},
    [STATE_STARTING] = {"STARTING", TONE_GOOD, BIT(STATE_SUCCESS) | BIT(STATE_FAIL)},
    [STATE_DRY_RUNNING] = {"DRY-RUNNING", TONE_GOOD, BIT(STATE_SUCCESS)},
    [STATE_SUCCESS] = {"SUCCESS", TONE_GOOD, BIT(STATE_CLEANING)},
    [STATE_FAIL] = {"FAIL", TONE_BAD, BIT(STATE_CLEANING)},
    [STATE_CLEANING] = {"CLEANING", TONE_GOOD, BIT(STATE_CLEAN) | BIT(STATE_DIRTY)},
    [STATE_CLEAN] = {"CLEAN", TONE_HIDDEN, 0},
    [STATE_DIRTY] = {"DIRTY", TONE_BAD, 0},
};

const char *state_name(enum state state)
{
    return states[state].name;
}

enum progress_tone state_tone(enum state state)
{
    return states[state].tone;
}

bool state_follows(enum state state, enum state next)
{
    return states[state].next & BIT(next);
}
