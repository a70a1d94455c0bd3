/* A stream of control frames: what is decoded lies in the input and is encoded to the very same bytes. */
#include <stdlib.h>
#include <string.h>

#include "src/wire/frame.h"
#include "tests/fuzz/fuzz.h"

/* A frame is decoded the same way while its last byte is missing: not at all. */
static void check_cut(const uint8_t *data, size_t length)
{
    struct ctl_frame frame;
    size_t used;

    if (ctl_decode(data, length - 1, &frame, &used, NULL) != 0)
        abort();
}

static void check_frame(const struct ctl_frame *frame, const uint8_t *data, size_t used)
{
    struct buffer again = {0};

    if (used != frame->length + CTL_HEADER || (frame->length && frame->payload != data + CTL_HEADER))
        abort();
    ctl_encode(&again, frame->code, frame->payload, frame->length);
    if (again.length != used || memcmp(again.data, data, used) != 0)
        abort();
    buffer_free(&again);
    (void)ctl_number(frame);
    if (!*ctl_name(frame->code))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *error = NULL;
    struct ctl_frame frame;
    size_t used;
    int result;

    while ((result = ctl_decode(data, size, &frame, &used, &error)) == 1) {
        if (used > size)
            abort();
        check_frame(&frame, data, used);
        check_cut(data, used);
        data += used;
        size -= used;
    }
    if ((result < 0) != (error != NULL))
        abort();
    error_free(error);
    return 0;
}
