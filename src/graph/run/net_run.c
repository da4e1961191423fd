/* Running: nodes on a leaf, leaves through a segment, segments of a batch. */
#include <string.h>

#include "core/clock.h"
#include "core/floats.h"
#include "graph/run/mixed.h"
#include "graph/run/net_parts.h"
#include "kernels/bf16.h"
#include "kernels/elementwise.h"

/* ---- A node ---- */

/* What the op is called with in the end. */
static struct cvy_call *open_call(const struct cvy_leaf_run *r, const struct cvy_op *op, struct cvy_call *call,
                                  enum cvy_mixed_pass pass, struct cvy_mixed *mixed) {
    *mixed = (struct cvy_mixed){0};
    return r->net->graph->precision == CVY_F32 ? call : cvy_mixed_begin(mixed, op, call, pass, r->net->wide);
}

/* A head's loss counts by its weight, and its hits not at all. */
static void run_loss(const struct cvy_leaf_run *r, const struct cvy_graph_node *node, struct cvy_call *call) {
    struct cvy_loss_result own = {0};
    if (!node->main) call->loss = &own;
    node->op.kind->backward(&node->op, call);
    if (node->main) return;
    const struct cvy_tensor *dx = &call->dx[0];
    r->loss->loss += node->loss_weight * own.loss;
    if (dx->data) cvy_vec_scale(call->compute, dx->data, (float)node->loss_weight, cvy_op_count(dx->shape, call->n));
}

static void prepare_node(struct cvy_net *net, int i) {
    const struct cvy_graph_node *node = &net->graph->nodes[i];
    struct cvy_call call = {.compute = net->spec.compute,
                            .mode = net->spec.mode,
                            .n = net->plan.n,
                            .plan = net->plan.made[i],
                            .copy = net->copies + net->plan.copy[i]};
    cvy_net_params(net, node, &call);
    const struct cvy_graph_node *host = &net->graph->nodes[net->plan.units[i].host];
    if (host == node) {
        node->op.kind->prepare(&node->op, &call);
        return;
    }
    if (host->op.params > CVY_BIAS_PARAM)
        call.fused.bias = net->parameters + net->graph->params.items[host->param[CVY_BIAS_PARAM]].offset;
    node->op.kind->fold(&node->op, &call);
}

static void written(const struct cvy_leaf_run *r, int i) {
    for (int k = 0; k < cvy_unit_inputs(r->net, i); k++) *cvy_leaf_written(r, cvy_unit_input(r->net, i, k)) = true;
}

/* The output of unit i, once more, for the backward of a node that reads it. */
static void run_again(const struct cvy_leaf_run *r, int i) {
    double start = r->net->timer ? cvy_clock() : 0;
    const struct cvy_op *op = &r->net->graph->nodes[i].op;
    struct cvy_mixed mixed;
    struct cvy_call outer = cvy_leaf_call(r, i, true);
    outer.recompute = true;
    op->kind->forward(op, open_call(r, op, &outer, CVY_MIXED_FORWARD, &mixed));
    cvy_mixed_end(&mixed);
    if (r->net->timer) r->net->timer(r->net->timer_arg, i, "backward", cvy_clock() - start);
}

/* dx first, then the gradient part by part. */
static cvy_status run_parts(const struct cvy_leaf_run *r, int i, struct cvy_call *call) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    node->op.kind->backward(&node->op, call);
    written(r, i);
    for (int part = 0; part < node->op.parts; part++) {
        const struct cvy_placed p = cvy_leaf_place(r, node, part);
        cvy_leaf_gradients(r, node, &p, call);
        node->op.kind->gradient(&node->op, call, part);
        CVY_TRY(cvy_leaf_ready(r, &p));
    }
    return CVY_OK;
}

static cvy_status run_whole(const struct cvy_leaf_run *r, int i, struct cvy_call *call) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    const struct cvy_placed p = cvy_leaf_place(r, node, 0);
    cvy_leaf_gradients(r, node, &p, call);
    if (cvy_loss_of(&node->op))
        run_loss(r, node, call);
    else
        node->op.kind->backward(&node->op, call);
    written(r, i);
    return cvy_leaf_ready(r, &p);
}

