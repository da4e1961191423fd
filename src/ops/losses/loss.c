/* The op that runs any loss. */
#include "ops/losses/loss.h"

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    struct cvy_loss *loss = op->state;
    const struct cvy_loss_kind *kind = loss->kind;
    loss->name = op->name;
    loss->node = op->node;
    loss->in = op->in[0];
    loss->classes = loss->in.c == 1 ? kind->form.alone : loss->in.c;
    op->reads = CVY_READS_INPUT;
    if (kind->infer) kind->infer(loss, op, findings);
}

static struct cvy_loss_rows rows_of(const struct cvy_op *op, const struct cvy_call *call) {
    const struct cvy_tensor *t = &call->target;
    const bool whole = cvy_target_is_class((struct cvy_target){t->dtype, t->shape});
    const struct cvy_shape in = op->in[0];
    return (struct cvy_loss_rows){.n = whole ? call->n : call->n * cvy_shape_pixels(in),
                                  .outputs = whole ? (int)cvy_shape_count(in) : in.c,
                                  .x = call->x[0].data,
                                  .labels = t->dtype == CVY_I32 ? t->data : NULL,
                                  .values = t->dtype == CVY_F32 ? t->data : NULL};
}

/* The target's kind may be either: the most that one needs. */
static size_t workspace(const struct cvy_op *op, int n, int threads) {
    (void)threads;
    const struct cvy_loss *loss = op->state;
    const size_t rows = cvy_loss_workspace(n * cvy_shape_pixels(loss->in), loss->in.c),
                 own = loss->kind->workspace ? loss->kind->workspace(loss, n) : 0;
    return own > rows ? own : rows;
}

/* The weights, as numbers: a list, or one for all. */
static void prepare(const struct cvy_op *op, struct cvy_call *call) {
    const struct cvy_node *given = ((const struct cvy_loss *)op->state)->weights;
    for (int i = 0; given && i < op->in[0].c; i++) {
        double weight = 0;
        cvy_node_real(given->kind == CVY_NODE_LIST ? given->items[i] : given, &weight);
        call->copy[i] = (float)weight;
    }
}

static struct cvy_loss_rule rule_now(const struct cvy_loss *loss, const struct cvy_call *call) {
    return (struct cvy_loss_rule){.form = &loss->kind->form,
                                  .a = loss->a,
                                  .settings = loss,
                                  .weights = loss->weights ? call->copy : NULL,
                                  .ignores = loss->ignores,
                                  .ignored = loss->ignored,
                                  .scale = 1};
}

static void partial(const struct cvy_op *op, struct cvy_call *call, bool backward) {
    (void)backward;
    const struct cvy_loss_rule rule = rule_now(op->state, call);
    const struct cvy_loss_rows rows = rows_of(op, call);
    call->partial[0] = cvy_loss_weight(&rule, &rows);
}

/* A sample's loss is the mean over its rows; with weights these say what a row counts in the batch. */
static double scale_of(const struct cvy_op *op, const struct cvy_call *call, int64_t rows) {
    if (!op->partial_forward) return (double)call->n / (double)rows;
    if (call->mode != CVY_TRAIN) return 1;
    return call->partial[0] > 0 ? (double)call->batch_samples / call->partial[0] : 0;
}

static void run(const struct cvy_op *op, struct cvy_call *call, float *dx) {
    const struct cvy_loss *loss = op->state;
    struct cvy_loss_rule rule = rule_now(loss, call);
    const struct cvy_loss_rows rows = rows_of(op, call);
    struct cvy_loss_result sum;
    rule.scale = scale_of(op, call, rows.n);
    if (loss->kind->run == NULL || !loss->kind->run(op, call, &rows, &sum, dx))
        cvy_loss_run(call->compute, &rule, &rows, &sum, dx, call->workspace);
    if (!op->partial_forward) sum.weight = call->n;
    cvy_loss_add(call->loss, &sum);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    run(op, call, NULL);
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    run(op, call, call->dx[0].data);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct cvy_loss *loss = op->state;
    cvy_buf_printf(out, "a%.17g ", loss->a);
    if (loss->kind->describe) loss->kind->describe(loss, out);
}

const struct cvy_op_kind cvy_op_loss = {
    .name = "loss",
    .purpose = "what a network is trained by",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .workspace = workspace,
    .prepare = prepare,
    .partial = partial,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
