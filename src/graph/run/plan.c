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
        bool now = training(p) && backward == (cvy_loss_of(op) != NULL); /* a loss does it all when backward comes */
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

/* Copies this large, which backward alone reads, share one place: to make one again for each leaf costs little beside
 * a backward that reads it. */
static bool comes_late(const struct planner *p, int node, const struct cvy_op_needs *needs) {
    return training(p) && op_of(p, node)->type == CVY_F32 && needs->copy_floats > LATE_FLOATS &&
           !needs->copy_in_forward;
}

/* Of a leaf of any size up to the plan's: fewer samples may be cut otherwise and want more. */
static size_t workspace_bytes(const struct planner *p, const struct cvy_op *op) {
    size_t most = 0;
    for (int n = 1; op->kind->workspace && n <= p->plan->n; n++) {
        const size_t bytes = op->kind->workspace(op, n, p->compute->threads);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* What another op does as a scale and a shift wants these alone. */
static cvy_status find_needs(struct planner *p, int i, struct cvy_op_needs *out) {
    const struct cvy_graph_node *node = &p->graph->nodes[i];
    const struct cvy_op *op = &node->op;
    *out = (struct cvy_op_needs){workspace_bytes(p, op), op->copy_floats, op->copy_floats > 0};
    if (op->kind->plan) {
        const struct cvy_op_setting setting = {p->compute, p->plan->mode, p->plan->n, wants_dx(p->graph, node)};
        CVY_TRY(cvy_alloc(op->plan_bytes, CVY_TAG_general, &p->plan->made[i]));
        *out = op->kind->plan(op, &setting, p->plan->made[i]);
    }
    out->workspace += cvy_mixed_bytes(p->graph, i, p->plan->n);
    if (folded(p, i)) out->copy_floats = 3 * cvy_param_stored(&op->buffer[0]);
    return CVY_OK;
}

static cvy_status plan_scratch(struct planner *p) {
    struct cvy_plan *plan = p->plan;
    size_t shared = 0;
    for (int i = 0; i < p->nodes; i++) {
        struct cvy_op_needs needs;
        CVY_TRY(find_needs(p, i, &needs));
        const size_t floats = cvy_align_up(needs.copy_floats * sizeof(float)) / sizeof(float);
        if (needs.workspace > plan->workspace_bytes) plan->workspace_bytes = needs.workspace;
        plan->late[i] = comes_late(p, i, &needs);
        plan->copy[i] = floats ? plan->copy_floats : SIZE_MAX;
        if (plan->late[i])
            shared = floats > shared ? floats : shared;
        else
            plan->copy_floats += floats;
    }
    for (int i = 0; i < p->nodes; i++)
        if (plan->late[i]) plan->copy[i] = plan->copy_floats;
    plan->copy_floats += shared;
    return CVY_OK;
}

/* ---- In order ---- */

static cvy_status allocate(struct planner *p) {
    const struct cvy_graph *graph = p->graph;
    struct cvy_plan *plan = p->plan;
    CVY_TRY(CVY_NEW(&plan->buffers, 3 * graph->value_count + p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->units, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->recompute, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->back, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->value, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->grad, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->saved, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->copy, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->late, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->made, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->segments, 2 * p->nodes + 1, general));
    return CVY_NEW(&p->last_read, graph->value_count, general);
}

static cvy_status plan_all(struct planner *p, int leaves, bool repeats) {
    struct cvy_plan *plan = p->plan;
    CVY_TRY(allocate(p));
    CVY_TRY(cvy_fuse(p->graph, plan->mode, plan->units));
    cvy_plan_times(p, repeats);
    plan_segments(p);
    CVY_TRY(plan_scratch(p));
    plan->slots = plan->segment_count > 1 && leaves > 1 ? leaves : 1;
    return cvy_plan_offsets(plan);
}

static cvy_status try_plan(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves,
                           const struct cvy_compute *compute, bool repeats, struct cvy_plan *out) {
    struct planner p = {.graph = graph, .compute = compute, .plan = out, .nodes = graph->node_count};
    *out = (struct cvy_plan){.mode = mode, .n = n, .nodes = graph->node_count};
    cvy_status status = plan_all(&p, leaves, repeats);
    cvy_free(p.last_read);
    if (status != CVY_OK) cvy_plan_destroy(out);
    return status;
}

cvy_status cvy_plan_create(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves,
                           const struct cvy_compute *compute, enum cvy_recompute recompute, struct cvy_plan *out) {
    CVY_TRY(try_plan(graph, mode, n, leaves, compute, recompute == CVY_RECOMPUTE_ALL, out));
    const bool large = mode == CVY_TRAIN && out->leaf_bytes * (size_t)out->slots >= LARGE_BYTES;
    if (recompute != CVY_RECOMPUTE_AUTO || !large) return CVY_OK;
    cvy_plan_destroy(out);
    return try_plan(graph, mode, n, leaves, compute, true, out);
}

void cvy_plan_destroy(struct cvy_plan *plan) {
    cvy_free(plan->buffers);
    cvy_free(plan->units);
    cvy_free(plan->back);
    cvy_free(plan->recompute);
    cvy_free(plan->value);
    cvy_free(plan->grad);
    cvy_free(plan->saved);
    cvy_free(plan->copy);
    cvy_free(plan->late);
    for (int i = 0; plan->made && i < plan->nodes; i++) cvy_free(plan->made[i]);
    cvy_free(plan->made);
    cvy_free(plan->segments);
    *plan = (struct cvy_plan){0};
}

size_t cvy_plan_bytes(const struct cvy_plan *plan) {
    return plan->leaf_bytes * (size_t)plan->slots + plan->workspace_bytes + plan->copy_floats * sizeof(float);
}
