/* A table of nftables with one rule, before anything is done with a packet:
 *
 *     iifname "sipp-*" fib saddr . iif oif missing drop
 *
 * It belongs to the socket by which it was made (flag "owner"): nobody else can change it, also not by
 * "nft flush ruleset", and it goes when the socket does. Its name has the socket's number, which no other has
 * in this network namespace. Packets that another table accepts come by here nevertheless. */
#include "netns/sources.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"

#define CHAIN       "sources"
#define PRIORITY    (-300) /* before connections are tracked */
#define BATCH_MOST  2048   /* bytes; it takes less than 700 */
#define OWNER       0x2    /* NFT_TABLE_F_OWNER (Linux 5.12), for older headers */
#define NAME_LENGTH sizeof "sippod-4294967295"

/* ---- messages ---- */

struct batch {
    uint8_t bytes[BATCH_MOST];
    size_t length;
};

static struct nl_msg *new_message(int type, int flags, uint16_t resource)
{
    const struct nfgenmsg about = {
        .nfgen_family = NFPROTO_IPV6, .version = NFNETLINK_V0, .res_id = htons(resource)};
    struct nl_msg *message = nlmsg_alloc_size(BATCH_MOST);

    if (message && nlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | flags) &&
        nlmsg_append(message, (void *)&about, sizeof about, NLMSG_ALIGNTO) == 0)
        return message;
    nlmsg_free(message);
    return NULL;
}

static struct nl_msg *new_request(int type, int flags)
{
    return new_message(NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_CREATE | flags, 0);
}

/* Takes the message; false: `sound` is, or there was no memory. */
static bool add(struct batch *batch, struct nl_msg *message, bool sound)
{
    size_t length = message ? NLMSG_ALIGN(nlmsg_hdr(message)->nlmsg_len) : 0;

    sound = sound && message && batch->length + length <= sizeof batch->bytes;
    if (sound) {
        memcpy(batch->bytes + batch->length, nlmsg_hdr(message), length);
        batch->length += length;
    }
    nlmsg_free(message);
    return sound;
}

static bool put_number(struct nl_msg *message, int type, uint32_t value)
{
    return nla_put_u32(message, type, htonl(value)) == 0;
}

static bool add_table(struct batch *batch, const char *table)
{
    struct nl_msg *message = new_request(NFT_MSG_NEWTABLE, NLM_F_EXCL);

    return add(batch, message,
               message && nla_put_string(message, NFTA_TABLE_NAME, table) == 0 &&
                   put_number(message, NFTA_TABLE_FLAGS, OWNER));
}

static bool add_chain(struct batch *batch, const char *table)
{
    struct nl_msg *message = new_request(NFT_MSG_NEWCHAIN, NLM_F_EXCL);
    struct nlattr *hook;

    return add(batch, message,
               message && nla_put_string(message, NFTA_CHAIN_TABLE, table) == 0 &&
                   nla_put_string(message, NFTA_CHAIN_NAME, CHAIN) == 0 &&
                   nla_put_string(message, NFTA_CHAIN_TYPE, "filter") == 0 &&
                   (hook = nla_nest_start(message, NFTA_CHAIN_HOOK)) &&
                   put_number(message, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING) &&
                   put_number(message, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY) &&
                   nla_nest_end(message, hook) == 0);
}

/* ---- the rule ---- */

/* A step of it, named `name`, with these numbers, and with a value if there is one. */
struct step {
    const char *name;
    struct {
        int type;
        uint32_t value;
    } numbers[3];
    int data; /* the attribute that the value is in; 0: it has none */
    int kind; /* NFTA_DATA_… */
    const void *value;
    size_t length;
};

static bool put_data(struct nl_msg *message, const struct step *step)
{
    struct nlattr *data = nla_nest_start(message, step->data), *verdict;

    if (!data)
        return false;
    if (step->kind == NFTA_DATA_VALUE)
        return nla_put(message, NFTA_DATA_VALUE, (int)step->length, step->value) == 0 &&
               nla_nest_end(message, data) == 0;
    verdict = nla_nest_start(message, NFTA_DATA_VERDICT);
    return verdict && put_number(message, NFTA_VERDICT_CODE, NF_DROP) &&
           nla_nest_end(message, verdict) == 0 && nla_nest_end(message, data) == 0;
}

