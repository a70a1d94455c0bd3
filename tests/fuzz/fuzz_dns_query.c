/* DNS queries: whatever comes, the answer is within its limit, is one to this query, and repeats its
 * question.
 */
#include <stdlib.h>
#include <string.h>

#include "netns/resolver/answer.h"
#include "tests/fuzz/fuzz.h"

static const char names[] = "www.example.com A 192.0.2.1\nexample.com SOA ns host 1 2 3 4 5\n"
                            "example.com NS ns\n*.example.com CNAME www.example.com\n"
                            "a CNAME b\nb CNAME a\nc TXT a longer text than the others have\n";

static void check(const uint8_t *data, size_t size, bool udp)
{
    static struct zones *zones;
    static uint8_t bytes[ANSWER_MOST];
    struct answer_note note;
    size_t length;

    if (!zones) {
        zones = zones_new();
        zones_add(zones, 1, zone_parse(names, NULL));
        zones_add(zones, 2, zone_parse("www.example.net A 192.0.2.2\n*.net CNAME www.example.com\n", NULL));
    }
    length = answer(zones, data, size, udp, bytes, &note);
    if (length == 0)
        return;
    if (length < 12 || size < 12 || length > (udp ? 4096 : ANSWER_MOST) || memcmp(bytes, data, 2) != 0 ||
        !(bytes[2] & 0x80))
        abort();
    if (note.name_length && memcmp(bytes + 12, data + 12, (size_t)note.name_length + 4) != 0)
        abort();
    free(zone_name_text(note.name, note.name_length));
    free(zone_type_text(note.type));
    (void)answer_rcode_text(note.rcode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, true);
    check(data, size, false);
    return 0;
}
