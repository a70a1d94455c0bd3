#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/wire/peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/base/socket.h"
#include "tests/unit/support/support.h"

static void note(struct scene *scene, const char *callback, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void note(struct scene *scene, const char *callback, const char *format, ...)
{
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    buffer_addf(&scene->notes, "%s(%s) ", callback, text);
    if (scene->free_in && strcmp(scene->free_in, callback) == 0) {
        wire_client_free(scene->client);
        scene->client = NULL;
    }
}

void noted_check(struct scene *scene, const char *expected, const char *file, int line)
{
    loop_settle(scene->loop);
    buffer_add(&scene->notes, "", 1);
    _assert_string_equal((const char *)scene->notes.data, expected, file, line);
    scene->notes.length = 0;
}

static void on_ready(void *user)
{
    note(user, "ready", "%s", "");
}

static void on_event(void *user, const struct event_message *event)
{
    note(user, "event", "%s %s %s %d", event->container, event->event, event->info ? event->info : "-",
         event->status);
}

static void on_closed(void *user, const struct error *why)
{
    note(user, "closed", "%s", error_text(why));
}

const struct wire_client_callbacks scene_callbacks = {
    .ready = on_ready, .event = on_event, .closed = on_closed};

static void on_reply(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct item *item = user;

    if (error)
        note(item->scene, "failed", "%s: %s", item->name, error_text(error));
    else
        note(item->scene, "reply", "%s%s%.*s", item->name, length ? ": " : "", (int)length,
             payload ? (const char *)payload : "");
}

void on_data(void *user, const uint8_t *data, size_t length)
{
    struct item *item = user;

    note(item->scene, "data", "%s: %.*s", item->name, (int)length, (const char *)data);
}

void on_ended(void *user, int status)
{
    struct item *item = user;

    note(item->scene, "ended", "%s: %d", item->name, status);
}

int scene_setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    int ctl[2], io[2];

    scene->loop = loop_new(NULL);
    if (socket_pair(SOCK_STREAM, ctl, NULL) < 0 || socket_pair(SOCK_STREAM, io, NULL) < 0)
        return -1;
    scene->client = wire_client_new(scene->loop, ctl[0], io[0], &scene_callbacks, scene, NULL);
    scene->ctl = ctl[1];
    scene->io = io[1];
    *state = scene;
    return scene->client ? 0 : -1;
}

int scene_teardown(void **state)
{
    struct scene *scene = *state;

    wire_client_free(scene->client);
    close_fd(&scene->ctl);
    close_fd(&scene->io);
    loop_free(scene->loop);
    buffer_free(&scene->notes);
    free(scene);
    return 0;
}

/* ---- what the peer does ---- */

void say(struct scene *scene, uint32_t code, const char *payload)
{
    cleanup_buffer struct buffer frame = {0};

    ctl_encode(&frame, code, payload, strlen(payload));
    assert_int_equal(send(scene->ctl, frame.data, frame.length, MSG_NOSIGNAL), frame.length);
}

void put(struct scene *scene, uint64_t sequence, const void *data, size_t length)
{
    cleanup_buffer struct buffer frame = {0};

    io_encode(&frame, sequence, data, length);
    assert_int_equal(send(scene->io, frame.data, frame.length, MSG_NOSIGNAL), frame.length);
}

void hears(struct scene *scene, uint32_t code, const char *payload)
{
    uint8_t data[256];
    struct ctl_frame frame;
    size_t used;

    loop_settle(scene->loop);
    assert_int_equal(recv(scene->ctl, data, CTL_HEADER + strlen(payload), MSG_DONTWAIT),
                     CTL_HEADER + strlen(payload));
    assert_int_equal(ctl_decode(data, CTL_HEADER + strlen(payload), &frame, &used, NULL), 1);
    assert_int_equal(frame.code, code);
    assert_int_equal(frame.length, strlen(payload));
    if (frame.length)
        assert_memory_equal(frame.payload, payload, frame.length);
}

void command(struct item *item, uint32_t code, const char *payload)
{
    wire_client_send(item->scene->client, code, payload, strlen(payload), on_reply, item);
}
