/* What the doctor finds out: one finding is one line on the screen, or three if there is something to do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"

enum finding_level {
    FINDING_OK,
    FINDING_NOTE,    /* something is left out, most suites do not miss it */
    FINDING_WARNING, /* tests can run, less well than they could */
    FINDING_BAD,     /* no test can run */
};

struct finding {
    enum finding_level level;
    const char *id;    /* stable, for programs: "user-namespace" */
    const char *what;  /* one line */
    const char *means; /* why it matters, one line; NULL: what says it */
    const char *mend;  /* a command, NULL: there is none */
};

/* Starts as {0}. The texts are its own. */
struct findings {
    struct finding *list;
    size_t count;
};

void findings_add(struct findings *findings, const struct finding *finding); /* copies */
void findings_addf(struct findings *findings, enum finding_level level, const char *id, const char *means,
                   const char *mend, const char *what, ...) __attribute__((format(printf, 6, 7)));
void findings_add_all(struct findings *findings, const struct findings *more); /* copies */
const struct finding *findings_first_bad(const struct findings *findings);     /* NULL: none */
void findings_free(struct findings *findings);
#define cleanup_findings __attribute__((cleanup(findings_free)))

/* "ok", "note", "warning", "bad" */
const char *finding_level_name(enum finding_level level);

/* Whether a run can be started: which ways there are, and why not the others. */
enum mode { MODE_ROOTLESS, MODE_CAPABILITIES, MODE_ROOT, MODES };

struct mode_finding {
    bool works;
    char *why; /* why not; NULL if it works */
};

struct diagnosis {
    struct mode_finding modes[MODES];
    struct findings findings;
};

const char *mode_name(enum mode mode);
void diagnosis_free(struct diagnosis *diagnosis);

/* One finding as the bytes of one message, and back; what comes back points into `bytes`. -1: it is none. */
void finding_encode(const struct finding *finding, struct buffer *bytes);
int finding_decode(const char *bytes, size_t length, struct finding *ret);
