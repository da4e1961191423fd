#include "graph/run/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "graph/run/mixed.h"

enum { LATE_FLOATS = 1 << 16, SMALL_BYTES = 1 << 23, LARGE_BYTES = 1 << 28 };

struct planner {
    const struct cvy_graph *graph;
    const struct cvy_compute *compute;
    struct cvy_plan *plan;
    int *last_read; /* of each value: the last time anyone reads it */
    bool alone;     /* nobody else reads the dy of the unit whose gradients are being planned */
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
/* ---- lifetimes ---- */

static const struct cvy_op *op_of(const struct planner *p, int node) {
    return &p->graph->nodes[node].op;
}
/* The node that makes a value, as far as anything runs: −1 for the input. */
static int maker(const struct planner *p, int value) {
    const int producer = p->graph->values[value].producer;
    return producer < 0 ? -1 : p->plan->units[producer].host;
}
/* Backward reads its inputs. A unit's first op stands for the whole. */
static bool reads_back(const struct planner *p, int node) {
    const struct cvy_op *op = op_of(p, node);
    return training(p) && !p->plan->units[node].whole && (op->reads & CVY_READS_INPUT);
}

/* Backward reads what the unit wrote. */
static bool reads_own(const struct planner *p, int node) {
    const struct cvy_fused_unit *unit = &p->plan->units[node];
    return training(p) && !unit->whole && unit->output >= 0 &&
           ((op_of(p, node)->reads & CVY_READS_OUTPUT) || unit->masks);
}

/* The node before whose backward the output of unit h is made again, −1 for none. */
static int repeated_for(const struct planner *p, int h) {
    for (int c = h + 1; h >= 0 && c < p->nodes; c++)
        if (p->plan->again[c] == h) return c;
    return -1;
}

static void read_at(struct planner *p, int value, int time) {
    p->last_read[value] = cvy_max(p->last_read[value], time);
}

static void find_last_reads(struct planner *p) {
    for (int v = 0; v < p->graph->value_count; v++)
        p->last_read[v] = p->graph->values[v].producer; /* −1 for the input */
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_fused_unit *unit = &p->plan->units[i];
        const struct cvy_graph_node *node = &p->graph->nodes[i];
        bool later = reads_back(p, i) && p->plan->again[i] < 0;
        for (int k = 0; runs(p, i) && k < node->op.inputs; k++)
            read_at(p, node->inputs[k], later ? backward_time(p, i) : i);
        if (reads_own(p, i) && repeated_for(p, i) < 0) read_at(p, unit->output, backward_time(p, i));
    }
    if (!training(p)) p->last_read[p->graph->output] = 2 * p->nodes; /* the caller reads it */
}

/* A value that node c's backward finds where forward left it, or made again before, for somebody else's sake. */
static bool is_there(const struct planner *p, int value, int c) {
    const int m = maker(p, value);
    const int again = m < 0 ? -1 : repeated_for(p, m);
    if (again >= 0 && again < c) return false;
    if (m >= 0 && reads_own(p, m)) return true;
    for (int i = 0; i < c; i++)
        for (int k = 0; k < op_of(p, i)->inputs; k++)
            if (p->graph->nodes[i].inputs[k] == value && reads_back(p, i)) return true;
    return false;
}

/* Whether the output of unit h, which node c reads, can be made again for c's backward: nobody else reads it there, and
 * what it is made of is there. */
static bool can_repeat(const struct planner *p, int h, int c) {
    const struct cvy_fused_unit *unit = &p->plan->units[h];
    const struct cvy_op *op = op_of(p, h);
    const int v = unit->output;
    if (!op->repeats || !(op->reads & CVY_READS_INPUT) || p->plan->again[h] >= 0) return false;
    if (unit->residual != CVY_NO_VALUE && !is_there(p, unit->residual, c)) return false;
    if (unit->back != v || !p->graph->values[v].wants_grad || op->frozen) return false;
    for (int i = h + 1; i < p->nodes; i++) {
        const struct cvy_graph_node *node = &p->graph->nodes[i];
        for (int k = 0; i != c && k < node->op.inputs; k++)
            if (node->inputs[k] == v && reads_back(p, i)) return false;
    }
    return true;
}

