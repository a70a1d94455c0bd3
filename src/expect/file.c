/* Expectations of a capture file. */
#include <pcap/pcap.h>
#include <stdio.h>

#include "src/expect/evaluation.h"

static void read_packets(pcap_t *handle, struct evaluation *evaluation)
{
    uint32_t linktype = (uint32_t)pcap_datalink(handle);
    uint64_t length = evaluation->end_ns, last = 0;
    struct pcap_pkthdr *header;
    const u_char *data;
    char why[512];
    int status;

    while ((status = pcap_next_ex(handle, &header, &data)) == 1) {
        struct sippod_packet packet = {
            .data = data,
            .captured = header->caplen,
            .length = header->len,
            .timestamp_ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec,
            .linktype = linktype,
        };

        if (!last) { /* the clock starts */
            evaluation->begin_ns = packet.timestamp_ns;
            evaluation->end_ns = length == UINT64_MAX ? length : packet.timestamp_ns + length;
        }
        last = packet.timestamp_ns;
        if (evaluation_packet(evaluation, &packet))
            return;
    }
    if (status == PCAP_ERROR_BREAK) { /* the end of the file */
        evaluation_time_out(evaluation, last);
        return;
    }
    snprintf(why, sizeof why, "cannot read the file: %s", pcap_geterr(handle));
    evaluation_fail(evaluation, why);
}

void sippod_evaluate_file(const char *path, struct sippod_predicate predicate,
                          const struct sippod_options *options, struct sippod_verdict *ret)
{
    struct evaluation evaluation;
    char words[PCAP_ERRBUF_SIZE];
    pcap_t *handle;

    if (!path)
        path = "";
    evaluation_begin(&evaluation, predicate, options, 0, path);
    handle = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, words);
    if (handle) {
        read_packets(handle, &evaluation);
        pcap_close(handle);
    } else
        evaluation_fail(&evaluation, words);
    *ret = evaluation.verdict;
    evaluation_free(&evaluation);
}
