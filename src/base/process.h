/* Child processes: made with a pidfd, known by it, and started with nothing that they were not given. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/base/error.h"

/* Like fork(), with clone3(2) flags (CLONE_NEW…) and a close-on-exec pidfd for the parent. Returns the pid in
 * the parent, 0 in the child, -1 on failure. The child has no parent-death signal yet. */
pid_t process_fork(uint64_t flags, int *ret_pidfd, struct error **ret);

/* In a child: `fds[0]` becomes its descriptor 3, `fds[1]` 4 and so on; no other above standard error stays
 * open. -1 with errno on failure. */
int process_keep_only(const int *fds, size_t count);

/* In a child: the same, and runs the program behind the descriptor `program`. Returns only on failure, with
 * errno. */
void process_exec(int program, char *const arguments[], char *const environment[], const int *fds,
                  size_t count);

/* Starts a command of the user's, looked for in PATH, as a shell would: it has this process's environment and
 * streams (but `output`, unless negative, as its standard output), ignores the same signals, and blocks those
 * of `blocked`. *ret_pidfd is close-on-exec. */
int process_spawn(char *const words[], int output, const sigset_t *blocked, int *ret_pidfd,
                  struct error **ret);

/* In a child: default disposition for all signals, nothing blocked. */
void process_reset_signals(void);

/* In a child: standard input is /dev/null; output too, if `output` is negative, else that descriptor; the
 * same for errors. */
int process_standard_streams(int output, int errors, struct error **ret);

/* Asks for SIGKILL when the parent ends, and checks through `channel` (a socket whose other end only the
 * parent holds) that it has not ended already. Call it after exec: exec of a privileged file clears it. */
int process_die_with_parent(int channel, struct error **ret);

/* How a process ended. */
struct process_end {
    int exit_code; /* 0–255; for a signal 128 + its number, as shells say it */
    int signal;    /* 0: it exited */
};

/* Reaps the child behind `pidfd` if it has ended: 1 if it has, 0 if it has not, -1 on error. */
int process_reap(int pidfd, struct process_end *ret_end, struct error **ret);

/* kill(2) by pidfd; that the process has ended already is no error. */
int process_signal(int pidfd, int signal, struct error **ret);

/* "SIGTERM" for 15; "signal 70" for what has no name. The text is static or per-thread. */
const char *process_signal_name(int signal);
