#include "ops/ops.h"

#include <string.h>

#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "ops/registered.h"

#define DECLARE(name) extern const struct cvy_op_kind cvy_op_##name;
CVY_OPS(DECLARE)

static const struct cvy_op_kind *const kinds[] = {
#define LIST(name) &cvy_op_##name,
    CVY_OPS(LIST)};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Ours, then those of programs; NULL behind the last. */
static const struct cvy_op_kind *kind_at(int index) {
    return index < KINDS ? kinds[index] : cvy_registered(index - KINDS);
}

const struct cvy_op_kind *cvy_ops_find(const char *name, const char **nearest) {
    const char *names[KINDS + CVY_REGISTERED];
    const struct cvy_op_kind *kind;
    size_t count = 0;
    for (int i = 0; (kind = kind_at(i)); i++) {
        if (strcmp(kind->name, name) == 0) return kind;
        names[count++] = kind->name;
    }
    *nearest = cvy_nearest(name, names, count);
    return NULL;
}

bool cvy_ops_list(int index, struct cvy_listing *out) {
    const struct cvy_op_kind *kind = index < 0 ? NULL : kind_at(index);
    if (kind) *out = (struct cvy_listing){kind->name, kind->purpose, kind->shorthand, kind->keys};
    return kind != NULL;
}

enum { TRAINING = 1 << CVY_TRAIN, EVALUATION = 1 << CVY_EVALUATE, BOTH = TRAINING | EVALUATION };

/* The first row that fits. */
static const struct cvy_fusion fusions[] = {
    {&cvy_op_batchnorm, &cvy_op_relu, BOTH, .whole = true, .activation = CVY_FUSED_RELU},
    {&cvy_op_batchnorm, &cvy_op_add, BOTH, .whole = true, .residual = true},
    {&cvy_op_batchnorm, &cvy_op_relu, BOTH, .activation = CVY_FUSED_RELU}, /* frozen */
    {&cvy_op_conv, &cvy_op_batchnorm, EVALUATION, .norm = true},
    {&cvy_op_conv, &cvy_op_add, EVALUATION, .residual = true},
    {&cvy_op_conv, &cvy_op_relu, BOTH, .activation = CVY_FUSED_RELU},
    {&cvy_op_dense, &cvy_op_batchnorm, EVALUATION, .norm = true},
    {&cvy_op_dense, &cvy_op_relu, BOTH, .activation = CVY_FUSED_RELU},
    {&cvy_op_groupnorm, &cvy_op_relu, BOTH, .activation = CVY_FUSED_RELU},
};

static bool fits(const struct cvy_fusion *how, const struct cvy_op *first, enum cvy_mode mode, bool learns) {
    if ((how->modes & 1u << mode) == 0) return false;
    if (how->whole && mode == CVY_TRAIN && (first->frozen || !learns)) return false;
    return !how->residual || first->adds;
}

const struct cvy_fusion *cvy_ops_fuse(const struct cvy_op *first, const struct cvy_op *second, enum cvy_mode mode,
                                      bool learns) {
    for (size_t i = 0; i < sizeof fusions / sizeof *fusions; i++)
        if (fusions[i].first == first->kind && fusions[i].second == second->kind &&
            fits(&fusions[i], first, mode, learns))
            return &fusions[i];
    return NULL;
}

void cvy_op_declare(struct cvy_op *op, const struct cvy_param *param) {
    CVY_ASSERT(op->params < CVY_OP_PARAMS);
    op->param[op->params] = *param;
    op->param[op->params++].lr_factor = 1;
}

void cvy_op_declare_buffer(struct cvy_op *op, const struct cvy_param *buffer) {
    CVY_ASSERT(op->buffers < CVY_OP_BUFFERS);
    op->buffer[op->buffers++] = *buffer;
}

void cvy_op_pass(struct cvy_call *call, int64_t count) {
    if (call->x[0].data != call->y.data)
        memcpy(call->y.data, call->x[0].data, (size_t)count * cvy_dtype_bytes(call->y.dtype));
}

void cvy_op_pass_back(struct cvy_call *call, int input, int64_t count) {
    void *dx = call->dx[input].data;
    if (dx == NULL || dx == call->dy.data) return;
    if (!call->accumulate[input])
        memcpy(dx, call->dy.data, (size_t)count * cvy_dtype_bytes(call->dy.dtype));
    else
        cvy_tensor_add(call->compute, call->dy.dtype, dx, call->dy.data, count);
}
