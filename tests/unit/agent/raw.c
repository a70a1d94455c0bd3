#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent/raw.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define WAIT_MS  5000
#define QUIET_MS 300

uint32_t raw_next(struct pod *pod, struct buffer *payload)
{
    uint8_t header[CTL_HEADER];
    uint32_t code, length;

    assert_int_equal(recv(pod->ctl, header, sizeof header, MSG_WAITALL), sizeof header);
    memcpy(&code, header, 4);
    memcpy(&length, header + 4, 4);
    payload->length = 0;
    for (length = be32toh(length) - CTL_HEADER; length;) {
        uint8_t bytes[4096];
        size_t most = length < sizeof bytes ? length : sizeof bytes;
        ssize_t some = recv(pod->ctl, bytes, most, 0);

        assert_true(some > 0);
        buffer_add(payload, bytes, (size_t)some);
        length -= (uint32_t)some;
    }
    buffer_add(payload, "", 1);
    return be32toh(code);
}

void raw_ready(struct pod *pod)
{
    cleanup_buffer struct buffer payload = {0};
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};

    assert_int_equal(setsockopt(pod->ctl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(setsockopt(pod->io, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    while (raw_next(pod, &payload) != CTL_READY)
        ; /* what the pod has to do without */
}

uint32_t raw_number(const struct buffer *payload)
{
    uint32_t number;

    assert_int_equal(payload->length, 5);
    memcpy(&number, payload->data, 4);
    return be32toh(number);
}

size_t raw_flood(int fd, const struct buffer *bytes)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    size_t sent = 0;

    while (sent < bytes->length && poll(&writable, 1, QUIET_MS) == 1) {
        ssize_t some = send(fd, bytes->data + sent, bytes->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        assert_true(some > 0 || errno == EAGAIN);
        sent += some > 0 ? (size_t)some : 0;
    }
    return sent;
}

size_t pod_memory(const struct pod *pod)
{
    cleanup_free char *path = text_format("/proc/%d/status", pod->pid);
    cleanup_free char *status = folder_get("", path + 1);

    assert_non_null(status);
    assert_non_null(strstr(status, "VmHWM:"));
    return strtoul(strstr(status, "VmHWM:") + 6, NULL, 10) * 1024;
}
