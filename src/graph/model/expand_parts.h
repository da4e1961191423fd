/* The parts of expand: scopes and names (scope.c), names that are not there yet (late.c), groups (groups.c), blocks of
 * the user (blocks.c), the walk over the file (expand.c). Findings are added, never returned; running out of memory is
 * x->status. */
#ifndef CVY_GRAPH_MODEL_EXPAND_PARTS_H
#define CVY_GRAPH_MODEL_EXPAND_PARTS_H

#include "graph/model/expand.h"

enum {
    CVY_MAX_VISITS = 100000,  /* layers looked at, written out */
    CVY_MAX_COPIED = 1 << 18, /* values of blocks written out */
    CVY_MAX_DEPTH = 64,       /* blocks and groups inside one another */
    CVY_MAX_NAME = 95,        /* characters of a full name */
    CVY_NAME_BUCKETS = 1024
};

/* A name that `inputs` may use: of a layer, or of a group for its last layer. */
struct cvy_symbol {
    const char *name;
    int layer;
    int next; /* in its bucket, −1 ends */
};

/* How many of a kind a scope has. */
struct cvy_kind_count {
    struct cvy_kind_count *next;
    const char *kind;
    int count;
};

struct cvy_scope {
    struct cvy_scope *outer;
    const char *prefix; /* "bottleneck3/" or "" */
    const char *block;  /* the user's block whose layers these are, or NULL */
    int input;          /* what `input` means */
    struct cvy_kind_count *tallies;
};

struct cvy_expander {
    struct cvy_tree *tree;
    const struct cvy_layer_sink *sink;
    struct cvy_findings *findings;
    const struct cvy_node *blocks; /* a map, or NULL */
    bool *broken;                  /* [blocks] a use of it was wrong: the next ones would say the same */
    struct cvy_names names;        /* the model's parameters */
    struct cvy_symbol *symbols;
    int symbol_count, symbol_room, bucket[CVY_NAME_BUCKETS];
    struct cvy_edge *edges; /* what layers take */
    struct cvy_late *late;  /* names that no layer above had */
    int edge_count, edge_room, late_count, late_room;
    int layers, visits, depth;
    double lr_factor; /* of what we are in */
    int64_t room;     /* nodes that may still be copied */
    cvy_status status;
};

/* A layer as it stands in the file. */
struct cvy_layer_text {
    const struct cvy_node *node, *word, *body, *name, *inputs, *when, *weight, *lr_factor, *frozen;
};

/* One group at work: its settings are read, its layers go into `scope`. */
struct cvy_group {
    struct cvy_expander *x;
    const struct cvy_layer_text *text;
    const char *name;
    struct cvy_scope *scope;
    int input;
};

/* "residual" and the like. */
struct cvy_structure {
    const char *name, *purpose;
    const struct cvy_key *keys;
    int (*expand)(const struct cvy_group *g); /* gives the layer that comes out */
    bool scope;                               /* also without a name */
};

/* ---- expand.c ---- */

/* Whether to go on: no memory has failed, no limit is reached. */
bool cvy_expand_going(const struct cvy_expander *x);
/* Counts one layer looked at, or one round of a repetition; then as above. */
bool cvy_expand_step(struct cvy_expander *x, const struct cvy_node *place);
/* Gives a plain layer to the sink; *above becomes its number. */
void cvy_expand_emit(struct cvy_expander *x, struct cvy_layer *layer, int *above);
void cvy_expand_loss(struct cvy_expander *x, int layer, const struct cvy_node *weight);
/* One layer of the file, whatever it is; a list of them, or one alone. *above goes in and comes out. */
void cvy_expand_visit(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_node *item, int *above);
void cvy_expand_list(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_node *list, int *above);

/* ---- scope.c ---- */

bool cvy_name_is_good(const struct cvy_node *name);
/* The full name: the scope's prefix, then the one given or the kind and its count. */
const char *cvy_scope_name(struct cvy_expander *x, struct cvy_scope *s, const struct cvy_layer_text *t);
/* From now on `inputs` may use this name. */
void cvy_scope_add(struct cvy_expander *x, const char *name, int layer, const struct cvy_node *place);
const struct cvy_symbol *cvy_scope_find(struct cvy_expander *x, const char *name); /* NULL: none is called so */
/* The layer that an item of `inputs` stands for; `above`, and a finding later, when there is none. */
int cvy_scope_input(struct cvy_expander *x, const struct cvy_scope *s, const struct cvy_node *item, int above);
/* The same of a group or a block, which takes one. */
int cvy_scope_group_input(struct cvy_expander *x, const struct cvy_scope *s, const struct cvy_layer_text *t, int above);
void cvy_scope_enter(struct cvy_expander *x, struct cvy_scope *s, const char *name, int input, struct cvy_scope *inner);
void cvy_scope_leave(struct cvy_scope *inner);

/* ---- late.c ---- */

/* What a layer takes. */
void cvy_late_edges(struct cvy_expander *x, int layer, const int *inputs, int count);
/* An item of `inputs` that nothing above has. */
void cvy_late_add(struct cvy_expander *x, const struct cvy_scope *s, const struct cvy_node *item);
/* At the end: which of them make cycles, stand below, are nowhere. Frees what was kept. */
void cvy_late_report(struct cvy_expander *x);

/* ---- groups.c ---- */

const struct cvy_structure *cvy_structure_find(const char *name);
/* Puts their names into `names`, which has room for 8; gives their count. */
size_t cvy_structure_names(const char **names);

/* ---- blocks.c ---- */

/* Checks the model's `blocks` and keeps them. */
void cvy_blocks_read(struct cvy_expander *x, const struct cvy_node *model);
int cvy_block_index(const struct cvy_expander *x, const char *name); /* −1 for none */
int cvy_block_use(const struct cvy_group *g, int index);

#endif
