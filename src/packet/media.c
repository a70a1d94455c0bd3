#include "src/packet/media.h"

#include <string.h>

static const char version[] = "SIP/2.0";

#define VERSION_LENGTH (sizeof version - 1)

/* token of RFC 3261 */
static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-.!%*_+`'~", c));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool parse_response(const char *line, size_t length, struct sip_start *ret)
{
    const char *code = line + VERSION_LENGTH + 1;

    if (length < VERSION_LENGTH + 4 || memcmp(line, version, VERSION_LENGTH) != 0 || code[-1] != ' ' ||
        code[0] < '1' || code[0] > '6' || !is_digit(code[1]) || !is_digit(code[2]) ||
        (length > VERSION_LENGTH + 4 && code[3] != ' '))
        return false;
    ret->status = (unsigned)((code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0');
    return true;
}

/* METHOD SP URI SP SIP/2.0 */
static bool parse_request(const char *line, size_t length, struct sip_start *ret)
{
    size_t method = 0;

    while (method < length && is_token(line[method]))
        method++;
    if (!method || length < method + 3 + VERSION_LENGTH || line[method] != ' ' || line[method + 1] == ' ' ||
        line[length - VERSION_LENGTH - 1] != ' ' ||
        memcmp(line + length - VERSION_LENGTH, version, VERSION_LENGTH) != 0)
        return false;
    ret->method = line;
    ret->method_length = method;
    return true;
}

bool sip_parse(const void *payload, size_t length, struct sip_start *ret)
{
    const char *text = payload, *end, *empty;
    size_t line;

    memset(ret, 0, sizeof *ret);
    if (!length || !(end = memchr(text, '\n', length)))
        return false;
    line = (size_t)(end - text);
    if (line && text[line - 1] == '\r')
        line--;
    if (!parse_response(text, line, ret) && !parse_request(text, line, ret))
        return false;
    ret->headers = end + 1;
    ret->headers_length = length - (size_t)(end + 1 - text);
    if ((empty = memmem(end, ret->headers_length + 1, "\n\r\n", 3)) ||
        (empty = memmem(end, ret->headers_length + 1, "\n\n", 2)))
        ret->headers_length = (size_t)(empty - end);
    return true;
}

bool rtp_parse(const void *payload, size_t length, struct rtp_header *ret)
{
    const uint8_t *at = payload;
    size_t header;

    if (length < 12 || at[0] >> 6 != 2 || (at[1] >= 192 && at[1] <= 223)) /* RTCP: RFC 5761 */
        return false;
    header = 12 + (size_t)(at[0] & 15) * 4;
    if (at[0] & 0x10) { /* an extension, whose length is counted in words */
        if (length < header + 4)
            return false;
        header += 4 + (size_t)(at[header + 2] << 8 | at[header + 3]) * 4;
    }
    if (length < header)
        return false;
    *ret = (struct rtp_header){
        .payload_type = at[1] & 0x7f,
        .sequence = (uint16_t)(at[2] << 8 | at[3]),
        .timestamp = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7],
        .ssrc = (uint32_t)at[8] << 24 | (uint32_t)at[9] << 16 | (uint32_t)at[10] << 8 | at[11],
        .length = header,
    };
    return true;
}
