#include "graph/run/net.h"

#include <string.h>

#include "core/clock.h"
#include "core/floats.h"
#include "core/memory.h"
#include "graph/run/mixed.h"
#include "graph/run/spans.h"
#include "kernels/bf16.h"
#include "kernels/elementwise.h"

struct cvy_net {
    struct cvy_net_spec spec;
    const struct cvy_graph *graph;
    struct cvy_plan plan;
    struct cvy_arena activations, scratch;
    float *values, *running;              /* its own parameters and buffers; NULL where it follows others */
    const float *parameters, *statistics; /* by which it runs: these, or those that it follows */
    unsigned char *leaf_base;             /* [slots][leaf_bytes] */
    unsigned char *workspace;
    float *copies;
    double *per_leaf, *partial; /* [leaves][max_partial], [max_partial] */
    struct cvy_tensor *x, *dx;  /* [max_inputs + 1], for a call */
    struct cvy_tensor *wide;    /* [2 · (max_inputs + 1)], for a call that is converted for */
    bool *accumulate;
    bool *grad_written; /* of each value, in the current leaf */
    bool prepared;      /* in evaluation: the compute copies are those of the parameters */
    cvy_net_timer *timer;
    void *timer_arg;
    bool watching, forward_only;
    int fault; /* the first node whose output was not finite, while watching; −1: none */
};

/* ---- creation ---- */

static cvy_status carve(struct cvy_net *net) {
    const struct cvy_plan *plan = &net->plan;
    size_t leaves = (size_t)(net->spec.leaves > 0 ? net->spec.leaves : 1);
    size_t leaf_bytes = plan->leaf_bytes * (size_t)plan->slots;
    CVY_TRY(cvy_arena_create(&net->activations, leaf_bytes, CVY_TAG_activations));
    CVY_TRY(cvy_arena_take(&net->activations, leaf_bytes, (void **)&net->leaf_base));
    CVY_TRY(cvy_arena_create(&net->scratch,
                             cvy_align_up(plan->workspace_bytes) + cvy_align_up(plan->copy_floats * sizeof(float)),
                             CVY_TAG_workspace));
    CVY_TRY(cvy_arena_take(&net->scratch, plan->workspace_bytes, (void **)&net->workspace));
    CVY_TRY(cvy_arena_take(&net->scratch, plan->copy_floats * sizeof(float), (void **)&net->copies));
    CVY_TRY(CVY_NEW(&net->per_leaf, leaves * plan->max_partial, workspace));
    CVY_TRY(CVY_NEW(&net->partial, plan->max_partial, workspace));
    CVY_TRY(CVY_NEW(&net->x, net->graph->max_inputs + 1, general));
    CVY_TRY(CVY_NEW(&net->dx, net->graph->max_inputs + 1, general));
    CVY_TRY(CVY_NEW(&net->wide, 2 * (net->graph->max_inputs + 1), general));
    CVY_TRY(CVY_NEW(&net->accumulate, net->graph->max_inputs + 1, general));
    return CVY_NEW(&net->grad_written, (size_t)net->graph->value_count * (size_t)plan->slots, general);
}

static cvy_status make_vector(const struct cvy_net *net, const struct cvy_params *list, float **vector) {
    CVY_TRY(CVY_NEW(vector, list->stored, weights));
    for (int i = 0; i < list->count; i++)
        CVY_TRY(
            cvy_param_init(&list->items[i], net->spec.seed, net->spec.compute->pool, *vector + list->items[i].offset));
    return CVY_OK;
}

static cvy_status make_weights(struct cvy_net *net) {
    CVY_TRY(make_vector(net, &net->graph->params, &net->values));
    CVY_TRY(make_vector(net, &net->graph->buffers, &net->running));
    net->parameters = net->values;
    net->statistics = net->running;
    return CVY_OK;
}

static cvy_status plan_of(const struct cvy_net_spec *spec, struct cvy_plan *out) {
    return cvy_plan_with(spec->graph, spec->mode, spec->leaf, spec->leaves, spec->compute->threads, spec->recompute,
                         out);
}

size_t cvy_net_bytes(const struct cvy_net_spec *spec) {
    struct cvy_plan plan;
    if (plan_of(spec, &plan) != CVY_OK) return 0;
    const size_t bytes = cvy_plan_bytes(&plan);
    cvy_plan_destroy(&plan);
    return bytes;
}

