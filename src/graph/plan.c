#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { LATE_FLOATS = 1 << 16 };

struct planner {
    const struct cvy_graph *graph;
    struct cvy_plan *plan;
    int *last_read; /* of each value: the last time anyone reads it */
    int nodes;
};

static bool training(const struct planner *p) {
    return p->plan->mode == CVY_TRAIN;
}
/* Heads are for training alone. */
static bool runs(const struct planner *p, int node) {
    return training(p) || p->graph->nodes[node].main;
}
static int backward_time(const struct planner *p, int node) {
    return 2 * p->nodes - 1 - node;
}
static int max_int(int a, int b) {
    return a > b ? a : b;
}

/* ---- lifetimes ---- */

static void find_last_reads(struct planner *p) {
    for (int v = 0; v < p->graph->value_count; v++)
        p->last_read[v] = p->graph->values[v].producer; /* −1 for the input */
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_op *op = &p->graph->nodes[i].op;
        int output = p->graph->nodes[i].output;
        bool later = training(p) && (op->kind->loss || (op->reads & CVY_READS_INPUT));
        for (int k = 0; runs(p, i) && k < op->inputs; k++) {
            int *last = &p->last_read[p->graph->nodes[i].inputs[k]];
            *last = max_int(*last, later ? backward_time(p, i) : i);
        }
        if (output >= 0 && training(p) && (op->reads & CVY_READS_OUTPUT))
            p->last_read[output] = max_int(p->last_read[output], backward_time(p, i));
    }
    if (!training(p)) p->last_read[p->graph->output] = 2 * p->nodes; /* the caller reads it */
}

static int new_buffer(struct planner *p, size_t bytes, int first, int last) {
    p->plan->buffers[p->plan->buffer_count] =
        (struct cvy_buffer){.bytes = cvy_align_up(bytes), .first = first, .last = last};
    return p->plan->buffer_count++;
}

static void extend(struct planner *p, int buffer, int first, int last) {
    if (buffer < 0) return;
    struct cvy_buffer *b = &p->plan->buffers[buffer];
    if (first < b->first) b->first = first;
    if (last > b->last) b->last = last;
}

static size_t value_bytes(const struct planner *p, int value) {
    return (size_t)cvy_shape_count(p->graph->values[value].shape) * (size_t)p->plan->n * sizeof(float);
}

/* Whether node i may write its output over its input: nobody reads any value of that buffer after i. */
static bool may_overwrite(const struct planner *p, int i) {
    int buffer = p->plan->value[p->graph->nodes[i].inputs[0]];
    if (buffer == CVY_INPUT_BUFFER) return false;
    for (int v = 0; v < p->graph->value_count; v++)
        if (p->plan->value[v] == buffer && p->last_read[v] > i) return false;
    return true;
}

static void plan_values(struct planner *p) {
    for (int v = 0; v < p->graph->value_count; v++) p->plan->value[v] = p->plan->grad[v] = CVY_NO_BUFFER;
    p->plan->value[0] = CVY_INPUT_BUFFER;
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_graph_node *node = &p->graph->nodes[i];
        int y = node->output;
        if (y < 0 || !runs(p, i)) continue;
        bool share = node->absorbed || node->op.view || (node->op.inplace && may_overwrite(p, i));
        p->plan->value[y] = share ? p->plan->value[node->inputs[0]] : new_buffer(p, value_bytes(p, y), i, i);
        extend(p, p->plan->value[y], i, p->last_read[y]);
    }
}

/* dy first, so that dx can share it: nodes from the last to the first. */
static void plan_grads(struct planner *p) {
    for (int i = p->nodes - 1; i >= 0; i--) {
        const struct cvy_graph_node *node = &p->graph->nodes[i];
        for (int k = 0; k < node->op.inputs; k++) {
            int x = node->inputs[k], *grad = &p->plan->grad[x];
            const struct cvy_value *value = &p->graph->values[x];
            if (!value->wants_grad) continue;
            bool share = k == 0 && (node->op.inplace || node->op.view) && value->consumers == 1;
            if (*grad == CVY_NO_BUFFER)
                *grad = share ? p->plan->grad[node->output] : new_buffer(p, value_bytes(p, x), backward_time(p, i), 0);
            extend(p, *grad, backward_time(p, i), backward_time(p, value->producer));
        }
    }
}

static void plan_saved(struct planner *p) {
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_op *op = &p->graph->nodes[i].op;
        size_t bytes = op->kind->saved ? op->kind->saved(op, p->plan->n) : 0;
        p->plan->saved[i] = bytes && training(p) ? new_buffer(p, bytes, i, backward_time(p, i)) : CVY_NO_BUFFER;
    }
}

/* ---- offsets ---- */

