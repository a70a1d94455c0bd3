/* Devices under test outside for those who are not root: what an administrator has to have set up for them.
 */
#pragma once

#include <stdbool.h>

#include "src/doctor/finding.h"
#include "src/doctor/programs.h"

/* `bad`: what speaks against running tests at all, or NULL. Where nothing is set up there are no findings:
 * most hosts do not want it, and the mode says what it takes. Asked by root, it is about those whom the
 * policy names. */
void check_outside(const struct programs *programs, const struct finding *bad, struct mode_finding *mode,
                   struct findings *findings);

/* Finds the next chain of nftables that drops what is forwarded, and says nothing of sippod's devices, in
 * what `nft list ruleset` prints. *text, which is changed, is what comes behind it then; *chain, whose words
 * are pieces of it, is empty before the first one. False: there is none. */
struct firewall_chain {
    const char *family, *table, *chain;
};
bool firewall_next(char **text, struct firewall_chain *chain);
