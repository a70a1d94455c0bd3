#include "src/doctor/sipp.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define ID    "sipp"
#define BUILD "cmake -DUSE_SSL=1 -DUSE_PCAP=1 -DUSE_SCTP=1 . && make # in SIPp's sources; then --sipp ./sipp"

static const char *const features[] = {"TLS", "SCTP", "PCAP", "RTPSTREAM", "SHA256", "GSL"};

/* The feature that stands at `p`, as a whole word; NULL if there is none. */
static const char *feature_at(const char *p)
{
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        size_t length = strlen(features[i]);

        if (strncmp(p, features[i], length) == 0 && (!p[length] || strchr("-., ", p[length])))
            return features[i];
    }
    return NULL;
}

/* The line after "SIPp", without the full stop or what else follows a comma. */
static char *version_line(const char *text)
{
    const char *start = text;
    size_t length;

    while ((start = strstr(start, "SIPp v")) && start > text && !strchr(" \t\r\n", start[-1]))
        start++;
    if (!start || start[6] < '0' || start[6] > '9')
        return NULL;
    start += strlen("SIPp ");
    length = strcspn(start, ",\r\n");
    while (length && strchr(". \t", start[length - 1]))
        length--;
    return text_printable(start, length);
}

bool sipp_version_parse(const char *text, struct sipp_version *ret)
{
    cleanup_free char *line = version_line(text);
    cleanup_buffer struct buffer names = {0};
    const char *first = NULL;

    if (!line)
        return false;
    *ret = (struct sipp_version){0};
    for (const char *dash = strchr(line, '-'); dash; dash = strchr(dash + 1, '-')) {
        const char *feature = feature_at(dash + 1);

        if (!feature)
            continue; /* of the version: "v3.6.0-rc1" */
        first = first ? first : dash;
        buffer_addf(&names, "%s%s", names.length ? ", " : "", feature);
        ret->tls |= strcmp(feature, "TLS") == 0;
        ret->pcap |= strcmp(feature, "PCAP") == 0;
        ret->sctp |= strcmp(feature, "SCTP") == 0;
    }
    buffer_add(&names, "", 1);
    ret->names = (char *)steal_pointer(&names.data);
    ret->version = first ? text_slice(line, (size_t)(first - line)) : text_copy(line);
    return true;
}

void sipp_version_free(struct sipp_version *version)
{
    free(version->version);
    free(version->names);
}

static void unknown(const char *program, const char *text, int exit_code, struct findings *findings)
{
    cleanup_free char *line = ask_first_line(text);

    if (exit_code == 126 || exit_code == 127 || exit_code > 128)
        findings_addf(findings, FINDING_BAD, ID, "SIPp makes the calls: without it no test can be run",
                      "apt install --reinstall sip-tester", "%s does not start: %s", program, line);
    else
        findings_addf(findings, FINDING_WARNING, ID,
                      "a SIPp says its version there; with anything else tests may behave in any way", NULL,
                      "%s -v told no version: %s", program, line);
}

void sipp_findings(const char *program, const char *text, int exit_code, struct findings *findings)
{
    struct sipp_version version;

    if (!sipp_version_parse(text, &version)) {
        unknown(program, text, exit_code, findings);
        return;
    }
    findings_addf(findings, FINDING_OK, ID, NULL, NULL, "SIPp %s%s%s (%s)", version.version,
                  *version.names ? " with " : "", version.names, program);
    if (!version.tls)
        findings_addf(findings, FINDING_NOTE, "sipp-tls", "tests over TLS cannot be run with it", BUILD,
                      "this SIPp was built without TLS");
    if (!version.pcap)
        findings_addf(findings, FINDING_NOTE, "sipp-pcap",
                      "scenarios that play media (play_pcap_audio and the like) cannot be run with it", BUILD,
                      "this SIPp was built without PCAP");
    sipp_version_free(&version);
}
