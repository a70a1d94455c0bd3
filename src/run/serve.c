/* The client's own connections become the channels of the agent: sippod is not between them, and what the
 * agent can do is what the client gets. So it is the agent who hears the client's last word, or his end;
 * sippod hears the agent's. The agent is started, and says READY, once eth0 is there.
 *
 * Clients are let in before anything is started, in the user namespace of the host, where their uids are
 * known. */
#include "src/run/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/random.h"
#include "src/doctor/doctor.h"
#include "src/run/door.h"
#include "src/run/pod_launch.h"
#include "src/run/pod_network.h"
#include "src/run/signals.h"
#include "src/wire/frame.h"

struct serving {
    const struct serve_options *options;
    struct loop *loop;
    struct signals *signals;
    struct door *door;
    int ctl, io; /* the client's connections, until the agent has them */
    struct host host;
    struct pod_network *network;
    struct pod_launch *launch;
    int signal;           /* that came first, 0: none */
    struct error *failed; /* why the pod could not be made, or ended of itself */
};

/* ---- the end ---- */

static void end(struct serving *serving)
{
    if (serving->launch)
        pod_launch_kill(serving->launch); /* on_ended() goes on */
    else
        loop_quit(serving->loop);
}

/* The first reason is the one that is told. */
static void fail(struct serving *serving, const struct error *error)
{
    if (!serving->failed)
        error_set(&serving->failed, error->code, "%s", error_text(error));
    end(serving);
}

static void on_signal(void *user, int signal)
{
    struct serving *serving = user;

    if (!serving->signal)
        serving->signal = signal;
    end(serving);
}

static void on_router_lost(void *user, const struct error *why)
{
    fail(user, why);
}

/* ---- the pod ---- */

static void on_namespaces(void *user)
{
    struct serving *serving = user;
    int user_namespace, network_namespace;

    pod_launch_namespaces(serving->launch, &user_namespace, &network_namespace);
    pod_network_link(serving->network, network_namespace);
}

static void on_failed(void *user, const struct error *error)
{
    fail(user, error);
}

static void on_ended(void *user, const struct process_end *how)
{
    struct serving *serving = user;
    bool expected = serving->signal || serving->failed || !how->exit_code;

    if (!expected && how->signal)
        error_set(&serving->failed, ERROR_FAILED, "sippod-agent was ended by %s",
                  process_signal_name(how->signal));
    else if (!expected)
        error_set(&serving->failed, ERROR_FAILED, "sippod-agent ended with exit code %d", how->exit_code);
    loop_quit(serving->loop);
}

static const struct pod_launch_callbacks launch_callbacks = {
    .namespaces = on_namespaces,
    .failed = on_failed,
    .ended = on_ended,
};

static void on_linked(void *user, const struct error *error)
{
    struct serving *serving = user;

    if (error) {
        fail(serving, error);
        return;
    }
    pod_launch_go_on(serving->launch);
    close_fd(&serving->ctl);
    close_fd(&serving->io);
}

static const struct pod_network_callbacks network_callbacks = {.linked = on_linked};

static int start_pod(struct serving *serving, struct error **ret)
{
    const struct pod_choice *choice = &serving->options->pod;
    const struct pod_guest guest = {
        .ctl = serving->ctl,
        .io = serving->io,
        .events = serving->options->events,
        .capabilities = &choice->capabilities,
    };
    struct mounts_plan mounts = {.mode = choice->mounts, .writable = choice->writable};
    struct pod_launch_config launch = {.mounts = &mounts, .guest = &guest};
    struct pod_config config = {0};
    cleanup_free char *folder = file_absolute(".", ret);

    if (!folder || random_run_id(config.run_id, ret) < 0)
        return -1;
    serving->network = pod_network_new(&serving->host, &config, &network_callbacks, serving);
    if (strcmp(folder, "/") != 0)
        strings_add(&mounts.readable, folder);
    serving->launch = pod_launch_start(&serving->host, &launch, &launch_callbacks, serving, ret);
    strings_free(&mounts.readable);
    return serving->launch ? 0 : -1;
}

static void free_pod(struct serving *serving)
{
    pod_launch_free(serving->launch);
    if (serving->network)
        pod_network_free(serving->network);
}

/* ---- the client ---- */

/* What went wrong before there is an agent to tell it. */
static void tell_client(const struct serving *serving, const struct error *error)
{
    cleanup_buffer struct buffer frame = {0};

    if (serving->ctl < 0)
        return;
    ctl_encode(&frame, CTL_ERROR, error_text(error), strlen(error_text(error)));
    (void)send(serving->ctl, frame.data, frame.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_came(void *user)
{
    struct serving *serving = user;

    door_take(serving->door, &serving->ctl, &serving->io);
    loop_quit(serving->loop);
}

static int serve_client(struct serving *serving, struct error **ret)
{
    const struct host_config config = {.loop = serving->loop, .lost = on_router_lost, .user = serving};
    int result = -1;

    if (host_open(&serving->host, &config, ret) == 0 && start_pod(serving, ret) == 0)
        result = loop_run(serving->loop, ret);
    free_pod(serving);
    host_close(&serving->host);
    if (result == 0 && serving->failed) {
        *ret = steal_pointer(&serving->failed);
        result = -1;
    }
    return result;
}

static int serve(struct serving *serving, struct error **ret)
{
    const struct serve_options *options = serving->options;

    if (doctor_explain_host(ret) < 0 || !(serving->loop = loop_new(ret)) ||
        !(serving->signals = signals_watch(serving->loop, on_signal, serving, ret)) ||
        !(serving->door = door_new(serving->loop, options->ctl, options->io, on_came, serving, ret)))
        return -1;
    if (puts("listening") < 0 || fflush(stdout) < 0)
        return error_set(ret, ERROR_FAILED, "cannot write to standard output");
    if (loop_run(serving->loop, ret) < 0)
        return -1;
    return serving->signal ? 0 : serve_client(serving, ret);
}

int serve_agent(const struct serve_options *options)
{
    struct serving serving = {.options = options, .ctl = -1, .io = -1};
    cleanup_error struct error *error = NULL;
    int result = serve(&serving, &error);

    if (result < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        tell_client(&serving, error);
    }
    close_fd(&serving.ctl);
    close_fd(&serving.io);
    door_free(serving.door);
    signals_free(serving.signals);
    loop_free(serving.loop);
    error_free(serving.failed);
    if (serving.signal)
        return 128 + serving.signal;
    return result < 0 ? (int)error->code : 0;
}
