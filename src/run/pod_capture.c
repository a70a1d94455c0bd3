#include "src/run/pod_capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/sniffer/sniffer.h"
#include "src/base/memory.h"
#include "src/run/helper.h"

/* What the helper tells at the end. */
struct told {
    uint64_t packets, dropped;
    char warning[400]; /* "": none */
};

struct pod_capture {
    struct helper *helper;
    struct told told;
    void (*running)(void *user, const struct error *error);
    void (*done)(void *user, const struct pod_capture_result *result, const struct error *error);
    void *user;
};

/* ---- the helper's side ---- */

enum { FOLDER_FD = HELPER_FIRST };

struct sniffing {
    const char *file, *keys;
    struct sniffer *sniffer;
};

static int work(void *data, const struct buffer *names, struct error **ret)
{
    static const char *const interfaces[] = {"lo", "eth0"};
    struct sniffing *sniffing = data;
    const struct sniffer_config config = {
        .folder = FOLDER_FD,
        .file = sniffing->file,
        .interfaces = interfaces,
        .interface_count = sizeof interfaces / sizeof *interfaces,
        .names = names,
        .keys = sniffing->keys,
    };
    struct sniffer_counts counts = {0};
    struct told told = {0};
    int result;

    sniffing->sniffer = sniffer_open(&config, ret);
    if (!sniffing->sniffer || helper_running(ret) < 0)
        return -1;
    result = sniffer_run(sniffing->sniffer, HELPER_CONTROL, &counts, ret);
    told.packets = counts.packets;
    told.dropped = counts.dropped;
    if (counts.keys)
        snprintf(told.warning, sizeof told.warning, "%s", error_text(counts.keys));
    error_free(counts.keys);
    helper_say(&told, sizeof told);
    return result;
}

/* It takes a while, and nobody has to wait for it. */
static void close_sniffer(void *data)
{
    const struct sniffing *sniffing = data;

    sniffer_close(sniffing->sniffer);
}

/* ---- sippod's side ---- */

static void on_running(void *user, const struct error *error)
{
    const struct pod_capture *capture = user;

    capture->running(capture->user, error);
}

static void on_said(void *user, const unsigned char *data, size_t length)
{
    struct pod_capture *capture = user;

    if (length == sizeof capture->told)
        memcpy(&capture->told, data, length);
}

static void on_done(void *user, const struct error *error)
{
    struct pod_capture *capture = user;
    const struct told *told = &capture->told;
    size_t length = strnlen(told->warning, sizeof told->warning);
    cleanup_free char *warning = length ? text_printable(told->warning, length) : NULL;
    struct pod_capture_result result = {
        .packets = told->packets, .dropped = told->dropped, .warning = warning};

    capture->done(capture->user, &result, error);
    free(capture);
}

struct pod_capture *pod_capture_start(struct host *host, int user_namespace, int network_namespace,
                                      int folder, const char *file, const char *keys,
                                      void (*running)(void *user, const struct error *error), void *user,
                                      struct error **ret)
{
    static const struct helper_callbacks callbacks = {
        .running = on_running, .said = on_said, .done = on_done};
    struct sniffing sniffing = {.file = file, .keys = keys};
    const struct helper_config config = {
        .host = host,
        .name = "sippod-sniffer",
        .title = "the sniffer",
        .user_namespace = user_namespace,
        .network_namespace = network_namespace,
        .fds = &folder,
        .fd_count = 1,
        .work = work,
        .close = close_sniffer,
        .data = &sniffing,
    };
    struct pod_capture *capture = memory_new(sizeof *capture);

    *capture = (struct pod_capture){.running = running, .user = user};
    capture->helper = helper_start(&config, &callbacks, capture, ret);
    if (!capture->helper) {
        free(capture);
        return NULL;
    }
    return capture;
}

/* Of more names than a message holds, the last ones, which rank first. */
static void encode_names(struct buffer *out, const struct pcapng_name *names, size_t total)
{
    for (size_t count = total;; count /= 2) {
        pcapng_add_names(out, names + (total - count), count);
        if (out->length <= HELPER_MOST)
            return;
        buffer_drop(out, out->length);
    }
}

void pod_capture_open(struct pod_capture *capture, const struct pcapng_name *names, size_t count)
{
    cleanup_buffer struct buffer block = {0};

    encode_names(&block, names, count);
    helper_open(capture->helper, &block);
}

void pod_capture_stop(struct pod_capture *capture,
                      void (*done)(void *user, const struct pod_capture_result *result,
                                   const struct error *error),
                      void *user)
{
    capture->done = done;
    capture->user = user;
    helper_stop(capture->helper);
}