/* Nothing before a node or in it learns: its gradient is zero, and it has no statistics of this step. */
static cvy_status clear_gradient(const struct cvy_leaf_run *r, const struct cvy_graph_node *node) {
    for (int part = 0; part < cvy_node_parts(node); part++) {
        const struct cvy_placed p = cvy_leaf_place(r, node, part);
        for (int s = 0; s < p.count; s++) {
            const bool statistics = !cvy_layout_is_gradient(r->net->graph, p.spans[s].first);
            const float *running = r->net->statistics + p.spans[s].first;
            for (size_t i = 0; i < p.spans[s].count; i++) p.at[s][i] = statistics ? running[i] * (float)r->n : 0;
        }
        CVY_TRY(cvy_leaf_ready(r, &p));
    }
    return CVY_OK;
}

static cvy_status run_backward(const struct cvy_leaf_run *r, int i) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    bool dead = node->output >= 0 && !r->net->graph->values[node->output].wants_grad;
    if (dead) return clear_gradient(r, node);
    if (r->net->plan.late[i]) prepare_node(r->net, i);
    struct cvy_mixed mixed;
    struct cvy_call outer = cvy_leaf_call(r, i, true),
                    *call = open_call(r, &node->op, &outer, CVY_MIXED_BACKWARD, &mixed);
    cvy_status status = node->op.parts > 1 ? run_parts(r, i, call) : run_whole(r, i, call);
    cvy_mixed_end(&mixed);
    return status;
}

static bool tensor_finite(const struct cvy_tensor *t) {
    const int64_t count = cvy_op_count(t->shape, t->n);
    const cvy_bf16 *narrow = t->data;
    bool bad = false;
    if (t->dtype == CVY_F32) return cvy_all_finite(t->data, count);
    for (int64_t i = 0; i < count; i++) bad |= (narrow[i] & 0x7f80u) == 0x7f80u; /* by exponents, as of fp32 */
    return !bad;
}

static void look_at(const struct cvy_leaf_run *r, int i) {
    struct cvy_net *net = r->net;
    const int output = net->plan.units[i].output;
    if (output < 0 || (net->fault >= 0 && net->fault <= i)) return;
    const struct cvy_tensor y = cvy_leaf_tensor(r, output, net->plan.value);
    if (!tensor_finite(&y)) net->fault = i;
}

static void run_forward(const struct cvy_leaf_run *r, int i) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    if (cvy_loss_of(&node->op) && r->batch->y == NULL) return;
    struct cvy_mixed mixed;
    struct cvy_call outer = cvy_leaf_call(r, i, false),
                    *call = open_call(r, &node->op, &outer, CVY_MIXED_FORWARD, &mixed);
    node->op.kind->forward(&node->op, call);
    cvy_mixed_end(&mixed);
    if (r->net->watching) look_at(r, i);
}

/* Whether this pass of node i is its own. A loss does all when backward comes. */
static bool has_step(const struct cvy_net *net, int i, bool backward) {
    const struct cvy_graph_node *node = &net->graph->nodes[i];
    if (backward) return !net->plan.units[i].whole;
    return net->plan.units[i].host == i && (net->spec.mode == CVY_TRAIN ? !cvy_loss_of(&node->op) : node->main);
}

static cvy_status run_step(const struct cvy_leaf_run *r, int step) {
    int nodes = r->net->graph->node_count;
    bool backward = step >= nodes;
    int i = backward ? 2 * nodes - 1 - step : step;
    if (!has_step(r->net, i, backward) || (backward && r->net->forward_only)) return CVY_OK;
    if (!backward && r->hooks && r->hooks->go_on) CVY_TRY(r->hooks->go_on(r->hooks->arg));
    if (backward && r->net->plan.recompute[i] >= 0)
        run_again(r, r->net->plan.recompute[i]); /* timed as that one's backward */
    double start = r->net->timer ? cvy_clock() : 0;
    if (backward)
        CVY_TRY(run_backward(r, i));
    else
        run_forward(r, i);
    if (r->net->timer) r->net->timer(r->net->timer_arg, i, backward ? "backward" : "forward", cvy_clock() - start);
    return CVY_OK;
}

/* ---- Segments ---- */

static void run_partial(const struct cvy_leaf_run *r, const struct cvy_segment *next) {
    if (next == NULL) return;
    const struct cvy_op *op = &r->net->graph->nodes[next->node].op;
    struct cvy_mixed mixed;
    struct cvy_call outer = cvy_leaf_call(r, next->node, next->backward);
    int len = next->backward ? op->partial_backward : op->partial_forward;
    outer.partial = r->net->per_leaf + (size_t)r->leaf * (size_t)len;
    struct cvy_call *call =
        open_call(r, op, &outer, next->backward ? CVY_MIXED_PARTIAL_BACKWARD : CVY_MIXED_PARTIAL, &mixed);
    op->kind->partial(op, call, next->backward);
    cvy_mixed_end(&mixed);
}

