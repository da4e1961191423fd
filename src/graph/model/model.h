/* What a model file says of itself, beside its layers. */
#ifndef CVY_GRAPH_MODEL_MODEL_H
#define CVY_GRAPH_MODEL_MODEL_H

#include "core/schema.h"
#include "core/tensor.h"

#define CVY_MAX_VALUES 2147483647 /* of a feature map: its shape flattened is an int */

/* A finding for each key that no model has. */
void cvy_model_check_keys(const struct cvy_node *model, struct cvy_findings *findings);
/* Whether a key of the model was meant to be `name`, and has been reported. */
bool cvy_model_misspelt(const struct cvy_node *model, const char *name);
/* Its input, with the model's parameters put in; 1×1×1 with a finding where it is none. New nodes belong to `tree`. */
cvy_status cvy_model_input(const struct cvy_node *model, struct cvy_tree *tree, struct cvy_findings *findings,
                           struct cvy_shape *out);

#endif
