/* The context: what every part of a run shares. Made once, passed down. */
#ifndef CVY_TRAIN_CONTEXT_H
#define CVY_TRAIN_CONTEXT_H

#include <stdatomic.h>

#include "comm/comm.h"
#include "convoy/context.h"
#include "core/inside.h"
#include "core/log.h"
#include "kernels/compute.h"

struct cvy_context {
    struct cvy_comm *comm;
    struct cvy_compute *compute;
    struct cvy_log *log;
    atomic_int stop; /* how often cvy_request_stop was called */
    bool broken;     /* this rank failed alone: it must speak and end the job */
};

/* Where a public call that works with the context begins: from here to the end of the function, however it ends, its
 * thread is inside (core/inside.h), and a BLAS call is one thread's. */
struct cvy_visit {
    struct cvy_outside outside;
    const struct cvy_compute *compute;
};
#define CVY_ENTER(ctx)                                                                                                 \
    struct cvy_visit visit_ __attribute__((cleanup(cvy_context_leave)));                                               \
    cvy_context_enter((ctx), &visit_)
void cvy_context_enter(const struct cvy_context *ctx, struct cvy_visit *visit);
void cvy_context_leave(struct cvy_visit *visit);

/* A status that the other ranks do not know of: when it is a failure, this rank is broken from now on, and waits a
 * moment longer the higher its rank, so that of several ranks that fail alike only the lowest gets to speak. Returns
 * `status`. */
cvy_status cvy_context_alone(struct cvy_context *ctx, cvy_status status);

/* Whether cvy_request_stop was called; for those who are given a function to ask, `ctx` a struct cvy_context. */
bool cvy_context_stop_asked(void *ctx);
/* A wish to stop that a call has heeded, by ending with CVY_STOPPED, is not one of the next call. Returns `status`. */
cvy_status cvy_context_heeded(struct cvy_context *ctx, cvy_status status);

#endif
