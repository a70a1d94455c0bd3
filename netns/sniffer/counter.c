#include "netns/sniffer/counter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

static bool read_table(int fd, struct buffer *table)
{
    for (;;) {
        char chunk[4096];
        ssize_t length = pread(fd, chunk, sizeof chunk, (off_t)table->length);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0) {
            buffer_add(table, "", 1);
            return length == 0;
        }
        buffer_add(table, chunk, (size_t)length);
    }
}

/* The received frames in net/dev (proc_net(5)), whose lines read "  eth0: BYTES FRAMES …", received first. */
static bool read_frames(const struct counter *counter, uint32_t *ret)
{
    cleanup_buffer struct buffer table = {0};
    char *line, *rest, *frames, *end;
    size_t length;

    if (counter->fd < 0 || !read_table(counter->fd, &table))
        return false;
    length = strlen(counter->interface);
    rest = (char *)table.data;
    while ((line = strsep(&rest, "\n"))) {
        line += strspn(line, " ");
        if (strncmp(line, counter->interface, length) != 0 || line[length] != ':')
            continue;
        (void)strtoull(line + length + 1, &frames, 10);
        *ret = (uint32_t)strtoull(frames, &end, 10);
        return end != frames;
    }
    return false;
}

void counter_begin(struct counter *counter, const char *interface, uint32_t seen)
{
    uint32_t frames;

    *counter = (struct counter){
        .fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC),
        .interface = interface,
    };
    if (read_frames(counter, &frames))
        counter->surplus = frames - seen;
    else
        counter_end(counter);
}

void counter_checkpoint(struct counter *counter)
{
    uint32_t frames;

    if (read_frames(counter, &frames))
        counter->expected = frames - counter->surplus;
    else
        counter_end(counter);
}

uint32_t counter_coming(const struct counter *counter, uint32_t seen)
{
    int32_t coming = (int32_t)(counter->expected - seen);

    return counter->fd >= 0 && coming > 0 ? (uint32_t)coming : 0;
}

void counter_end(struct counter *counter)
{
    close_fd(&counter->fd);
}
