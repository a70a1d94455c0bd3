/* For tests of zones: a dns.txt that has to be right. Included behind cmocka. */
#pragma once

#include "netns/resolver/zone.h"
#include "src/base/memory.h"

static inline struct zone *parse(const char *text)
{
    cleanup_error struct error *error = NULL;
    struct zone *zone = zone_parse(text, &error);

    if (!zone)
        fail_msg("%s: %s", text, error_text(error));
    return zone;
}
