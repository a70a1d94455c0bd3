#include "src/expect/own.h"

static int own_packet(void *state, const struct sippod_packet *packet)
{
    const struct own *own = state;
    struct view view;

    view_open(&view, packet);
    return own->kind->on_view(state, &view);
}

struct sippod_predicate own_predicate(const struct own_kind *kind, struct own *state)
{
    state->kind = kind;
    return (struct sippod_predicate){
        .on_packet = own_packet,
        .stop_condition = kind->stop_condition,
        .on_finish = kind->on_finish,
        .detail = kind->detail,
        .free = kind->free,
        .state = state,
    };
}

int predicate_take(const struct sippod_predicate *predicate, struct view *view)
{
    const struct own *own = predicate->state;

    if (predicate->on_packet == own_packet)
        return own->kind->on_view(predicate->state, view);
    return predicate->on_packet ? predicate->on_packet(predicate->state, view->packet) : 0;
}
