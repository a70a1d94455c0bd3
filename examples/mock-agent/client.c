#include "client.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST (1024 * 1024) /* of a message */

static int failed(struct client *client, const char *why)
{
    snprintf(client->error, sizeof client->error, "%s", why);
    return -1;
}

static int connect_one(struct client *client, const char *path, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    failed(client, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int client_connect(struct client *client, const char *ctl, const char *io, int timeout_ms)
{
    client->io = -1;
    client->ctl = connect_one(client, ctl, timeout_ms);
    if (client->ctl >= 0)
        client->io = connect_one(client, io, timeout_ms);
    return client->io < 0 ? -1 : 0;
}

void client_close(struct client *client)
{
    if (client->ctl >= 0)
        close(client->ctl);
    if (client->io >= 0)
        close(client->io);
}

/* All of it; what goes beyond `size` is thrown away. */
static int receive(struct client *client, int fd, void *data, size_t size, size_t length)
{
    char rest[4096];
    size_t got = 0;

    while (got < length) {
        size_t most = got < size ? size - got : sizeof rest;
        void *to = got < size ? (char *)data + got : rest;
        ssize_t more = recv(fd, to, length - got < most ? length - got : most, 0);

        if (more == 0 || (more < 0 && errno == ECONNRESET))
            return failed(client, "the agent has left");
        if (more < 0 && errno == EAGAIN)
            return failed(client, "the agent does not answer");
        if (more < 0)
            return failed(client, strerror(errno));
        got += (size_t)more;
    }
    return 0;
}

static int send_all(struct client *client, const void *data, size_t length)
{
    while (length) {
        ssize_t sent = send(client->ctl, data, length, MSG_NOSIGNAL);

        if (sent < 0)
            return failed(client, strerror(errno));
        data = (const char *)data + sent;
        length -= (size_t)sent;
    }
    return 0;
}

int client_command(struct client *client, uint32_t code, const char *json)
{
    uint32_t header[2] = {htonl(code), htonl((uint32_t)(sizeof header + strlen(json)))};
    char text[sizeof client->error] = "";

    if (send_all(client, header, sizeof header) < 0 || send_all(client, json, strlen(json)) < 0)
        return -1;
    do { /* all but the answer is passed over: what was read, news */
        uint32_t length;

        if (receive(client, client->ctl, header, sizeof header, sizeof header) < 0)
            return -1;
        length = ntohl(header[1]);
        if (length < sizeof header || length > MOST)
            return failed(client, "that is no agent");
        memset(text, 0, sizeof text);
        if (receive(client, client->ctl, text, sizeof text - 1, length - sizeof header) < 0)
            return -1;
    } while (ntohl(header[0]) != ACK && ntohl(header[0]) != ERROR);
    return ntohl(header[0]) == ACK ? 0 : failed(client, text);
}

int client_wait(struct client *client, uint64_t stream, char *output, size_t size)
{
    size_t used = 0;
    int ended = 0;

    *output = '\0';
    for (;;) {
        uint8_t header[12], status;
        uint64_t sequence;
        uint32_t length;
        int ours;

        if (receive(client, client->io, header, sizeof header, sizeof header) < 0)
            return -1;
        memcpy(&sequence, header, sizeof sequence);
        memcpy(&length, header + sizeof sequence, sizeof length);
        ours = be64toh(sequence) == stream;
        length = ntohl(length);
        if (length < sizeof header || length > MOST)
            return failed(client, "that is no agent");
        length -= sizeof header;
        if (ours && ended)
            return receive(client, client->io, &status, 1, length) < 0 ? -1 : status;
        if (receive(client, client->io, output + used, ours ? size - 1 - used : 0, length) < 0)
            return -1;
        ended = ours && !length;
        if (ours)
            used += length < size - 1 - used ? length : size - 1 - used;
        output[used] = '\0';
    }
}
