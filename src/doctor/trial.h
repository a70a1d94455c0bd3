/* A trial of what a run does to make a pod, in processes of its own that are gone afterwards, and everything
 * that they made with them.
 *
 *   trial.c         the caller's side: starts it, collects what it finds out, within a deadline
 *   trial_run.c     the process that stands for sippod: own user namespace, router, pod
 *   trial_router.c  the router, which is the real one
 *   trial_pod.c     the process that stands for a pod's first one: namespaces, devices, files, filter
 *   trial_words.c   what errors mean (pure, but for a look at /proc/self/status)
 */
#pragma once

#include <sys/types.h>

#include "src/doctor/finding.h"

#define MEANS_NAMESPACES  "every test runs in namespaces of its own: without them no test can be run"
#define TRIAL_NO_SUCH_UID "uid" /* the finding of a trial whose uid there is not in this user namespace */

struct trial {
    int router;  /* sippod-router, opened; -1: there is none, and so it is not tried */
    uid_t uid;   /* 0: as the caller; else as that user, which takes root */
    int reports; /* where findings go to, one message each */
};

/* Appends what was found out: "user-namespace", "namespaces" and so on as far as it came, at least one.
 * A caller who has gone into a user namespace of his own and dropped capabilities there is no hindrance. */
void trial_make(const struct trial *trial, struct findings *findings);

/* ---- inside ---- */

void trial_tell(const struct trial *trial, const struct finding *finding);
void trial_tellf(const struct trial *trial, enum finding_level level, const char *id, const char *means,
                 const char *mend, const char *what, ...) __attribute__((format(printf, 6, 7)));

/* An error of namespaces_explain() or of anything else, as BAD. */
void trial_refused(const struct trial *trial, const char *id, const char *means, const struct error *error);

/* A command that mends what an errno value stands for here; NULL: none is known. */
const char *trial_mend(int sys);

/* Takes namespaces_explain()'s "<what>; <advice>: <reason>" apart: *ret_what is "<what>: <reason>", *ret_mend
 * the command if the advice is one (else NULL), *ret_advice what else it is (else NULL). An error that has no
 * such form is all *ret_what. */
void trial_take_apart(const struct error *error, char **ret_what, char **ret_mend, char **ret_advice);

void trial_run(const struct trial *trial) __attribute__((noreturn));

/* In the pod's first process. `stage`: a socket to trial_run(): "go" once the maps are written, a byte back
 * when the network namespace is there, and another one from there when the router has connected it. */
void trial_pod(const struct trial *trial, int stage) __attribute__((noreturn));

struct trial_router {
    pid_t pid;
    int socket, words; /* to talk with it; what it prints */
};
int trial_router_start(const struct trial *trial, struct trial_router *router, struct error **ret);
/* Greets it and lets it connect a pod's network namespace. */
int trial_router_connect(struct trial_router *router, int network, struct error **ret);
void trial_router_stop(struct trial_router *router);
