/* dns.txt: what is accepted can be found and asked for, what is refused says where. */
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/answer.h"
#include "src/base/text.h"
#include "tests/fuzz/fuzz.h"

/* A query of any type for example.com, and one for a name that is not there. */
static const uint8_t queries[2][29] = {
    "\0\1\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\xff\0\1",
    "\0\1\1\0\0\1\0\0\0\0\0\0\7another\3com\0\0\1\0\1",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[ANSWER_MOST];
    struct error *error = NULL;
    struct answer_note note;
    struct zones *zones;
    struct zone *zone;
    char *text;

    if (memchr(data, '\0', size))
        return 0; /* is refused before */
    text = text_slice((const char *)data, size);
    zone = zone_parse(text, &error);
    zones = zones_new();
    if (zone)
        zones_add(zones, 1, zone);
    for (size_t i = 0; zone && i < 2; i++)
        if (answer(zones, queries[i], sizeof queries[i], i == 0, bytes, &note) < sizeof queries[i])
            abort();
    if (!zone && (!error || error->code != ERROR_INPUT || strncmp(error_text(error), "dns.txt:", 8) != 0))
        abort();
    if (zone && error)
        abort();
    zones_free(zones);
    zone_free(zone);
    error_free(error);
    free(text);
    return 0;
}