static bool put_step(struct nl_msg *message, const struct step *step)
{
    struct nlattr *element = nla_nest_start(message, NFTA_LIST_ELEM), *data;

    if (!element || nla_put_string(message, NFTA_EXPR_NAME, step->name) < 0)
        return false;
    data = nla_nest_start(message, NFTA_EXPR_DATA);
    if (!data)
        return false;
    for (size_t i = 0; i < sizeof step->numbers / sizeof *step->numbers; i++)
        if (step->numbers[i].type && !put_number(message, step->numbers[i].type, step->numbers[i].value))
            return false;
    return (!step->data || put_data(message, step)) && nla_nest_end(message, data) == 0 &&
           nla_nest_end(message, element) == 0;
}

/* Answered: the kernel does nothing of what it refuses a part of. */
static bool add_rule(struct batch *batch, const char *table, const char *devices)
{
    static const uint32_t none;
    const struct step steps[] = {
        {.name = "meta", .numbers = {{NFTA_META_DREG, NFT_REG_1}, {NFTA_META_KEY, NFT_META_IIFNAME}}},
        {.name = "cmp",
         .numbers = {{NFTA_CMP_SREG, NFT_REG_1}, {NFTA_CMP_OP, NFT_CMP_EQ}},
         .data = NFTA_CMP_DATA,
         .kind = NFTA_DATA_VALUE,
         .value = devices,
         .length = strlen(devices)},
        {.name = "fib",
         .numbers = {{NFTA_FIB_DREG, NFT_REG_1},
                     {NFTA_FIB_RESULT, NFT_FIB_RESULT_OIF},
                     {NFTA_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF}}},
        {.name = "cmp",
         .numbers = {{NFTA_CMP_SREG, NFT_REG_1}, {NFTA_CMP_OP, NFT_CMP_EQ}},
         .data = NFTA_CMP_DATA,
         .kind = NFTA_DATA_VALUE,
         .value = &none,
         .length = sizeof none},
        {.name = "immediate",
         .numbers = {{NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT}},
         .data = NFTA_IMMEDIATE_DATA,
         .kind = NFTA_DATA_VERDICT},
    };
    struct nl_msg *message = new_request(NFT_MSG_NEWRULE, NLM_F_APPEND | NLM_F_ACK);
    struct nlattr *list = NULL;
    bool sound = message && nla_put_string(message, NFTA_RULE_TABLE, table) == 0 &&
                 nla_put_string(message, NFTA_RULE_CHAIN, CHAIN) == 0 &&
                 (list = nla_nest_start(message, NFTA_RULE_EXPRESSIONS));

    for (size_t i = 0; sound && i < sizeof steps / sizeof *steps; i++)
        sound = put_step(message, &steps[i]);
    return add(batch, message, sound && nla_nest_end(message, list) == 0);
}

static bool make(struct batch *batch, const char *table, const char *devices)
{
    return add(batch, new_message(NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES), true) &&
           add_table(batch, table) && add_chain(batch, table) && add_rule(batch, table, devices) &&
           add(batch, new_message(NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES), true);
}

/* ---- to the kernel ---- */

/* It says ENOENT for a module that it neither has nor finds. */
static int failed(const struct netlink *nl, int result, struct error **ret)
{
    int sys = netlink_errno(nl, result);

    if (sys == ENOENT || sys == EOPNOTSUPP || sys == EINVAL)
        return error_sys(ret, ERROR_HOST, sys,
                         "cannot check the sources of IPv6 packets from pods: the kernel lacks nftables with "
                         "tables that have an owner (Linux 5.12; modules nf_tables and nft_fib_ipv6)");
    return netlink_failed(nl, result, ret, "cannot check the sources of IPv6 packets from pods");
}

static int set(struct netlink *nl, const char *devices, struct error **ret)
{
    struct nl_sock *socket = netlink_socket(nl);
    struct batch batch = {.length = 0};
    char table[NAME_LENGTH];
    int result;

    snprintf(table, sizeof table, "sippod-%u", nl_socket_get_local_port(socket));
    if (!make(&batch, table, devices))
        return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot prepare a netlink request");
    nl_socket_disable_seq_check(socket); /* one number is enough for all messages of it */
    result = nl_sendto(socket, batch.bytes, batch.length);
    if (result >= 0)
        result = nl_wait_for_ack(socket);
    return result < 0 ? failed(nl, result, ret) : 0;
}

struct netlink *sources_check_ipv6(const char *devices, struct error **ret)
{
    cleanup_netlink struct netlink *nl = netlink_open_netfilter(ret);

    return nl && set(nl, devices, ret) == 0 ? steal_pointer(&nl) : NULL;
}
