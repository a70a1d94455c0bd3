/* Predicates of predicates. A part that has stopped is finished at once, and gets no more packets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/combine.h"
#include "src/expect/own.h"
#include "src/expect/wrong.h"

struct part {
    struct sippod_predicate predicate;
    bool finished;
    struct sippod_value value; /* when it is finished */
};

struct group {
    struct own own;
    const char *name; /* "and", "or", "not" */
    bool settles;     /* what one part has to be for all to be settled */
    size_t count;
    struct part parts[];
};

static bool is_true(const struct sippod_value *value)
{
    return value->kind == SIPPOD_POINTER ? value->pointer != NULL : value->integer != 0;
}

static void finish(struct part *part, bool timed_out)
{
    if (part->finished)
        return;
    part->finished = true;
    part->value = part->predicate.on_finish(part->predicate.state, timed_out);
}

static int group_view(void *state, struct view *view)
{
    struct group *group = state;

    for (size_t i = 0; i < group->count; i++) {
        struct part *part = &group->parts[i];
        const struct sippod_predicate *predicate = &part->predicate;

        if (part->finished)
            continue;
        if (predicate_take(predicate, view) < 0)
            return -1;
        if (predicate->stop_condition && predicate->stop_condition(predicate->state, view->packet))
            finish(part, false);
    }
    return 0;
}

static bool group_stop(void *state, const struct sippod_packet *packet)
{
    const struct group *group = state;
    size_t finished = 0;

    (void)packet;
    for (size_t i = 0; i < group->count; i++) {
        const struct part *part = &group->parts[i];

        if (part->finished && (part->value.kind == SIPPOD_ERROR || is_true(&part->value) == group->settles))
            return true;
        finished += part->finished;
    }
    return finished == group->count;
}

static struct sippod_value group_finish(void *state, bool timed_out)
{
    struct group *group = state;
    struct sippod_value value = {.kind = SIPPOD_BOOL, .integer = !group->settles};

    for (size_t i = 0; i < group->count; i++) {
        struct part *part = &group->parts[i];

        finish(part, timed_out);
        if (part->value.kind == SIPPOD_ERROR)
            return part->value;
        if (is_true(&part->value) == group->settles)
            value.integer = group->settles;
    }
    return value;
}

static struct sippod_value not_finish(void *state, bool timed_out)
{
    struct group *group = state;
    struct part *part = &group->parts[0];

    finish(part, timed_out);
    if (part->value.kind == SIPPOD_ERROR)
        return part->value;
    return (struct sippod_value){.kind = SIPPOD_BOOL, .integer = !is_true(&part->value)};
}

static bool not_stop(void *state, const struct sippod_packet *packet)
{
    const struct group *group = state;

    (void)packet;
    return group->parts[0].finished;
}

static void add(char *text, size_t size, const char *words)
{
    size_t length = strlen(text);

    snprintf(text + length, size - length, "%s", words);
}

static void group_detail(const void *state, char *text, size_t size)
{
    const struct group *group = state;
    char words[200];

    snprintf(text, size, "%s(", group->name);
    for (size_t i = 0; i < group->count; i++) {
        const struct sippod_predicate *predicate = &group->parts[i].predicate;

        snprintf(words, sizeof words, "a predicate of the caller's");
        if (predicate->detail)
            predicate->detail(predicate->state, words, sizeof words);
        add(text, size, i ? "; " : "");
        add(text, size, words);
    }
    add(text, size, ")");
}

static void group_free(void *state)
{
    struct group *group = state;

    for (size_t i = 0; i < group->count; i++)
        sippod_predicate_free(&group->parts[i].predicate);
    free(group);
}

static const struct own_kind kind = {
    .on_view = group_view,
    .stop_condition = group_stop,
    .on_finish = group_finish,
    .detail = group_detail,
    .free = group_free,
};

static const struct own_kind not_kind = {
    .on_view = group_view,
    .stop_condition = not_stop,
    .on_finish = not_finish,
    .detail = group_detail,
    .free = group_free,
};

/* If one is wrong, it stands for all. */
struct sippod_predicate predicate_group(const char *name, bool settles, struct sippod_predicate *list,
                                        size_t count)
{
    struct group *group = calloc(1, sizeof *group + count * sizeof *group->parts);
    const char *error = group ? NULL : "out of memory";
    struct sippod_predicate wrong;

    for (size_t i = 0; i < count && !error; i++)
        error = sippod_predicate_error(&list[i]);
    if (error) {
        wrong = predicate_wrong(NULL, error);
        for (size_t i = 0; i < count; i++)
            sippod_predicate_free(&list[i]);
        free(group);
        return wrong;
    }
    group->name = name;
    group->settles = settles;
    group->count = count;
    for (size_t i = 0; i < count; i++)
        group->parts[i].predicate = list[i];
    return own_predicate(count == 1 ? &not_kind : &kind, &group->own);
}

struct sippod_predicate sippod_and(struct sippod_predicate a, struct sippod_predicate b)
{
    return predicate_group("and", false, (struct sippod_predicate[]){a, b}, 2);
}

struct sippod_predicate sippod_or(struct sippod_predicate a, struct sippod_predicate b)
{
    return predicate_group("or", true, (struct sippod_predicate[]){a, b}, 2);
}

struct sippod_predicate sippod_not(struct sippod_predicate predicate)
{
    return predicate_group("not", false, &predicate, 1);
}
