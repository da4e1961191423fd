#include "ops/layers/weights.h"

#include "core/ints.h"

#include <string.h>

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

struct cvy_conv_setting cvy_weights_setting(const struct cvy_op *op, const struct cvy_op_setting *setting) {
    const bool training = setting->mode == CVY_TRAIN;
    return (struct cvy_conv_setting){
        .type = op->type,
        .passes = {[CVY_PASS_FORWARD] = true, [CVY_PASS_DATA] = training && setting->dx, [CVY_PASS_WEIGHTS] = training},
        .fixed = !training};
}

struct cvy_op_needs cvy_weights_plan(const struct cvy_op_setting *setting, const struct cvy_conv *g,
                                     const struct cvy_conv_setting *how, struct cvy_conv_plan *plan) {
    struct cvy_conv largest = *g;
    largest.n = setting->most;
    cvy_conv_plan_make(setting->compute, &largest, how, plan);
    return (struct cvy_op_needs){plan->workspace, plan->copy_floats, cvy_conv_plan_copies(plan, CVY_PASS_FORWARD)};
}

static struct cvy_conv_weights weights_of(const struct cvy_call *call) {
    return (struct cvy_conv_weights){call->param[WEIGHT], call->copy};
}

void cvy_weights_forward(const struct cvy_op *op, const struct cvy_conv_plan *plan, struct cvy_call *call) {
    const size_t channels = (size_t)cvy_round_up(op->out.c, CVY_PANEL);
    const float *norm = call->fused.norm, *bias = op->params > BIAS ? call->param[BIAS] : NULL;
    const struct cvy_epilogue epilogue = {.bias = norm ? norm : bias,
                                          .scale = norm ? norm + channels : NULL,
                                          .shift = norm ? norm + 2 * channels : NULL,
                                          .residual = call->fused.residual ? call->x[op->inputs].data : NULL,
                                          .activation = call->fused.activation};
    cvy_conv_forward(plan, call->n, call->x[0].data, weights_of(call), &epilogue, call->y.data, call->workspace);
}

void cvy_weights_gradient(const struct cvy_op *op, const struct cvy_conv_plan *plan, struct cvy_call *call,
                          const void *dy, void *workspace) {
    const bool frozen = op->param[WEIGHT].lr_factor == 0, bias = op->params > BIAS;
    struct cvy_param weight = op->param[WEIGHT];
    weight.dims[weight.rank - 1] = plan->g.out.c; /* those that are there */
    if (!frozen || bias)
        cvy_conv_backward_weights(plan, call->n, call->x[0].data, dy, call->grad[WEIGHT],
                                  bias ? call->grad[BIAS] : NULL, workspace);
    if (frozen) memset(call->grad[WEIGHT], 0, cvy_param_stored(&weight) * sizeof(float));
}

void cvy_weights_backward_data(const struct cvy_conv_plan *plan, struct cvy_call *call) {
    if (call->dx[0].data)
        cvy_conv_backward_data(plan, call->n, call->dy.data, weights_of(call), call->dx[0].data, call->accumulate[0],
                               call->workspace);
}
