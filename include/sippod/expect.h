/* libsippod-expect: expectations of the packets of network interfaces.
 *
 *     struct sippod_context *context = sippod_context_new();
 *     struct sippod_future *future = sippod_expect(context, "eth0", sippod_saw_vlan_tag(102), NULL);
 *     …                                                       (what makes the device send)
 *     if (!sippod_check_true(future))
 *         puts(sippod_future_detail(future));
 *     sippod_context_free(context);
 *
 * When sippod_expect() returns, capture is running; it takes some 10 ms for the first future of an interface.
 *
 * Threads. A context has one thread of its own, the worker, on which all functions of all its predicates and
 * monitors are called, one at a time. All functions below may be called from any thread, and from those
 * functions too, where a wait returns at once. The context is locked while they run: a function of a
 * predicate that waits for a lock which another thread holds while it calls the library waits for ever.
 *
 * Lost packets. Where packets come faster than they are looked at the kernel loses some once it has no more
 * room, and nobody knows what they were. What a stop condition has decided stands all the same, and the
 * detail tells how many were lost. Every other end, by time or by the limit of packets, is then an error:
 * what was lost may be what was to be seen, not to be seen or to be counted.
 *
 * Rights. Capturing and sending need CAP_NET_RAW in the network namespace: root, a file capability, or a pod
 * (`sippod exec --script-caps net_raw -- PROGRAM`). Without it futures end as an error that says so. */
#ifndef SIPPOD_EXPECT_H
#define SIPPOD_EXPECT_H

#include "verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sippod_context;
struct sippod_future;

/* NULL with errno: no memory, threads or descriptors are left. */
struct sippod_context *sippod_context_new(void);

/* Ends the worker, and frees the context with all its futures. Not from the worker; NULL is fine. */
void sippod_context_free(struct sippod_context *context);

/* Expects that of the packets of the interface from now on; takes the predicate. `options` may be NULL. There
 * is one capture an interface and direction, however many futures; it truncates no frame up to 65,535 bytes.
 * Whatever is wrong (no such interface, no right to capture, a wrong argument) makes a future that has ended
 * as SIPPOD_FAILED; so does an interface that vanishes or goes down. NULL: out of memory; the predicate is
 * freed. */
struct sippod_future *sippod_expect(struct sippod_context *context, const char *interface,
                                    struct sippod_predicate predicate, const struct sippod_options *options);

/* Calls fn(user, packet) for each packet that the filter (NULL: none) lets through, until the future is
 * cancelled or freed, or fn returns -1, which makes it an error. */
struct sippod_future *sippod_monitor(struct sippod_context *context, const char *interface,
                                     const char *filter,
                                     int (*fn)(void *user, const struct sippod_packet *packet), void *user);

/* Whether it has ended. Does not wait. */
bool sippod_future_ready(struct sippod_future *future);

/* A descriptor that is readable once the future has ended, to poll and not to read; it is the future's. -1
 * with errno. */
int sippod_future_fd(struct sippod_future *future);

/* Waits until it has ended, and fills in *ret (unless NULL). Returns its state. */
enum sippod_state sippod_future_wait(struct sippod_future *future, struct sippod_verdict *ret);

/* Each waits. 0, or -1 if it ended in another way or as another kind of value: *ret is left alone then. */
int sippod_future_bool(struct sippod_future *future, bool *ret);
int sippod_future_integer(struct sippod_future *future, int64_t *ret);
int sippod_future_pointer(struct sippod_future *future, void **ret);

/* Each waits, and says whether it came out so. An error and a cancelled one are neither true nor false. */
bool sippod_check_true(struct sippod_future *future);
bool sippod_check_false(struct sippod_future *future);
bool sippod_check_value(struct sippod_future *future, int64_t expected);

/* Waits; the sentence of the verdict, which lasts as long as the future. */
const char *sippod_future_detail(struct sippod_future *future);

/* Its time is over now, as if its timeout had been so short: what came until now still counts, and a few
 * hundredths of a second later it has ended. */
void sippod_future_finish(struct sippod_future *future);

/* Ends it as SIPPOD_CANCELLED, unless it has ended. */
void sippod_future_cancel(struct sippod_future *future);

/* Cancels and frees it, where sippod_context_free() would do so too late. NULL is fine. */
void sippod_future_free(struct sippod_future *future);

/* Sends a frame, link-layer header first, from 14 bytes to what the interface takes. 0, or -1 with errno. */
int sippod_send(struct sippod_context *context, const char *interface, const void *frame, size_t length);

#ifdef __cplusplus
}
#endif

#endif
