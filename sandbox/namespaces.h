/* Namespaces in stages.
 *
 *   sippod        namespaces_enter_own()    a user namespace of its own: the parent of all pods and of the
 *                                           private router, so that the latter has power over the former
 *   a pod's first process, just cloned with namespaces_pod_clone_flags()
 *                 namespaces_map_pod()      done from outside, by sippod
 *                 namespaces_unshare_pod()  from inside: making a network namespace takes a while, and the
 *                                           parent must not wait for it
 *   a helper      namespaces_join()         the pod's user and network namespace
 *
 * user_namespaces(7). An ordinary user maps only himself and keeps his uid; root maps all that there is. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "src/base/error.h"

/* Enters a new user namespace, with all capabilities in it; *ret_keep are those that the process needs from
 * then on: none for an ordinary user; for root what writing the pods' maps takes, and access to root's files.
 * ERROR_HOST, with what to do about it, where this is not allowed. The process must have a single thread. */
int namespaces_enter_own(uint64_t *ret_keep, struct error **ret);

uint64_t namespaces_pod_clone_flags(void); /* CLONE_NEW… for process_fork() */
int namespaces_map_pod(pid_t pid, struct error **ret);
int namespaces_unshare_pod(struct error **ret);

/* For the first process of a pod: those to come have numbers from a random one on. SIPp makes Call-IDs and
 * branches of its process number, and a DUT takes what comes back soon from the same address for the same.
 * Best effort: it takes a kernel with CONFIG_CHECKPOINT_RESTORE, which distributions' are. */
void namespaces_scatter_pids(void);

/* A new network namespace for the router, made by its first process before exec. */
int namespaces_unshare_network(struct error **ret);

int namespaces_join(int user, int network, struct error **ret);

/* "cannot make a user namespace: <reason>; <what to do>" for an errno of clone or unshare. */
int namespaces_explain(int sys, struct error **ret);
