/* Neighbour discovery: what is taken for a packet survives being encoded and read again. */
#include <stdlib.h>
#include <string.h>

#include "netns/ndp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ndp_packet packet, again;
    uint8_t first[NDP_MOST], second[NDP_MOST];

    if (!ndp_parse(data, size, &packet))
        return 0;
    if (!ndp_parse(first, ndp_encode(&packet, first), &again))
        abort();
    (void)ndp_encode(&again, second);
    if (memcmp(first, second, sizeof first) != 0)
        abort();
    return 0;
}
