#include "src/expect/wrong.h"

#include <stdio.h>
#include <stdlib.h>

static const char *words(const void *state)
{
    return state ? state : "out of memory";
}

static int wrong_packet(void *state, const struct sippod_packet *packet)
{
    (void)state;
    (void)packet;
    return -1;
}

static struct sippod_value wrong_finish(void *state, bool timed_out)
{
    (void)state;
    (void)timed_out;
    return (struct sippod_value){.kind = SIPPOD_ERROR};
}

static void wrong_detail(const void *state, char *text, size_t size)
{
    snprintf(text, size, "%s", words(state));
}

struct sippod_predicate predicate_wrong(const char *name, const char *text)
{
    char *state;

    if (asprintf(&state, "%s%s%s", name ? name : "", name ? ": " : "", text) < 0)
        state = NULL;
    return (struct sippod_predicate){
        .on_packet = wrong_packet,
        .on_finish = wrong_finish,
        .detail = wrong_detail,
        .free = free,
        .state = state,
    };
}

const char *sippod_predicate_error(const struct sippod_predicate *predicate)
{
    if (!predicate->on_finish)
        return "the predicate has no on_finish()";
    return predicate->on_finish == wrong_finish ? words(predicate->state) : NULL;
}

void sippod_predicate_free(struct sippod_predicate *predicate)
{
    if (predicate->free)
        predicate->free(predicate->state);
    *predicate = (struct sippod_predicate){0};
}