/* Only where memory is worth the time. */
static void choose_repeats(struct planner *p, bool wanted) {
    for (int c = 0; c < p->nodes; c++) {
        const struct cvy_graph_node *node = &p->graph->nodes[c];
        p->plan->again[c] = -1;
        if (!wanted || node->op.inputs != 1 || cvy_loss_of(&node->op) || !reads_back(p, c)) continue;
        if (node->op.partial_backward) continue; /* reads it before its backward */
        const int h = maker(p, node->inputs[0]);
        if (h >= 0 && p->plan->units[h].output == node->inputs[0] && can_repeat(p, h, c)) p->plan->again[c] = h;
    }
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
    return (size_t)cvy_shape_count(p->graph->values[value].shape) * (size_t)p->plan->n *
           cvy_dtype_bytes(p->graph->values[value].type);
}
static bool same_type(const struct planner *p, int a, int b) {
    return p->graph->values[a].type == p->graph->values[b].type;
}

/* Whether node i may write its output over its input: nobody reads any value of that buffer after i. */
static bool may_overwrite(const struct planner *p, int i) {
    int buffer = p->plan->value[p->graph->nodes[i].inputs[0]];
    if (buffer == CVY_INPUT_BUFFER) return false;
    for (int v = 0; v < p->graph->value_count; v++)
        if (p->plan->value[v] == buffer && p->last_read[v] > i) return false;
    return true;
}

/* All values inside a unit have the buffer of what it writes. */
static void name_values(struct planner *p, int host, int buffer) {
    for (int i = host; i < p->nodes; i++) {
        const int v = p->graph->nodes[i].output;
        if (v < 0 || p->plan->units[i].host != host) continue;
        p->plan->value[v] = buffer;
        extend(p, buffer, host, p->last_read[v]);
    }
}

static void plan_values(struct planner *p) {
    for (int v = 0; v < p->graph->value_count; v++) p->plan->value[v] = p->plan->grad[v] = CVY_NO_BUFFER;
    bool converted = p->graph->values[0].type != CVY_F32;
    p->plan->value[0] = converted ? new_buffer(p, value_bytes(p, 0), 0, p->last_read[0]) : CVY_INPUT_BUFFER;
    for (int i = 0; i < p->nodes; i++) {
        const struct cvy_graph_node *node = &p->graph->nodes[i];
        int y = node->output;
        if (y < 0 || !runs(p, i) || p->plan->units[i].host != i) continue;
        bool share = node->op.view || (node->op.inplace && same_type(p, y, node->inputs[0]) && may_overwrite(p, i));
        name_values(p, i, share ? p->plan->value[node->inputs[0]] : new_buffer(p, value_bytes(p, y), i, i));
    }
    memcpy(p->plan->back, p->plan->value, (size_t)p->graph->value_count * sizeof *p->plan->back);
    for (int c = 0; c < p->nodes; c++)
        if (p->plan->again[c] >= 0) {
            const int x = p->graph->nodes[c].inputs[0], t = backward_time(p, c), h = p->plan->again[c];
            p->plan->back[x] = new_buffer(p, value_bytes(p, x), t, reads_own(p, h) ? backward_time(p, h) : t);
        }
}

/* ---- gradients ---- */

/* What unit i hands gradients to: its op's inputs, then its residual. */
static int inputs_of(const struct planner *p, int i) {
    return op_of(p, i)->inputs +
           (p->plan->units[i].back != p->graph->nodes[i].output && p->plan->units[i].residual != CVY_NO_VALUE);
}
static int input_of(const struct planner *p, int i, int k) {
    return k < op_of(p, i)->inputs ? p->graph->nodes[i].inputs[k] : p->plan->units[i].residual;
}
static int dy_of(const struct planner *p, int i) {
    return p->plan->units[i].back < 0 ? CVY_NO_BUFFER : p->plan->grad[p->plan->units[i].back];
}

