/* Expectations of a capture file. */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/expect/evaluation.h"

/* Those that wait for packets of one file. */
struct waiting {
    struct evaluation **list;
    size_t count;
};

/* All clocks start with the first packet. */
static void start_clocks(struct waiting *waiting, uint64_t now_ns)
{
    for (size_t i = 0; i < waiting->count; i++) {
        struct evaluation *evaluation = waiting->list[i];

        evaluation->begin_ns += now_ns;
        if (evaluation->end_ns != UINT64_MAX)
            evaluation->end_ns += now_ns;
    }
}

/* Who has ended waits no more. */
static void hand_out(struct waiting *waiting, const struct sippod_packet *packet)
{
    struct view view;
    size_t left = 0;

    view_open(&view, packet);
    for (size_t i = 0; i < waiting->count; i++) {
        struct evaluation *evaluation = waiting->list[i];

        if (!evaluation_view(evaluation, &view))
            waiting->list[left++] = evaluation;
    }
    waiting->count = left;
}

static void end(struct waiting *waiting, const char *why, uint64_t now_ns)
{
    for (size_t i = 0; i < waiting->count; i++)
        if (why)
            evaluation_fail(waiting->list[i], why);
        else
            evaluation_time_out(waiting->list[i], now_ns);
}

static void read_packets(pcap_t *handle, struct waiting *waiting)
{
    struct sippod_packet packet = {.linktype = (uint32_t)pcap_datalink(handle)};
    struct pcap_pkthdr *header;
    const u_char *data;
    char why[PCAP_ERRBUF_SIZE + 32];
    bool begun = false;
    int status = 0;

    while (waiting->count && (status = pcap_next_ex(handle, &header, &data)) == 1) {
        packet.data = data;
        packet.captured = header->caplen;
        packet.length = header->len;
        packet.timestamp_ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;
        if (!begun)
            start_clocks(waiting, packet.timestamp_ns);
        begun = true;
        hand_out(waiting, &packet);
    }
    snprintf(why, sizeof why, "cannot read the file: %s", pcap_geterr(handle));
    end(waiting, status == PCAP_ERROR_BREAK ? NULL : why, packet.timestamp_ns); /* BREAK: the file's end */
}

static void read_file(const char *path, struct waiting *waiting)
{
    char words[PCAP_ERRBUF_SIZE];
    pcap_t *handle;

    if (!waiting->count)
        return;
    if ((handle = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, words))) {
        read_packets(handle, waiting);
        pcap_close(handle);
    } else
        end(waiting, words, 0);
}

static void no_memory(const struct sippod_predicate *predicates, size_t count, struct sippod_verdict *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct sippod_predicate predicate = predicates[i];

        sippod_predicate_free(&predicate);
        ret[i] = (struct sippod_verdict){.state = SIPPOD_FAILED, .detail = "out of memory"};
    }
}

void sippod_evaluate_file_each(const char *path, const struct sippod_predicate *predicates,
                               const struct sippod_options *options, size_t count, struct sippod_verdict *ret)
{
    struct evaluation *all = calloc(count, sizeof *all);
    struct waiting waiting = {calloc(count, sizeof(struct evaluation *)), 0};

    if (all && waiting.list) {
        for (size_t i = 0; i < count; i++) {
            evaluation_begin(&all[i], predicates[i], options ? &options[i] : NULL, 0, path ? path : "NULL");
            if (all[i].verdict.state == SIPPOD_PENDING)
                waiting.list[waiting.count++] = &all[i];
        }
        read_file(path ? path : "", &waiting);
        for (size_t i = 0; i < count; i++) {
            ret[i] = all[i].verdict;
            evaluation_free(&all[i]);
        }
    } else
        no_memory(predicates, count, ret);
    free(waiting.list);
    free(all);
}

void sippod_evaluate_file(const char *path, struct sippod_predicate predicate,
                          const struct sippod_options *options, struct sippod_verdict *ret)
{
    sippod_evaluate_file_each(path, &predicate, options, 1, ret);
}
