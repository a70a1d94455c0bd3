#include "src/commands/mock_log.h"

#include <jansson.h>
#include <time.h>

#include "src/base/memory.h"
#include "src/base/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64(const uint8_t *bytes, size_t length)
{
    char *text = memory_new((length + 2) / 3 * 4 + 1), *at = text;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)bytes[i + 2] : 0);

        for (int shift = 18; shift >= 0; shift -= 6)
            *at++ = alphabet[three >> shift & 63];
    }
    for (size_t i = length % 3 ? length % 3 : 3; i < 3; i++)
        at[(ptrdiff_t)i - 3] = '=';
    return text;
}

static json_t *line_of_now(void)
{
    json_t *line = json_object();
    char text[32];
    struct timespec now;
    struct tm utc;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* this clock is always there */
    gmtime_r(&now.tv_sec, &utc);
    if (strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc))
        json_object_set_new(line, "time", json_sprintf("%s.%03ldZ", text, now.tv_nsec / 1000000));
    return line;
}

static void put_base64(json_t *line, const char *key, const uint8_t *bytes, size_t length)
{
    cleanup_free char *text = base64(bytes, length);

    json_object_set_new(line, key, json_string(text));
}

/* Takes the line. */
static int write_line(FILE *file, json_t *line)
{
    cleanup_free char *text = json_dumps(line, 0);
    int result;

    json_decref(line);
    flockfile(file);
    result = text && fprintf(file, "%s\n", text) >= 0 && fflush(file) == 0 ? 0 : -1;
    funlockfile(file);
    return result;
}

int mock_log_listening(FILE *file, const char *ctl, const char *io)
{
    json_t *line = line_of_now();

    json_object_set_new(line, "listening", json_pack("{s:s, s:s}", "ctl", ctl, "io", io));
    return write_line(file, line);
}

int mock_log_command(FILE *file, const struct hyperstart_mock_message *message)
{
    json_t *line = line_of_now();
    json_t *payload = json_loadb((const char *)message->payload, message->length, 0, NULL);

    json_object_set_new(line, "command", json_string(hyperstart_mock_code_name(message->code)));
    json_object_set_new(line, "code", json_integer(message->code));
    json_object_set_new(line, "length", json_integer((json_int_t)message->length));
    if (payload)
        json_object_set_new(line, "payload", payload);
    else if (message->length)
        put_base64(line, "payload_base64", message->payload, message->length);
    return write_line(file, line);
}

int mock_log_packet(FILE *file, const struct hyperstart_mock_packet *packet)
{
    json_t *line = line_of_now();
    json_t *text = json_stringn((const char *)packet->payload, packet->length); /* NULL: it is not UTF-8 */

    /* Longer than a number of JSON's can be trusted to be: a text. */
    if (packet->sequence <= INT64_MAX)
        json_object_set_new(line, "sequence", json_integer((json_int_t)packet->sequence));
    else
        json_object_set_new(line, "sequence", json_sprintf("%llu", (unsigned long long)packet->sequence));
    json_object_set_new(line, "length", json_integer((json_int_t)packet->length));
    if (text)
        json_object_set_new(line, "data", text);
    else
        put_base64(line, "data_base64", packet->payload, packet->length);
    return write_line(file, line);
}
