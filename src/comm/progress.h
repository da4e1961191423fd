/* Who moves buckets on while a rank computes: polls between layers, or a thread of its own beside them.
 *
 * The thread sleeps until something is under way, then looks every 20 µs, and adds what has come by itself, since the
 * compute threads are busy. All that both may touch (buckets, requests, the control record) is under one lock. It wants
 * an MPI that several threads may call (MPI_THREAD_MULTIPLE), and a processor that nobody computes on. */
#ifndef CVY_COMM_PROGRESS_H
#define CVY_COMM_PROGRESS_H

#include "comm/comm.h"

struct cvy_exchange;

/* Starts the thread where the plan wants one, or, of AUTO, where it pays: messages between hosts, and a processor to
 * spare. CVY_ERR_USAGE where it cannot be. Collective. */
cvy_status cvy_progress_start(struct cvy_exchange *x);
/* Fine where there is none. */
void cvy_progress_stop(struct cvy_exchange *x);
/* Nothing where there is none. */
void cvy_progress_lock(struct cvy_exchange *x);
void cvy_progress_unlock(struct cvy_exchange *x); /* and tells the thread that there may be something */
/* What the thread failed with, if it did; the lock is held. */
cvy_status cvy_progress_status(const struct cvy_exchange *x);

#endif
