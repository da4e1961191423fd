/* The inputs: what is trained and tested on, opened, checked against the network and each other, cut into batches. */
#ifndef CVY_TRAIN_INPUTS_H
#define CVY_TRAIN_INPUTS_H

#include "comm/exchange.h"
#include "data/loader.h"
#include "train/contract.h"
#include "train/suitable.h"
#include "train/task.h"

/* What is evaluated while a training goes on; those that choose by it take the first that there is. */
enum cvy_split { CVY_VALIDATION, CVY_TEST, CVY_SPLITS };
struct cvy_input_set {
    struct cvy_source *source; /* NULL: none */
    double factor;             /* what its inputs are multiplied by to be like the training's */
    struct cvy_augment *normalize;
    struct cvy_epoch_plan plan;
};

struct cvy_inputs {
    struct cvy_source *train;
    struct cvy_input_set sets[CVY_SPLITS];
    struct cvy_contract contract; /* of the training data */
    bool partly_known;            /* not all of it was looked at for its range: training goes on with that */
    int64_t measured;             /* samples that were, of a file in place; */
    uint64_t sample;              /* of these and of its targets, a digest; 0: nothing was looked at */
    double *mean, *std;           /* [input.c] what inputs are normalised by */
    struct cvy_augment *augment;
    struct cvy_epoch_plan plan;
    struct cvy_suiting suiting; /* of the training's targets */
    struct cvy_loader *loader;  /* training */
};

/* Opens and checks all sets, and tells the task's graph of their targets; how an epoch is cut. Not collective. */
cvy_status cvy_inputs_open(struct cvy_inputs *in, const struct cvy_task *task);
/* Cuts them into batches: augmentations, and that all ranks have leaves. Not collective. */
cvy_status cvy_inputs_cut(struct cvy_inputs *in, const struct cvy_task *task);
/* Whether all ranks read the same, and the other sets are on the training's scale. Collective. */
cvy_status cvy_inputs_compare(struct cvy_inputs *in, const struct cvy_task *task);
/* What inputs are normalised by: as the experiment says, the run that goes on (`resumed`, on rank 0; NULL: none), the
 * data set, or what all its samples come to. Collective: rank 0 decides. */
cvy_status cvy_inputs_normalize(struct cvy_inputs *in, const struct cvy_task *task, const struct cvy_ckpt *resumed);
/* in->sample of a file in place, unless it is known; nothing to do for other data, whose digest is of all. Not
 * collective. */
cvy_status cvy_inputs_look(struct cvy_inputs *in, const struct cvy_task *t);
/* Reads sets to evaluate as the training set is read that is a file in place: finds NaN and what cannot be read. Not
 * collective. */
cvy_status cvy_inputs_look_at_sets(struct cvy_inputs *in, const struct cvy_task *t);
/* The augmentations of all sets, made again: the training data's own, and normalisation by these, which of the others
 * is the same on their own scale. Not collective. */
cvy_status cvy_inputs_augment(struct cvy_inputs *in, const struct cvy_task *task, const double *mean,
                              const double *std);
/* The loader, from a place in an epoch on. Not collective. */
cvy_status cvy_inputs_load(struct cvy_inputs *in, const struct cvy_task *task, int64_t epoch, int64_t position);
/* The contract's range takes in what a batch that was trained on holds; not collective. What the ranks saw for
 * themselves becomes every rank's; collective, and the same for any number of ranks. Nothing to do where the range of
 * all samples is known. */
void cvy_inputs_saw(struct cvy_inputs *in, const struct cvy_batch *batch);
cvy_status cvy_inputs_share_range(struct cvy_inputs *in, const struct cvy_task *task);
/* Gives up what needs file handles. */
void cvy_inputs_release(struct cvy_inputs *in);
void cvy_inputs_close(struct cvy_inputs *in); /* fine where nothing was opened */

/* Warns of what a set is unlike (inputs_doubts.c). */
void cvy_inputs_say_doubts(const struct cvy_inputs *in, const struct cvy_task *task);

/* Whether an evaluation follows this place of a run: where eval.every says so, and at its end. */
bool cvy_inputs_evaluated(const struct cvy_inputs *in, const struct cvy_experiment *e, int64_t step, int64_t epoch,
                          int64_t position);

/* What the data are called in messages; NULL: there are none. */
const char *cvy_inputs_train_name(const struct cvy_task *task);
const char *cvy_inputs_set_name(const struct cvy_task *task, enum cvy_split split);
const char *cvy_split_name(enum cvy_split split); /* "test" */
/* That of which schedules and the like take the figures; CVY_SPLITS: nothing is evaluated. */
enum cvy_split cvy_inputs_deciding(const struct cvy_inputs *in);
/* "validation top1": what a figure is of; "" for no figure (NULL or ""). */
void cvy_inputs_figure(const struct cvy_inputs *in, const char *figure, char out[64]);

/* How the epoch is cut that training begins in, at this position. */
struct cvy_epoch_plan cvy_inputs_first_epoch(const struct cvy_inputs *in, int64_t position);
/* How many leaves a batch has: a whole one, the last of an epoch, that of the first epoch; 0 where that is no other. */
void cvy_inputs_leaves(const struct cvy_inputs *in, int64_t position, int leaves[CVY_EXCHANGE_SIZES]);

/* Bytes of all, as far as they are held, and of the loader. */
size_t cvy_inputs_bytes(const struct cvy_inputs *in, const struct cvy_task *task);

#endif
