/* What a layer is: a const table of functions, and what it declares of itself. (A loss: ops/losses/loss.h.)
 *
 * An op's life: its attributes are read by its table of keys into `state`; `infer` sees the input shapes and fills the
 * declarations; the graph plans memory from these; `prepare`, `forward` and `backward` then run with a call that names
 * every buffer. An op never allocates, knows nothing of ranks, and is constant while it runs. */
#ifndef CVY_OPS_OP_H
#define CVY_OPS_OP_H

#include "core/buf.h"
#include "core/tree/node.h"
#include "core/param.h"
#include "core/tree/schema.h"
#include "core/tensor.h"
#include "kernels/compute.h"
#include "kernels/conv/plan.h"
#include "kernels/softmax.h"

#define CVY_OP_PARAMS  4
#define CVY_OP_BUFFERS 2

/* Which parameter the bias is, where an op that has one lets a normalisation fold into it. */
enum { CVY_BIAS_PARAM = 1 };

enum cvy_mode { CVY_TRAIN, CVY_EVALUATE };

/* What backward reads besides dy. */
enum cvy_reads { CVY_READS_NOTHING = 0, CVY_READS_INPUT = 1, CVY_READS_OUTPUT = 2 };

struct cvy_op_kind;

struct cvy_op {
    const struct cvy_op_kind *kind;
    const char *name;            /* "block2/conv1" */
    const struct cvy_node *node; /* its place in the file, for messages */
    void *state;                 /* attributes, then what infer derived */
    int inputs;
    const struct cvy_shape *in; /* [inputs] */
    bool frozen;                /* parameters and statistics stay as they are, and are what training goes by too */

    /* Declared by infer. */
    struct cvy_shape out;
    struct cvy_param param[CVY_OP_PARAMS]; /* names without the layer's */
    int params;
    struct cvy_param buffer[CVY_OP_BUFFERS]; /* running statistics */
    int buffers;
    unsigned reads;      /* enum cvy_reads */
    bool inplace;        /* y may be the first x's buffer and its dx dy's (same size) */
    bool adds;           /* forward can add a residual to y (struct cvy_fused) */
    bool passes;         /* every dx is dy, so that they may be one buffer */
    bool repeats;        /* forward from x and `saved` costs little: y may be made again in backward */
    bool view;           /* y is x under another shape: forward does nothing */
    size_t copy_floats;  /* made by prepare once a step, in evaluation too; but for what is planned */
    size_t plan_bytes;   /* of what `plan` fills */
    bool bf16;           /* runs on bf16 itself; else the net converts what it reads and writes */
    enum cvy_dtype type; /* set by the graph's precision: of x, y, dx and dy; CVY_BF16 only if `bf16` says so */
    bool direct;         /* set by cvy_graph_set_winograd: convolutions by direct sums alone */
    int partial_forward, partial_backward; /* doubles a leaf that are summed over all leaves before the pass */
    int parts, units; /* parts > 1: backward makes dx alone; each parameter's storage is `units` stretches alike, whose
                         gradients come in so many parts, so that none of it has to be there whole */
    int64_t macs;     /* multiply-adds of one sample, forward */
    int field[CVY_SPATIAL_AXES],
        jump[CVY_SPATIAL_AXES]; /* receptive field: extent and stride of the window, 0: the whole input */
};

/* What an op does beside its own work as it writes y, in this order, because the plan has fused it with those behind it
 * (ops/ops.h). Of whole fusions backward begins with the last one's dy. */
struct cvy_fused {
    const float *norm; /* [3][channels as stored] a normalisation as bias, scale and shift, NULL: none */
    const float *bias; /* for `fold` alone: what the op that is folded into adds itself, NULL: nothing */
    bool residual;     /* adds x[inputs]; whose gradient is dx[inputs] */
    enum cvy_fused_act activation;
};

/* What a plan is made for. */
struct cvy_op_setting {
    const struct cvy_compute *compute;
    enum cvy_mode mode;
    int most; /* samples of the largest leaf */
    bool dx;  /* backward will be asked for dx */
};

/* What running by a plan wants. */
struct cvy_op_needs {
    size_t workspace;     /* bytes, for leaves of any size up to the largest */
    size_t copy_floats;   /* what prepare makes of the parameters, once a step */
    bool copy_in_forward; /* forward reads that too */
};

/* One execution on one leaf. */
struct cvy_call {
    const struct cvy_compute *compute;
    enum cvy_mode mode;
    uint64_t seed;
    uint32_t epoch;
    int64_t step;
    int leaf, n;              /* which leaf of the batch, its samples; in prepare the most there will be */
    const int64_t *ids;       /* [n] sample numbers */
    struct cvy_tensor target; /* for losses: what the outputs are compared with */
    int64_t batch_samples;    /* of the whole batch, over all leaves and ranks; in training */

