/* The library's own predicates. They take views, so that all predicates of one packet share what is dissected
 * of it. Given a bare packet, as by a user's predicate that contains one, they view it by themselves. */
#pragma once

#include "include/sippod/predicate.h"
#include "src/packet/view.h"

/* As in struct sippod_predicate, but for the view. */
struct own_kind {
    int (*on_view)(void *state, struct view *view);
    bool (*stop_condition)(void *state, const struct sippod_packet *packet);
    struct sippod_value (*on_finish)(void *state, bool timed_out);
    void (*detail)(const void *state, char *text, size_t size);
    void (*free)(void *state);
};

/* The state of one begins with this. */
struct own {
    const struct own_kind *kind;
};

struct sippod_predicate own_predicate(const struct own_kind *kind, struct own *state);

/* Calls on_packet() of any predicate, or rather on_view() of one of the library's. */
int predicate_take(const struct sippod_predicate *predicate, struct view *view);
