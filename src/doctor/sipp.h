/* What SIPp says about itself. */
#pragma once

#include "src/doctor/ask.h"
#include "src/doctor/finding.h"

struct sipp_version {
    char *version; /* "v3.6.1" */
    char *names;   /* its features as it lists them: "SCTP, PCAP, RTPSTREAM"; "" if it has none */
    bool tls, pcap, sctp;
};

/* Reads the output of `sipp -v`, " SIPp v3.6.1-TLS-SCTP-PCAP-RTPSTREAM."; false if there is no such line. */
bool sipp_version_parse(const char *text, struct sipp_version *ret);
void sipp_version_free(struct sipp_version *version);

/* The findings for what a program answered to -v. */
void sipp_findings(const char *program, const char *text, int exit_code, struct findings *findings);