    const struct cvy_tensor *x; /* [inputs] */
    struct cvy_tensor y, dy;
    struct cvy_fused fused;
    bool recompute;         /* forward, once more before the backward of an op that reads y; see `repeats` */
    struct cvy_tensor *dx;  /* [inputs]; data NULL: not wanted; in this order, since two may be the same buffer */
    const bool *accumulate; /* [inputs]: add to dx instead of setting it (never a loss, whose dx is the first) */

    const float *param[CVY_OP_PARAMS];
    float *grad[CVY_OP_PARAMS]; /* summed over the leaf; set, not added to */
    const float *buffer[CVY_OP_BUFFERS];
    float *stat[CVY_OP_BUFFERS]; /* set by backward: this leaf's value of each buffer, times its samples */
    const void *plan;
    float *copy;
    void *saved, *workspace;
    double *partial;              /* before the sum: this leaf's; after it: the whole batch's */
    struct cvy_loss_result *loss; /* losses add their sums over the leaf here */
};

struct cvy_op_kind {
    const char *name, *purpose; /* purpose: one line, for users */
    const char *shorthand;      /* the key that `maxpool: 2` sets, or NULL */
    const struct cvy_key *keys;
    size_t state_size;
    int min_inputs, max_inputs;

    void (*infer)(struct cvy_op *op, struct cvy_findings *findings);
    /* What the samples have to be in training: the fewest that a leaf and a whole batch will have. NULL: any. */
    void (*check)(const struct cvy_op *op, int leaf, int batch, struct cvy_findings *findings);
    size_t (*workspace)(const struct cvy_op *op, int n, int threads); /* bytes, NULL: none */
    size_t (*saved)(const struct cvy_op *op, int n);                  /* bytes from forward to backward, NULL: none */
    /* Decides how leaves are computed, once for a net: fills `plan`, op->plan_bytes which are 0 before, and which every
     * call points to. `workspace` is not asked then. NULL: there is nothing to decide. */
    struct cvy_op_needs (*plan)(const struct cvy_op *op, const struct cvy_op_setting *setting, void *plan);
    /* Whether it may go by algorithms that give rounding noise for some sums of zeros; NULL: none. */
    bool (*transforms)(const struct cvy_op *op, const struct cvy_op_setting *setting);
    void (*prepare)(const struct cvy_op *op, struct cvy_call *call);                /* fills `copy`, NULL: none */
    void (*partial)(const struct cvy_op *op, struct cvy_call *call, bool backward); /* fills this leaf's partial */
    void (*forward)(const struct cvy_op *op, struct cvy_call *call);
    void (*backward)(const struct cvy_op *op, struct cvy_call *call);
    /* Of one of op->parts, with `grad` where each parameter's part begins. NULL: always one part. */
    void (*gradient)(const struct cvy_op *op, struct cvy_call *call, int part);
    /* Instead of forward and backward in evaluation, where an op before it can do so: fills `copy` with 3 vectors of
     * the op's channels as they are stored, y = (x + first)·second + third, where `fused.bias` is not in x yet. NULL:
     * it cannot. */
    void (*fold)(const struct cvy_op *op, struct cvy_call *call);
    void (*describe)(const struct cvy_op *op, struct cvy_buf *out); /* attributes, for the graph's hash; NULL: none */
};

/* Declares a parameter; `name` is "weight" or "bias". */
void cvy_op_declare(struct cvy_op *op, const struct cvy_param *param);
/* Declares a buffer: after each step it becomes (1 − momentum)·itself + momentum·(Σ stat / samples), over all leaves.
 */
void cvy_op_declare_buffer(struct cvy_op *op, const struct cvy_param *buffer);
/* y = x, of `count` values, unless it is in x's place; and dx = (+=) dy for one of the inputs, where it is wanted. */
void cvy_op_pass(struct cvy_call *call, int64_t count);
void cvy_op_pass_back(struct cvy_call *call, int input, int64_t count);
/* Unit where part `part` begins; op->units for the one behind the last. */
static inline size_t cvy_op_part(const struct cvy_op *op, int part) {
    return (size_t)op->units * (size_t)part / (size_t)op->parts;
}
/* Elements of n samples. */
/* The receptive field of an output is the whole input. */
static inline void cvy_op_sees_all(struct cvy_op *op) {
    for (int axis = 0; axis < CVY_SPATIAL_AXES; axis++) op->field[axis] = cvy_shape_axis(op->in[0], axis);
}
static inline int64_t cvy_op_count(struct cvy_shape shape, int n) {
    return cvy_shape_count(shape) * n;
}

#endif