static cvy_status run_leaf(struct cvy_leaf_run *r, const struct cvy_segment *segment, const struct cvy_segment *next) {
    bool backward = segment->end > r->net->graph->node_count;
    for (int step = segment->first; step < segment->end; step++) CVY_TRY(run_step(r, step));
    run_partial(r, next);
    return backward && !r->net->forward_only ? r->hooks->leaf_done(r->hooks->arg) : CVY_OK;
}

/* A new leaf in this slot. */
static void start_leaf(const struct cvy_leaf_run *r) {
    const struct cvy_graph *graph = r->net->graph;
    memset(cvy_leaf_written(r, 0), 0, (size_t)graph->value_count * sizeof(bool));
    if (r->net->plan.value[0] != CVY_INPUT_BUFFER)
        cvy_bf16_from_floats(r->net->spec.compute, cvy_leaf_input(r), cvy_leaf_buffer(r, r->net->plan.value[0]),
                             cvy_op_count(graph->input, r->n));
}

static cvy_status run_segment(struct cvy_net *net, int s, const struct cvy_net_batch *batch,
                              const struct cvy_net_hooks *hooks, struct cvy_loss_result *losses) {
    const struct cvy_segment *segment = &net->plan.segments[s];
    const struct cvy_segment *next = s + 1 < net->plan.segment_count ? segment + 1 : NULL;
    if (net->forward_only && next && next->first >= net->graph->node_count) next = NULL;
    struct cvy_leaf_run r = {.net = net, .batch = batch, .hooks = hooks};
    for (int leaf = 0; leaf < batch->leaves; leaf++) {
        r.leaf = leaf;
        r.slot = net->plan.slots > 1 ? leaf : 0;
        r.n = batch->sizes[leaf];
        r.loss = losses ? &losses[leaf] : NULL;
        if (segment->first == 0) start_leaf(&r);
        CVY_TRY(run_leaf(&r, segment, next));
        r.sample += r.n;
    }
    if (next == NULL) return CVY_OK;
    const struct cvy_op *op = &net->graph->nodes[next->node].op;
    int len = next->backward ? op->partial_backward : op->partial_forward;
    CVY_TRY(hooks->reduce(hooks->arg, net->per_leaf, (size_t)len, net->partial));
    return segment->end > net->graph->node_count ? hooks->rewind(hooks->arg) : CVY_OK;
}

/* Compute copies follow from the parameters, so once a step is enough, but for those that come late; in evaluation once
 * until the parameters change. */
static void prepare(struct cvy_net *net) {
    if (net->prepared) return;
    for (int i = 0; i < net->graph->node_count; i++) {
        if (net->plan.copy[i] == SIZE_MAX || net->plan.late[i]) continue;
        double start = net->timer ? cvy_clock() : 0;
        prepare_node(net, i);
        if (net->timer) net->timer(net->timer_arg, i, "backward", cvy_clock() - start);
    }
    net->prepared = net->spec.mode == CVY_EVALUATE;
}

cvy_status cvy_net_run(struct cvy_net *net, const struct cvy_net_batch *batch, const struct cvy_net_hooks *hooks,
                       struct cvy_loss_result *losses) {
    if (losses) memset(losses, 0, (size_t)batch->leaves * sizeof *losses);
    if (batch->leaves > 0) prepare(net);
    for (int s = 0; s < net->plan.segment_count; s++) CVY_TRY(run_segment(net, s, batch, hooks, losses));
    return CVY_OK;
}

cvy_status cvy_net_inspect(struct cvy_net *net, const struct cvy_net_batch *batch, const struct cvy_net_hooks *hooks,
                           int *fault) {
    cvy_status status = CVY_OK;
    cvy_net_watch(net, true);
    net->forward_only = true;
    if (batch->leaves > 0) prepare(net);
    for (int s = 0; s < net->plan.segment_count && net->plan.segments[s].first < net->graph->node_count; s++)
        if (status == CVY_OK) status = run_segment(net, s, batch, hooks, NULL);
    net->forward_only = false;
    net->watching = false;
    *fault = net->fault;
    return status;
}

const float *cvy_net_output(const struct cvy_net *net) {
    struct cvy_leaf_run r = {.net = (struct cvy_net *)(uintptr_t)net};
    return cvy_leaf_buffer(&r, net->plan.value[net->graph->output]);
}
