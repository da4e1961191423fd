/* What is alive when: the buffer of each value, of its gradient and of what an op saves, from its first time to its
 * last. */
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "graph/run/plan_parts.h"

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
        if (p->plan->recompute[c] == h) return c;
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
        bool later = reads_back(p, i) && p->plan->recompute[i] < 0;
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
    if (!op->repeats || !(op->reads & CVY_READS_INPUT) || p->plan->recompute[h] >= 0) return false;
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
        p->plan->recompute[c] = -1;
        if (!wanted || node->op.inputs != 1 || cvy_loss_of(&node->op) || !reads_back(p, c)) continue;
        if (node->op.partial_backward) continue; /* reads it before its backward */
        const int h = maker(p, node->inputs[0]);
        if (h >= 0 && p->plan->units[h].output == node->inputs[0] && can_repeat(p, h, c)) p->plan->recompute[c] = h;
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
        if (p->plan->recompute[c] >= 0) {
            const int x = p->graph->nodes[c].inputs[0], t = backward_time(p, c), h = p->plan->recompute[c];
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

void cvy_plan_times(struct planner *p, bool repeats) {
    choose_repeats(p, repeats);
    find_last_reads(p);
    plan_values(p);
    if (training(p)) plan_grads(p);
    plan_saved(p);
}
