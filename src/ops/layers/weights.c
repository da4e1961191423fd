#include "ops/layers/weights.h"

#include "core/ints.h"

#include <string.h>

#include "kernels/conv/bf16.h"
#include "kernels/conv/grouped.h"
#include "kernels/trace.h"

enum { WEIGHT, BIAS = CVY_BIAS_PARAM };

bool cvy_weights_check_groups(const struct cvy_op *op, int64_t groups, int64_t filters, struct cvy_findings *findings) {
    if (op->in[0].c % groups == 0 && filters % groups == 0) return true;
    cvy_find(findings, op->node, "%s: %d groups do not divide %d input %s and %d %s evenly", op->name, (int)groups,
             op->in[0].c, cvy_plural(op->in[0].c, "channel", "channels"), (int)filters,
             cvy_plural((double)filters, "filter", "filters"));
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

void cvy_weights_declare_bf16(struct cvy_op *op, const struct cvy_conv *g) {
    op->bf16 = true;
    for (int training = 0; training < 2; training++) op->bf16_copy[training] = cvy_conv_bf16_copy_floats(g, training);
}

size_t cvy_weights_scratch(const struct cvy_op *op, const struct cvy_conv *g, int groups, int threads) {
    return op->type == CVY_BF16 ? cvy_conv_bf16_workspace(g, threads) : cvy_grouped_workspace(g, groups, threads);
}

static struct cvy_bf16_weights bf16_weights(const struct cvy_call *call) {
    return (struct cvy_bf16_weights){call->param[WEIGHT], call->copy, call->most};
}

void cvy_weights_prepare(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call) {
    if (op->type != CVY_BF16) {
        cvy_grouped_flip(call->compute, g, groups, call->param[WEIGHT], call->copy);
        return;
    }
    const double start = cvy_trace_start(call->compute);
    const struct cvy_bf16_weights w = bf16_weights(call);
    cvy_conv_bf16_prepare(call->compute, g, &w, call->mode == CVY_TRAIN);
    cvy_trace_end(call->compute, CVY_PASS_COPIES, start);
}

void cvy_weights_forward(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call) {
    const size_t channels = (size_t)cvy_round_up(g->out.c, CVY_PANEL);
    const float *norm = call->fused.norm;
    const struct cvy_epilogue epilogue = {.bias = norm                ? norm
                                                  : op->params > BIAS ? call->param[BIAS]
                                                                      : NULL,
                                          .scale = norm ? norm + channels : NULL,
                                          .shift = norm ? norm + 2 * channels : NULL,
                                          .residual = call->fused.residual ? call->x[op->inputs].data : NULL,
                                          .activation = call->fused.activation};
    if (op->type == CVY_BF16) {
        const double start = cvy_trace_start(call->compute);
        const struct cvy_bf16_weights w = bf16_weights(call);
        cvy_conv_bf16_forward(call->compute, g, call->x[0].data, &w, &epilogue, call->y.data, call->workspace);
        cvy_trace_end(call->compute, CVY_PASS_FORWARD, start);
    } else if (call->kept) {
        const double start = cvy_trace_start(call->compute);
        cvy_conv_forward_kept(call->compute, g, call->x[0].data, call->param[WEIGHT], call->kept, &epilogue,
                              call->y.data, call->workspace);
        cvy_trace_end(call->compute, CVY_PASS_FORWARD, start);
    } else
        cvy_grouped_forward(call->compute, g, groups, call->x[0].data, call->param[WEIGHT], &epilogue, call->y.data,
                            call->workspace);
}

void cvy_weights_gradient(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call,
                          const void *dy, void *workspace) {
    const bool frozen = op->param[WEIGHT].lr_factor == 0, bias = op->params > BIAS;
    const struct cvy_param weight = {
        .rank = 2, .panels = true, .dims = {(int64_t)g->r * g->s * (g->in.c / groups), g->out.c}};
    float *dbias = bias ? call->grad[BIAS] : NULL;
    if (!frozen || bias) {
        if (op->type == CVY_BF16) {
            const double start = cvy_trace_start(call->compute);
            cvy_conv_bf16_backward_weights(call->compute, g, call->x[0].data, dy, call->grad[WEIGHT], dbias, workspace);
            cvy_trace_end(call->compute, CVY_PASS_WEIGHTS, start);
        } else
            cvy_grouped_backward_weights(call->compute, g, groups, call->x[0].data, dy, call->grad[WEIGHT], dbias,
                                         workspace);
    }
    if (frozen) memset(call->grad[WEIGHT], 0, cvy_param_stored(&weight) * sizeof(float));
}

void cvy_weights_backward_data(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call) {
    if (call->dx[0].data == NULL) return;
    if (op->type == CVY_BF16) {
        const double start = cvy_trace_start(call->compute);
        const struct cvy_bf16_weights w = bf16_weights(call);
        cvy_conv_bf16_backward_data(call->compute, g, call->dy.data, &w, call->dx[0].data, call->accumulate[0],
                                    call->workspace);
        cvy_trace_end(call->compute, CVY_PASS_DATA, start);
    } else
        cvy_grouped_backward_data(call->compute, g, groups, call->dy.data, call->copy, call->dx[0].data,
                                  call->accumulate[0], call->workspace);
}

void cvy_weights_backward(const struct cvy_op *op, const struct cvy_conv *g, int groups, struct cvy_call *call) {
    cvy_weights_gradient(op, g, groups, call, call->dy.data, call->workspace);
    cvy_weights_backward_data(op, g, groups, call);
}
