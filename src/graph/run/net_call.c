/* The call of one op on one leaf: its tensors, parameters and gradients, each where the plan or the hooks have it. */
#include "graph/run/net_parts.h"

const float *cvy_leaf_input(const struct cvy_leaf_run *r) {
    return r->batch->x + (int64_t)r->sample * cvy_shape_count(r->net->graph->input);
}

void *cvy_leaf_buffer(const struct cvy_leaf_run *r, int buffer) {
    const struct cvy_net *net = r->net;
    if (buffer == CVY_NO_BUFFER) return NULL;
    if (buffer == CVY_INPUT_BUFFER) return (void *)(uintptr_t)cvy_leaf_input(r);
    return net->leaf_base + (size_t)r->slot * net->plan.leaf_bytes + net->plan.buffers[buffer].offset;
}

struct cvy_tensor cvy_leaf_tensor(const struct cvy_leaf_run *r, int value, const int *buffers) {
    if (value < 0) return (struct cvy_tensor){0};
    const struct cvy_value *v = &r->net->graph->values[value];
    return (struct cvy_tensor){cvy_leaf_buffer(r, buffers[value]), v->type, r->n, v->shape};
}

static struct cvy_tensor target_of(const struct cvy_leaf_run *r) {
    const struct cvy_target *t = &r->batch->target;
    const unsigned char *y = r->batch->y;
    void *first = y ? (void *)(uintptr_t)(y + (size_t)r->sample * cvy_target_bytes(*t)) : NULL;
    return (struct cvy_tensor){first, t->type, r->n, t->shape};
}

bool *cvy_leaf_written(const struct cvy_leaf_run *r, int value) {
    return &r->net->grad_written[(size_t)r->slot * (size_t)r->net->graph->value_count + (size_t)value];
}

void cvy_net_params(const struct cvy_net *net, const struct cvy_graph_node *node, struct cvy_call *call) {
    for (int p = 0; p < node->op.params; p++)
        call->param[p] = net->parameters + net->graph->params.items[node->param[p]].offset;
    for (int b = 0; b < node->op.buffers; b++)
        call->buffer[b] = net->statistics + net->graph->buffers.items[node->buffer[b]].offset;
}

int cvy_unit_inputs(const struct cvy_net *net, int i) {
    return net->graph->nodes[i].op.inputs + (net->plan.units[i].residual != CVY_NO_VALUE);
}
int cvy_unit_input(const struct cvy_net *net, int i, int k) {
    const struct cvy_graph_node *node = &net->graph->nodes[i];
    return k < node->op.inputs ? node->inputs[k] : net->plan.units[i].residual;
}

static void fill_inputs(const struct cvy_leaf_run *r, int i, bool backward) {
    struct cvy_net *net = r->net;
    const int *values = backward ? net->plan.back : net->plan.value;
    for (int k = 0; k < cvy_unit_inputs(net, i); k++) {
        const int x = cvy_unit_input(net, i, k);
        net->x[k] = cvy_leaf_tensor(r, x, values);
        net->dx[k] = cvy_leaf_tensor(r, x, net->plan.grad);
        net->accumulate[k] = *cvy_leaf_written(r, x);
        for (int j = 0; j < k; j++) net->accumulate[k] |= cvy_unit_input(net, i, j) == x; /* the same value twice */
    }
}

static struct cvy_fused fused_of(const struct cvy_net *net, int i) {
    const struct cvy_fused_unit *unit = &net->plan.units[i];
    return (struct cvy_fused){.norm = unit->norm < 0 ? NULL : net->copies + net->plan.copy[unit->norm],
                              .residual = unit->residual != CVY_NO_VALUE,
                              .activation = unit->activation};
}

struct cvy_call cvy_leaf_call(const struct cvy_leaf_run *r, int i, bool backward) {
    struct cvy_net *net = r->net;
    const struct cvy_plan *plan = &net->plan;
    const struct cvy_graph_node *node = &net->graph->nodes[i];
    struct cvy_call call = {.compute = net->spec.compute,
                            .mode = net->spec.mode,
                            .seed = net->spec.seed,
                            .epoch = r->batch->epoch,
                            .step = r->batch->step,
                            .leaf = r->batch->first_leaf + r->leaf,
                            .n = r->n,
                            .ids = r->batch->ids + r->sample,
                            .target = target_of(r),
                            .batch_samples = r->batch->samples,
                            .x = net->x,
                            .dx = net->dx,
                            .accumulate = net->accumulate,
                            .y = cvy_leaf_tensor(r, plan->units[i].output, backward ? plan->back : plan->value),
                            .dy = cvy_leaf_tensor(r, plan->units[i].back, plan->grad),
                            .fused = fused_of(net, i),
                            .copy = plan->copy[i] == SIZE_MAX ? NULL : net->copies + plan->copy[i],
                            .plan = plan->made[i],
                            .saved = cvy_leaf_buffer(r, plan->saved[i]),
                            .workspace = net->workspace,
                            .partial = net->partial,
                            .loss = r->loss};
    fill_inputs(r, i, backward);
    cvy_net_params(net, node, &call);
    return call;
}

/* ---- where gradients go ---- */

/* Where float `first` of the flat vector is, NULL when it was not placed. */
static float *place_of(const struct cvy_placed *p, size_t first) {
    for (int s = 0; s < p->count; s++)
        if (first >= p->spans[s].first && first < p->spans[s].first + p->spans[s].count)
            return p->at[s] + (first - p->spans[s].first);
    return NULL;
}

struct cvy_placed cvy_leaf_place(const struct cvy_leaf_run *r, const struct cvy_graph_node *node, int part) {
    struct cvy_placed p = {.count = 0};
    p.count = cvy_node_spans(r->net->graph, node, part, p.spans);
    for (int s = 0; s < p.count; s++) p.at[s] = r->hooks->place(r->hooks->arg, p.spans[s].first, p.spans[s].count);
    return p;
}

cvy_status cvy_leaf_ready(const struct cvy_leaf_run *r, const struct cvy_placed *p) {
    for (int s = 0; s < p->count; s++) CVY_TRY(r->hooks->ready(r->hooks->arg, p->spans[s].first, p->spans[s].count));
    return CVY_OK;
}

void cvy_leaf_gradients(const struct cvy_leaf_run *r, const struct cvy_graph_node *node,
                        const struct cvy_placed *placed, struct cvy_call *call) {
    const struct cvy_graph *graph = r->net->graph;
    for (int p = 0; p < node->op.params; p++)
        call->grad[p] = node->op.parts > 1
                            ? placed->at[p]
                            : place_of(placed, cvy_layout_gradient(graph, graph->params.items[node->param[p]].offset));
    for (int b = 0; b < node->op.buffers; b++)
        call->stat[b] = place_of(placed, graph->buffers.items[node->buffer[b]].offset);
}
