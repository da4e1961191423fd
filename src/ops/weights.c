#include "ops/weights.h"

#include <string.h>

enum { WEIGHT, BIAS };

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

void cvy_weights_prepare(const struct cvy_conv *g, struct cvy_call *call) {
    cvy_conv_flip(call->compute, g, call->param[WEIGHT], call->copy);
}

void cvy_weights_forward(const struct cvy_op *op, const struct cvy_conv *g, struct cvy_call *call) {
    struct cvy_epilogue epilogue = {.bias = op->params > BIAS ? call->param[BIAS] : NULL, .activation = op->fused};
    cvy_conv_forward(call->compute, g, call->x[0].data, call->param[WEIGHT], &epilogue, call->y.data, call->workspace);
}

void cvy_weights_backward(const struct cvy_op *op, const struct cvy_conv *g, struct cvy_call *call) {
    float *dbias = op->params > BIAS ? call->grad[BIAS] : NULL;
    cvy_conv_backward_weights(call->compute, g, call->x[0].data, call->dy.data, call->grad[WEIGHT], dbias,
                              call->workspace);
    if (call->dx[0].data)
        cvy_conv_backward_data(call->compute, g, call->dy.data, call->copy, call->dx[0].data, call->accumulate[0],
                               call->workspace);
}