/* Nobody reads this gradient after unit i's backward. */
static bool last_reader(const struct planner *p, int buffer, int i) {
    return buffer >= 0 && p->plan->buffers[buffer].last <= backward_time(p, i);
}

/* The last node before unit i's own that reads value v, which is the first after it to add to v's gradient. */
static int next_adder(const struct planner *p, int i, int v) {
    int next = -1;
    for (int j = 0; j < p->nodes; j++) {
        const int host = p->plan->units[j].host;
        const struct cvy_graph_node *node = &p->graph->nodes[j];
        for (int k = 0; host != i && j != i && k < node->op.inputs; k++)
            if (node->inputs[k] == v) next = cvy_max(next, p->plan->units[j].whole ? host : j);
    }
    return next;
}

/* Whether the gradient of input k, which is dy, may lie in dy's place although i's other inputs have it there too:
 * these must have been read before anyone adds to it or, where its maker's backward changes it, before that. */
static bool may_pass(const struct planner *p, int i, int k) {
    const int x = input_of(p, i, k), dy = dy_of(p, i);
    const struct cvy_value *value = &p->graph->values[x];
    int first = k >= op_of(p, i)->inputs ? i : p->nodes; /* the lowest other reader: the last to run */
    if (dy < 0 || !p->alone) return false;
    for (int other = 0; other < inputs_of(p, i); other++) {
        const int v = input_of(p, i, other);
        if (other == k) continue;
        if (v == x) return false;
        if (k < op_of(p, i)->inputs && p->graph->values[v].wants_grad && maker(p, v) < first) first = maker(p, v);
    }
    if (value->consumers > 1) return next_adder(p, i, x) < first;
    return !p->plan->units[maker(p, x)].masks || maker(p, x) < first;
}

static void plan_gradient(struct planner *p, int i, int k) {
    const int x = input_of(p, i, k), dy = dy_of(p, i);
    const struct cvy_op *op = op_of(p, i);
    const struct cvy_value *value = &p->graph->values[x];
    int *grad = &p->plan->grad[x];
    if (!value->wants_grad) return;
    if (*grad == CVY_NO_BUFFER) {
        bool share = op->view && k == 0 && value->consumers == 1 && p->alone;
        if (op->passes || k >= op->inputs)
            share = may_pass(p, i, k);
        else if (op->inplace && k == 0)
            share = value->consumers == 1 && last_reader(p, dy, i);
        *grad = share && same_type(p, x, p->plan->units[i].back)
                    ? dy
                    : new_buffer(p, value_bytes(p, x), backward_time(p, i), 0);
    }
    extend(p, *grad, backward_time(p, i), backward_time(p, maker(p, x)));
}

/* dy first, so that dx can share it: units from the last to the first; the residual first, so that dx does not take its
 * place. */
