#define PCRE2_CODE_UNIT_WIDTH 8
#include "src/run/complaint.h"

#include <ctype.h>
#include <fcntl.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/run/sipp.h"

#define HEAD_BYTES ((size_t)256 * 1024) /* of an error log: the first complaint tells most */
#define WORDS_MOST 300                  /* bytes of a complaint */

#define FIRST_LINE "'([^\\r\\n]*?)(?:'$|[\\r\\n])"
#define LOOKING_IN "looking in '([^\\r\\n]*)((?s:[\\r\\n].*))?', with regexp '(.*)'"
#define STEP       "\\(index (\\d+)\\)"
#define ERRNO      "errno = \\d+ \\((.*)\\)"

/* As SIPp 3.6 words them; each expression has to match from the beginning. What is not here is told as it
 * stands. */
static const struct rule {
    const char *expression, *words;
    bool of_a_call;
} rules[] = {
    {"Aborting call on unexpected message for Call-Id .*?: while expecting '([^']*)' " STEP
     ", received " FIRST_LINE,
     "expected $1 (step $2), received $3", true},
    {"Aborting call on unexpected message for Call-Id .*?: while ([a-z 0-9]+?) " STEP
     ", received " FIRST_LINE,
     "received $3 while $1 (step $2)", true},
    {"Aborting call on an unexpected (BYE|CANCEL)", "received an unexpected $1", true},
    {"Aborting call on UDP retransmission timeout", "no answer came, after all retransmissions", true},
    {"Call-Id: .*, receive timeout on message .*:(\\d+) without label",
     "nothing was received in time at step $1 (receive timeout)", true},
    {"Call-Id: .*, send timeout on message .*:(\\d+)", "could not send in time at step $1 (send timeout)",
     true},
    {"Failed regexp match: " LOOKING_IN,
     "the regular expression '$3' does not match '$1'${2:+ and what follows:}", true},
    {"Failed regexp match: header (.*) not found in message",
     "there is no header $1, which a regular expression looks for", true},
    {"Regexp matched but should not: " LOOKING_IN,
     "the regular expression '$3' matches '$1'${2:+ and what follows:}, but should not", true},
    {"Field (\\d+) not found in the file (.*)", "there is no field $1 in $2", true},
    {"Unable to load or parse '(.*)' xml scenario file", "$1 is not well-formed XML", false},
    {"Unable to open file (.*)", "cannot open the injection file $1", false},
    {"Can't open PCAP file '(.*?)': .*: (.*)", "cannot open the media file $1: $2", false},
    {"Unable to bind main socket, " ERRNO, "cannot bind its SIP socket: $1", false},
    {"Unable to bind twin sipp socket ?, " ERRNO, "cannot bind its 3PCC socket: $1", false},
    {"Error on TCP connection, remote peer probably closed the socket: (.*)", "no TCP connection: $1", false},
};

/* What comes with every run, or follows from something worse. */
static const char noise[] =
    "Dead call |Failed to (?:shutdown|close) socket|Discard|Resolving |Overload warning|"
    "One of the twin instances has ended|There were more errors|The following events";

static pcre2_code *compile(const char *expression)
{
    PCRE2_SIZE offset;
    int number;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &number, &offset, NULL);

    if (!code)
        abort(); /* out of memory: the expressions are constants */
    return code;
}

static bool match(pcre2_code *code, const char *text, size_t length, uint32_t options, PCRE2_SIZE range[2])
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    bool found = data && pcre2_match(code, (PCRE2_SPTR)text, length, 0, options, data, NULL) >= 0;

    if (found && range)
        memcpy(range, pcre2_get_ovector_pointer(data), 2 * sizeof *range);
    pcre2_match_data_free(data);
    return found;
}

static bool is_noise(const char *text, size_t length)
{
    static pcre2_code *code; /* kept for the whole run */

    if (!code)
        code = compile(noise);
    return match(code, text, length, PCRE2_ANCHORED, NULL);
}

/* The words of a rule, with what its expression found in `text`; NULL if it does not match. */
static char *apply(size_t rule, const char *text, size_t length)
{
    static pcre2_code *codes[sizeof rules / sizeof *rules]; /* kept for the whole run */
    PCRE2_SIZE range[2], size = 2 * length + 256;
    cleanup_free char *words = NULL;

    if (!codes[rule])
        codes[rule] = compile(rules[rule].expression);
    if (!match(codes[rule], text, length, PCRE2_ANCHORED, range))
        return NULL;
    words = memory_new(size);
    if (pcre2_substitute(codes[rule], (PCRE2_SPTR)text, range[1], 0,
                         PCRE2_ANCHORED | PCRE2_SUBSTITUTE_EXTENDED | PCRE2_SUBSTITUTE_UNSET_EMPTY, NULL,
                         NULL, (PCRE2_SPTR)rules[rule].words, PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)words,
                         &size) < 0)
        return NULL;
    return steal_pointer(&words);
}

