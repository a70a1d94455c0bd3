/* What is a name depends on what is in front of it, and on libpcap's many keywords. Which word is a keyword
 * is asked of libpcap itself, as that of a port: names of ports are in a file, and those of protocols, too.
 * Behind whatever takes an address, be it through "and" and parentheses, a name is one of a host or a
 * network. */
#include "src/expect/filter_names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *word, const char *const *list)
{
    while (*list && strcmp(*list, word) != 0)
        list++;
    return *list != NULL;
}

static bool is_ipv4(const char *word)
{
    size_t dots = 0;

    for (const char *at = word; *at; at++)
        dots += *at == '.';
    return dots <= 3 && strspn(word, "0123456789.") == strlen(word);
}

/* Of IPv6 or Ethernet; libpcap finds out what is wrong with an address of Ethernet. */
static bool is_with_colons(const char *word)
{
    struct in6_addr address;
    size_t colons = 0;

    for (const char *at = word; *at; at++)
        colons += *at == ':';
    return inet_pton(AF_INET6, word, &address) == 1 ||
           (colons == 5 && strspn(word, "0123456789abcdefABCDEF:") == strlen(word));
}

enum word { KEYWORD, ADDRESS, NAME };

/* What it is to libpcap, if it is no address of IP: names of ports are found, or unknown. */
static enum word kind_to_libpcap(const char *word)
{
    pcap_t *dead = pcap_open_dead(DLT_EN10MB, 65535);
    struct bpf_program program;
    char *filter = NULL;
    enum word kind = NAME;

    if (dead && asprintf(&filter, "port %s", word) >= 0) {
        if (pcap_compile(dead, &program, filter, 0, PCAP_NETMASK_UNKNOWN) == 0)
            pcap_freecode(&program);
        else if (strstr(pcap_geterr(dead), "syntax error"))
            kind = KEYWORD;
        else if (strstr(pcap_geterr(dead), "ethernet address"))
            kind = ADDRESS;
        free(filter);
    }
    if (dead)
        pcap_close(dead);
    return kind;
}

static enum word kind_of(const char *word)
{
    if (*word == '\\')
        return NAME;
    if (strchr(word, ':'))
        return is_with_colons(word) ? ADDRESS : NAME;
    return is_ipv4(word) ? ADDRESS : kind_to_libpcap(word);
}

/* Whether it is a name in the place of an address; and whether behind it is the place of one. */
static bool take_word(const char *word, bool *takes_address)
{
    static const char *const before[] = {"host", "net", "gateway", "src", "dst", NULL};
    static const char *const between[] = {"and", "or", "not", "mask", NULL};
    enum word kind;

    if (is_one_of(word, between))
        return false;
    if (is_one_of(word, before)) {
        *takes_address = true;
        return false;
    }
    if (!*takes_address)
        return false;
    kind = kind_of(word);
    *takes_address = kind != KEYWORD;
    return kind == NAME;
}

static bool is_of_word(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_.:-\\", c));
}

bool filter_has_name(const char *filter, char **ret)
{
    bool takes_address = false;

    for (const char *at = filter, *end; *at; at = end) {
        char *word;
        bool found;

        for (end = at; is_of_word(*end); end++)
            continue;
        if (end == at) {
            end++;
            continue;
        }
        word = strndup(at, (size_t)(end - at));
        found = !word || take_word(word, &takes_address);
        if (found) {
            *ret = word;
            return true;
        }
        free(word);
    }
    return false;
}
