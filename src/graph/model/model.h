/* What a model file says of itself, beside its layers. */
#ifndef CVY_GRAPH_MODEL_MODEL_H
#define CVY_GRAPH_MODEL_MODEL_H

#include "core/tree/schema.h"
#include "core/tensor.h"

#define CVY_MAX_VALUES 2147483647 /* of a feature map: its shape flattened is an int */

/* A finding for each key that no model has, and each that it needs and has not. */
void cvy_model_check_keys(const struct cvy_node *model, struct cvy_findings *findings);
/* Its input, with the model's parameters put in; 1×1×1 where it has none, with a finding where that is not told with
 * the keys. New nodes belong to `tree`. */
cvy_status cvy_model_input(const struct cvy_node *model, struct cvy_tree *tree, struct cvy_findings *findings,
                           struct cvy_shape *out);

#endif
