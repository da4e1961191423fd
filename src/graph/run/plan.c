#include "core/memory.h"
#include "graph/run/mixed.h"
#include "graph/run/plan_parts.h"

enum { LATE_FLOATS = 1 << 16, LARGE_BYTES = 1 << 28 };

/* ---- Segments ---- */

/* Steps that run: forward of every layer; then, in training, backward of all. A loss runs once, as its backward in
 * training and as its forward in evaluation. */
static void add_cut(struct cvy_plan *plan, int step, int node, bool backward, int doubles) {
    if (doubles == 0) return;
    plan->segments[plan->segment_count - 1].end = step;
    plan->segments[plan->segment_count++] = (struct cvy_segment){step, step, node, backward};
    if ((size_t)doubles > plan->max_partial) plan->max_partial = (size_t)doubles;
}

static void plan_segments(struct planner *p) {
    struct cvy_plan *plan = p->plan;
    int steps = training(p) ? 2 * p->nodes : p->nodes;
    plan->segments[plan->segment_count++] = (struct cvy_segment){.node = -1};
    for (int t = 0; t < steps; t++) {
        bool backward = t >= p->nodes;
        int i = backward ? backward_time(p, t) : t;
        const struct cvy_graph_node *node = &p->graph->nodes[i];
        const struct cvy_op *op = &node->op;
        if (!runs(p, i) || plan->units[i].whole) continue;
        bool learns = node->output >= 0 && p->graph->values[node->output].wants_grad;
        bool now = training(p) && backward == op->kind->loss; /* a loss does it all when backward comes */
        if (now) add_cut(plan, t, i, false, op->partial_forward);
        if (learns && backward) add_cut(plan, t, i, true, op->partial_backward);
    }
    plan->segments[plan->segment_count - 1].end = steps;
}

/* ---- Workspace and copies ---- */

static bool wants_dx(const struct cvy_graph *graph, const struct cvy_graph_node *node) {
    return graph->values[node->inputs[0]].wants_grad;
}

/* Another op does it as a scale and a shift. */
static bool folded(const struct planner *p, int i) {
    return p->plan->units[p->plan->units[i].host].norm == i;
}

/* Copies this large share one place: to make one again for each leaf costs little beside a backward that reads it. */
static bool comes_late(const struct cvy_op *op) {
    return op->type == CVY_F32 && op->copy_floats > LATE_FLOATS && !op->copy_in_forward;
}

/* What evaluation keeps beside the weights. */
static size_t kept_floats(const struct planner *p, const struct cvy_graph_node *node) {
    const struct cvy_op *op = &node->op;
    return !training(p) && op->type == CVY_F32 && op->kind->kept ? op->kind->kept(op, p->plan->n) : 0;
}

/* Of a node's copies, 0 for none. */
static size_t copy_floats(const struct planner *p, const struct cvy_graph_node *node) {
    const struct cvy_op *op = &node->op;
    if (op->type == CVY_BF16) return op->bf16_copy[training(p)];
    if (op->copy_in_forward || (training(p) && wants_dx(p->graph, node))) return op->copy_floats;
    return kept_floats(p, node);
}

/* Of a leaf of any size up to the plan's: fewer samples may be cut otherwise and want more. */
static size_t workspace_bytes(const struct planner *p, int node, int threads) {
    const struct cvy_op *op = op_of(p, node);
    size_t most = 0;
    for (int n = 1; n <= p->plan->n; n++) {
        const size_t bytes = op->kind->workspace ? op->kind->workspace(op, n, threads) : 0;
        if (bytes > most) most = bytes;
    }
    return most + cvy_mixed_bytes(p->graph, node, p->plan->n);
}

static void plan_scratch(struct planner *p, int threads) {
    struct cvy_plan *plan = p->plan;
    size_t shared = 0;
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_op *op = &p->graph->nodes[i].op;
        const size_t bytes = workspace_bytes(p, i, threads);
        if (bytes > plan->workspace_bytes) plan->workspace_bytes = bytes;
        size_t own = folded(p, i) ? 3 * cvy_param_stored(&op->buffer[0]) : copy_floats(p, &p->graph->nodes[i]);
        size_t floats = cvy_align_up(own * sizeof(float)) / sizeof(float);
        plan->late[i] = training(p) && floats && comes_late(op);
        plan->kept[i] = kept_floats(p, &p->graph->nodes[i]) > 0;
        plan->copy[i] = floats ? plan->copy_floats : SIZE_MAX;
        if (plan->late[i])
            shared = floats > shared ? floats : shared;
        else
            plan->copy_floats += floats;
    }
    for (int i = 0; i < p->nodes; i++)
        if (plan->late[i]) plan->copy[i] = plan->copy_floats;
    plan->copy_floats += shared;
}

/* ---- In order ---- */

static cvy_status allocate(struct planner *p) {
    const struct cvy_graph *graph = p->graph;
    struct cvy_plan *plan = p->plan;
    CVY_TRY(CVY_NEW(&plan->buffers, 3 * graph->value_count + p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->units, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->again, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->back, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->value, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->grad, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->saved, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->copy, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->late, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->kept, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->segments, 2 * p->nodes + 1, general));
    return CVY_NEW(&p->last_read, graph->value_count, general);
}

static cvy_status plan_all(struct planner *p, int leaves, int threads, bool repeats) {
    struct cvy_plan *plan = p->plan;
    CVY_TRY(allocate(p));
    CVY_TRY(cvy_fuse(p->graph, plan->mode, plan->units));
    cvy_plan_times(p, repeats);
    plan_segments(p);
    plan_scratch(p, threads);
    plan->slots = plan->segment_count > 1 && leaves > 1 ? leaves : 1;
    return cvy_plan_offsets(plan);
}

static cvy_status try_plan(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                           bool repeats, struct cvy_plan *out) {
    struct planner p = {.graph = graph, .plan = out, .nodes = graph->node_count};
    *out = (struct cvy_plan){.mode = mode, .n = n};
    cvy_status status = plan_all(&p, leaves, threads, repeats);
    cvy_free(p.last_read);
    if (status != CVY_OK) cvy_plan_destroy(out);
    return status;
}

cvy_status cvy_plan_with(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                         enum cvy_recompute recompute, struct cvy_plan *out) {
    CVY_TRY(try_plan(graph, mode, n, leaves, threads, recompute == CVY_RECOMPUTE_ALL, out));
    const bool large = mode == CVY_TRAIN && out->leaf_bytes * (size_t)out->slots >= LARGE_BYTES;
    if (recompute != CVY_RECOMPUTE_AUTO || !large) return CVY_OK;
    cvy_plan_destroy(out);
    return try_plan(graph, mode, n, leaves, threads, true, out);
}

cvy_status cvy_plan_create(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                           struct cvy_plan *out) {
    return cvy_plan_with(graph, mode, n, leaves, threads, CVY_RECOMPUTE_AUTO, out);
}

void cvy_plan_destroy(struct cvy_plan *plan) {
    cvy_free(plan->buffers);
    cvy_free(plan->units);
    cvy_free(plan->back);
    cvy_free(plan->again);
    cvy_free(plan->value);
    cvy_free(plan->grad);
    cvy_free(plan->saved);
    cvy_free(plan->copy);
    cvy_free(plan->late);
    cvy_free(plan->kept);
    cvy_free(plan->segments);
    *plan = (struct cvy_plan){0};
}

size_t cvy_plan_bytes(const struct cvy_plan *plan) {
    return plan->leaf_bytes * (size_t)plan->slots + plan->workspace_bytes + plan->copy_floats * sizeof(float);
}
