/* For message_decode.c: a Container within a Pod. */
#pragma once

#include "src/wire/fields.h"
#include "src/wire/message.h"

int read_container(const json_t *json, void *container_message, struct error **ret);
