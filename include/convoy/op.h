/* Layers of one's own. A layer is a table of functions; registered with the library, model files use it by its name as
 * they use those of the library, with settings, shapes, weights, memory and checkpoints handled alike:
 *
 *   static const struct cvy_layer_kind square = {.size = sizeof square, .name = "square", .purpose = "x * x",
 *       .reads = CVY_LAYER_READS_X, .forward = forward, .backward = backward};
 *   cvy_register_layer(&square);                                      before the first file that uses it is read
 *   …  layers: [{conv: 8}, square, {dense: 10}]
 *
 * A layer is told its inputs' shapes, says what it needs, and then computes on leaves: `samples` samples, all arrays
 * dense, [samples][height][width][channels], of float32 (where training is in bf16, what it reads and writes is
 * converted for it). What it computes of a leaf has to be a function of what it is given alone, sums in an order that
 * does not depend on threads: then results are the same on every number of ranks and threads, as those of other layers.
 * It allocates nothing, keeps nothing between two calls but in `saved`, and is called in the library's own modes: it
 * rounds to nearest, and denormals are zero. Its functions are called by the thread that called the library, and are to
 * share their work by cvy_layer_parallel. */
#ifndef CONVOY_OP_H
#define CONVOY_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most that a layer may have. */
enum { CVY_LAYER_KEYS = 16, CVY_LAYER_INPUTS = 8, CVY_LAYER_WEIGHTS = 4, CVY_LAYER_WHY = 192 };

/* Structs that keep their size: */
struct cvy_layer_shape {
    int height, width, channels; /* of one sample */
};
/* A setting: a number that the model file gives (`swish_beta: {start: 2}`; the first of a layer's also `swish_beta:
 * 2`). */
struct cvy_layer_key {
    const char *name, *help; /* help: one line, for users */
    bool needed;             /* has to be given; else it is `fallback` */
    bool whole;              /* a whole number */
    double fallback;
    double low, high; /* the allowed range, both ends included; both 0: any */
};
/* A vector that is learned. */
struct cvy_layer_weight {
    const char *name; /* in checkpoints: "beta" of layer "act1" is /param/act1/beta */
    int64_t count;
    double start; /* of all its elements */
    bool decays;  /* weight decay is for it, too */
};

/* One layer of a network, as its functions see it. */
struct cvy_layer_view {
    const char *name;       /* "block2/swish_beta1" */
    void *user;             /* of its kind */
    const double *settings; /* in the order of the kind's keys */
    int inputs;
    const struct cvy_layer_shape *in; /* [inputs] */
    struct cvy_layer_shape out;       /* of infer; before, the first input's */
};

/* What a layer says of itself. */
struct cvy_layer_plan {
    struct cvy_layer_shape out; /* at first as the first input's */
    struct cvy_layer_weight weights[CVY_LAYER_WEIGHTS];
    int weight_count;
    int64_t macs;            /* multiply-adds of one sample, forward; for `describe` and `bench` */
    char why[CVY_LAYER_WHY]; /* "": all is well; else why these inputs or settings will not do, and what would */
};

struct cvy_pool;

/* One leaf. What is not there is NULL. */
struct cvy_layer_call {
    int samples;
    bool training;
    int threads;
    struct cvy_pool *pool;       /* the library's, for cvy_layer_parallel */
    const float *const *x;       /* [inputs]; in backward where `reads` has CVY_LAYER_READS_X */
    float *y;                    /* in forward to be set; in backward to be read, where `reads` has CVY_LAYER_READS_Y */
    const float *dy;             /* backward: the gradient of y */
    float *const *dx;            /* [inputs] backward: dy's share is added to each; one that is NULL is not wanted */
    const float *const *weights; /* [weight_count] */
    float *const *dweights;      /* [weight_count] backward: the sum over the samples is added to each */
    void *saved;                 /* bytes that forward leaves to the backward of the same leaf */
    void *workspace;             /* bytes for the time of the call */
};

/* What backward reads beside dy, weights and `saved`. */
enum { CVY_LAYER_READS_X = 1, CVY_LAYER_READS_Y = 2 };

struct cvy_layer_kind {
    size_t size;                      /* of this struct */
    const char *name, *purpose;       /* small letters, digits, _; purpose: one line, for `convoy help` */
    const struct cvy_layer_key *keys; /* [key_count] */
    int key_count;
    int min_inputs, max_inputs; /* both 0: one */
    unsigned reads;             /* CVY_LAYER_READS_X | CVY_LAYER_READS_Y */
    void *user;                 /* for its functions */
    /* NULL: y is as its first input, and there are no weights. */
    void (*infer)(const struct cvy_layer_view *layer, struct cvy_layer_plan *plan);
    /* Bytes for leaves of so many samples; NULL: none. */
    size_t (*saved)(const struct cvy_layer_view *layer, int samples);
    size_t (*workspace)(const struct cvy_layer_view *layer, int samples, int threads);
    void (*forward)(const struct cvy_layer_view *layer, const struct cvy_layer_call *call);
    void (*backward)(const struct cvy_layer_view *layer, const struct cvy_layer_call *call);
    /* Text of what decides about results beside name and settings, such as a version of its code: ranks compare it.
     * NULL: nothing does. */
    void (*describe)(const struct cvy_layer_view *layer, char *out, size_t room);
};
CVY_SIZED(cvy_layer_kind)

/* Registers a kind for the whole process, for good: what it points to has to stay. (Of the process, not of a context,
 * since files and checkpoints that name it are also read by functions that have no context.) CVY_ERR_USAGE where the
 * name is taken, by a layer, a loss or a group of layers, or the kind is not complete. On several ranks all register
 * the same. Safe from any thread, but not while a file that uses it is read. Not collective. */
CVY_API cvy_status cvy_register_layer(const struct cvy_layer_kind *kind);

/* Runs run(arg, t, thread) for t = 0 … tasks − 1, shared by the threads of the rank, and returns when all are done;
 * `thread` is from 0 to call->threads − 1, for parts of `workspace` alone. Tasks are cut by shapes, and each element of
 * a result is written by one of them. In forward and backward, not within a task. Not collective. */
CVY_API void cvy_layer_parallel(const struct cvy_layer_call *call, int tasks,
                                void (*run)(void *arg, int task, int thread), void *arg);

#ifdef __cplusplus
}
#endif

#endif
