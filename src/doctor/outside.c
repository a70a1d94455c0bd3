#include "src/doctor/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "netns/router/policy.h"
#include "sandbox/capabilities.h"
#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/doctor/ask.h"

#define ID          "outside"
#define FIREWALL_ID "firewall"
#define MEANS       "only root reaches devices under test outside (--dut)"
#define BOTH        (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))

/* ---- the router ---- */

static void check_router(const struct programs *programs, struct findings *findings)
{
    cleanup_free char *mend = text_format("sudo setcap cap_net_admin,cap_net_raw=p %s", programs->router);
    struct statvfs mounted;

    if (programs->without_attributes)
        findings_addf(
            findings, FINDING_NOTE, ID, MEANS, NULL,
            "%s is on a file system without extended attributes, which cannot keep file capabilities",
            programs->router);
    else if (!programs->has_capabilities || programs->capabilities != BOTH)
        findings_addf(findings, FINDING_NOTE, ID, MEANS, mend, "%s has %s file capabilities",
                      programs->router, programs->has_capabilities ? "not the right" : "no");
    if (fstatvfs(programs->router_fd, &mounted) == 0 && mounted.f_flag & ST_NOSUID)
        findings_addf(findings, FINDING_NOTE, ID, "file capabilities count for nothing there", NULL,
                      "%s is on a file system that is mounted nosuid", programs->router);
    if (geteuid() != 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        findings_addf(findings, FINDING_NOTE, ID, "file capabilities count for nothing here", NULL,
                      "whoever started this process has forbidden new privileges (no_new_privs)");
}

/* ---- the policy ---- */

static void check_groups(const struct policy *policy, struct findings *findings)
{
    cleanup_error struct error *error = NULL;

    for (size_t i = 0; i < policy->groups.count; i++) {
        const char *group = policy->groups.list[i];
        cleanup_free char *mend = text_format("sudo groupadd -r %s", group);
        long ignored;

        if (!getgrnam(group) && !text_number(group, 0, UINT32_MAX, &ignored))
            findings_addf(findings, FINDING_NOTE, ID, "nobody can be in it", mend,
                          "there is no group %s, which %s names", group, policy->path);
    }
    if (geteuid() != 0 && policy_check_user(policy, &error) < 0)
        findings_addf(findings, FINDING_NOTE, ID, MEANS, NULL, "%s", error_text(error));
}

static bool is_up(const char *device)
{
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    memcpy(request.ifr_name, device, strnlen(device, IFNAMSIZ - 1));
    return fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP;
}

static bool has_ipv6(const struct policy *policy)
{
    for (size_t i = 0; i < policy->network_count; i++)
        if (policy->networks[i].family == AF_INET6)
            return true;
    return false;
}

static void check_forwarding(const struct policy *policy, const char *device, struct findings *findings)
{
    bool six = has_ipv6(policy), lacks = !policy->allow_forwarding;

    if (six && !forwarding_is_possible_ipv6(device))
        findings_addf(findings, FINDING_NOTE, ID,
                      "devices under test with IPv6 are reached on this host only, not over it", NULL,
                      "this kernel cannot forward IPv6 for %s alone (no net.ipv6.conf.%s.force_forwarding, "
                      "which Linux 6.17 brought)",
                      device, device);
    if (lacks && forwarding_is_on(AF_INET, device, NULL) == 0)
        findings_addf(findings, FINDING_NOTE, ID,
                      "the policy may allow it (allow_forwarding = true), or an administrator turns it on",
                      NULL, "%s does not forward packets, and sippod may not change that", device);
    else if (lacks && six && forwarding_is_on(AF_INET6, device, NULL) == 0)
        findings_addf(findings, FINDING_NOTE, ID,
                      "the policy may allow it (allow_forwarding = true), or an administrator turns it on "
                      "(force_forwarding)",
                      NULL, "%s does not forward IPv6 packets, and sippod may not change that", device);
}

static void check_uplink(const struct policy *policy, const char *device, struct findings *findings)
{
    cleanup_free char *raise = text_format("sudo ip link set %s up", device);

    if (!if_nametoindex(device))
        findings_addf(findings, FINDING_NOTE, ID, "nothing is reached over it", NULL,
                      "there is no network device %s, which %s names", device, policy->path);
    else if (!is_up(device))
        findings_addf(findings, FINDING_NOTE, ID, "nothing is reached over it", raise,
                      "the network device %s is down", device);
    else
        check_forwarding(policy, device, findings);
}

static void add_all(struct buffer *buffer, const char *what, const struct strings *strings)
{
    buffer_addf(buffer, "%s", what);
    for (size_t i = 0; i < strings->count; i++)
        buffer_addf(buffer, " %s", strings->list[i]);
    if (!strings->count)
        buffer_addf(buffer, " none");
}

static void show(const struct policy *policy, struct findings *findings)
{
    cleanup_strings struct strings networks = {0};
    cleanup_buffer struct buffer words = {0};
    char text[NETWORK_TEXT];

    for (size_t i = 0; i < policy->network_count; i++)
        strings_add(&networks, network_text(&policy->networks[i], text));
    add_all(&words, "groups", &policy->groups);
    add_all(&words, "; networks", &networks);
    add_all(&words, "; uplinks", &policy->uplinks);
    buffer_add(&words, "", 1);
    findings_addf(findings, FINDING_OK, "policy", NULL, NULL, "%s: %s", policy->path,
                  (const char *)words.data);
}

static void check_policy(struct findings *findings)
{
    cleanup_error struct error *error = NULL;
    cleanup_policy struct policy *policy = policy_read(POLICY_PATH, &error);

    if (!policy) {
        findings_addf(findings, FINDING_NOTE, ID, MEANS,
                      error->sys == ENOENT ? "man policy.conf; sudoedit " POLICY_PATH : NULL, "%s",
                      error_text(error));
        return;
    }
    show(policy, findings);
    check_groups(policy, findings);
    for (size_t i = 0; i < policy->uplinks.count; i++)
        check_uplink(policy, policy->uplinks.list[i], findings);
}

/* ---- the firewall ---- */

/* `  table ip filter {`, `chain FORWARD {`, `type filter hook forward priority filter; policy drop;`, `}` */
bool firewall_next(char **text, struct firewall_chain *chain)
{
    bool drops = false, ours = false;
    char *line;

    while ((line = strsep(text, "\n"))) {
        line += strspn(line, " \t");
        if (strncmp(line, "table ", 6) == 0) {
            (void)strsep(&line, " ");
            chain->family = strsep(&line, " ");
            chain->table = strsep(&line, " ");
        } else if (strncmp(line, "chain ", 6) == 0) {
            (void)strsep(&line, " ");
            chain->chain = strsep(&line, " ");
            drops = ours = false;
        } else if (strcmp(line, "}") != 0) {
            drops |= strstr(line, "hook forward ") && strstr(line, "policy drop");
            ours |=
                strstr(line, "sipp-") != NULL; /* there are rules for us; what they say is not looked at */
        } else if (drops && !ours && chain->family && chain->table) {
            return true;
        } else {
            drops = false;
        }
    }
    return false;
}

/* What the program prints; NULL if there is no such program, or it did not work. */
static char *ask_all(const char *name, char *const arguments[])
{
    cleanup_free char *program = ask_find(name);
    cleanup_free char *text = NULL;
    struct ask ask;
    int exit_code;

    if (!program || ask_start(&ask, program, arguments, NULL) < 0 ||
        ask_finish(&ask, &text, &exit_code, NULL) < 0 || exit_code != 0)
        return NULL;
    return steal_pointer(&text);
}

static void dropped(const char *what, const char *mend, struct findings *findings)
{
    findings_addf(findings, FINDING_NOTE, FIREWALL_ID,
                  "what devices under test outside send back does not get to the pods", mend,
                  "%s drops what is forwarded", what);
}

static void check_nftables(struct findings *findings)
{
    char *arguments[] = {(char *)"nft", (char *)"list", (char *)"ruleset", NULL};
    cleanup_free char *text = ask_all("nft", arguments);
    struct firewall_chain found = {0};
    char *rest = text;

    while (firewall_next(&rest, &found)) {
        cleanup_free char *what =
            text_format("the chain %s of nftables (table %s %s)", found.chain, found.family, found.table);
        cleanup_free char *mend =
            text_format("sudo nft 'insert rule %s %s %s iifname \"sipp-*\" accept; insert rule %s %s %s "
                        "oifname \"sipp-*\" accept'",
                        found.family, found.table, found.chain, found.family, found.table, found.chain);

        dropped(what, mend, findings);
    }
}

/* The old kind, which nft does not show. Asking iptables where nobody uses it would load its modules. */
static void check_iptables(const char *name, const char *tables_path, struct findings *findings)
{
    cleanup_free char *program = text_format("%s-legacy", name);
    char *arguments[] = {program, (char *)"-S", (char *)"FORWARD", NULL};
    cleanup_free char *tables = NULL, *text = NULL;
    size_t length;

    if (file_read(AT_FDCWD, tables_path, 4096, &tables, &length, NULL) < 0 || !strstr(tables, "filter"))
        return;
    text = ask_all(program, arguments);
    if (text && strstr(text, "-P FORWARD DROP") && !strstr(text, "sipp-")) {
        cleanup_free char *what = text_format("the chain FORWARD of %s", name);
        cleanup_free char *mend =
            text_format("sudo sh -c '%s -I FORWARD -i sipp-+ -j ACCEPT; %s -I FORWARD -o sipp-+ -j ACCEPT'",
                        program, program);

        dropped(what, mend, findings);
    }
}

static void check_firewall(struct findings *findings)
{
    if (geteuid() != 0) {
        findings_addf(findings, FINDING_OK, FIREWALL_ID, NULL, NULL,
                      "whether it drops what is forwarded only root can see: sudo sippod doctor");
        return;
    }
    check_nftables(findings);
    check_iptables("iptables", "/proc/net/ip_tables_names", findings);
    check_iptables("ip6tables", "/proc/net/ip6_tables_names", findings);
}

/* ---- all of it ---- */

void check_outside(const struct programs *programs, const struct finding *bad, struct mode_finding *mode,
                   struct findings *findings)
{
    cleanup_findings struct findings found = {0};
    bool policy = access(POLICY_PATH, F_OK) == 0 || errno != ENOENT;
    const struct finding *first = bad;

    if (programs->router) {
        check_router(programs, &found);
        check_policy(&found);
    }
    for (size_t i = 0; i < found.count && !first; i++)
        if (found.list[i].level != FINDING_OK)
            first = &found.list[i];
    *mode = (struct mode_finding){.works = !first};
    if (first && first != bad && first->mend)
        mode->why = text_format("%s; %s", first->what, first->mend);
    else if (first)
        mode->why = text_copy(first->what);
    if (!policy && !programs->has_capabilities)
        return;
    check_firewall(&found);
    findings_add_all(findings, &found);
}
