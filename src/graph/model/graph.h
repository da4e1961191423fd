/* A network as a directed acyclic graph: values (feature maps) and the ops between them, in the order of the file.
 *
 *   description (YAML nodes) ─► expand: plain layers, names ─► build: shapes, checks ─► fuse ─► plan (memory)
 *                                                                                   ─► net (buffers, execution)
 *
 * Node i runs forward at time i and backward at time 2N−1−i; nothing here knows of ranks. */
#ifndef CVY_GRAPH_MODEL_GRAPH_H
#define CVY_GRAPH_MODEL_GRAPH_H

#include "core/tree/node.h"
#include "core/param.h"
#include "ops/losses/losses.h"
#include "ops/ops.h"

/* Value 0 is the network's input. */
struct cvy_value {
    struct cvy_shape shape;
    enum cvy_dtype type; /* of its elements and of its gradient's */
    int producer;        /* node, −1 for the input */
    int consumers;
    bool wants_grad; /* a parameter lies before it, or statistics that its backward hands on */
};

struct cvy_graph_node {
    struct cvy_op op;
    char name[96];
    int *inputs;                /* [op.inputs] values */
    struct cvy_shape *in;       /* [op.inputs] */
    int output;                 /* value, −1 for a loss */
    int param[CVY_OP_PARAMS];   /* indices in graph.params */
    int buffer[CVY_OP_BUFFERS]; /* in graph.buffers */
    bool main;                  /* the network's output or its loss needs it; else part of a head, for training alone */
    double loss_weight;         /* of a loss: what its value and dx are multiplied by; of a layer: of the loss that is
                                   taken of its output, a head's; 0 for none */
    int field[CVY_SPATIAL_AXES],
        jump[CVY_SPATIAL_AXES]; /* receptive field of its output and distance of two outputs, in input pixels */
};

/* A group without a scope, such as a residual that the file does not name: its layers' names do not hold the group's.
 */
struct cvy_graph_group {
    const char *name; /* "residual1" */
    int first, end;   /* nodes first … end−1 */
};

struct cvy_graph {
    struct cvy_node *description; /* of the model, not owned */
    struct cvy_tree *tree;        /* nodes of blocks written out */
    struct cvy_shape input;
    struct cvy_graph_node *nodes;
    int node_count, node_room;
    struct cvy_graph_group *groups;
    int group_count, group_room;
    struct cvy_value *values;
    int value_count, value_room;
    int max_inputs;
    struct cvy_params params, buffers;
    int output;               /* value: of the last layer */
    enum cvy_dtype precision; /* of all values but those that must be in fp32 */
    uint64_t hash;            /* of structure, shapes and attributes: the same on ranks that do the same */
};

/* Whether what is cheap to make again is, in a backward (graph/run/plan.h): AUTO only where a rank's leaves would else
 * be large. */
enum cvy_recompute { CVY_RECOMPUTE_AUTO, CVY_RECOMPUTE_NONE, CVY_RECOMPUTE_ALL };

/* Builds from `model` (a map with `input`, `layers`, and `parameters` and `blocks` if wanted) and an optional `loss`
 * ("name" or {name: {…}}, applied to the output and to the heads). All findings are reported in one go as
 * CVY_ERR_USAGE. The nodes must outlive the graph. */
cvy_status cvy_graph_create(struct cvy_node *model, const struct cvy_node *loss, struct cvy_graph **out);
void cvy_graph_destroy(struct cvy_graph **graph);
/* CVY_F32 (as it comes) or CVY_BF16; before a plan is made. What losses read, and the output, stay in fp32: the
 * gradient of a loss begins with a difference of numbers near 1. */
void cvy_graph_set_precision(struct cvy_graph *graph, enum cvy_dtype precision);
/* Whether its convolutions may go by Winograd's or Toom's algorithm (as it comes), which changes the last bits; before
 * a plan is made. */
void cvy_graph_set_winograd(struct cvy_graph *graph, bool winograd);

/* "conv", "mse": of a layer or a loss. */
const char *cvy_graph_kind_name(const struct cvy_graph_node *node);

/* Whether it can be trained with leaves and batches whose smallest have so many samples; findings as CVY_ERR_USAGE. */
cvy_status cvy_graph_check(const struct cvy_graph *graph, int leaf, int batch);

/* Ends of the network and of its heads that their loss is not made for: a layer that the loss applies itself, for one.
 * Each with its cure; `notes` are no fault in every case. */
void cvy_graph_find_traps(const struct cvy_graph *graph, struct cvy_findings *warnings, struct cvy_findings *notes);

/* Whether leaves go through it in several passes: an op or a loss sums something over all of them before it goes
 * on. */
bool cvy_graph_has_partials(const struct cvy_graph *graph);

/* The samples of a network's class scores. */
struct cvy_shape cvy_graph_output_shape(const struct cvy_graph *graph);
/* The loss of the output, or NULL. */
const struct cvy_loss *cvy_graph_loss(const struct cvy_graph *graph);
/* Classes that it can take are 0 … classes−1; without a loss, as many as there are channels. */
int cvy_graph_classes(const struct cvy_graph *graph);
/* Tells every loss what its targets will be: `classes` of them (CVY_I32), in the data set of this name. CVY_ERR_DATA
 * with the place of the loss, the data set and both shapes where they do not fit. */
cvy_status cvy_graph_bind_target(struct cvy_graph *graph, const struct cvy_target *target, int classes,
                                 const char *data);
/* Targets that would fit the loss of the output: for those who have no data. */
struct cvy_target cvy_graph_target(const struct cvy_graph *graph);

/* Puts `given` (a map, may be NULL) in place of the defaults of the model's `parameters`; a finding for each that the
 * model does not have. */
void cvy_graph_give(struct cvy_node *model, const struct cvy_node *given, struct cvy_findings *findings);

/* The groups that may stand among layers: residual, branch, repeat, aux. */
bool cvy_groups_list(int index, struct cvy_listing *out);
/* Writes every default of the model's layers out, in place; new nodes belong to `tree`. */
cvy_status cvy_model_fill(struct cvy_tree *tree, struct cvy_node *model);
/* A model file's own keys, and what stands beside a layer's kind. */
bool cvy_model_list(int index, struct cvy_listing *out);

#endif
