/* The context: what every part of a run shares. Made once, passed down. */
#ifndef CVY_TRAIN_CONTEXT_H
#define CVY_TRAIN_CONTEXT_H

#include <stdatomic.h>

#include "comm/comm.h"
#include "convoy/context.h"
#include "core/log.h"
#include "kernels/compute.h"

struct cvy_context {
    struct cvy_comm *comm;
    struct cvy_compute *compute;
    struct cvy_log *log;
    atomic_int stop; /* set by cvy_request_stop */
    bool broken;     /* this rank failed alone: it must speak and end the job */
};

/* A status that the other ranks do not know of: when it is a failure, this rank is broken from now on, and waits a
 * moment longer the higher its rank, so that of several ranks that fail alike only the lowest gets to speak. Returns
 * `status`. */
cvy_status cvy_context_alone(struct cvy_context *ctx, cvy_status status);

#endif
