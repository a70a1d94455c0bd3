/* What sippod and the router say to each other; the first byte says which of the two speaks. What is decoded
 * is encoded to the very same bytes. */
#include <stdlib.h>
#include <string.h>

#include "netns/router/wire.h"
#include "tests/fuzz/fuzz.h"

static void request(const uint8_t *data, size_t size)
{
    struct router_request request;
    uint8_t again[ROUTER_REQUEST_MOST];

    if (router_request_decode(data, size, &request, NULL) < 0)
        return;
    if (router_request_encode(&request, again) != size || memcmp(again, data, size) != 0)
        abort();
    if (!*router_type_name(request.type) || strlen(request.run_id) > ROUTER_RUN_ID_LENGTH)
        abort();
}

/* Behind the ends of its texts a reply may hold anything, which is not looked at. */
static void reply(const uint8_t *data, size_t size)
{
    struct router_reply reply, back;
    uint8_t again[ROUTER_REPLY_LENGTH];

    if (router_reply_decode(data, size, &reply, NULL) < 0)
        return;
    router_reply_encode(&reply, again);
    if (router_reply_decode(again, sizeof again, &back, NULL) < 0 ||
        memcmp(&reply, &back, sizeof reply) != 0 ||
        memcmp(again, data, ROUTER_REPLY_LENGTH - sizeof reply.text - sizeof reply.device) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && data[0] % 2)
        reply(data + 1, size - 1);
    else if (size)
        request(data + 1, size - 1);
    return 0;
}
