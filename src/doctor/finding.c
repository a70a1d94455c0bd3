#include "src/doctor/finding.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

static const char *const levels[] = {
    [FINDING_OK] = "ok",
    [FINDING_NOTE] = "note",
    [FINDING_WARNING] = "warning",
    [FINDING_BAD] = "bad",
};

static const char *const modes[] = {
    [MODE_ROOTLESS] = "rootless",
    [MODE_CAPABILITIES] = "capabilities",
    [MODE_ROOT] = "root",
};

const char *finding_level_name(enum finding_level level)
{
    return levels[level];
}

const char *mode_name(enum mode mode)
{
    return modes[mode];
}

void findings_add(struct findings *findings, const struct finding *finding)
{
    findings->list = memory_array(findings->list, findings->count + 1, sizeof *findings->list);
    findings->list[findings->count++] = (struct finding){
        .level = finding->level,
        .id = text_copy(finding->id),
        .what = text_copy(finding->what),
        .means = text_copy(finding->means),
        .mend = text_copy(finding->mend),
    };
}

void findings_addf(struct findings *findings, enum finding_level level, const char *id, const char *means,
                   const char *mend, const char *what, ...)
{
    struct finding finding = {.level = level, .id = id, .means = means, .mend = mend};
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, what);
    text = text_vformat(what, args);
    va_end(args);
    finding.what = text;
    findings_add(findings, &finding);
}

void findings_add_all(struct findings *findings, const struct findings *more)
{
    for (size_t i = 0; i < more->count; i++)
        findings_add(findings, &more->list[i]);
}

const struct finding *findings_first_bad(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].level == FINDING_BAD)
            return &findings->list[i];
    return NULL;
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free((char *)findings->list[i].id);
        free((char *)findings->list[i].what);
        free((char *)findings->list[i].means);
        free((char *)findings->list[i].mend);
    }
    free(findings->list);
    *findings = (struct findings){0};
}

void diagnosis_free(struct diagnosis *diagnosis)
{
    for (enum mode mode = 0; mode < MODES; mode++)
        free(diagnosis->modes[mode].why);
    findings_free(&diagnosis->findings);
}

/* ---- as a message: the level, then four texts that end with NUL; an empty one stands for NULL ---- */

static void encode_text(const char *text, struct buffer *bytes)
{
    buffer_add(bytes, text ? text : "", text ? strlen(text) + 1 : 1);
}

void finding_encode(const struct finding *finding, struct buffer *bytes)
{
    const char level = (char)finding->level;

    buffer_add(bytes, &level, 1);
    encode_text(finding->id, bytes);
    encode_text(finding->what, bytes);
    encode_text(finding->means, bytes);
    encode_text(finding->mend, bytes);
}

int finding_decode(const char *bytes, size_t length, struct finding *ret)
{
    const char **const texts[] = {&ret->id, &ret->what, &ret->means, &ret->mend};
    const char *end = bytes + length;

    if (!length || *bytes < FINDING_OK || *bytes > FINDING_BAD)
        return -1;
    *ret = (struct finding){.level = (enum finding_level) * bytes++};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *stop = memchr(bytes, '\0', (size_t)(end - bytes));

        if (!stop)
            return -1;
        *texts[i] = stop > bytes ? bytes : NULL;
        bytes = stop + 1;
    }
    return bytes == end && ret->id && ret->what ? 0 : -1;
}
