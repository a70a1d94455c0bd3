/* IPv4. Packets with IP options are not taken from pods: source routes would name a second destination. */
#include "netns/filter_program.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/ip_icmp.h>
#include <string.h>

/* Offsets from the Ethernet header, of an IPv4 packet. */
#define FRAME_TYPE     12
#define IP_VERSION     14
#define IP_FRAGMENT    20
#define IP_PROTOCOL    23
#define IP_SOURCE      26
#define IP_DESTINATION 30
#define IP_END         34

#define OFFSET_MASK 0x1fff /* of IP_FRAGMENT */

#define RANGE_LENGTH 3 /* instructions for one network */

/* Goes on behind the next `skip` instructions if the accumulator is an address of one of the networks, else
 * with the next. Conditional jumps are too short for long lists, so each network has a long jump of its own.
 */
static_assert(RANGE_LENGTH * (FILTER_OWN_MOST + FILTER_PEERS_MOST) <= PROGRAM_MOST, "it fits");

static void add_match(struct program *program, const struct filter_network *networks, size_t count,
                      size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t mask = networks[i].prefix ? UINT32_MAX << (32 - networks[i].prefix) : 0, first;
        size_t after = (count - 1 - i) * RANGE_LENGTH + skip;

        memcpy(&first, networks[i].address, sizeof first);
        first = ntohl(first) & mask;
        ADD(program, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, first | ~mask, 1, 0),
            BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)after));
    }
}

/* All but whole, untagged IPv4 headers end here. That it is IPv4 says the kernel, which acts by that, and the
 * frame: a packet socket may make the two differ. */
static void add_head(struct program *program)
{
    ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, IP_END, 1, 0),
        DROP, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FRAME_TYPE), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
        DROP);
}

/* Passes ICMP errors, whose first part says that they are. */
static void add_errors(struct program *program)
{
    ADD(program, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_PROTOCOL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 10),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP_FRAGMENT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, OFFSET_MASK, 8, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, IP_VERSION), /* X: the length of the IP header */
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, IP_VERSION + 1),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 0, 4), BPF_STMT(BPF_LD | BPF_B | BPF_IND, IP_VERSION),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_DEST_UNREACH, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_TIME_EXCEEDED, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_PARAMETERPROB, 1, 0), DROP, PASS);
}
#define ERRORS_LENGTH 14

void ipv4_ingress(struct program *program, const struct networks *networks)
{
    add_head(program);
    ADD(program, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_VERSION),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x45, 1, 0), DROP, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_SOURCE));
    add_match(program, networks->own, networks->own_count, 1);
    ADD(program, DROP, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_DESTINATION));
    add_match(program, networks->peers, networks->peer_count, 1);
    ADD(program, DROP, PASS);
}

void ipv4_egress(struct program *program, const struct networks *networks)
{
    add_head(program);
    ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_DESTINATION));
    add_match(program, networks->own, networks->own_count, 1);
    ADD(program, DROP, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_SOURCE));
    add_match(program, networks->peers, networks->peer_count, ERRORS_LENGTH);
    add_errors(program);
    ADD(program, PASS);
}
