/* System call filters: everything but what a process of that kind never needs and could do harm with.
 * seccomp(2); libseccomp. Refused calls fail with EPERM, so that programs can say what they miss; clone3,
 * whose flags a filter cannot see, with ENOSYS, so that libraries fall back to clone. Each sets no_new_privs.
 */
#pragma once

#include "src/base/error.h"

/* For a pod's agent once its namespaces and mounts are made, and so for all that runs in the pod: no mounts,
 * no namespaces, no modules, kexec, bpf, io_uring, keyrings, tracing of others, clocks. */
int seccomp_pod(struct error **ret);

/* For helpers: that, and no new programs. */
int seccomp_helper(struct error **ret);

/* For the router: that, and no new processes. */
int seccomp_router(struct error **ret);

/* Filters can be made once for many processes: compiling one takes a millisecond, loading it nothing.
 * *ret_file is a memory file that seccomp_load_file() takes. */
int seccomp_compile_pod(int *ret_file, struct error **ret);
int seccomp_compile_helper(int *ret_file, struct error **ret);
int seccomp_load_file(int file, struct error **ret);
