#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "tests/unit/expect/play.h"

#define INVITE "INVITE sip:a@b SIP/2.0\r\nCall-ID: 42@host\r\nCSeq: 1 INVITE\r\n\r\n"
#define BUSY   "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n"
#define RTP    "\x80\x08\0\1\0\0\0\xa0\0\0\0\1payload"

struct frame scene[SCENE];

int scene_make(void **state)
{
    (void)state;
    scene[SIP_REQUEST] = frame_datagram(5060, INVITE, strlen(INVITE));
    scene[SIP_RESPONSE] = frame_datagram(5062, BUSY, strlen(BUSY));
    scene[MEDIA] = frame_datagram(4000, RTP, sizeof RTP - 1);
    scene[TAGGED] = frame_tagged(102);
    frame_ethernet(&scene[DOUBLE]);
    frame_tag(&scene[DOUBLE], 0x88a8, 7);
    frame_tag(&scene[DOUBLE], 0x8100, 8);
    frame_add16(&scene[DOUBLE], 0x86dd);
    frame_add(&scene[CUT], MAC_B, 5);
    return 0;
}

int scene_free(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCENE; i++)
        frame_free(&scene[i]);
    return 0;
}

struct sippod_verdict scene_play(struct sippod_predicate predicate, const struct sippod_options *options)
{
    struct sippod_verdict verdict;
    struct evaluation evaluation;

    evaluation_begin(&evaluation, predicate, options, 1000000000, "eth0");
    for (size_t i = 0; i < SCENE; i++) {
        struct sippod_packet packet = frame_packet(&scene[i]);

        packet.timestamp_ns += i * 100000000;
        if (evaluation_packet(&evaluation, &packet))
            break;
    }
    evaluation_time_out(&evaluation, 6000000000);
    verdict = evaluation.verdict;
    evaluation_free(&evaluation);
    return verdict;
}

void check_at(struct sippod_predicate predicate, bool expected, const char *detail, const char *file,
              int line)
{
    struct sippod_verdict verdict = scene_play(predicate, NULL);

    if (strcmp(verdict.detail, detail) != 0)
        print_error("it says: %s\n", verdict.detail);
    _assert_true(sippod_verdict_is(&verdict, expected), detail, file, line);
    _assert_true(!sippod_verdict_is(&verdict, !expected), detail, file, line);
    _assert_true(strcmp(verdict.detail, detail) == 0, detail, file, line);
}

void refused_at(struct sippod_predicate predicate, const char *words, const char *file, int line)
{
    bool wrong = sippod_predicate_error(&predicate) != NULL;
    struct sippod_verdict verdict = scene_play(predicate, NULL);

    if (!strstr(verdict.detail, words))
        print_error("it says: %s\n", verdict.detail);
    _assert_true(wrong, "sippod_predicate_error()", file, line);
    _assert_true(verdict.state == SIPPOD_FAILED, "SIPPOD_FAILED", file, line);
    _assert_true(!sippod_verdict_is(&verdict, true), words, file, line);
    _assert_true(!sippod_verdict_is(&verdict, false), words, file, line);
    _assert_true(strstr(verdict.detail, words) != NULL, words, file, line);
}
