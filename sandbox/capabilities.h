/* Capabilities: held as permitted only, raised around one call, lowered after it, handed to a child by name.
 * capabilities(7); libcap-ng. Sets are bit masks: CAPABILITY(CAP_NET_ADMIN) | … */
#pragma once

#include <stdint.h>

#include "src/base/error.h"

#define CAPABILITY(number) (1ULL << (number))

/* The permitted set of this process. */
int capabilities_permitted(uint64_t *ret_set, struct error **ret);

/* Keeps as permitted what of `keep` is permitted now; nothing stays effective, inheritable or ambient, and
 * the bounding set shrinks to `keep` where that is allowed (CAP_SETPCAP). Without way back. */
int capabilities_drop(uint64_t keep, struct error **ret);

/* Makes `set`, which has to be permitted, effective; capabilities_lower() ends that. */
int capabilities_raise(uint64_t set, struct error **ret);
int capabilities_lower(struct error **ret);
int capabilities_lower_to(uint64_t set, struct error **ret); /* all but these */

/* In a child, right before exec: the program that is started has exactly `set` (of what is permitted),
 * whatever its uid, and can never get another one. */
int capabilities_hand_on(uint64_t set, struct error **ret);

/* The same, set by set; what the program has then is the kernel's to say (capabilities(7)): for any uid at
 * least what is ambient, which has to be among the permitted and the inheritable ones. */
struct capability_sets {
    uint64_t bounding, permitted, effective, inheritable, ambient;
};
int capabilities_hand_on_sets(const struct capability_sets *sets, struct error **ret);

/* "CAP_NET_RAW" or "net_raw" to its bit, 0 if there is no such capability. */
uint64_t capability_by_name(const char *name);

/* "net_admin, net_raw", "none"; the caller frees it. */
char *capabilities_text(uint64_t set);
