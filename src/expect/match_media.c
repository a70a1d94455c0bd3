/* SIP and RTP. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/match.h"

#define METHOD_MOST 31
#define MATCH_STEPS 100000 /* what a regular expression may cost with one packet */

struct sip {
    struct match match;
    char method[METHOD_MOST + 1];     /* "": it is about responses */
    unsigned status_low, status_high; /* of responses, both included */
    pcre2_code *header;               /* NULL: any */
    pcre2_match_data *found;
    pcre2_match_context *limits;
};

static bool start_matches(const struct sip *sip, const struct sip_start *start)
{
    if (!*sip->method)
        return start->status >= sip->status_low && start->status <= sip->status_high;
    return start->method && start->method_length == strlen(sip->method) &&
           memcmp(start->method, sip->method, start->method_length) == 0;
}

static bool sip_matches(struct match *match, struct view *view)
{
    struct sip *sip = (struct sip *)match;
    const struct sip_start *start = view_sip(view);

    if (!start || !start_matches(sip, start))
        return false;
    return !sip->header || pcre2_match(sip->header, (PCRE2_SPTR)start->headers, start->headers_length, 0, 0,
                                       sip->found, sip->limits) >= 0;
}

static void sip_free(struct match *match)
{
    struct sip *sip = (struct sip *)match;

    pcre2_code_free(sip->header);
    pcre2_match_data_free(sip->found);
    pcre2_match_context_free(sip->limits);
    free(sip);
}

/* "486", "4xx" or a method. */
static bool set_what(struct sip *sip, const char *what)
{
    static const char digits[] = "0123456789";
    size_t length = what ? strlen(what) : 0;

    if (length == 3 && *what >= '1' && *what <= '6') {
        if (strcmp(what + 1, "xx") == 0) {
            sip->status_low = (unsigned)(*what - '0') * 100;
            sip->status_high = sip->status_low + 99;
            return true;
        }
        sip->status_low = sip->status_high = (unsigned)strtoul(what, NULL, 10);
        return strspn(what, digits) == length;
    }
    if (!length || length > METHOD_MOST ||
        strspn(what, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.!%*+`'~") < length)
        return false;
    memcpy(sip->method, what, length);
    return true;
}

static bool set_header(struct sip *sip, const char *header, char *error)
{
    PCRE2_UCHAR words[128];
    int code;
    size_t at;
    pcre2_compile_context *lines = pcre2_compile_context_create(NULL);

    if (lines && pcre2_set_newline(lines, PCRE2_NEWLINE_ANYCRLF) == 0) {
        sip->header = pcre2_compile((PCRE2_SPTR)header, PCRE2_ZERO_TERMINATED,
                                    PCRE2_MULTILINE | PCRE2_CASELESS, &code, &at, lines);
        if (!sip->header) {
            (void)pcre2_get_error_message(code, words, sizeof words / sizeof *words);
            match_wrong(error, "regular expression \"%s\": %s at character %zu", header, (char *)words,
                        at + 1);
        }
    }
    pcre2_compile_context_free(lines);
    if (!sip->header)
        return false;
    sip->found = pcre2_match_data_create_from_pattern(sip->header, NULL);
    sip->limits = pcre2_match_context_create(NULL);
    if (!sip->found || !sip->limits)
        return match_wrong(error, "out of memory");
    (void)pcre2_set_match_limit(sip->limits, MATCH_STEPS);
    return true;
}

struct match *match_sip(const char *what, const char *header, char *error)
{
    struct sip *sip = calloc(1, sizeof *sip);

    match_wrong(error, "out of memory");
    if (!sip)
        return NULL;
    sip->match = (struct match){.matches = sip_matches, .free = sip_free};
    if (!set_what(sip, what))
        match_wrong(error, "%s is no SIP method and no status (as in INVITE, 486 or 4xx)",
                    what ? what : "NULL");
    else if (!header || set_header(sip, header, error))
        return &sip->match;
    sip_free(&sip->match);
    return NULL;
}

struct rtp {
    struct match match;
    int payload_type;
};

static bool rtp_matches(struct match *match, struct view *view)
{
    const struct rtp *rtp = (const struct rtp *)match;
    const struct rtp_header *header = view_rtp(view);

    return header && (rtp->payload_type < 0 || header->payload_type == rtp->payload_type);
}

struct match *match_rtp(int payload_type, char *error)
{
    struct rtp *rtp;

    if (payload_type < -1 || payload_type > 127)
        return match_wrong(error, "a payload type of RTP is a number from 0 to 127, not %d", payload_type);
    if (!(rtp = calloc(1, sizeof *rtp)))
        return match_wrong(error, "out of memory");
    rtp->match.matches = rtp_matches;
    rtp->payload_type = payload_type;
    return &rtp->match;
}
