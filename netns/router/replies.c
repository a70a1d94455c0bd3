/* What the router says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netns/router/router.h"
#include "src/base/socket.h"

void reply_failed(struct router *router, struct error *failure)
{
    if (!router->failure)
        router->failure = failure;
    else
        error_free(failure);
    if (router->loop)
        loop_quit(router->loop);
}

/* May wait until sippod reads: one that does not holds up nobody but itself. */
void reply_send(struct router *router, struct router_reply *reply, const struct error *error)
{
    uint8_t bytes[ROUTER_REPLY_LENGTH];
    struct error *failure = NULL;

    reply->version = ROUTER_PROTOCOL;
    if (error) {
        reply->status = error->code;
        reply->sys = (uint32_t)error->sys;
        snprintf(reply->text, sizeof reply->text, "%s", error_text(error));
    }
    router_reply_encode(reply, bytes);
    if (socket_send(router->socket, bytes, sizeof bytes, -1) == 0)
        return;
    if (errno != EPIPE && errno != ECONNRESET)
        error_sys(&failure, ERROR_FAILED, errno, "cannot answer");
    reply_failed(router, failure);
}

void reply_later(struct router *router, uint32_t type, uint32_t serial, const struct error *error)
{
    struct router_reply reply = {.type = type, .serial = serial};

    reply_send(router, &reply, error);
}

void reply_farewell(struct router *router, const struct error *why)
{
    struct router_reply reply = {0};

    reply_send(router, &reply, why);
}
