#include "src/wire/frame.h"

#include <endian.h>
#include <string.h>

static const char *const names[] = {
    [CTL_GETVERSION] = "version",
    [CTL_STARTPOD] = "startpod",
    [CTL_DESTROYPOD] = "destroypod",
    [CTL_EXECCMD] = "execcmd",
    [CTL_READY] = "ready",
    [CTL_ACK] = "ack",
    [CTL_ERROR] = "error",
    [CTL_WINSIZE] = "winsize",
    [CTL_PING] = "ping",
    [CTL_NEXT] = "next",
    [CTL_WRITEFILE] = "writefile",
    [CTL_READFILE] = "readfile",
    [CTL_NEWCONTAINER] = "newcontainer",
    [CTL_KILLCONTAINER] = "killcontainer",
    [CTL_ONLINECPUMEM] = "onlinecpumem",
    [CTL_SETUPINTERFACE] = "setupinterface",
    [CTL_SETUPROUTE] = "setuproute",
    [CTL_REMOVECONTAINER] = "removecontainer",
    [CTL_PROCESSASYNCEVENT] = "processasyncevent",
    [CTL_SIGNALPROCESS] = "signalprocess",
    [CTL_DELETEINTERFACE] = "deleteinterface",
};

#define CODES (sizeof names / sizeof *names)

bool ctl_is_known(uint32_t code)
{
    return code < CODES && names[code];
}

const char *ctl_name(uint32_t code)
{
    return ctl_is_known(code) ? names[code] : "unknown";
}

bool ctl_code_by_name(const char *name, uint32_t *ret_code)
{
    for (uint32_t code = 0; code < CODES; code++) {
        if (!names[code] || strcmp(names[code], name) != 0)
            continue;
        *ret_code = code;
        return true;
    }
    return false;
}

static void put_u32(struct buffer *out, uint32_t number)
{
    uint32_t wire = htobe32(number);

    buffer_add(out, &wire, sizeof wire);
}

static uint32_t get_u32(const uint8_t *data)
{
    uint32_t wire;

    memcpy(&wire, data, sizeof wire);
    return be32toh(wire);
}

void ctl_encode(struct buffer *out, uint32_t code, const void *payload, size_t length)
{
    put_u32(out, code);
    put_u32(out, (uint32_t)(CTL_HEADER + length));
    buffer_add(out, payload, length);
}

void ctl_encode_next(struct buffer *out, uint32_t bytes)
{
    uint32_t wire = htobe32(bytes);

    ctl_encode(out, CTL_NEXT, &wire, sizeof wire);
}

void io_encode(struct buffer *out, uint64_t sequence, const void *payload, size_t length)
{
    uint64_t wire = htobe64(sequence);

    buffer_add(out, &wire, sizeof wire);
    put_u32(out, (uint32_t)(IO_HEADER + length));
    buffer_add(out, payload, length);
}

/* The bounds are checked before anything waits for, or allocates, what a peer announced. */
static int check_length(uint32_t announced, size_t header, size_t arrived, struct error **ret)
{
    if (announced < header || announced > FRAME_MOST)
        return error_set(ret, ERROR_FAILED, "a frame of %u bytes: between %zu and %u are possible", announced,
                         header, FRAME_MOST);
    return arrived >= announced;
}

int ctl_decode(const uint8_t *data, size_t length, struct ctl_frame *ret_frame, size_t *ret_used,
               struct error **ret)
{
    uint32_t announced;
    int whole;

    if (length < CTL_HEADER)
        return 0;
    announced = get_u32(data + 4);
    whole = check_length(announced, CTL_HEADER, length, ret);
    if (whole <= 0)
        return whole;
    *ret_used = announced;
    *ret_frame = (struct ctl_frame){.code = get_u32(data), .length = announced - CTL_HEADER};
    if (ret_frame->length)
        ret_frame->payload = data + CTL_HEADER;
    return 1;
}

int io_decode(const uint8_t *data, size_t length, struct io_frame *ret_frame, size_t *ret_used,
              struct error **ret)
{
    uint32_t announced;
    uint64_t sequence;
    int whole;

    if (length < IO_HEADER)
        return 0;
    announced = get_u32(data + 8);
    whole = check_length(announced, IO_HEADER, length, ret);
    if (whole <= 0)
        return whole;
    memcpy(&sequence, data, sizeof sequence);
    *ret_used = announced;
    *ret_frame = (struct io_frame){.sequence = be64toh(sequence), .length = announced - IO_HEADER};
    if (ret_frame->length)
        ret_frame->payload = data + IO_HEADER;
    return 1;
}

uint32_t ctl_number(const struct ctl_frame *frame)
{
    return frame->length == 4 ? get_u32(frame->payload) : 0;
}
