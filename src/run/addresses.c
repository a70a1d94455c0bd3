#include "src/run/addresses.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define BLOCK 16U
#define STEP  16U /* blocks from one turn to the next: the third number of the address is then its own */

/* From that of ua0 on. */
static unsigned offset(const struct ua *ua)
{
    return suite_address_number(ua->address) - SUITE_FIRST_UA;
}

static size_t blocks_of(const struct test *test)
{
    size_t count = 1;

    for (size_t i = 0; i < test->ua_count; i++)
        if (offset(&test->uas[i]) / BLOCK >= count)
            count = offset(&test->uas[i]) / BLOCK + 1;
    return count;
}

static bool is_free(const struct addresses *addresses, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        if (i >= ADDRESS_BLOCKS || addresses->taken[i])
            return false;
    return true;
}

static void move(struct test *test, size_t first)
{
    for (size_t i = 0; i < test->ua_count; i++) {
        struct ua *ua = &test->uas[i];
        unsigned number = SUITE_FIRST_UA + (unsigned)first * BLOCK + offset(ua);

        free(ua->address);
        ua->address = suite_address(test->family, number);
    }
}

static size_t first_block(size_t turn)
{
    return turn * STEP % ADDRESS_BLOCKS + turn * STEP / ADDRESS_BLOCKS;
}

void addresses_take(struct addresses *addresses, struct test *test, struct address_blocks *ret_blocks)
{
    size_t count = blocks_of(test);

    *ret_blocks = (struct address_blocks){0};
    for (size_t tries = 0; tries < ADDRESS_BLOCKS; tries++) {
        size_t first = first_block(addresses->next);

        addresses->next = (addresses->next + 1) % ADDRESS_BLOCKS;
        if (!is_free(addresses, first, count))
            continue;
        memset(&addresses->taken[first], true, count);
        *ret_blocks = (struct address_blocks){.first = first, .count = count};
        move(test, first);
        return;
    }
}

void addresses_give_back(struct addresses *addresses, const struct address_blocks *blocks)
{
    memset(&addresses->taken[blocks->first], false, blocks->count);
}
