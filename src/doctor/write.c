#include "src/doctor/write.h"

#include <jansson.h>
#include <string.h>

#include "src/base/memory.h"

#define RESET     "\033[0m"
#define ID_WIDTH  16 /* of the longest id, nearly */
#define MARGIN    25 /* where the words of a finding start */
#define JSON_FORM (JSON_INDENT(2) | JSON_ENSURE_ASCII)

static const struct {
    const char *word, *colour;
} looks[] = {
    [FINDING_OK] = {"ok", "\033[32m"},
    [FINDING_NOTE] = {"note", "\033[36m"},
    [FINDING_WARNING] = {"warn", "\033[33m"},
    [FINDING_BAD] = {"BAD", "\033[31m"},
};

int diagnosis_exit_code(const struct diagnosis *diagnosis)
{
    for (enum mode mode = 0; mode < MODES; mode++)
        if (diagnosis->modes[mode].works)
            return 0;
    return ERROR_HOST;
}

/* ---- text ---- */

static void print_line(const char *before, const char *text, FILE *out)
{
    cleanup_free char *clean = text_printable(text, strlen(text));

    fprintf(out, "%*s%s%s\n", MARGIN, "", before, clean);
}

static void print_finding(const struct finding *finding, bool colours, FILE *out)
{
    cleanup_free char *what = text_printable(finding->what, strlen(finding->what));

    fprintf(out, "  %s%-4s%s  %-*s %s\n", colours ? looks[finding->level].colour : "",
            looks[finding->level].word, colours ? RESET : "", ID_WIDTH, finding->id, what);
    if (finding->means)
        print_line("", finding->means, out);
    if (finding->mend)
        print_line("mend it: ", finding->mend, out);
}

static void print_mode(const struct diagnosis *diagnosis, enum mode mode, bool colours, FILE *out)
{
    const struct mode_finding *found = &diagnosis->modes[mode];
    enum finding_level level = found->works ? FINDING_OK : FINDING_NOTE;
    cleanup_free char *why = found->why ? text_printable(found->why, strlen(found->why)) : NULL;

    fprintf(out, "  %s%-5s%s ", colours ? looks[level].colour : "", found->works ? "works" : "no",
            colours ? RESET : "");
    if (why)
        fprintf(out, "%-*s %s\n", ID_WIDTH, mode_name(mode), why);
    else
        fprintf(out, "%s\n", mode_name(mode));
}

static const char *conclusion(const struct diagnosis *diagnosis)
{
    if (diagnosis_exit_code(diagnosis) != 0)
        return "No test can be run here.";
    return findings_first_bad(&diagnosis->findings)
               ? "Pods can be made here; before a test can be run, mend what is BAD."
               : "Tests can be run here.";
}

int write_text(const struct diagnosis *diagnosis, const char *about, bool colours, FILE *out)
{
    fprintf(out, "%s\n", about);
    for (enum mode mode = 0; mode < MODES; mode++)
        print_mode(diagnosis, mode, colours, out);
    fputs("\n", out);
    for (size_t i = 0; i < diagnosis->findings.count; i++)
        print_finding(&diagnosis->findings.list[i], colours, out);
    fprintf(out, "\n%s\n", conclusion(diagnosis));
    return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}

/* ---- JSON ---- */

/* Words of programs and names of files may be any bytes; JSON holds UTF-8. */
static json_t *text_or_null(const char *text)
{
    cleanup_free char *clean = NULL;

    if (!text)
        return json_null();
    if (text_is_utf8(text))
        return json_string(text);
    clean = text_printable(text, strlen(text));
    return json_string(clean);
}

static json_t *mode_json(const struct mode_finding *mode)
{
    return json_pack("{s:b, s:o}", "works", mode->works, "why", text_or_null(mode->why));
}

static json_t *finding_json(const struct finding *finding)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "id", text_or_null(finding->id), "level",
                     finding_level_name(finding->level), "what", text_or_null(finding->what), "means",
                     text_or_null(finding->means), "mend", text_or_null(finding->mend));
}

int write_json(const struct diagnosis *diagnosis, FILE *out)
{
    json_t *json, *modes = json_object(), *findings = json_array();
    int result;

    for (enum mode mode = 0; mode < MODES; mode++)
        json_object_set_new(modes, mode_name(mode), mode_json(&diagnosis->modes[mode]));
    for (size_t i = 0; i < diagnosis->findings.count; i++)
        json_array_append_new(findings, finding_json(&diagnosis->findings.list[i]));
    json = json_pack("{s:i, s:s, s:o, s:o}", "schema", 1, "sippod", SIPPOD_VERSION, "modes", modes,
                     "findings", findings);
    result = json ? json_dumpf(json, out, JSON_FORM) : -1;
    json_decref(json);
    if (result == 0 && fputs("\n", out) < 0)
        result = -1;
    return result == 0 && fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