cvy_status cvy_net_create_follower(const struct cvy_net_spec *spec, struct cvy_net **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_net *net = *out;
    net->spec = *spec;
    net->graph = spec->graph;
    cvy_status status = plan_of(spec, &net->plan);
    if (status == CVY_OK) status = carve(net);
    if (status != CVY_OK) cvy_net_destroy(out);
    return status;
}

cvy_status cvy_net_create(const struct cvy_net_spec *spec, struct cvy_net **out) {
    CVY_TRY(cvy_net_create_follower(spec, out));
    cvy_status status = make_weights(*out);
    if (status != CVY_OK) cvy_net_destroy(out);
    return status;
}

void cvy_net_destroy(struct cvy_net **out) {
    struct cvy_net *net = *out;
    if (net == NULL) return;
    cvy_plan_destroy(&net->plan);
    cvy_arena_destroy(&net->activations);
    cvy_arena_destroy(&net->scratch);
    cvy_free(net->values);
    cvy_free(net->running);
    cvy_free(net->per_leaf);
    cvy_free(net->partial);
    cvy_free(net->x);
    cvy_free(net->dx);
    cvy_free(net->wide);
    cvy_free(net->accumulate);
    cvy_free(net->grad_written);
    CVY_DELETE(out);
}

const struct cvy_graph *cvy_net_graph(const struct cvy_net *net) {
    return net->graph;
}
const struct cvy_plan *cvy_net_plan(const struct cvy_net *net) {
    return &net->plan;
}
float *cvy_net_values(struct cvy_net *net) {
    net->prepared = false;
    return net->values;
}
float *cvy_net_buffers(struct cvy_net *net) {
    net->prepared = false;
    return net->running;
}

void cvy_net_follow(struct cvy_net *net, const float *values, const float *buffers) {
    net->parameters = values;
    net->statistics = buffers;
    net->prepared = false;
}

void cvy_net_update_buffers(struct cvy_net *net, const float *stats, int64_t samples) {
    for (int i = 0; i < net->graph->buffers.count; i++) {
        const struct cvy_param *buffer = &net->graph->buffers.items[i];
        float *value = net->running + buffer->offset;
        for (size_t k = 0; k < buffer->stored; k++) {
            double now = (double)stats[buffer->offset + k] / (double)samples;
            value[k] = (float)((1 - buffer->momentum) * (double)value[k] + buffer->momentum * now);
        }
    }
}

void cvy_net_set_timer(struct cvy_net *net, cvy_net_timer *timer, void *arg) {
    net->timer = timer;
    net->timer_arg = arg;
}

/* ---- one op on one leaf ---- */

/* What stays the same while one leaf runs through a segment. */
struct leaf_run {
    struct cvy_net *net;
    const struct cvy_net_batch *batch;
    const struct cvy_net_hooks *hooks;
    int leaf;      /* among this rank's */
    int slot;      /* where its buffers are */
    int n, sample; /* samples, and the first one's place in the batch */
    struct cvy_loss_result *loss;
};

static const float *input_of(const struct leaf_run *r) {
    return r->batch->x + (int64_t)r->sample * cvy_shape_count(r->net->graph->input);
}

static void *buffer_at(const struct leaf_run *r, int buffer) {
    const struct cvy_net *net = r->net;
    if (buffer == CVY_NO_BUFFER) return NULL;
    if (buffer == CVY_INPUT_BUFFER) return (void *)(uintptr_t)input_of(r);
    return net->leaf_base + (size_t)r->slot * net->plan.leaf_bytes + net->plan.buffers[buffer].offset;
}

static struct cvy_tensor tensor_of(const struct leaf_run *r, int value, const int *buffers) {
    if (value < 0) return (struct cvy_tensor){0};
    const struct cvy_value *v = &r->net->graph->values[value];
    return (struct cvy_tensor){buffer_at(r, buffers[value]), v->type, r->n, v->shape};
}

static struct cvy_tensor target_of(const struct leaf_run *r) {
    const struct cvy_target *t = &r->batch->target;
    const unsigned char *y = r->batch->y;
    void *first = y ? (void *)(uintptr_t)(y + (size_t)r->sample * cvy_target_bytes(*t)) : NULL;
    return (struct cvy_tensor){first, t->type, r->n, t->shape};
}

static bool *grad_written(const struct leaf_run *r, int value) {
    return &r->net->grad_written[(size_t)r->slot * (size_t)r->net->graph->value_count + (size_t)value];
}

