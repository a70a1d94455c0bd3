/* Devices under test outside for those who are not root: what an administrator has to have set up for them.
 */
#pragma once

#include "src/doctor/finding.h"
#include "src/doctor/programs.h"

/* `bad`: what speaks against running tests at all, or NULL. Where nothing is set up there are no findings:
 * most hosts do not want it, and the mode says what it takes. Asked by root, it is about those whom the
 * policy names. */
void check_outside(const struct programs *programs, const struct finding *bad, struct mode_finding *mode,
                   struct findings *findings);

/* A chain of nftables that drops what is forwarded, and says nothing of sippod's devices; from what
 * `nft list ruleset` prints. The words are pieces of `text`, which is changed. */
struct firewall_chain {
    const char *family, *table, *chain; /* NULL: there is none */
};
struct firewall_chain firewall_dropping(char *text);
