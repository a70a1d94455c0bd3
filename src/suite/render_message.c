#include "src/suite/render_message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

#define LONGEST_LINE ((size_t)64 * 1024)

char *render_request_encode(const struct render_request *request, struct error **ret)
{
    json_t *keywords = request->keywords->object ? json_incref(request->keywords->object) : json_object();
    json_t *json = json_pack("{s:s, s:s, s:s, s:o}", "folder", request->folder, "file", request->file,
                             "templates", request->templates ? request->templates : "", "keywords", keywords);
    cleanup_free char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    cleanup_free char *file = text_printable(request->file, strlen(request->file));

    json_decref(json);
    if (text)
        return text_format("%s\n", text);
    error_set(ret, ERROR_INPUT, "%s: its name, or that of a folder above it, is not UTF-8", file);
    return NULL;
}

/* The fields of one line; -1 if it is not a reply. */
static int read_line(const uint8_t *line, size_t length, struct render_reply *reply)
{
    json_t *json = json_loadb((const char *)line, length, 0, NULL);
    const json_t *bytes = json_object_get(json, "length");
    const char *error = json_string_value(json_object_get(json, "error"));
    json_int_t count = json_integer_value(bytes);
    bool ready = json_is_true(json_object_get(json, "ready"));
    int result = (error || json_is_integer(bytes) || ready) && count >= 0 ? 0 : -1;

    if (result == 0)
        *reply = (struct render_reply){
            .ready = ready,
            .error = error ? text_printable(error, strlen(error)) : NULL,
            .length = error ? 0 : (size_t)count,
        };
    json_decref(json);
    return result;
}

int render_reply_decode(const uint8_t *data, size_t length, struct render_reply *reply, size_t *used,
                        struct error **ret)
{
    const uint8_t *end = length ? memchr(data, '\n', length) : NULL;
    size_t line = end ? (size_t)(end - data) + 1 : length;

    if (line > LONGEST_LINE)
        return error_set(ret, ERROR_FAILED, "a line that does not end");
    if (!end)
        return 0;
    if (read_line(data, line, reply) < 0)
        return error_set(ret, ERROR_FAILED, "something that is no reply");
    if (reply->length > RENDER_MOST_BYTES)
        return error_set(ret, ERROR_FAILED, "more than %zu MiB", RENDER_MOST_BYTES / 1024 / 1024);
    if (length - line < reply->length) {
        free(steal_pointer(&reply->error));
        return 0;
    }
    reply->text = data + line;
    *used = line + reply->length;
    return 1;
}
