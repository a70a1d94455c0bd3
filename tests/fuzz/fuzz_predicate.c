/* Predicates as text: each is right, and can be asked about a packet, or says what is wrong. Nothing outside
 * is asked: names in filters are not looked up, and the files that packets are of are in no folder. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/parse.h"
#include "tests/fuzz/fuzz.h"

/* In the place of the C library's. */
int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)ret;
    return EAI_NONAME;
}

int getnetbyname_r(const char *restrict name, struct netent *restrict entry, char *restrict buffer,
                   size_t size, struct netent **restrict ret, int *restrict error)
{
    (void)name;
    (void)entry;
    (void)buffer;
    (void)size;
    *ret = NULL;
    *error = HOST_NOT_FOUND;
    return 0;
}

static void ask(struct sippod_predicate *predicate)
{
    static const uint8_t frame[60] = {[12] = 0x81, [15] = 7, [16] = 0x08, [18] = 0x45};
    struct sippod_packet packet = {
        .data = frame,
        .captured = sizeof frame,
        .length = sizeof frame,
        .timestamp_ns = 1,
        .linktype = SIPPOD_LINKTYPE_ETHERNET,
    };
    struct sippod_value value;
    char text[64];

    if (predicate->on_packet(predicate->state, &packet) < 0)
        abort();
    if (predicate->stop_condition)
        (void)predicate->stop_condition(predicate->state, &packet);
    value = predicate->on_finish(predicate->state, true);
    predicate->detail(predicate->state, text, sizeof text);
    if (value.kind == SIPPOD_ERROR || strlen(text) >= sizeof text)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sippod_predicate predicate;
    const char *error;
    char *text;

    if (size > 16384 || (memchr(data, '/', size) && memchr(data, '#', size)))
        return 0; /* the second may be a file of this machine */
    text = strndup((const char *)data, size);
    if (!text)
        abort();
    predicate = predicate_parse(text, "/dev/null", true);
    error = sippod_predicate_error(&predicate);
    if (!error)
        ask(&predicate);
    else if (!*error || strcmp(error, "out of memory") == 0)
        abort();
    sippod_predicate_free(&predicate);
    free(text);
    return 0;
}
