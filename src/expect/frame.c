#include "src/expect/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/expect/argument.h"
#include "src/expect/match.h"

/* ---- digits ---- */

/* Blanks and colons may stand between bytes, and not within one. */
static bool from_digits(const char *text, uint8_t *ret_frame, size_t *ret_length, char **ret_error)
{
    size_t length = 0;

    for (const char *p = text; *p; p++) {
        int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

        if (high < 0 && strchr(" \t:", *p))
            continue;
        if (high < 0)
            return refuse(ret_error,
                          "%.*s is no packet: write FILE.pcap#INDEX, or its bytes in hexadecimal digits",
                          SHOWN, text);
        if (low < 0)
            return refuse(ret_error, "a byte is two hexadecimal digits, and there is one in \"%.*s\"", SHOWN,
                          p);
        ret_frame[length++] = (uint8_t)(high << 4 | low);
        p++;
    }
    *ret_length = length;
    return true;
}

/* ---- files ---- */

/* Nothing but a file is read: what else there is may block. */
static pcap_t *open_capture(const char *path, char **ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char words[PCAP_ERRBUF_SIZE];
    struct stat stat = {0};
    pcap_t *handle = NULL;
    FILE *file = NULL;

    if (fd < 0 || fstat(fd, &stat) < 0)
        refuse(ret_error, "cannot open %.*s: %s", SHOWN, path, strerror(errno));
    else if (!S_ISREG(stat.st_mode))
        refuse(ret_error, "%.*s is no file", SHOWN, path);
    else if (!(file = fdopen(fd, "r")))
        *ret_error = NULL;
    else if (!(handle = pcap_fopen_offline(file, words)))
        refuse(ret_error, "%.*s is no capture file: %s", SHOWN, path, words);
    if (!handle && file)
        (void)fclose(file); /* nothing was written */
    else if (!handle && fd >= 0)
        close(fd);
    return handle;
}

/* Of a packet that is there. */
static bool copy(const char *path, uint64_t index, const struct pcap_pkthdr *header, const u_char *data,
                 uint8_t **ret_frame, size_t *ret_length, char **ret_error)
{
    if (header->caplen < header->len)
        return refuse(ret_error,
                      "packet #%llu of %.*s was captured in part (%u of %u bytes), and equals none",
                      (unsigned long long)index, SHOWN, path, header->caplen, header->len);
    if (!(*ret_frame = malloc(header->caplen ? header->caplen : 1))) {
        *ret_error = NULL;
        return false;
    }
    memcpy(*ret_frame, data, header->caplen);
    *ret_length = header->caplen;
    return true;
}

static bool too_few(const char *path, uint64_t index, uint64_t count, char **ret_error)
{
    unsigned long long packets = count, wanted = index;

    if (!count)
        return refuse(ret_error, "%.*s has no packets", SHOWN, path);
    if (count == 1)
        return refuse(ret_error, "%.*s has 1 packet, #0, and no #%llu", SHOWN, path, wanted);
    return refuse(ret_error, "%.*s has %llu packets, #0 to #%llu, and no #%llu", SHOWN, path, packets,
                  packets - 1, wanted);
}

static bool from_capture(pcap_t *handle, const char *path, uint64_t index, uint8_t **ret_frame,
                         size_t *ret_length, char **ret_error)
{
    struct pcap_pkthdr *header;
    const u_char *data;
    uint64_t count = 0;
    int status, linktype = pcap_datalink(handle);

    if (linktype != DLT_EN10MB)
        return refuse(ret_error, "%.*s holds packets of link type %d (%s), and not of Ethernet", SHOWN, path,
                      linktype, pcap_datalink_val_to_name(linktype) ?: "unknown");
    while ((status = pcap_next_ex(handle, &header, &data)) == 1)
        if (count++ == index)
            return copy(path, index, header, data, ret_frame, ret_length, ret_error);
    if (status == PCAP_ERROR_BREAK) /* the end of the file */
        return too_few(path, index, count, ret_error);
    return refuse(ret_error, "cannot read %.*s: %s", SHOWN, path, pcap_geterr(handle));
}

static bool from_file(const char *text, const char *index_text, const char *folder, uint8_t **ret_frame,
                      size_t *ret_length, char **ret_error)
{
    char *path, *end;
    unsigned long long index;
    pcap_t *handle;
    bool good = false;

    errno = 0;
    index = strtoull(index_text, &end, 10);
    if (*index_text < '0' || *index_text > '9' || *end || errno)
        return refuse(ret_error, "a packet of a file is FILE.pcap#INDEX, where the first is 0, and not %.*s",
                      SHOWN, text);
    if (!(path = path_from(folder, text, ret_error)))
        return false;
    path[strlen(path) - strlen(index_text) - 1] = '\0';
    if ((handle = open_capture(path, ret_error))) {
        good = from_capture(handle, path, index, ret_frame, ret_length, ret_error);
        pcap_close(handle);
    }
    free(path);
    return good;
}

bool frame_read(const char *text, const char *folder, uint8_t **ret_frame, size_t *ret_length,
                char **ret_error)
{
    const char *hash = strrchr(text, '#');

    if (hash)
        return from_file(text, hash + 1, folder, ret_frame, ret_length, ret_error);
    *ret_error = NULL;
    if (!(*ret_frame = malloc(strlen(text) / 2 + 1)))
        return false;
    if (from_digits(text, *ret_frame, ret_length, ret_error))
        return true;
    free(*ret_frame);
    *ret_frame = NULL;
    return false;
}
