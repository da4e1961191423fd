/* Winograd's and Toom's algorithms give a zero exactly where a whole channel is zero; elsewhere a sum whose terms are
 * all zero comes out as rounding noise, some 1e-6 of the largest. An optimiser that divides a gradient by its own size
 * makes whole steps of that, unless what it adds to the divisor is larger. */
#include "train/engine.h"

#define LEAST 1e-8 /* as small as most defaults */

void cvy_engine_warn_of_noise(const struct cvy_engine *e, struct cvy_log *log) {
    const struct cvy_graph *graph = e->spec.graph;
    const struct cvy_optimizer *optimizer = &e->optimizer;
    const struct cvy_op *first = NULL;
    const struct cvy_op_setting setting = {e->spec.compute, CVY_TRAIN, e->spec.leaf, true};
    const double least = optimizer->kind->least ? optimizer->kind->least(optimizer->state) : LEAST;
    for (int i = 0; i < graph->node_count && first == NULL; i++) {
        const struct cvy_op *op = &graph->nodes[i].op;
        if (op->kind->transforms && op->kind->transforms(op, &setting)) first = op;
    }
    if (least >= LEAST || first == NULL) return;
    cvy_warn(log,
             "optimizer %s divides a gradient by its own size, and by %g at least: in %s and wherever else Winograd's "
             "algorithm runs, weights whose gradient is zero may be moved by its rounding; take an eps of %g or more, "
             "or train.winograd: false",
             optimizer->kind->name, least, first->name, LEAST);
}
