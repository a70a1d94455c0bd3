/* A client of the hyperstart channels, and the peer that says what the test tells it to. What the client's
 * callbacks are called with is noted down, a word each: "reply(a: bytes) ". */
#pragma once

#include "src/wire/client.h"

struct scene {
    struct loop *loop;
    struct wire_client *client;
    int ctl, io; /* the peer's ends */
    struct buffer notes;
    const char *free_in; /* the callback in which the client is freed */
};
int scene_setup(void **state);
int scene_teardown(void **state);
extern const struct wire_client_callbacks scene_callbacks;

/* That by now, since the last time, exactly this has been noted. */
#define noted(scene, expected) noted_check(scene, expected, __FILE__, __LINE__)
void noted_check(struct scene *scene, const char *expected, const char *file, int line);

/* One command or stream; `name` is what is noted. */
struct item {
    struct scene *scene;
    const char *name;
};
void command(struct item *item, uint32_t code, const char *payload);
void on_data(void *user, const uint8_t *data, size_t length);
void on_ended(void *user, int status);

/* What the peer does. */
void say(struct scene *scene, uint32_t code, const char *payload);
void put(struct scene *scene, uint64_t sequence, const void *data, size_t length);
void hears(struct scene *scene, uint32_t code, const char *payload); /* the next command */
