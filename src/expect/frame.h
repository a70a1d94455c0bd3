/* A packet to compare with, as it is written: FILE.pcap#INDEX, or its bytes in hexadecimal digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `folder`: where files have to lie; NULL: anywhere. *ret_frame is to be freed. False with a
 * sentence to be freed, which is NULL if memory ran out. */
bool frame_read(const char *text, const char *folder, uint8_t **ret_frame, size_t *ret_length,
                char **ret_error);
