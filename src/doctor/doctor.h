/* What this host allows: checks that are carried out, not looked up. They take their time in processes of
 * their own; the caller stays as it is. */
#pragma once

#include "src/doctor/finding.h"

struct doctor_options {
    const char *sipp;    /* a program's name or path */
    const char *results; /* the folder to look for left-overs in */
};

void doctor_examine(const struct doctor_options *options, struct diagnosis *diagnosis);

/* For a program that failed with ERROR_HOST: why, by the same checks (those without which no test can be run;
 * SIPp is not asked). Returns -1 with *ret set to the first that failed, one sentence with the command that
 * mends it, or 0 if all of them pass. Takes some 20 ms. It does not matter what user namespace the caller is
 * in by now, and which capabilities it has given up there. */
int doctor_explain_host(struct error **ret);