static void plan_grads(struct planner *p) {
    for (int i = p->nodes - 1; i >= 0; i--) {
        if (p->plan->units[i].whole) continue;
        for (int j = i; j < p->nodes; j++) /* gradients inside a unit: only the last one's is ever there */
            if (p->plan->units[j].host == i && (j == i || p->plan->units[j].whole) && p->graph->nodes[j].output >= 0)
                p->plan->grad[p->graph->nodes[j].output] = dy_of(p, i);
        p->alone = last_reader(p, dy_of(p, i), i);
        for (int k = inputs_of(p, i) - 1; k >= 0; k--) plan_gradient(p, i, k);
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

/* The lowest offset at which `b` meets none of the placed ones; apart: and none of another size. */
static size_t lowest_place(const struct cvy_plan *plan, const struct order *placed, int count,
                           const struct cvy_buffer *b, bool apart) {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct cvy_buffer *other = &plan->buffers[placed[i].index];
            bool overlap = at < other->offset + other->bytes && other->offset < at + b->bytes;
            if (overlap && (meet(b, other) || (apart && b->bytes != other->bytes))) {
                at = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return at;
}

/* In a small network memory is cheaper than its traffic between cores: of buffers of different sizes that share bytes,
 * half of what a thread writes was the other's before. */
static bool are_apart(const struct cvy_plan *plan) {
    size_t all = 0;
    for (int i = 0; i < plan->buffer_count; i++) all += plan->buffers[i].bytes;
    return all <= SMALL_BYTES;
}

static cvy_status place_buffers(struct cvy_plan *plan) {
    const bool apart = are_apart(plan);
    struct order *order;
    CVY_TRY(CVY_NEW(&order, plan->buffer_count, general));
    for (int i = 0; i < plan->buffer_count; i++) order[i] = (struct order){plan->buffers[i].bytes, i};
    qsort(order, (size_t)plan->buffer_count, sizeof *order, larger_first);
    for (int i = 0; i < plan->buffer_count; i++) {
        struct cvy_buffer *b = &plan->buffers[order[i].index];
        b->offset = lowest_place(plan, order, i, b, apart);
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
        if (!runs(p, i) || plan->units[i].whole) continue;
        bool learns = node->output >= 0 && p->graph->values[node->output].wants_grad;
        bool now = training(p) && backward == (cvy_loss_of(op) != NULL); /* a loss does it all when backward comes */
        if (now) add_cut(plan, t, i, false, op->partial_forward);
        if (learns && backward) add_cut(plan, t, i, true, op->partial_backward);
    }
    plan->segments[plan->segment_count - 1].end = steps;
}

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
    CVY_TRY(CVY_NEW(&plan->made, p->nodes, general));
    CVY_TRY(CVY_NEW(&plan->segments, 2 * p->nodes + 1, general));
    return CVY_NEW(&p->last_read, graph->value_count, general);
}

static cvy_status plan_all(struct planner *p, int leaves, bool repeats) {
    struct cvy_plan *plan = p->plan;
    CVY_TRY(allocate(p));
    CVY_TRY(cvy_fuse(p->graph, plan->mode, plan->units));
    choose_repeats(p, repeats);
    find_last_reads(p);
    plan_values(p);
    if (training(p)) plan_grads(p);
    plan_saved(p);
    plan_segments(p);
    CVY_TRY(plan_scratch(p));
    plan->slots = plan->segment_count > 1 && leaves > 1 ? leaves : 1;
    return place_buffers(plan);
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

cvy_status cvy_plan_with(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves,
                         const struct cvy_compute *compute, enum cvy_recompute recompute, struct cvy_plan *out) {
    CVY_TRY(try_plan(graph, mode, n, leaves, compute, recompute == CVY_RECOMPUTE_ALL, out));
    const bool large = mode == CVY_TRAIN && out->leaf_bytes * (size_t)out->slots >= LARGE_BYTES;
    if (recompute != CVY_RECOMPUTE_AUTO || !large) return CVY_OK;
    cvy_plan_destroy(out);
    return try_plan(graph, mode, n, leaves, compute, true, out);
}

cvy_status cvy_plan_create(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves,
                           const struct cvy_compute *compute, struct cvy_plan *out) {
    return cvy_plan_with(graph, mode, n, leaves, compute, CVY_RECOMPUTE_AUTO, out);
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
    for (int i = 0; plan->made && i < plan->nodes; i++) cvy_free(plan->made[i]);
    cvy_free(plan->made);
    cvy_free(plan->segments);
    *plan = (struct cvy_plan){0};
}

size_t cvy_plan_bytes(const struct cvy_plan *plan) {
    return plan->leaf_bytes * (size_t)plan->slots + plan->workspace_bytes + plan->copy_floats * sizeof(float);
}
