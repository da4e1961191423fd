/* From a model file to its layers, one after the other: blocks, repetition, residuals and branches become plain layers,
 * each of one kind, with a scoped name and its inputs. Private to src/graph.
 *
 *   names      count of the kind inside its block: "conv2", in the third use of a block "bottleneck3/conv1". Residual,
 *              branch and repeat group layers without a scope of their own, unless they are named.
 *   inputs     a name is looked for in the innermost scope first, then further out; `input` is the block's input
 *   lr_factor  beside a layer, or a group for all in it: times the learning rate; `frozen: true` is lr_factor 0
 *   $name      a block's parameter, then the model's; $(filters * 4) is arithmetic on whole numbers */
#ifndef CVY_GRAPH_MODEL_EXPAND_H
#define CVY_GRAPH_MODEL_EXPAND_H

#include "core/tree/node.h"
#include "core/tree/schema.h"
#include "ops/losses/losses.h"
#include "ops/ops.h"

/* ---- $name and $(formula) ---- */

/* What names stand for: a map, then the one around it. */
struct cvy_names {
    const struct cvy_node *values; /* NULL for none */
    const struct cvy_names *outer;
};
const struct cvy_node *cvy_names_get(const struct cvy_names *names, const char *name);
/* "no parameter …; did you mean …?" at a place. */
void cvy_names_missing(const struct cvy_names *names, const struct cvy_node *place, const char *name,
                       struct cvy_findings *findings);

/* The value of "filters * (4 - a // b)": whole numbers, names of whole numbers or of true and false, + - * // % and
 * unary -, then == != < <= > >= (1 or 0), parentheses. False with a finding at `place`. */
bool cvy_formula(const char *text, const struct cvy_node *place, const struct cvy_names *names, int64_t *out,
                 struct cvy_findings *findings);

/* A copy of `node` in `tree` where every bare scalar $name has become the value of that name (which may be a list or a
 * map) and every $(…) its result. The copy points to the texts of `node`. *room counts the nodes that may still be
 * made; none left is a finding. */
struct cvy_substitution {
    struct cvy_tree *tree;
    const struct cvy_names *names;
    struct cvy_findings *findings;
    int64_t *room;
};
cvy_status cvy_substitute(const struct cvy_substitution *s, const struct cvy_node *node, struct cvy_node **out);

/* ---- layers ---- */

struct cvy_layer {
    const struct cvy_op_kind *kind;
    const char *name;             /* full: "bottleneck3/conv1", or the one given with its scope */
    const struct cvy_node *place; /* of the layer, for messages */
    const struct cvy_node *word;  /* the kind's */
    const struct cvy_node *body;  /* settings, NULL for none */
    const int *inputs; /* [max(count, 1)] layers, counted from 0 as they are given; −1: the network's input */
    int count;
    double lr_factor; /* of the learning rate, those of the groups around it included; 0: frozen */
};

struct cvy_layer_sink {
    cvy_status (*layer)(void *arg, const struct cvy_layer *layer);
    /* The network's loss is also taken of this layer's output, times weight. */
    void (*also_loss)(void *arg, int layer, double weight);
    /* Layers first … end−1 stood in a group that their names do not tell of. */
    cvy_status (*group)(void *arg, const char *name, int first, int end);
    void *arg;
};

/* Gives the layers of `model` (`layers`, `blocks`, `parameters`) in order; *output is the network's: the last one that
 * is not of an `aux`, −1 for none. Findings are about the file; a layer that cannot be made out is left out. The tree
 * and the model must outlive what the layers' nodes are used for. */
cvy_status cvy_expand(struct cvy_node *model, struct cvy_tree *tree, const struct cvy_layer_sink *sink,
                      struct cvy_findings *findings, int *output);

/* What may stand beside a layer's kind; ends with CVY_KEY_END. */
const struct cvy_key *cvy_layer_keys(void);
bool cvy_layer_is_beside(const char *word);
/* Whether a key that belongs beside the kind stands among its settings, as in `conv: {…, name: first}`, also in other
 * words (`trainable`), and is none of its `own`; with a finding that says where it goes. */
bool cvy_layer_misplaced(const struct cvy_node *body, const struct cvy_node *word, const struct cvy_key *own,
                         const char *name, struct cvy_findings *findings);

#endif
