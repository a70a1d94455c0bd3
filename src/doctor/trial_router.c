#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/router/wire.h"
#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/doctor/trial.h"

#define CAPABILITIES (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))
#define PREFIX       "sippod-router: " /* of what it prints */
#define RUN_ID       "doctor"

static void child(int program, int socket, int words)
{
    char *arguments[] = {(char *)"sippod-router", NULL};
    char *environment[] = {NULL};
    struct error *error = NULL;

    if (namespaces_unshare_network(&error) == 0 && capabilities_hand_on(CAPABILITIES, &error) == 0 &&
        process_standard_streams(-1, words, &error) == 0) {
        process_exec(program, arguments, environment, &socket, 1);
        error_sys(&error, ERROR_HOST, errno, "cannot be executed");
    }
    dprintf(words, "%s\n", error_text(error));
    _exit(127);
}

int trial_router_start(const struct trial *trial, struct trial_router *router, struct error **ret)
{
    int ends[2], words[2];

    if (socket_pair(SOCK_SEQPACKET, ends, ret) < 0)
        return -1;
    if (pipe2(words, O_CLOEXEC) < 0) {
        error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    router->pid = fork();
    if (router->pid == 0) {
        close(ends[0]); /* else it would never see the end */
        child(trial->router, ends[1], words[1]);
    }
    if (router->pid < 0)
        error_sys(ret, ERROR_HOST, errno, "cannot start a process");
    close(ends[1]);
    close(words[1]);
    router->socket = ends[0];
    router->words = words[0];
    return router->pid < 0 ? -1 : 0;
}

/* It has ended; what it printed says why. */
static int take_words(const struct trial_router *router, struct error **ret)
{
    char text[512];
    ssize_t length = read(router->words, text, sizeof text - 1);
    const char *words = text;

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (strncmp(text, PREFIX, strlen(PREFIX)) == 0)
        words += strlen(PREFIX);
    return error_set(ret, ERROR_HOST, "sippod-router has ended: %s", *words ? words : "it gave no reason");
}

static int request(struct trial_router *router, const struct router_request *request, int fd,
                   struct error **ret)
{
    uint8_t bytes[ROUTER_REQUEST_MOST], answer[ROUTER_REPLY_LENGTH];
    size_t length = router_request_encode(request, bytes);
    struct router_reply reply;
    ssize_t received;

    if (socket_send(router->socket, bytes, length, fd) < 0)
        return take_words(router, ret);
    received = socket_receive(router->socket, answer, sizeof answer, NULL);
    if (received <= 0)
        return take_words(router, ret);
    if (router_reply_decode(answer, (size_t)received, &reply, ret) < 0)
        return -1;
    if (!reply.status)
        return 0;
    if (!reply.type)
        return error_set(ret, ERROR_HOST, "sippod-router has ended: %s", reply.text);
    error_set(ret, ERROR_HOST, "sippod-router: %s", reply.text);
    if (ret)
        (*ret)->sys = (int)reply.sys;
    return -1;
}

int trial_router_connect(struct trial_router *router, int network, struct error **ret)
{
    const struct router_request hello = {.type = ROUTER_HELLO, .version = ROUTER_PROTOCOL};
    const struct router_request add = {.type = ROUTER_POD_ADD, .serial = 1, .run_id = RUN_ID};

    return request(router, &hello, -1, ret) < 0 ? -1 : request(router, &add, network, ret);
}

void trial_router_stop(struct trial_router *router)
{
    close_fd(&router->socket); /* upon which it ends */
    close_fd(&router->words);
    while (router->pid > 0 && waitpid(router->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
