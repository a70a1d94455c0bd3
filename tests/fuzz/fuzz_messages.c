/* hyperstart's JSON messages; the first byte says which. What is decoded can be encoded, and is then decoded
 * to what encodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/wire/message.h"
#include "tests/fuzz/fuzz.h"

/* One kind of message: decodes `data` and encodes that to `out`. */
typedef int again_fn(const void *data, size_t length, struct buffer *out, struct error **ret);

#define AGAIN(name, type, encode)                                                                            \
    static int name##_again(const void *data, size_t length, struct buffer *out, struct error **ret)         \
    {                                                                                                        \
        struct type message = {0};                                                                           \
        int result = name##_message_decode(data, length, &message, ret);                                     \
        cleanup_free char *text = result == 0 ? encode(&message) : NULL;                                     \
                                                                                                             \
        if (text)                                                                                            \
            buffer_add(out, text, strlen(text));                                                             \
        type##_free(&message);                                                                               \
        return result;                                                                                       \
    }

AGAIN(pod, pod_message, pod_message_encode)
AGAIN(routes, pod_message, pod_message_encode)
AGAIN(interface, interface_message, interface_message_encode)
AGAIN(container, container_message, container_message_encode)
AGAIN(exec, container_message, exec_message_encode)
AGAIN(kill, kill_message, kill_message_encode)
AGAIN(event, event_message, event_message_encode)
AGAIN(winsize, winsize_message, winsize_message_encode)
AGAIN(remove, remove_message, remove_message_encode)

static int file_again(const void *data, size_t length, struct buffer *out, struct error **ret)
{
    struct file_message file = {0};
    int result = file_message_decode(data, length, &file, ret);

    if (result == 0)
        file_message_encode(out, &file);
    file_message_free(&file);
    return result;
}

static again_fn *const kinds[] = {pod_again,  routes_again, interface_again, container_again, exec_again,
                                  kill_again, event_again,  winsize_again,   remove_again,    file_again};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buffer struct buffer once = {0};
    cleanup_buffer struct buffer twice = {0};
    cleanup_error struct error *error = NULL;
    again_fn *again;
    int result;

    if (!size)
        return 0;
    again = kinds[data[0] % (sizeof kinds / sizeof *kinds)];
    result = again(data + 1, size - 1, &once, &error);
    if ((result < 0) != (error != NULL))
        abort();
    if (result == 0 && (again(once.data, once.length, &twice, NULL) < 0 || once.length != twice.length ||
                        memcmp(once.data, twice.data, once.length) != 0))
        abort();
    return 0;
}