/* One line of it, printable and of bounded length. */
static char *first_line(const char *text, size_t length)
{
    size_t end = 0;

    while (end < length && text[end] != '\r' && text[end] != '\n')
        end++;
    while (end && text[end - 1] == ' ')
        end--;
    return text_start(text, end, WORDS_MOST);
}

/* ---- messages ---- */

struct reading {
    bool known; /* what stands in `best` is in known words */
    struct complaint best;
};

static void take(struct reading *reading, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        cleanup_free char *words = apply(i, text, length);

        if (!words)
            continue;
        free(reading->best.text);
        reading->best = (struct complaint){first_line(words, strlen(words)), rules[i].of_a_call};
        reading->known = true;
        return;
    }
    if (is_noise(text, length))
        return;
    free(reading->best.text); /* SIPp ends with the message that ends it */
    reading->best = (struct complaint){.text = first_line(text, length)};
}

/* Messages are headed by a stamp, and need not begin a line of their own. */
static bool next_message(const char **text, const char **ret_message, size_t *ret_length)
{
    static pcre2_code *stamp; /* kept for the whole run */
    PCRE2_SIZE range[2], next[2];
    const char *message;

    if (!stamp)
        stamp = compile("\\d{4}-\\d\\d-\\d\\d\\t\\d\\d:\\d\\d:\\d\\d\\.\\d+\\t\\d+\\.\\d+: ");
    if (!match(stamp, *text, strlen(*text), 0, range))
        return false;
    message = *text + range[1];
    *ret_message = message;
    *ret_length = match(stamp, message, strlen(message), 0, next) ? next[0] : strlen(message);
    *text = message + *ret_length;
    return true;
}

bool complaint_read(const char *text, struct complaint *ret_complaint)
{
    struct reading reading = {0};
    const char *message;
    size_t length;

    while (!reading.known && next_message(&text, &message, &length))
        if (length)
            take(&reading, message, length);
    *ret_complaint = reading.best;
    return reading.known;
}

/* ---- where they stand ---- */

static bool is_error_log(const char *name, const char *stem)
{
    size_t length = strlen(stem);
    const char *number = name + length + 1;

    return strncmp(name, stem, length) == 0 && name[length] == '_' && isdigit((unsigned char)*number) &&
           strcmp(number + strspn(number, "0123456789"), "_errors.log") == 0;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The newest error log of this scenario, if it is of this run of it and not of an earlier call; else NULL. */
static char *read_error_log(int folder, const struct scenario *scenario, const struct timespec *since)
{
    cleanup_free char *stem = sipp_stem(scenario);
    cleanup_strings struct strings names = {0};
    struct timespec newest = *since;
    const char *found = NULL;
    char *text = NULL;
    size_t length;

    if (file_list(folder, &names, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < names.count; i++) {
        struct stat status;

        if (!is_error_log(names.list[i], stem) || fstatat(folder, names.list[i], &status, 0) < 0 ||
            is_before(&status.st_mtim, &newest))
            continue;
        newest = status.st_mtim;
        found = names.list[i];
    }
    if (!found || file_read_head(folder, found, HEAD_BYTES, &text, &length, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < length; i++)
        if (!text[i])
            text[i] = ' ';
    return text;
}

/* What a program that is no SIPp, or one that crashed, said last. */
static char *last_line(const char *said)
{
    char *last = NULL;

    for (const char *line = said; *line; line += strspn(line, "\r\n")) {
        size_t length = strcspn(line, "\r\n");

        if (strspn(line, " \t") < length && !is_noise(line, length)) {
            free(last);
            last = first_line(line, length);
        }
        line += length;
    }
    return last;
}

struct complaint complaint_find(int folder, const struct scenario *scenario, const struct timespec *since,
                                const char *said)
{
    cleanup_free char *log = read_error_log(folder, scenario, since);
    struct complaint logged = {0}, printed = {0};

    if (log && complaint_read(log, &logged))
        return logged;
    if (complaint_read(said, &printed) || !logged.text) {
        free(logged.text);
        if (!printed.text)
            printed.text = last_line(said);
        return printed;
    }
    free(printed.text);
    return logged;
}
