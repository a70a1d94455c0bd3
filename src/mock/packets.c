/* What the client sends on the I/O channel. */
#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

static void take_packet(struct hyperstart_mock *mock, const uint8_t *data, size_t size,
                        const struct io_frame *frame)
{
    struct item *item = item_new(data, size);

    item->packet = (struct hyperstart_mock_packet){
        .sequence = frame->sequence,
        .size = size,
        .packet = item->bytes,
        .length = frame->length,
        .payload = item->bytes + IO_HEADER,
    };
    mock_log(mock, "io: --> %zu bytes for seq %" PRIu64, frame->length, frame->sequence);
    pthread_mutex_lock(&mock->lock);
    queue_add(&mock->packets, item);
    mock_changed(mock);
    pthread_mutex_unlock(&mock->lock);
}

/* As commands.c has it. */
static ptrdiff_t take_frame(struct hyperstart_mock *mock, const uint8_t *data, size_t length)
{
    cleanup_error struct error *error = NULL;
    struct io_frame frame;
    size_t used = 0;
    int result = io_decode(data, length, &frame, &used, &error);

    if (result < 0)
        sides_broken(&mock->sides[HYPERSTART_MOCK_IO], error);
    if (result <= 0)
        return result;
    take_packet(mock, data, used, &frame);
    return (ptrdiff_t)used;
}

static bool must_stop(struct hyperstart_mock *mock)
{
    bool full;

    pthread_mutex_lock(&mock->lock);
    full = mock->packets.bytes >= READ_MOST && mock->phase == RUNNING;
    pthread_mutex_unlock(&mock->lock);
    return full;
}

bool packets_work(struct hyperstart_mock *mock)
{
    struct side *io = &mock->sides[HYPERSTART_MOCK_IO];
    bool stop = false;
    size_t done = 0;

    while (!io->closing && !(stop = must_stop(mock))) {
        ptrdiff_t used = take_frame(mock, io->in.data + done, io->in.length - done);

        if (used <= 0)
            break;
        done += (size_t)used;
    }
    buffer_drop(&io->in, io->closing ? io->in.length : done);
    return stop;
}

struct hyperstart_mock_packet *hyperstart_mock_read_io(struct hyperstart_mock *mock, int timeout_ms)
{
    struct wait wait = wait_for(timeout_ms);
    struct item *item;
    int error = 0;

    pthread_mutex_lock(&mock->lock);
    while (!error && !mock->packets.first)
        error = wait_more(mock, HYPERSTART_MOCK_IO, &wait);
    item = queue_take(&mock->packets);
    /* The worker goes on reading once there is room again. */
    if (item && mock->phase == RUNNING && mock->packets.bytes < READ_MOST &&
        mock->packets.bytes + item->size >= READ_MOST)
        (void)eventfd_write(mock->wake, 1);
    (void)mock_unlock(mock, item ? 0 : error);
    return item ? &item->packet : NULL;
}
