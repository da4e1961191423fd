#include "ops/weights.h"

#include <string.h>

#include "kernels/grouped.h"

enum { WEIGHT, BIAS };

bool cvy_weights_check_groups(const struct cvy_op *op, int64_t groups, int64_t filters, struct cvy_findings *findings) {
    if (op->in[0].c % groups == 0 && filters % groups == 0) return true;
    cvy_find(findings, op->node, "%s: %d groups do not divide %d input channels and %d filters evenly", op->name,
             (int)groups, op->in[0].c, (int)filters);
    return false;
}

void cvy_weights_declare(struct cvy_op *op, const int64_t *dims, int rank, bool bias,
                         const struct cvy_weight_inits *inits) {
    struct cvy_param weight = {.name = "weight",
                               .rank = rank,
                               .panels = true,
                               .init = inits->weight.kind,
                               .init_how = inits->weight.how,
                               .decay = CVY_DECAY_WEIGHT};
    memcpy(weight.dims, dims, (size_t)rank * sizeof *dims);
    cvy_op_declare(op, &weight);
    if (bias)
        cvy_op_declare(op, &(struct cvy_param){.name = "bias",
                                               .rank = 1,
                                               .dims = {dims[rank - 1]},
                                               .init = inits->bias.kind,
                                               .init_how = inits->bias.how,
                                               .decay = CVY_DECAY_BIAS});
}

void cvy_weights_prepare(const struct cvy_conv *g, int groups, struct cvy_call *call) {
    cvy_grouped_flip(call->compute, g, groups, call->param[WEIGHT], call->copy);
}

void cvy_weights_forward(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call) {
    const size_t channels = (size_t)(g->out.c + CVY_PANEL - 1) / CVY_PANEL * CVY_PANEL;
    const float *norm = call->fused.norm;
    const struct cvy_epilogue epilogue = {.bias = norm                ? norm
                                                  : op->params > BIAS ? call->param[BIAS]
                                                                      : NULL,
                                          .scale = norm ? norm + channels : NULL,
                                          .shift = norm ? norm + 2 * channels : NULL,
                                          .residual = call->fused.residual ? call->x[op->inputs].data : NULL,
                                          .activation = call->fused.activation};
    cvy_grouped_forward(call->compute, g, groups, call->x[0].data, call->param[WEIGHT], &epilogue, call->y.data,
                        call->workspace);
}

void cvy_weights_gradient(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call,
                          const float *dy, void *workspace) {
    const bool frozen = op->param[WEIGHT].lr_factor == 0, bias = op->params > BIAS;
    const struct cvy_param weight = {
        .rank = 2, .panels = true, .dims = {(int64_t)g->r * g->s * (g->in.c / groups), g->out.c}};
    if (!frozen || bias)
        cvy_grouped_backward_weights(call->compute, g, groups, call->x[0].data, dy, call->grad[WEIGHT],
                                     bias ? call->grad[BIAS] : NULL, workspace);
    if (frozen) memset(call->grad[WEIGHT], 0, cvy_param_stored(&weight) * sizeof(float));
}

void cvy_weights_backward_data(const struct cvy_conv *g, int groups, struct cvy_call *call) {
    if (call->dx[0].data)
        cvy_grouped_backward_data(call->compute, g, groups, call->dy.data, call->copy, call->dx[0].data,
                                  call->accumulate[0], call->workspace);
}

void cvy_weights_backward(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call) {
    cvy_weights_gradient(op, g, groups, call, call->dy.data, call->workspace);
    cvy_weights_backward_data(g, groups, call);
}
