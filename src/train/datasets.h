/* The data sets of a network: opened as its loss wants them, and checked against it. */
#ifndef CVY_TRAIN_DATASETS_H
#define CVY_TRAIN_DATASETS_H

#include "convoy/data.h"
#include "data/augment.h"
#include "data/source.h"
#include "graph/model/graph.h"
#include "experiment/experiment.h"
#include "train/trained.h"

/* Opens one of the experiment's, or another in its place: what may be classes or values is what the loss takes, unless
 * spec->want says otherwise, and a class may be ignored, as the loss has it; with data.target: input the inputs are the
 * targets. Held in memory where it is no larger than `budget`. Not collective. */
cvy_status cvy_datasets_open(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_dataset_spec *spec, int64_t budget, struct cvy_source **out);
/* A rank's share of what may be held so. */
int64_t cvy_datasets_budget(const struct cvy_context *ctx);
/* How it is opened for that: what is wanted of its targets. */
void cvy_datasets_wish(const struct cvy_experiment *e, const struct cvy_graph *graph, struct cvy_dataset_spec *wish);
/* The program's own data. */
cvy_status cvy_datasets_wrap(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_data_source *data, struct cvy_source **out);
/* That samples have as many channels as a network that is as it is takes. */
cvy_status cvy_datasets_check_channels(const struct cvy_graph *graph, const struct cvy_dataset_info *info,
                                       const char *file);
/* Makes a trained network take samples of this size, where it can: else CVY_ERR_DATA with both shapes, and the order of
 * axes where that is the likeliest cause. */
cvy_status cvy_datasets_fit(struct cvy_context *ctx, struct cvy_trained *trained, const struct cvy_dataset_info *info,
                            const char *file);
/* Whether a file of others, read as it is told to be, has samples such as no picture has: axes in the wrong order. */
bool cvy_datasets_axes_doubtful(const struct cvy_source *source);
/* Whether no sample is of class 0, as where labels are numbered from 1. */
bool cvy_datasets_from_one(const struct cvy_dataset_info *info);
/* Whether samples and targets fit the network (CVY_ERR_DATA as above); tells its losses what they will get. */
cvy_status cvy_datasets_check(struct cvy_graph *graph, const struct cvy_source *source, const char *file);
/* The same of a network that is as it is: where its targets were others, other targets are what helps. */
cvy_status cvy_datasets_check_trained(struct cvy_trained *trained, const struct cvy_source *source, const char *file);
/* Targets alone. */
cvy_status cvy_datasets_check_target(struct cvy_graph *graph, const struct cvy_dataset_info *info, const char *file);
/* Whether classes are called alike: where the set has names, and `whose` [count] too (its own numbers are none). */
cvy_status cvy_datasets_names(const char *const *names, int count, const char *whose,
                              const struct cvy_dataset_info *info, const char *file);
/* Where only one of the two has names, classes are taken by number: true, and what is to be said of it. */
enum { CVY_BY_NUMBER = 384 };
bool cvy_datasets_by_number(const char *const *names, int count, const struct cvy_dataset_info *info,
                            char out[CVY_BY_NUMBER]);
/* Says so. */
void cvy_datasets_tell_numbers(struct cvy_log *log, const char *const *names, int count,
                               const struct cvy_dataset_info *info, const char *file);
/* Warns of what was said of the targets and has no effect on such. */
void cvy_datasets_tell_idle(struct cvy_log *log, const struct cvy_dataset_info *info, const char *file);
/* Whether both sets are alike. */
cvy_status cvy_datasets_compare(const struct cvy_graph *graph, const struct cvy_source *train, const char *train_file,
                                const struct cvy_source *test, const char *test_file);
/* Inputs x become (factor · x − mean) / std, with mean and std [channels] of the training data: `factor` takes x to
 * their scale. */
struct cvy_normalisation {
    const double *mean, *std;
    double factor;
};
/* Augmentations (NULL: none) and normalisation; what comes in at a map's border is the ignored class, or the mean where
 * targets are the inputs. */
cvy_status cvy_datasets_augment(const struct cvy_experiment *e, const struct cvy_dataset_info *info,
                                const struct cvy_node *list, const struct cvy_normalisation *norm,
                                struct cvy_augment **out);

#endif
