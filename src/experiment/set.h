/* --set: single values of an experiment, replaced before it is read. */
#ifndef CVY_EXPERIMENT_SET_H
#define CVY_EXPERIMENT_SET_H

#include "core/tree/node.h"

/* What the file of a value's place starts with. */
#define CVY_SET "--set "

/* "train.batch=64": the value is YAML and replaces the whole node; its place is "--set train.batch", line and column of
 * the value. Maps on the way are made where they are missing, and of a short form (`optimizer: adam`, `learning_rate:
 * 0.1`, `model: file.yaml`, `train: file.h5`) where one is. `*name` stands for what `anchors` has, a map. A key that
 * cannot be is a finding. */
cvy_status cvy_experiment_set(struct cvy_tree *tree, struct cvy_node *root, const char *text, struct cvy_node **anchors,
                              struct cvy_findings *findings);

#endif
