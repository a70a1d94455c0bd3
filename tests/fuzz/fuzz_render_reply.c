/* Replies of the renderer, which runs what the suite's templates say: what is decoded lies in what came. */
#include <stdlib.h>

#include "src/suite/render_message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct render_reply reply = {0};
    struct error *error = NULL;
    size_t used = 0;
    int result = render_reply_decode(data, size, &reply, &used, &error);

    if (result < 0 && !error)
        abort();
    if (result > 0 && (error || !used || used > size))
        abort();
    if (result > 0 && reply.length && (reply.text < data || reply.text + reply.length > data + size))
        abort();
    free(reply.error);
    error_free(error);
    return 0;
}
