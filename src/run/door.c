/* The files of the sockets are for the user alone (0600); who connects is looked at once more. Whoever comes
 * when his place is taken finds the connection closed. */
#include "src/run/door.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/socket.h"

/* One of the two sockets. */
struct leaf {
    struct door *door;
    struct socket_file file;
    int listener, client; /* -1: none */
    struct watch *listener_watch, *client_watch;
};

struct door {
    struct loop *loop;
    struct leaf leaves[2];
    bool closed; /* the client is there */
    void (*came)(void *user);
    void *user;
};

static bool is_allowed(int client)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return false;
    if (peer.uid == geteuid() || peer.uid == 0)
        return true;
    fprintf(stderr, "sippod: a client of uid %u was refused\n", peer.uid);
    return false;
}

static void forget(struct leaf *leaf)
{
    watch_stop(&leaf->client_watch);
    close_fd(&leaf->client);
}

/* It may have left without its watch having had its turn. */
static bool is_there(struct leaf *leaf)
{
    struct pollfd client = {.fd = leaf->client, .events = POLLRDHUP};

    if (leaf->client >= 0 && poll(&client, 1, 0) > 0)
        forget(leaf);
    return leaf->client >= 0;
}

static void on_left(void *user, uint32_t events)
{
    (void)events;
    forget(user);
}

static void on_client(void *user, uint32_t events)
{
    struct leaf *leaf = user;
    struct door *door = leaf->door;
    cleanup_fd int client = accept4(leaf->listener, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    if (client < 0 || door->closed || is_there(leaf) || !is_allowed(client))
        return;
    leaf->client_watch = loop_watch(door->loop, client, EPOLLRDHUP, on_left, leaf, NULL);
    if (!leaf->client_watch)
        return;
    leaf->client = steal_fd(&client);
    if (!is_there(&door->leaves[0]) || !is_there(&door->leaves[1]))
        return;
    door->closed = true;
    for (int i = 0; i < 2; i++) /* its end is the agent's to see from now on */
        watch_stop(&door->leaves[i].client_watch);
    door->came(door->user);
}

static int open_leaf(struct door *door, struct leaf *leaf, const char *path, struct error **ret)
{
    leaf->listener = socket_listen(path, &leaf->file, ret);
    if (leaf->listener < 0)
        return -1;
    leaf->listener_watch = loop_watch(door->loop, leaf->listener, EPOLLIN, on_client, leaf, ret);
    return leaf->listener_watch ? 0 : -1;
}

struct door *door_new(struct loop *loop, const char *ctl, const char *io, void (*came)(void *user),
                      void *user, struct error **ret)
{
    struct door *door = memory_new(sizeof *door);

    *door = (struct door){.loop = loop, .came = came, .user = user};
    for (int i = 0; i < 2; i++)
        door->leaves[i] = (struct leaf){.door = door, .listener = -1, .client = -1};
    if (open_leaf(door, &door->leaves[0], ctl, ret) == 0 && open_leaf(door, &door->leaves[1], io, ret) == 0)
        return door;
    door_free(door);
    return NULL;
}

void door_take(struct door *door, int *ret_ctl, int *ret_io)
{
    *ret_ctl = steal_fd(&door->leaves[0].client);
    *ret_io = steal_fd(&door->leaves[1].client);
}

void door_free(struct door *door)
{
    if (!door)
        return;
    for (int i = 0; i < 2; i++) {
        struct leaf *leaf = &door->leaves[i];

        socket_file_remove(&leaf->file); /* before it is closed, or another may take it for dead */
        watch_stop(&leaf->listener_watch);
        close_fd(&leaf->listener);
        forget(leaf);
    }
    free(door);
}
