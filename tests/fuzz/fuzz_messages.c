/* hyperstart's JSON messages; the first byte says which. What is decoded can be encoded, and is then decoded
 * to what encodes to the same text. */
#include <stdlib.h>
#include <string.h>

#include "src/wire/message.h"
#include "tests/fuzz/fuzz.h"

/* One kind of message: decodes, and on success encodes (NULL where nothing encodes it); frees. */
typedef char *again_fn(const void *json, size_t length, struct error **ret);

static char *pod_again(const void *json, size_t length, struct error **ret)
{
    struct pod_message pod = {0};
    char *text = pod_message_decode(json, length, &pod, ret) == 0 ? pod_message_encode(&pod) : NULL;

    pod_message_free(&pod);
    return text;
}

static char *routes_again(const void *json, size_t length, struct error **ret)
{
    struct pod_message routes = {0};
    char *text = routes_message_decode(json, length, &routes, ret) == 0 ? pod_message_encode(&routes) : NULL;

    pod_message_free(&routes);
    return text;
}

static char *interface_again(const void *json, size_t length, struct error **ret)
{
    struct interface_message interface = {0};
    char *text = interface_message_decode(json, length, &interface, ret) == 0
                     ? interface_message_encode(&interface)
                     : NULL;

    interface_message_free(&interface);
    return text;
}

static char *container_again(const void *json, size_t length, struct error **ret)
{
    struct container_message container = {0};
    char *text = container_message_decode(json, length, &container, ret) == 0
                     ? container_message_encode(&container)
                     : NULL;

    container_message_free(&container);
    return text;
}

static char *exec_again(const void *json, size_t length, struct error **ret)
{
    struct container_message exec = {0};
    char *text = exec_message_decode(json, length, &exec, ret) == 0 ? exec_message_encode(&exec) : NULL;

    container_message_free(&exec);
    return text;
}

static char *kill_again(const void *json, size_t length, struct error **ret)
{
    struct kill_message kill = {0};
    char *text = kill_message_decode(json, length, &kill, ret) == 0 ? kill_message_encode(&kill) : NULL;

    kill_message_free(&kill);
    return text;
}

static char *winsize_again(const void *json, size_t length, struct error **ret)
{
    struct winsize_message size = {0};
    char *text = winsize_message_decode(json, length, &size, ret) == 0 ? winsize_message_encode(&size) : NULL;

    winsize_message_free(&size);
    return text;
}

static char *event_again(const void *json, size_t length, struct error **ret)
{
    struct event_message event = {0};
    char *text = event_message_decode(json, length, &event, ret) == 0 ? event_message_encode(&event) : NULL;

    event_message_free(&event);
    return text;
}

static again_fn *const kinds[] = {pod_again,  routes_again, interface_again, container_again,
                                  exec_again, kill_again,   event_again,     winsize_again};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *error = NULL;
    char *once, *twice;
    again_fn *again;

    if (!size)
        return 0;
    again = kinds[data[0] % (sizeof kinds / sizeof *kinds)];
    once = again(data + 1, size - 1, &error);
    if ((once != NULL) == (error != NULL))
        abort();
    error_free(error);
    if (!once)
        return 0;
    twice = again(once, strlen(once), NULL);
    if (!twice || strcmp(once, twice) != 0)
        abort();
    free(once);
    free(twice);
    return 0;
}
