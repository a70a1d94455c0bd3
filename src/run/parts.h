/* The SIPps of a test: call after call, and in each part after part; where there is but one part, SIPp makes
 * all calls at once. In a part the UASs come first, then, when every UAS is bound, the UACs, and the master
 * of a 3PCC last, when its slaves are bound. */
#pragma once

#include "src/report/results.h"
#include "src/run/ua_process.h"

#define PART_SECONDS 180 /* the cap of a part */

struct parts;

struct parts_config {
    struct ua_config ua;
    struct loop *loop;
    struct ua_result *results; /* one for each scenario, in their order; filled in */
};

/* done(user, failure) is called once, when no SIPp runs any more: failure is NULL if all went well, else the
 * reason. The object is freed. The configuration's pointers must stay valid until then. */
struct parts *parts_start(const struct parts_config *config, void (*done)(void *user, const char *failure),
                          void *user);

/* What would be started, in that order: tell(user, command) for each SIPp. */
struct part_command {
    const struct scenario *scenario;
    const struct strings *arguments;
    bool first, last; /* of its part */
};
void parts_tell(const struct ua_config *config, void (*tell)(void *user, const struct part_command *command),
                void *user);

/* Ends all of it with this reason: SIGTERM, SIGKILL after a second. done() follows. */
void parts_stop(struct parts *parts, const char *reason);

/* The same, without patience: SIGKILL. */
void parts_hurry(struct parts *parts);

/* The UAs whose SIPp is running, "ua0 (uas_ua0.xml), ua1 (uac_ua1.xml)"; the caller frees it. */
char *parts_running(const struct parts *parts);
