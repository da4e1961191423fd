/* Layers of programs (convoy/op.h), beside those of ops.h: of the process, as these are. */
#ifndef CVY_OPS_REGISTERED_H
#define CVY_OPS_REGISTERED_H

#include "convoy/op.h"
#include "ops/op.h"

enum { CVY_REGISTERED = 64 /* at most */ };

/* Number `index` of them, NULL behind the last. Safe from any thread. */
const struct cvy_op_kind *cvy_registered(int index);

/* Adds one, whose name nobody has. CVY_ERR_USAGE where it is not complete. */
cvy_status cvy_registered_add(const struct cvy_layer_kind *kind);

#endif
