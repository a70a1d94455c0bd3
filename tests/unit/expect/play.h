/* A scene of packets that predicates are tried on: 6 of them, a tenth of a second apart. Include cmocka.h
 * first. */
#pragma once

#include "src/expect/evaluation.h"
#include "tests/unit/packet/frames.h"

/* A SIP request, a response to port 5062, RTP to port 4000, a frame of VLAN 102, one of VLAN 8 in 7, and one
 * that is cut off in its addresses. */
enum { SIP_REQUEST, SIP_RESPONSE, MEDIA, TAGGED, DOUBLE, CUT, SCENE };
extern struct frame scene[SCENE];

int scene_make(void **state);
int scene_free(void **state);

/* What comes of it on eth0 within 5 s. */
struct sippod_verdict scene_play(struct sippod_predicate predicate, const struct sippod_options *options);

/* That it comes out so, with these words. */
#define check(predicate, expected, detail) check_at(predicate, expected, detail, __FILE__, __LINE__)
void check_at(struct sippod_predicate predicate, bool expected, const char *detail, const char *file,
              int line);

/* That it is wrong from the beginning, and says so with these words somewhere. */
#define refused(predicate, words) refused_at(predicate, words, __FILE__, __LINE__)
void refused_at(struct sippod_predicate predicate, const char *words, const char *file, int line);
