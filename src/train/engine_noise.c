/* Winograd's and Toom's algorithms give a zero exactly where a whole channel is zero; elsewhere a sum whose terms are
 * all zero comes out as rounding noise, some 1e-6 of the largest. An optimiser that divides a gradient by its own size
 * makes whole steps of that, unless what it adds to the divisor is larger. */
#include "train/session_parts.h"

#define LEAST 1e-8 /* as small as most defaults */

void cvy_session_warn_of_noise(const struct cvy_session *s) {
    const struct cvy_optimizer *optimizer = &s->optimizer;
    const struct cvy_op *first = NULL;
    const double least = optimizer->kind->least ? optimizer->kind->least(optimizer->state) : LEAST;
    for (int i = 0; i < s->graph->node_count && first == NULL; i++) {
        const struct cvy_op *op = &s->graph->nodes[i].op;
        if (op->kind->transforms && op->kind->transforms(op, s->plan.leaf)) first = op;
    }
    if (least >= LEAST || first == NULL) return;
    cvy_warn(s->ctx->log,
             "optimizer %s divides a gradient by its own size, and by %g at least: in %s and wherever else Winograd's "
             "algorithm runs, weights whose gradient is zero may be moved by its rounding; take an eps of %g or more, "
             "or train.winograd: false",
             optimizer->kind->name, least, first->name, LEAST);
}