struct order {
    size_t bytes;
    int index;
};

static int larger_first(const void *a, const void *b) {
    const struct order *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->index - y->index;
}

static bool meet(const struct cvy_buffer *a, const struct cvy_buffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `b` meets none of the placed ones. */
static size_t lowest_place(const struct cvy_plan *plan, const struct order *placed, int count,
                           const struct cvy_buffer *b) {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct cvy_buffer *other = &plan->buffers[placed[i].index];
            bool overlap = at < other->offset + other->bytes && other->offset < at + b->bytes;
            if (overlap && meet(b, other)) {
                at = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return at;
}

static cvy_status place_buffers(struct cvy_plan *plan) {
    struct order *order;
    CVY_TRY(CVY_NEW(&order, plan->buffer_count, general));
    for (int i = 0; i < plan->buffer_count; i++) order[i] = (struct order){plan->buffers[i].bytes, i};
    qsort(order, (size_t)plan->buffer_count, sizeof *order, larger_first);
    for (int i = 0; i < plan->buffer_count; i++) {
        struct cvy_buffer *b = &plan->buffers[order[i].index];
        b->offset = lowest_place(plan, order, i, b);
        if (b->offset + b->bytes > plan->leaf_bytes) plan->leaf_bytes = b->offset + b->bytes;
    }
    cvy_free(order);
    return CVY_OK;
}

/* ---- segments, workspace, copies ---- */

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
        if (!runs(p, i)) continue;
        bool learns = node->output >= 0 && p->graph->values[node->output].wants_grad;
        bool now = training(p) && backward == op->kind->loss; /* a loss does it all when backward comes */
        if (now) add_cut(plan, t, i, false, op->partial_forward);
        if (learns && backward) add_cut(plan, t, i, true, op->partial_backward);
    }
    plan->segments[plan->segment_count - 1].end = steps;
}

static bool wants_dx(const struct cvy_graph *graph, const struct cvy_graph_node *node) {
    return graph->values[node->inputs[0]].wants_grad;
}

/* Copies this large share one place: to make one again for each leaf costs little beside a backward that reads it. */
static bool comes_late(const struct cvy_op *op) {
    return op->copy_floats > LATE_FLOATS && !op->copy_in_forward;
}

static void plan_scratch(struct planner *p, int threads) {
    struct cvy_plan *plan = p->plan;
    size_t shared = 0;
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_op *op = &p->graph->nodes[i].op;
        size_t bytes = op->kind->workspace ? op->kind->workspace(op, plan->n, threads) : 0;
        if (bytes > plan->workspace_bytes) plan->workspace_bytes = bytes;
        bool wanted = op->copy_in_forward || (training(p) && wants_dx(p->graph, &p->graph->nodes[i]));
        size_t floats = wanted ? cvy_align_up(op->copy_floats * sizeof(float)) / sizeof(float) : 0;
        plan->late[i] = floats && comes_late(op);
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

static cvy_status allocate(struct planner *p) {
    const struct cvy_graph *graph = p->graph;
    struct cvy_plan *plan = p->plan;
    CVY_TRY(CVY_NEW(&plan->buffers, 2 * graph->value_count + p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->value, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->grad, graph->value_count, general));
    CVY_TRY(CVY_NEW(&plan->saved, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->copy, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->late, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->segments, 2 * p->nodes + 1, general));
    return CVY_NEW(&p->last_read, graph->value_count, general);
}

cvy_status cvy_plan_create(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                           struct cvy_plan *out) {
    struct planner p = {.graph = graph, .plan = out, .nodes = graph->node_count};
    *out = (struct cvy_plan){.mode = mode, .n = n};
    cvy_status status = allocate(&p);
    if (status == CVY_OK) {
        find_last_reads(&p);
        plan_values(&p);
        if (mode == CVY_TRAIN) plan_grads(&p);
        plan_saved(&p);
        plan_segments(&p);
        plan_scratch(&p, threads);
        out->slots = out->segment_count > 1 && leaves > 1 ? leaves : 1;
        status = place_buffers(out);
    }
    cvy_free(p.last_read);
    if (status != CVY_OK) cvy_plan_destroy(out);
    return status;
}

void cvy_plan_destroy(struct cvy_plan *plan) {
    cvy_free(plan->buffers);
    cvy_free(plan->value);
    cvy_free(plan->grad);
    cvy_free(plan->saved);
    cvy_free(plan->copy);
    cvy_free(plan->late);
    cvy_free(plan->segments);
    *plan = (struct cvy_plan){0};
}

size_t cvy_plan_bytes(const struct cvy_plan *plan) {
    return plan->leaf_bytes * (size_t)plan->slots + plan->workspace_bytes + plan->copy_floats * sizeof(float);
}
