#include "netns/sniffer/counter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

int counter_open(void)
{
    return open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
}

static bool read_table(int counter, struct buffer *table)
{
    for (;;) {
        char chunk[4096];
        ssize_t length = pread(counter, chunk, sizeof chunk, (off_t)table->length);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0) {
            buffer_add(table, "", 1);
            return length == 0;
        }
        buffer_add(table, chunk, (size_t)length);
    }
}

/* A line reads "  eth0: BYTES FRAMES …", received first. */
bool counter_read(int counter, const char *interface, uint64_t *ret_frames)
{
    cleanup_buffer struct buffer table = {0};
    size_t length = strlen(interface);
    char *line, *rest;

    if (counter < 0 || !read_table(counter, &table))
        return false;
    rest = (char *)table.data;
    while ((line = strsep(&rest, "\n"))) {
        line += strspn(line, " ");
        if (strncmp(line, interface, length) == 0 && line[length] == ':')
            return sscanf(line + length + 1, "%*u %" SCNu64, ret_frames) == 1;
    }
    return false;
}