static void fill_params(const struct cvy_net *net, const struct cvy_graph_node *node, struct cvy_call *call) {
    for (int p = 0; p < node->op.params; p++)
        call->param[p] = net->parameters + net->graph->params.items[node->param[p]].offset;
    for (int b = 0; b < node->op.buffers; b++)
        call->buffer[b] = net->statistics + net->graph->buffers.items[node->buffer[b]].offset;
}

/* What a unit reads and hands gradients to: its op's inputs, then a residual. */
static int unit_inputs(const struct cvy_net *net, int i) {
    return net->graph->nodes[i].op.inputs + (net->plan.units[i].residual != CVY_NO_VALUE);
}
static int unit_input(const struct cvy_net *net, int i, int k) {
    const struct cvy_graph_node *node = &net->graph->nodes[i];
    return k < node->op.inputs ? node->inputs[k] : net->plan.units[i].residual;
}

static void fill_inputs(const struct leaf_run *r, int i, bool backward) {
    struct cvy_net *net = r->net;
    const int *values = backward ? net->plan.back : net->plan.value;
    for (int k = 0; k < unit_inputs(net, i); k++) {
        const int x = unit_input(net, i, k);
        net->x[k] = tensor_of(r, x, values);
        net->dx[k] = tensor_of(r, x, net->plan.grad);
        net->accumulate[k] = *grad_written(r, x);
        for (int j = 0; j < k; j++) net->accumulate[k] |= unit_input(net, i, j) == x; /* the same value twice */
    }
}

static struct cvy_fused fused_of(const struct cvy_net *net, int i) {
    const struct cvy_fused_unit *unit = &net->plan.units[i];
    return (struct cvy_fused){.norm = unit->norm < 0 ? NULL : net->copies + net->plan.copy[unit->norm],
                              .residual = unit->residual != CVY_NO_VALUE,
                              .activation = unit->activation};
}

static struct cvy_call make_call(const struct leaf_run *r, int i, bool backward) {
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
                            .most = net->plan.n,
                            .ids = r->batch->ids + r->sample,
                            .target = target_of(r),
                            .batch_samples = r->batch->samples,
                            .x = net->x,
                            .dx = net->dx,
                            .accumulate = net->accumulate,
                            .y = tensor_of(r, plan->units[i].output, backward ? plan->back : plan->value),
                            .dy = tensor_of(r, plan->units[i].back, plan->grad),
                            .fused = fused_of(net, i),
                            .copy = plan->copy[i] == SIZE_MAX ? NULL : net->copies + plan->copy[i],
                            .kept = plan->kept[i] ? net->copies + plan->copy[i] : NULL,
                            .saved = buffer_at(r, plan->saved[i]),
                            .workspace = net->workspace,
                            .partial = net->partial,
                            .loss = r->loss};
    fill_inputs(r, i, backward);
    fill_params(net, node, &call);
    return call;
}

/* ---- where gradients go ---- */

/* A part of a node's gradient, and where each of its spans was placed. */
struct placed {
    struct cvy_span spans[CVY_MOST_SPANS];
    float *at[CVY_MOST_SPANS];
    int count;
};

/* Where float `first` of the flat vector is, NULL when it was not placed. */
static float *place_of(const struct placed *p, size_t first) {
    for (int s = 0; s < p->count; s++)
        if (first >= p->spans[s].first && first < p->spans[s].first + p->spans[s].count)
            return p->at[s] + (first - p->spans[s].first);
    return NULL;
}

static struct placed place_part(const struct leaf_run *r, const struct cvy_graph_node *node, int part) {
    struct placed p = {.count = 0};
    p.count = cvy_node_spans(r->net->graph, node, part, p.spans);
    for (int s = 0; s < p.count; s++) p.at[s] = r->hooks->place(r->hooks->arg, p.spans[s].first, p.spans[s].count);
    return p;
}

static cvy_status report_ready(const struct leaf_run *r, const struct placed *p) {
    for (int s = 0; s < p->count; s++) CVY_TRY(r->hooks->ready(r->hooks->arg, p->spans[s].first, p->spans[s].count));
    return CVY_OK;
}

static void fill_gradients(const struct leaf_run *r, const struct cvy_graph_node *node, const struct placed *placed,
                           struct cvy_call *call) {
    const struct cvy_graph *graph = r->net->graph;
    for (int p = 0; p < node->op.params; p++)
        call->grad[p] = node->op.parts > 1
                            ? placed->at[p]
                            : place_of(placed, cvy_layout_gradient(graph, graph->params.items[node->param[p]].offset));
    for (int b = 0; b < node->op.buffers; b++)
        call->stat[b] = place_of(placed, graph->buffers.items[node->buffer[b]].offset);
}

