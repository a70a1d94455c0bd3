/* hyperstart frames: encoding, and decoding of what has arrived so far. Pure: no descriptor is touched.
 *
 * Control channel: code and length (both u32, big endian; the length includes these 8 bytes), payload.
 * I/O channel: sequence (u64), length (u32; includes these 12 bytes), payload; an empty payload ends a
 * stream, and after the end of a process's stdio stream one message of one byte holds its exit status.
 * (hyperhq/hyperstart src/api.h; containers/virtcontainers pkg/hyperstart.) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/base/text.h"

#define CTL_HEADER  8
#define IO_HEADER   12
#define FRAME_MOST  (1024 * 1024) /* longest frame accepted, header included */
#define API_VERSION 4244

enum ctl_code {
    CTL_GETVERSION = 0,
    CTL_STARTPOD = 1,
    CTL_DESTROYPOD = 4,
    CTL_EXECCMD = 6,
    CTL_READY = 8,
    CTL_ACK = 9,
    CTL_ERROR = 10,
    CTL_WINSIZE = 11,
    CTL_PING = 12,
    CTL_NEXT = 14,
    CTL_WRITEFILE = 15,
    CTL_READFILE = 16,
    CTL_NEWCONTAINER = 17,
    CTL_KILLCONTAINER = 18,
    CTL_ONLINECPUMEM = 19,
    CTL_SETUPINTERFACE = 20,
    CTL_SETUPROUTE = 21,
    CTL_REMOVECONTAINER = 22,
    CTL_PROCESSASYNCEVENT = 23,
    CTL_SIGNALPROCESS = 24,
    CTL_DELETEINTERFACE = 25,
};

/* "startpod" and the like; "unknown" for what has no name. */
const char *ctl_name(uint32_t code);
bool ctl_is_known(uint32_t code);                            /* it has a name */
bool ctl_code_by_name(const char *name, uint32_t *ret_code); /* false: nothing is called so */

struct ctl_frame {
    uint32_t code;
    const uint8_t *payload; /* points into what was decoded; NULL if empty */
    size_t length;
};

struct io_frame {
    uint64_t sequence;
    const uint8_t *payload;
    size_t length;
};

void ctl_encode(struct buffer *out, uint32_t code, const void *payload, size_t length);
void ctl_encode_next(struct buffer *out, uint32_t bytes);
void io_encode(struct buffer *out, uint64_t sequence, const void *payload, size_t length);

/* One frame from the start of `data`: 1 with *ret_frame and the bytes that it took in *ret_used; 0 if more
 * has to arrive first; -1 if this cannot be the protocol (the connection is to be closed). */
int ctl_decode(const uint8_t *data, size_t length, struct ctl_frame *ret_frame, size_t *ret_used,
               struct error **ret);
int io_decode(const uint8_t *data, size_t length, struct io_frame *ret_frame, size_t *ret_used,
              struct error **ret);

/* The u32 in a NEXT or a version answer; 0 if the payload is not one. */
uint32_t ctl_number(const struct ctl_frame *frame);
