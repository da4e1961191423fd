/* The data sets of a network: opened as its loss wants them, and checked against it. */
#ifndef CVY_TRAIN_DATASETS_H
#define CVY_TRAIN_DATASETS_H

#include "convoy/data.h"
#include "data/augment.h"
#include "data/source.h"
#include "graph/graph.h"
#include "train/experiment.h"

/* Opens one of the experiment's, or another in its place: whole numbers are taken as classes or as values, and a class
 * may be ignored, as the loss has it; with data.target: input the inputs are the targets. Held in memory where it is no
 * larger than `budget`. Not collective. */
cvy_status cvy_datasets_open(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_dataset_spec *spec, int64_t budget, struct cvy_source **out);
/* The program's own data. */
cvy_status cvy_datasets_wrap(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_data_source *data, struct cvy_source **out);
/* Whether samples and targets fit the network (CVY_ERR_DATA with both shapes); tells its losses what they will get. */
cvy_status cvy_datasets_check(struct cvy_graph *graph, const struct cvy_source *source, const char *file);
/* Whether both sets are alike. */
cvy_status cvy_datasets_compare(const struct cvy_source *train, const char *train_file, const struct cvy_source *test,
                                const char *test_file);
/* Augmentations (NULL: none) and normalisation by `mean` and `std`; what comes in at a map's border is the ignored
 * class, or the mean where targets are the inputs. */
cvy_status cvy_datasets_augment(const struct cvy_experiment *e, const struct cvy_dataset_info *info,
                                const struct cvy_node *list, const double *mean, const double *std,
                                struct cvy_augment **out);

#endif