/* Nothing before a node or in it learns: its gradient is zero, and it has no statistics of this step. */
static cvy_status clear_gradient(const struct leaf_run *r, const struct cvy_graph_node *node) {
    for (int part = 0; part < cvy_node_parts(node); part++) {
        const struct placed p = place_part(r, node, part);
        for (int s = 0; s < p.count; s++) {
            const bool statistics = !cvy_layout_is_gradient(r->net->graph, p.spans[s].first);
            const float *running = r->net->statistics + p.spans[s].first;
            for (size_t i = 0; i < p.spans[s].count; i++) p.at[s][i] = statistics ? running[i] * (float)r->n : 0;
        }
        CVY_TRY(report_ready(r, &p));
    }
    return CVY_OK;
}

/* ---- running a node ---- */

/* What the op is called with in the end. */
static struct cvy_call *open_call(const struct leaf_run *r, const struct cvy_op *op, struct cvy_call *call,
                                  enum cvy_mixed_pass pass, struct cvy_mixed *mixed) {
    *mixed = (struct cvy_mixed){0};
    return r->net->graph->precision == CVY_F32 ? call : cvy_mixed_begin(mixed, op, call, pass, r->net->wide);
}

/* A head's loss counts by its weight, and its hits not at all. */
static void run_loss(const struct leaf_run *r, const struct cvy_graph_node *node, struct cvy_call *call) {
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
                            .most = net->plan.n,
                            .copy = net->copies + net->plan.copy[i]};
    fill_params(net, node, &call);
    const struct cvy_graph_node *host = &net->graph->nodes[net->plan.units[i].host];
    if (host == node) {
        node->op.kind->prepare(&node->op, &call);
        return;
    }
    if (host->op.params > CVY_BIAS_PARAM)
        call.fused.bias = net->parameters + net->graph->params.items[host->param[CVY_BIAS_PARAM]].offset;
    node->op.kind->fold(&node->op, &call);
}

static void written(const struct leaf_run *r, int i) {
    for (int k = 0; k < unit_inputs(r->net, i); k++) *grad_written(r, unit_input(r->net, i, k)) = true;
}

/* The output of unit i, once more, for the backward of a node that reads it. */
static void run_again(const struct leaf_run *r, int i) {
    double start = r->net->timer ? cvy_clock() : 0;
    const struct cvy_op *op = &r->net->graph->nodes[i].op;
    struct cvy_mixed mixed;
    struct cvy_call outer = make_call(r, i, true);
    outer.again = true;
    op->kind->forward(op, open_call(r, op, &outer, CVY_MIXED_FORWARD, &mixed));
    cvy_mixed_end(&mixed);
    if (r->net->timer) r->net->timer(r->net->timer_arg, i, "backward", cvy_clock() - start);
}

/* dx first, then the gradient part by part. */
static cvy_status run_parts(const struct leaf_run *r, int i, struct cvy_call *call) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    node->op.kind->backward(&node->op, call);
    written(r, i);
    for (int part = 0; part < node->op.parts; part++) {
        const struct placed p = place_part(r, node, part);
        fill_gradients(r, node, &p, call);
        node->op.kind->gradient(&node->op, call, part);
        CVY_TRY(report_ready(r, &p));
    }
    return CVY_OK;
}

static cvy_status run_whole(const struct leaf_run *r, int i, struct cvy_call *call) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    const struct placed p = place_part(r, node, 0);
    fill_gradients(r, node, &p, call);
    if (node->op.kind->loss)
        run_loss(r, node, call);
    else
        node->op.kind->backward(&node->op, call);
    written(r, i);
    return report_ready(r, &p);
}

static cvy_status run_backward(const struct leaf_run *r, int i) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    bool dead = node->output >= 0 && !r->net->graph->values[node->output].wants_grad;
    if (dead) return clear_gradient(r, node);
    if (r->net->plan.late[i]) prepare_node(r->net, i);
    struct cvy_mixed mixed;
    struct cvy_call outer = make_call(r, i, true), *call = open_call(r, &node->op, &outer, CVY_MIXED_BACKWARD, &mixed);
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

static void look_at(const struct leaf_run *r, int i) {
    struct cvy_net *net = r->net;
    const int output = net->plan.units[i].output;
    if (output < 0 || (net->fault >= 0 && net->fault <= i)) return;
    const struct cvy_tensor y = tensor_of(r, output, net->plan.value);
    if (!tensor_finite(&y)) net->fault = i;
}

