/* What is captured on one interface: a libpcap handle, and what is known about the interface. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"
#include "src/packet/pcapng.h"

#define CAPTURE_SNAPLEN 262144 /* bytes of a frame that are kept: more than any frame has */

struct capture;

/* Starts capturing on interface number i for all i < count, and puts each handle into ret_captures[i]; the
 * numbers are those of the pcapng interface blocks. Needs CAP_NET_RAW. On failure (-1) none is open. */
int captures_open(const char *const *interfaces, size_t count, struct capture **ret_captures,
                  struct error **ret);

/* Closes all, and sets them to NULL. */
void captures_close(struct capture **captures, size_t count);

/* Hands at most some hundred frames that are there to fn(user, packet), whose data lasts until fn returns.
 * Does not wait. Returns how many they were, or -1 if libpcap reports an error (the interface is gone, for
 * example: what it had seen before may still come). */
int capture_read(struct capture *capture, void (*fn)(void *user, const struct pcapng_packet *packet),
                 void *user);

/* Frames that the kernel has stored and capture_read() has not handed out yet, whether it could or not; more
 * than 0 if that is not known. */
uint32_t capture_unread(const struct capture *capture);

/* A checkpoint: remembers how far the interface is. From then on capture_coming() says how many of the frames
 * that were sent up to that moment have still to reach the capture: on a loopback they may wait in the queue
 * of the processor that sent them. 0 on other interfaces, and where it cannot be known. */
void capture_checkpoint(struct capture *capture);
uint32_t capture_coming(const struct capture *capture);

/* Frames that passed the interface, and how many of them were lost for want of room. */
void capture_statistics(const struct capture *capture, uint64_t *ret_received, uint64_t *ret_dropped);

/* Becomes readable when frames can be read; for epoll, not for read(2). */
int capture_fd(const struct capture *capture);
bool capture_readable(const struct capture *capture); /* is it now? */

void capture_describe(const struct capture *capture, struct pcapng_interface *ret);
unsigned capture_index(const struct capture *capture); /* the kernel's number of the interface */
bool capture_is_there(const struct capture *capture);  /* whether the interface still has it */
size_t capture_mtu(const struct capture *capture);     /* bytes behind the link-layer header */
