#include "src/run/hints.h"

#include <string.h>

#include "src/run/script_capabilities.h"

#define NETWORK "a pod reaches nothing but the device under test"
#define SOCKETS "the host's sockets, Docker's and systemd's too, are out of reach of a pod, unless --fs host"
#define ROOT    "scripts are run as the caller without capabilities, and sudo makes nobody root in a pod"
#define FRESH   "/tmp, /run and /var/tmp are each pod's own; what pods share lies in SIPPOD_SHARED"

/* The first that fits is told. */
static const struct {
    const char *words, *more; /* both are in the text, in any case; `more` may be NULL */
    const char *capability;   /* of no use to one who has it, NULL: to all */
    const char *hint;
} hints[] = {
    {.words = "docker", .more = "daemon", .hint = SOCKETS},
    {.words = "docker.sock", .hint = SOCKETS},
    {.words = "podman.sock", .hint = SOCKETS},
    {.words = "not been booted with systemd", .hint = SOCKETS},
    {.words = "failed to connect to bus", .hint = SOCKETS},
    {.words = "/run/dbus", .hint = SOCKETS},
    {.words = "sudo:", .hint = ROOT},
    {.words = "su: ", .more = "authentication", .hint = ROOT},
    {.words = "cannot set groups", .hint = ROOT},
    {.words = "changing ownership of", .hint = ROOT},
    {.words = "mount: ", .more = "permission denied", .hint = ROOT},
    {.words = "RTNETLINK answers",
     .more = "not permitted",
     .capability = "net_admin",
     .hint = "in a pod, ip addr, ip link and ip route need --script-caps net_admin"},
    {.words = "SIOCSIF",
     .more = "not permitted",
     .capability = "net_admin",
     .hint = "in a pod, ifconfig needs --script-caps net_admin"},
    {.words = "sysctl:",
     .more = "net.",
     .capability = "net_admin",
     .hint = "in a pod, settings of its own network need --script-caps net_admin"},
    {.words = "iptables",
     .capability = "net_admin",
     .hint = "in a pod, iptables needs --script-caps net_admin"},
    {.words = "netfilter", .capability = "net_admin", .hint = "in a pod, nft needs --script-caps net_admin"},
    {.words = "nft",
     .more = "not permitted",
     .capability = "net_admin",
     .hint = "in a pod, nft needs --script-caps net_admin"},
    {.words = "permission to",
     .more = "capture",
     .capability = "net_raw",
     .hint = "in a pod, capturing needs --script-caps net_raw; every pod is captured anyway"},
    {.words = "socket",
     .more = "not permitted",
     .capability = "net_raw",
     .hint = "in a pod, raw sockets need --script-caps net_raw"},
    /* A program with file capabilities that it cannot get is not even started. */
    {.words = "ping: ",
     .more = "not permitted",
     .capability = "net_raw",
     .hint = "in a pod, ping needs --script-caps net_raw"},
    {.words = "must be root", .hint = ROOT},
    {.words = "are you root", .hint = ROOT},
    {.words = "superuser", .hint = ROOT},
    {.words = "network is unreachable", .hint = NETWORK},
    {.words = "no route to host", .hint = NETWORK},
    {.words = "couldn't connect to server", .hint = NETWORK},
    {.words = "could not resolve", .hint = NETWORK},
    {.words = "unable to resolve", .hint = NETWORK},
    {.words = "name resolution", .hint = NETWORK},
    {.words = "name or service not known", .hint = NETWORK},
    {.words = " /tmp/", .more = "no such file", .hint = FRESH},
    {.words = " /var/tmp/", .more = "no such file", .hint = FRESH},
    {.words = " /run/", .more = "no such file", .hint = FRESH},
    {.words = "read-only file system",
     .hint = "in a pod, the run folder, SIPPOD_SHARED and /tmp are writable, and what --writable names"},
};

const char *script_hint(const char *words, const struct strings *capabilities)
{
    for (size_t i = 0; words && i < sizeof hints / sizeof *hints; i++) {
        if (!strcasestr(words, hints[i].words) || (hints[i].more && !strcasestr(words, hints[i].more)))
            continue;
        if (!hints[i].capability || !script_capabilities_have(capabilities, hints[i].capability))
            return hints[i].hint;
    }
    return NULL;
}
