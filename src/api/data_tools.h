/* What the calls on data sets share: how one is opened, what is in it, who looks after work that takes its time. */
#ifndef CVY_API_DATA_TOOLS_H
#define CVY_API_DATA_TOOLS_H

#include "convoy/data.h"
#include "io/dataset/dataset.h"
#include "train/checkpoints.h"
#include "train/context.h"
#include "train/datasets.h"

/* Tells of work and heeds the wish to stop. */
struct cvy_data_worker {
    struct cvy_context *ctx;
    struct cvy_log_samples told;
};
/* `doing`: "packing". The worker outlives the work. */
struct cvy_work cvy_data_work(struct cvy_context *ctx, const char *doing, struct cvy_data_worker *worker);

/* What a set is to be read like: an experiment, and the checkpoint of a run that it was taken from. */
struct cvy_data_like {
    struct cvy_experiment *experiment;
    struct cvy_ckpt *ckpt; /* or NULL */
};
/* How `path` is to be read, as `form` (NULL: unsaid) says; also where there are no targets, unless they are asked for
 * by name. The texts of *out are the form's and *like's, which the caller forgets. */
cvy_status cvy_data_place(const char *path, const struct cvy_data_form *form, struct cvy_data_like *like,
                          struct cvy_dataset_spec *out);
/* What was placed so, for who writes another set of it: with targets as the run takes them, in kind and scale. */
cvy_status cvy_data_settle(const struct cvy_data_like *like, struct cvy_log *log, struct cvy_dataset_spec *spec);
void cvy_data_forget(struct cvy_data_like *like);
/* Opens it so. `stored`: its classes as they are numbered in the file, though they were compared. `work`: NULL, or who
 * looks after it. by_number: what is to be said where classes have names on one side alone. */
cvy_status cvy_data_open(const char *path, const struct cvy_data_form *form, bool stored, const struct cvy_work *work,
                         char by_number[CVY_BY_NUMBER], struct cvy_dataset **out);

/* *out is zero, and stays so on failure. */
cvy_status cvy_data_info_of(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out);

#endif
