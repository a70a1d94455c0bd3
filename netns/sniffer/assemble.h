/* The last step of a capture: the file gets its final form. */
#pragma once

#include "netns/sniffer/stream.h"
#include "src/base/error.h"
#include "src/base/text.h"

/* Makes the file of `stream`, which lies in `folder`: its head, the blocks `ahead` (what has to stand in
 * front of the packets: names, keys; may be empty), the packets in the order of time, the blocks `tail`.
 * Packets of one time stay in the order in which they came. If there is nothing to be put ahead or in order,
 * only the tail is appended; else a copy is made beside it and renamed. On failure (-1) the file is what it
 * was before, a valid one. */
int assemble(struct stream *stream, int folder, const struct buffer *ahead, const struct buffer *tail,
             struct error **ret);
