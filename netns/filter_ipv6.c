/* IPv6. Packets with extension headers are not taken from pods: they may name a second destination (routing)
 * or another source (home address). What may come instead of them is therefore listed; fragments say it in
 * their own header. Neighbour discovery passes neither way: all neighbours are permanent. */
#include "netns/filter_program.h"

#include <assert.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

/* Offsets from the Ethernet header. */
#define FRAME_TYPE     12
#define IP_VERSION     14
#define IP_NEXT        20
#define IP_SOURCE      22
#define IP_DESTINATION 38
#define IP_END         54 /* where the next header begins */
#define FRAGMENT_END   (IP_END + 8)

#define RANGE_MOST 9 /* instructions for one network */

static_assert(RANGE_MOST * (FILTER_OWN6_MOST + FILTER_PEERS_MOST) <= PROGRAM_MOST, "it fits");

static uint32_t word_of(const struct filter_network *network, unsigned word)
{
    const uint8_t *bytes = network->address + (size_t)word * 4;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Instructions for the network: two for each whole word, three for a part of one, and the jump. */
static size_t length_of(const struct filter_network *network)
{
    return network->prefix / 32 * 2 + (network->prefix % 32 ? 3 : 0) + 1;
}

/* Goes on with the jump behind it if the address at `offset` is in the network, else behind that. */
static void add_network(struct program *program, const struct filter_network *network, uint32_t offset)
{
    size_t end = program->length + length_of(network);
    unsigned words = network->prefix / 32, rest = network->prefix % 32;

    for (unsigned i = 0; i < words; i++)
        ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset + i * 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word_of(network, i), 0,
                     (uint8_t)(end - program->length - 2)));
    if (rest) {
        uint32_t mask = UINT32_MAX << (32 - rest);

        ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset + words * 4),
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word_of(network, words) & mask, 0, 1));
    }
}

/* Goes on behind the next instruction if the address at `offset` is in one of the networks, else with it. */
static void add_match(struct program *program, const struct filter_network *networks, size_t count,
                      uint32_t offset)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        left += length_of(&networks[i]);
    for (size_t i = 0; i < count; i++) {
        left -= length_of(&networks[i]);
        add_network(program, &networks[i], offset);
        ADD(program, BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)left + 1));
    }
}

/* All but whole, untagged IPv6 headers end here; as in IPv4. */
static void add_head(struct program *program)
{
    ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, IP_END, 1, 0),
        DROP, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FRAME_TYPE), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0),
        DROP, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_VERSION), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 1, 0), DROP);
}

/* Neighbour and router discovery and redirects end here. With `errors`, ICMPv6 errors pass. */
static void add_icmp(struct program *program, bool errors)
{
    ADD(program, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_NEXT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, (uint8_t)(errors ? 9 : 6)),
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, IP_END + 1, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_END),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ND_ROUTER_SOLICIT, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, ND_REDIRECT, 1, 0), DROP);
    if (errors)
        ADD(program, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ICMP6_DST_UNREACH, 0, 2),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, ICMP6_PARAM_PROB, 1, 0), PASS);
}

void ipv6_ingress(struct program *program, const struct networks *networks)
{
    add_head(program);
    ADD(program, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_NEXT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_FRAGMENT, 0, 4), BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FRAGMENT_END, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_END), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_SCTP, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ESP, 1, 0), DROP);
    add_icmp(program, false);
    add_match(program, networks->own, networks->own_count, IP_SOURCE);
    ADD(program, DROP);
    add_match(program, networks->peers, networks->peer_count, IP_DESTINATION);
    ADD(program, DROP, PASS);
}

void ipv6_egress(struct program *program, const struct networks *networks)
{
    add_head(program);
    add_match(program, networks->own, networks->own_count, IP_DESTINATION);
    ADD(program, DROP);
    add_icmp(program, true);
    add_match(program, networks->peers, networks->peer_count, IP_SOURCE);
    ADD(program, DROP, PASS);
}
