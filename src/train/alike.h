/* Whether all ranks read the same: copies of data sets on different hosts may differ. */
#ifndef CVY_TRAIN_ALIKE_H
#define CVY_TRAIN_ALIKE_H

#include "comm/comm.h"
#include "data/probe.h"

/* Collective. CVY_ERR_DATA on every rank, naming the first rank that differs from rank 0, its host and what differs:
 * number of samples, shapes, types, classes, the selection of inputs and targets of `probe`, and the digest of the
 * whole set where it carries one. `name`: the data set, on this rank. */
cvy_status cvy_alike_source(struct cvy_comm *comm, const struct cvy_source *source, const struct cvy_probe *probe,
                            const char *name);
/* Collective. The same of one number: `what` is "the checkpoint's state", `status` what a difference gives. */
cvy_status cvy_alike_number(struct cvy_comm *comm, uint64_t number, const char *what, cvy_status status);

#endif
