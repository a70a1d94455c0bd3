#include "src/suite/third_party.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define MOST_BYTES ((size_t)64 * 1024)

static int bad(unsigned line, struct error **ret, const char *what, const char *word)
{
    cleanup_free char *printable = text_printable(word, strlen(word));

    return error_set(ret, ERROR_INPUT, "%s:%u: %s: %s", THIRD_PARTY_FILE, line, what, printable);
}

static bool is_id(const char *text)
{
    const char *c = text;

    while (isalnum((unsigned char)*c) || *c == '_' || *c == '-' || *c == '.')
        c++;
    return c > text && !*c;
}

static bool is_address(const char *text)
{
    struct in6_addr ignored;

    return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

/* "192.0.2.1" of "192.0.2.1", and "::1" of "[::1]". */
static char *without_brackets(const char *text)
{
    size_t length = strlen(text);

    if (length > 2 && *text == '[' && text[length - 1] == ']')
        return text_slice(text + 1, length - 2);
    return text_copy(text);
}

static bool is_of_a_ua(const struct test *test, const char *address)
{
    for (size_t i = 0; i < test->ua_count; i++)
        if (strcmp(test->uas[i].address, address) == 0)
            return true;
    return false;
}

static bool has_master(const struct third_party *third_party)
{
    for (size_t i = 0; i < third_party->count; i++)
        if (third_party->twins[i].master)
            return true;
    return false;
}

/* One line, which is taken apart in place. */
static int read_line(char *text, unsigned line, const struct test *test, struct third_party *third_party,
                     struct error **ret)
{
    cleanup_free char *whole = text_copy(text);
    cleanup_free char *address = NULL;
    char *place = strchr(text, ';'), *colon = place ? strrchr(place, ':') : NULL;
    bool master;
    long port;

    if (!colon)
        return bad(line, ret, "not of the form id;address:port", whole);
    *place++ = '\0';
    *colon++ = '\0';
    address = without_brackets(place);
    master = strcmp(text, "m") == 0;
    if (!is_id(text))
        return bad(line, ret, "not an id", text);
    if (!is_address(address))
        return bad(line, ret, "not an address", place);
    if (*place != '[' && strchr(address, ':'))
        return bad(line, ret, "SIPp takes an address of IPv6 in brackets only", place);
    if (!text_number(colon, 1, UINT16_MAX, &port))
        return bad(line, ret, "not a port", colon);
    if (!is_of_a_ua(test, address))
        return bad(line, ret, "no UA of this test has the address", address);
    if (master && has_master(third_party))
        return bad(line, ret, "a second master (m)", whole);
    third_party->twins = memory_array(third_party->twins, third_party->count + 1, sizeof(struct twin));
    third_party->twins[third_party->count++] = (struct twin){
        .id = text_copy(text),
        .address = steal_pointer(&address),
        .port = (uint16_t)port,
        .master = master,
    };
    return 0;
}

/* SIPp passes over lines without a ';': empty ones and comments are nothing bad. */
static bool says_nothing(const char *line)
{
    return !*line || (*line == '#' && !strchr(line, ';'));
}

int third_party_read(int folder, const struct test *test, struct third_party *third_party, struct error **ret)
{
    cleanup_free char *text = NULL;
    char *rest, *line;
    struct stat status;
    size_t length;
    unsigned number = 0;

    *third_party = (struct third_party){0};
    if (fstatat(folder, THIRD_PARTY_FILE, &status, 0) < 0)
        return 0;
    if (file_read(folder, THIRD_PARTY_FILE, MOST_BYTES, &text, &length, ret) < 0)
        return -1;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (!says_nothing(line) && read_line(line, number, test, third_party, ret) < 0)
            return -1;
    }
    return 0;
}

void third_party_free(struct third_party *third_party)
{
    for (size_t i = 0; i < third_party->count; i++) {
        free(third_party->twins[i].id);
        free(third_party->twins[i].address);
    }
    free(third_party->twins);
    *third_party = (struct third_party){0};
}

const struct twin *third_party_twin(const struct third_party *third_party, const char *address)
{
    const struct twin *found = NULL;

    for (size_t i = 0; i < third_party->count; i++)
        if (strcmp(third_party->twins[i].address, address) == 0)
            found = &third_party->twins[i]; /* the last one counts */
    return found;
}
