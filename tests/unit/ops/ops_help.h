/* Running one op alone, on buffers that are exactly as large as it declares and hold NaN where it has no business. */
#ifndef CVY_TESTS_OPS_HELP_H
#define CVY_TESTS_OPS_HELP_H

#include "graph/model/graph.h"
#include "graph/run/plan.h"
#include "ops/ops.h"

enum { OP_INPUTS = 3 };

struct op_run {
    const struct cvy_op *op;
    struct cvy_call call; /* of n samples, in training; the caller may change what it points to */
    struct cvy_tensor x[OP_INPUTS], dx[OP_INPUTS];
    bool accumulate[OP_INPUTS];
    struct cvy_loss_result loss;
    double partial[1]; /* a loss's normaliser */
    size_t y_count, x_count[OP_INPUTS];
    float *own[3 + 2 * OP_INPUTS + 2 * (CVY_OP_PARAMS + CVY_OP_BUFFERS)]; /* to be freed */
    struct cvy_op_needs needs;
    void *blocks[4];
    int owned;
};

/* Makes the buffers of one call. x, dy, target, ids and parameters are the caller's to fill (call.param points to
 * memory of the run); everything starts as NaN. */
void op_run_create(struct op_run *run, const struct cvy_op *op, const struct cvy_compute *compute, int n);
void op_run_destroy(struct op_run *run);
float *op_run_param(struct op_run *run, int p); /* [stored] */
float *op_run_buffer(struct op_run *run, int b);
size_t op_stored(const struct cvy_op *op, int p);
/* prepare, then backward; what backward does not read by its declaration is NaN meanwhile (and stays so). */
void op_run_backward(struct op_run *run);
void op_run_forward(struct op_run *run);

/* The plan of a graph for so many threads, at this machine's highest level. */
cvy_status plan_for(const struct cvy_graph *graph, enum cvy_mode mode, int n, int leaves, int threads,
                    enum cvy_recompute recompute, struct cvy_plan *out);

/* Targets of n samples: a class each; a value for each output of a shape. Not copied. */
static inline struct cvy_tensor op_classes(const int32_t *labels, int n) {
    return (struct cvy_tensor){(void *)(uintptr_t)labels, CVY_I32, n, {1, 1, 1}};
}
static inline struct cvy_tensor op_values(const float *values, int n, struct cvy_shape shape) {
    return (struct cvy_tensor){(void *)(uintptr_t)values, CVY_F32, n, shape};
}

/* A graph from YAML text, named "t.yaml" in messages; `loss` may be NULL. The tree holds its nodes. */
cvy_status graph_from_text(const char *text, const char *loss, struct cvy_tree **tree, struct cvy_graph **graph);
/* What a loss makes of the outputs x of n samples, [n][outputs], and their targets; backward runs, too. */
struct cvy_loss_result op_loss_of(const char *loss, int outputs, int n, const float *x, struct cvy_tensor target);
/* The graph of a file under configs/models with its own parameters. */
cvy_status graph_from_model(const char *file, const char *loss, struct cvy_tree **tree, struct cvy_graph **graph);
/* With another input, "[h, w, c]". */
cvy_status graph_from_model_at(const char *file, const char *input, const char *loss, struct cvy_tree **tree,
                               struct cvy_graph **graph);

#endif
