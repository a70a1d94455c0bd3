/* A stream of I/O frames: what is decoded lies in the input and is encoded to the very same bytes. */
#include <stdlib.h>
#include <string.h>

#include "src/wire/frame.h"
#include "tests/fuzz/fuzz.h"

static void check_frame(const struct io_frame *frame, const uint8_t *data, size_t used)
{
    struct buffer again = {0};
    struct io_frame cut;
    size_t ignored;

    if (used != frame->length + IO_HEADER || (frame->length && frame->payload != data + IO_HEADER))
        abort();
    io_encode(&again, frame->sequence, frame->payload, frame->length);
    if (again.length != used || memcmp(again.data, data, used) != 0)
        abort();
    if (io_decode(data, used - 1, &cut, &ignored, NULL) != 0)
        abort();
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *error = NULL;
    struct io_frame frame;
    size_t used;
    int result;

    while ((result = io_decode(data, size, &frame, &used, &error)) == 1) {
        if (used > size)
            abort();
        check_frame(&frame, data, used);
        data += used;
        size -= used;
    }
    if ((result < 0) != (error != NULL))
        abort();
    error_free(error);
    return 0;
}
