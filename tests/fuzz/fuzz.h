/* What a fuzz target defines; the fuzzer's own main(), or that of replay.c, calls it. A fault aborts. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