static void run_forward(const struct leaf_run *r, int i) {
    const struct cvy_graph_node *node = &r->net->graph->nodes[i];
    if (node->op.kind->loss && r->batch->y == NULL) return;
    struct cvy_mixed mixed;
    struct cvy_call outer = make_call(r, i, false), *call = open_call(r, &node->op, &outer, CVY_MIXED_FORWARD, &mixed);
    node->op.kind->forward(&node->op, call);
    cvy_mixed_end(&mixed);
    if (r->net->watching) look_at(r, i);
}

/* Whether this pass of node i is its own. A loss does all when backward comes. */
static bool has_step(const struct cvy_net *net, int i, bool backward) {
    const struct cvy_graph_node *node = &net->graph->nodes[i];
    if (backward) return !net->plan.units[i].whole;
    return net->plan.units[i].host == i && (net->spec.mode == CVY_TRAIN ? !node->op.kind->loss : node->main);
}

static cvy_status run_step(const struct leaf_run *r, int step) {
    int nodes = r->net->graph->node_count;
    bool backward = step >= nodes;
    int i = backward ? 2 * nodes - 1 - step : step;
    if (!has_step(r->net, i, backward) || (backward && r->net->forward_only)) return CVY_OK;
    if (!backward && r->hooks && r->hooks->go_on) CVY_TRY(r->hooks->go_on(r->hooks->arg));
    if (backward && r->net->plan.again[i] >= 0) run_again(r, r->net->plan.again[i]); /* timed as that one's backward */
    double start = r->net->timer ? cvy_clock() : 0;
    if (backward)
        CVY_TRY(run_backward(r, i));
    else
        run_forward(r, i);
    if (r->net->timer) r->net->timer(r->net->timer_arg, i, backward ? "backward" : "forward", cvy_clock() - start);
    return CVY_OK;
}

/* ---- segments ---- */

static void run_partial(const struct leaf_run *r, const struct cvy_segment *next) {
    if (next == NULL) return;
    const struct cvy_op *op = &r->net->graph->nodes[next->node].op;
    struct cvy_mixed mixed;
    struct cvy_call outer = make_call(r, next->node, next->backward);
    int len = next->backward ? op->partial_backward : op->partial_forward;
    outer.partial = r->net->per_leaf + (size_t)r->leaf * (size_t)len;
    struct cvy_call *call =
        open_call(r, op, &outer, next->backward ? CVY_MIXED_PARTIAL_BACKWARD : CVY_MIXED_PARTIAL, &mixed);
    op->kind->partial(op, call, next->backward);
    cvy_mixed_end(&mixed);
}

static cvy_status run_leaf(struct leaf_run *r, const struct cvy_segment *segment, const struct cvy_segment *next) {
    bool backward = segment->end > r->net->graph->node_count;
    for (int step = segment->first; step < segment->end; step++) CVY_TRY(run_step(r, step));
    run_partial(r, next);
    return backward && !r->net->forward_only ? r->hooks->leaf_done(r->hooks->arg) : CVY_OK;
}

/* A new leaf in this slot. */
static void start_leaf(const struct leaf_run *r) {
    const struct cvy_graph *graph = r->net->graph;
    memset(grad_written(r, 0), 0, (size_t)graph->value_count * sizeof(bool));
    if (r->net->plan.value[0] != CVY_INPUT_BUFFER)
        cvy_bf16_from_floats(r->net->spec.compute, input_of(r), buffer_at(r, r->net->plan.value[0]),
                             cvy_op_count(graph->input, r->n));
}

static cvy_status run_segment(struct cvy_net *net, int s, const struct cvy_net_batch *batch,
                              const struct cvy_net_hooks *hooks, struct cvy_loss_result *losses) {
    const struct cvy_segment *segment = &net->plan.segments[s];
    const struct cvy_segment *next = s + 1 < net->plan.segment_count ? segment + 1 : NULL;
    if (net->forward_only && next && next->first >= net->graph->node_count) next = NULL;
    struct leaf_run r = {.net = net, .batch = batch, .hooks = hooks};
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

void cvy_net_watch(struct cvy_net *net, bool on) {
    net->watching = on;
    if (on) net->fault = -1;
}

int cvy_net_fault(const struct cvy_net *net) {
    return net->fault;
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
    struct leaf_run r = {.net = (struct cvy_net *)(uintptr_t)net};
    return buffer_at(&r, net->plan.value[net->graph->output]);
}
