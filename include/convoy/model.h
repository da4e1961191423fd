/* Models: what a description amounts to, how fast it is here, what it says of new inputs. */
#ifndef CONVOY_MODEL_H
#define CONVOY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "convoy/context.h"
#include "convoy/data.h"
#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cvy_layer_facts {
    char name[128], op[32];
    int output[3]; /* height, width, channels */
    int input_count;
    const int *inputs;        /* [input_count] the layers that it takes, by their index; −1: the network's input */
    int64_t params, frozen;   /* frozen: those of params that do not learn */
    int64_t macs;             /* multiply-adds of one sample, forward */
    int64_t activation_bytes; /* of one sample's output */
    int receptive_field[2];   /* height, width in input pixels */
};
struct cvy_model_facts {
    size_t size; /* of this struct */
    char name[128];
    int input[3];
    int64_t params, frozen, macs, activation_bytes;
    int64_t memory_bytes; /* the most that a process has while it trains with this leaf: */
    bool whole; /* all of `train` on one rank, with data, evaluation and checkpoints; else steps of one leaf */
    int leaf;
    int layer_count;
    struct cvy_layer_facts **layers; /* [layer_count] pointers */
    int *edges;                      /* of all layers: what their `inputs` point to */
};
CVY_SIZED(cvy_model_facts)
struct cvy_describe_options {
    size_t size;            /* of this struct */
    const char *path;       /* model file, or experiment file (then its leaf and parameters count) */
    const char *const *set; /* "a.b=v", as in training */
    int set_count;
    int leaf; /* 0: the experiment's, else 32 */
};
CVY_SIZED(cvy_describe_options)
/* An experiment whose data sets are there is opened and checked as by training. CVY_ERR_USAGE with all findings in the
 * files, CVY_ERR_DATA. Not collective. */
CVY_API cvy_status cvy_describe(struct cvy_context *ctx, const struct cvy_describe_options *options,
                                struct cvy_model_facts *out);
CVY_API void cvy_model_facts_destroy(struct cvy_model_facts *facts);

/* One pass of a layer: forward, backward-data, backward-weights, backward (of layers without weights), copies (of the
 * weights, once a step), update. */
struct cvy_bench_layer {
    char name[128], op[32], pass[24];
    char algorithm[32], isa[16];
    double ms;                   /* the least of all steps: other processes do not count */
    double gflops;               /* multiply-adds of the direct algorithm, whatever ran; 0 where a layer has none */
    double peak_share;           /* of the peak of its precision */
    double bytes;                /* that the pass reads and writes at least: operands and results once */
    double gbs, bandwidth_share; /* may be more than 1: from caches */
    int tasks;                   /* that its longest loop is cut into, whatever the threads; 0: no loop */
    double planned_ms;           /* with cvy_bench_options.plan threads, as far as there are tasks for them */
};
/* Keeps its size. This machine's peaks over all threads, unless it says otherwise: the best of probes between the
 * measured steps. */
struct cvy_bench_machine {
    double fma_gflops, fma_one_gflops; /* one: of one thread */
    double tile_gflops;                /* bf16, 0 where there is no such unit */
    double read_gbs, triad_gbs;
};
struct cvy_bench_result {
    size_t size; /* of this struct */
    struct cvy_bench_machine machine;
    double samples_per_s, ms;                            /* of the median step */
    double forward_ms, backward_ms, update_ms, other_ms; /* parts of the median step among those with timers */
    double first_step_s, peak_rss_mib;
    int threads;
    int layer_count;
    struct cvy_bench_layer **layers; /* [layer_count] pointers */
    double planned_ms;               /* of all layers; 0 without a plan */
    int batch, leaf;                 /* samples */
};
CVY_SIZED(cvy_bench_result)
struct cvy_bench_options {
    size_t size;            /* of this struct */
    const char *model;      /* model or experiment file; NULL: only the machine's peaks */
    int batch, leaf;        /* leaf 0: batch */
    const char *precision;  /* "fp32" or "bf16"; NULL: fp32 */
    double seconds;         /* how long to measure; 0: 3 */
    bool inference;         /* forward alone, in evaluation mode */
    int plan;               /* a number of threads for which to say what the loops' tasks allow; 0: none */
    const char *const *set; /* "a.b=v", as in training; for an experiment */
    int set_count;
};
CVY_SIZED(cvy_bench_options)
/* Times steps on random inputs in this process. CVY_ERR_USAGE where the model or batch, leaf and precision will not do.
 * Not collective. */
CVY_API cvy_status cvy_bench(struct cvy_context *ctx, const struct cvy_bench_options *options,
                             struct cvy_bench_result *out);
CVY_API void cvy_bench_result_destroy(struct cvy_bench_result *result);

/* A trained network ready to predict. */
struct cvy_predictor;
/* `from` is a checkpoint file or a run folder (its newest good checkpoint). *out uses the context, which is destroyed
 * after it; NULL on failure: CVY_ERR_CHECKPOINT. Not collective. */
