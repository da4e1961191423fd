/* The workspace of a converted op begins with y, dy, and x and dx of each of its inputs, in fp32. */
#include "graph/run/mixed.h"

#include "core/memory.h"
#include "kernels/bf16.h"

static size_t bytes_of(struct cvy_shape shape, int n) {
    return cvy_align_up((size_t)cvy_op_count(shape, n) * sizeof(float));
}

/* Of a value and its gradient. */
static size_t place_bytes(const struct cvy_graph *graph, int value, int n) {
    const struct cvy_value *v = &graph->values[value];
    return v->type == CVY_BF16 ? 2 * bytes_of(v->shape, n) : 0;
}

size_t cvy_mixed_bytes(const struct cvy_graph *graph, int node, int n) {
    const struct cvy_graph_node *of = &graph->nodes[node];
    size_t bytes = 0;
    if (of->op.type != CVY_F32) return 0;
    if (of->output >= 0) bytes += (of->op.adds ? 2 : 1) * place_bytes(graph, of->output, n); /* it, and a residual */
    for (int k = 0; k < of->op.inputs; k++) bytes += place_bytes(graph, of->inputs[k], n);
    return bytes;
}

/* The place in fp32 of a tensor, its own where it is fp32; `at` moves on. */
static struct cvy_tensor place(const struct cvy_tensor *t, unsigned char **at) {
    struct cvy_tensor wide = *t;
    if (t->data == NULL || t->dtype != CVY_BF16) return wide;
    wide.data = *at;
    wide.dtype = CVY_F32;
    *at += bytes_of(t->shape, t->n);
    return wide;
}

static void widen(const struct cvy_call *call, const struct cvy_tensor *from, const struct cvy_tensor *to) {
    if (from->data && from->dtype == CVY_BF16)
        cvy_bf16_to_floats(call->compute, from->data, to->data, cvy_op_count(from->shape, from->n));
}
static void narrow(const struct cvy_call *call, const struct cvy_tensor *from, const struct cvy_tensor *to) {
    if (to->data && to->dtype == CVY_BF16)
        cvy_bf16_from_floats(call->compute, from->data, to->data, cvy_op_count(to->shape, to->n));
}

/* A fused residual is one more. */
static int inputs_of(const struct cvy_mixed *m) {
    return m->op->inputs + m->outer->fused.residual;
}

/* Which of the inputs before k is the same buffer; k for none. */
static int first_like(const struct cvy_tensor *tensors, int k) {
    for (int j = 0; j < k; j++)
        if (tensors[j].data == tensors[k].data) return j;
    return k;
}

static void widen_operands(const struct cvy_mixed *m, const struct cvy_tensor *x, const struct cvy_tensor *dx) {
    const struct cvy_op *op = m->op;
    const struct cvy_call *outer = m->outer;
    const bool backward = m->pass == CVY_MIXED_BACKWARD, back = backward || m->pass == CVY_MIXED_PARTIAL_BACKWARD;
    const bool reads_x = !backward || (op->reads & CVY_READS_INPUT);
    for (int k = 0; k < inputs_of(m); k++) {
        if (reads_x && first_like(outer->x, k) == k) widen(outer, &outer->x[k], &x[k]);
        if (backward && outer->accumulate[k] && first_like(outer->dx, k) == k) widen(outer, &outer->dx[k], &dx[k]);
    }
    if (back && (outer->fused.residual || (op->reads & CVY_READS_OUTPUT))) widen(outer, &outer->y, &m->call.y);
    if (back) widen(outer, &outer->dy, &m->call.dy);
}

struct cvy_call *cvy_mixed_begin(struct cvy_mixed *m, const struct cvy_op *op, struct cvy_call *outer,
                                 enum cvy_mixed_pass pass, struct cvy_tensor *tensors) {
    *m = (struct cvy_mixed){.outer = outer, .op = op, .pass = pass};
    if (op->type != CVY_F32) return outer;
    struct cvy_tensor *x = tensors, *dx = tensors + inputs_of(m);
    unsigned char *at = outer->workspace;
    m->call = *outer;
    m->call.y = place(&outer->y, &at);
    m->call.dy = place(&outer->dy, &at);
    for (int k = 0; k < inputs_of(m); k++) {
        const int like_x = first_like(outer->x, k), like_dx = first_like(outer->dx, k);
        x[k] = like_x < k ? x[like_x] : place(&outer->x[k], &at);
        dx[k] = like_dx < k ? dx[like_dx] : place(&outer->dx[k], &at);
    }
    m->call.x = x;
    m->call.dx = dx;
    m->call.workspace = at;
    widen_operands(m, x, dx);
    return &m->call;
}

void cvy_mixed_end(struct cvy_mixed *m) {
    const struct cvy_call *outer = m->outer, *inner = &m->call;
    if (inner->compute == NULL) return; /* nothing was converted */
    if (m->pass == CVY_MIXED_FORWARD) narrow(outer, &inner->y, &outer->y);
    if (m->pass == CVY_MIXED_PARTIAL_BACKWARD) narrow(outer, &inner->dy, &outer->dy); /* a fused ReLU masks it */
    for (int k = 0; m->pass == CVY_MIXED_BACKWARD && k < inputs_of(m); k++)
        if (first_like(outer->dx, k) == k) narrow(outer, &inner->dx[k], &outer->dx[k]);
}