CVY_API cvy_status cvy_predictor_create(struct cvy_context *ctx, const char *from, struct cvy_predictor **out);
CVY_API void cvy_predictor_destroy(struct cvy_predictor **predictor);
/* What its outputs are: by the loss that it was trained with, and the targets. */
enum cvy_prediction {
    CVY_PREDICTS_CLASSES, /* probabilities of classes, of which one is right */
    CVY_PREDICTS_SCORES,  /* the same, but what the loss compares are no probabilities (hinge): the largest wins */
    CVY_PREDICTS_LABELS,  /* a probability for each of several labels */
    CVY_PREDICTS_VALUES   /* values, in the units of the training data's /y */
};
struct cvy_predictor_facts {
    size_t size;             /* of this struct */
    int input[3], output[3]; /* height, width, channels; an output of height and width 1 is of the whole input */
    enum cvy_prediction kind;
    const char *checkpoint; /* the file; owned by the predictor */
};
CVY_SIZED(cvy_predictor_facts)
/* What it takes and gives now (inputs may make it take others). Not collective. */
CVY_API cvy_status cvy_predictor_describe(const struct cvy_predictor *predictor, struct cvy_predictor_facts *out);
/* The name of an output's channel: "sneaker", or the number as text where the data set had no names. Owned by the
 * predictor, until the next call. Not collective. */
CVY_API const char *cvy_predictor_class(const struct cvy_predictor *predictor, int index);
/* x: [n][height][width][channels] of facts.input, in the units of the training data's /x; outputs:
 * [n][height][width][channels] of facts.output; both the caller's. CVY_ERR_DATA where some are not finite, naming the
 * layer. Not collective. */
CVY_API cvy_status cvy_predictor_run(struct cvy_predictor *predictor, const float *x, int n, float *outputs);

/* What shows through the transparent pixels of pictures that are read from now on; black unless it is said. Not
 * collective. */
CVY_API void cvy_predictor_background(struct cvy_predictor *predictor, const unsigned char rgb[3]);

/* Inputs for a predictor. A word is a picture (convoy/formats.h), which is resized to the network's input; a data set
 * "F.h5", or samples of it, "F.h5:3", "F.h5:0-9"; or a folder, for all pictures and data sets in it, by name. */
struct cvy_inputs;
/* One of them. */
struct cvy_input {
    const char *name; /* "shoe.png", "test.h5:3" */
    int label;        /* its true class, as the predictor numbers them, or -1: not known */
    bool ignored;     /* its class is the one that does not count */
};
/* Not collective. All words are looked at before anything is read: that they are there, that samples fit the network,
 * in shape and scale; what does not is told by cvy_inputs_next in its turn. A network that takes any size is made to
 * take that of the samples (or form->height and width); cvy_predictor_describe says it afterwards. `form` may be NULL.
 * Destroyed before the predictor. CVY_ERR_DATA, CVY_ERR_USAGE; then *out is NULL. */
CVY_API cvy_status cvy_inputs_create(struct cvy_predictor *predictor, const char *const *words, int count,
                                     const struct cvy_data_form *form, struct cvy_inputs **out);
/* How many there are in all. Not collective. */
CVY_API int64_t cvy_inputs_count(const struct cvy_inputs *inputs);
/* The next *n ≤ most inputs, 0 at the end: x [most][height][width][channels], as cvy_predictor_run takes them.
 * CVY_ERR_DATA where a picture or set cannot be read: the next call goes on with the one behind it. Not collective. */
CVY_API cvy_status cvy_inputs_next(struct cvy_inputs *inputs, int most, float *x, int *n);
/* What each of these is, `index` from 0 to n − 1; of `inputs`, until the next call. Not collective. */
CVY_API const struct cvy_input *cvy_inputs_at(const struct cvy_inputs *inputs, int index);
CVY_API void cvy_inputs_destroy(struct cvy_inputs **inputs); /* NULL is fine */

/* Predictions in an HDF5 file, a row an input: /y as a data set would have it (int32 [n] or [n][h][w], the likeliest
 * class; float32 [n][c] or [n][h][w][c] of labels and values), of classes also /scores, the probabilities
 * or scores, float32 [n][…][classes], and /inputs, what each was read from. The file appears whole, with _finish. Not
 * collective.
 */
struct cvy_predictions;
struct cvy_predictions_options {
    size_t size;      /* of this struct */
    const char *path; /* of the file */
    bool overwrite;   /* replaces a file that is there; never what the predictor or one of these is read from: */
    const char *const *inputs; /* [input_count], as cvy_inputs_create takes them */
    int input_count;
};
CVY_SIZED(cvy_predictions_options)
/* CVY_ERR_USAGE where the file is there already or must not be replaced; then *out is NULL. */
CVY_API cvy_status cvy_predictions_create(const struct cvy_predictor *predictor,
                                          const struct cvy_predictions_options *options, struct cvy_predictions **out);
/* One input's outputs, as cvy_predictor_run gave them. */
CVY_API cvy_status cvy_predictions_add(struct cvy_predictions *predictions, const char *input, const float *outputs);
/* Writes the file; destroys, also on failure. */
CVY_API cvy_status cvy_predictions_finish(struct cvy_predictions **predictions);
/* Gives up: nothing is written. NULL is fine. */
CVY_API void cvy_predictions_destroy(struct cvy_predictions **predictions);

#ifdef __cplusplus
}
#endif

#endif
