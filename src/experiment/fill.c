/* The experiment with every default written out: what a run folder keeps, and what two of them are compared by. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/tree/schema_fill.h"
#include "data/augment.h"
#include "graph/model/graph.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "experiment/experiment.h"
#include "experiment/keys.h"

struct filling {
    const struct cvy_experiment *e;
    struct cvy_tree *tree;
};

static cvy_status fill_section(const struct filling *f, const char *section, struct cvy_node *map);

/* ---- What stands under some keys ---- */

/* "f.h5" → {file: f.h5, layout: nhwc}. */
static cvy_status fill_set(const struct filling *f, struct cvy_node **node) {
    struct cvy_node *file = *node;
    struct cvy_listing keys;
    if (file->kind == CVY_NODE_SCALAR) {
        CVY_TRY(cvy_tree_node(f->tree, CVY_NODE_MAP, file, node));
        CVY_TRY(cvy_node_set(f->tree, *node, "file", file));
    }
    if (!cvy_listing_find(cvy_experiment_list, "data.train", &keys)) return CVY_OK;
    return cvy_schema_fill(f->tree, keys.keys, *node);
}

static cvy_status fill_validation(const struct filling *f, struct cvy_node **node) {
    return f->e->validation_share > 0 ? CVY_OK : fill_set(f, node);
}

static cvy_status fill_augment(const struct filling *f, struct cvy_node **node) {
    for (size_t i = 0; (*node)->kind == CVY_NODE_LIST && i < (*node)->count; i++)
        CVY_TRY(cvy_schema_fill_variant(f->tree, cvy_augmentations_list, &(*node)->items[i]));
    return CVY_OK;
}

static cvy_status fill_loss(const struct filling *f, struct cvy_node **node) {
    return cvy_schema_fill_variant(f->tree, cvy_losses_list, node);
}

static cvy_status fill_optimizer(const struct filling *f, struct cvy_node **node) {
    return cvy_schema_fill_variant(f->tree, cvy_optimizers_list, node);
}

/* 0.1 → {constant: {value: 0.1, warmup_epochs: 0}}. */
static cvy_status fill_rate(const struct filling *f, struct cvy_node **node) {
    struct cvy_node *number = *node, *body;
    double value;
    if (cvy_node_real(number, &value)) {
        CVY_TRY(cvy_tree_node(f->tree, CVY_NODE_MAP, number, &body));
        CVY_TRY(cvy_node_set(f->tree, body, "value", number));
        CVY_TRY(cvy_tree_node(f->tree, CVY_NODE_MAP, number, node));
        CVY_TRY(cvy_node_set(f->tree, *node, "constant", body));
    }
    return cvy_schema_fill_variant(f->tree, cvy_schedules_list, node);
}

/* What was chosen where it was left open. */
static cvy_status fill_leaf(const struct filling *f, struct cvy_node **node) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, f->e->leaf);
    return cvy_tree_scalar(f->tree, *node, text, node);
}

static cvy_status fill_model(const struct filling *f, struct cvy_node **node) {
    return cvy_model_fill(f->tree, *node);
}

static const struct {
    const char *path;
    cvy_status (*fill)(const struct filling *f, struct cvy_node **node);
} special[] = {{"model", fill_model},
               {"data.train", fill_set},
               {"data.validation", fill_validation},
               {"data.test", fill_set},
               {"data.augment", fill_augment},
               {"train.leaf", fill_leaf},
               {"train.loss", fill_loss},
               {"train.optimizer", fill_optimizer},
               {"train.learning_rate", fill_rate}};

/* ---- The walk over the tables ---- */

static cvy_status fill_value(const struct filling *f, const char *path, struct cvy_node **node) {
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (strcmp(special[i].path, path) == 0) return special[i].fill(f, node);
    return (*node)->kind == CVY_NODE_MAP ? fill_section(f, path, *node) : CVY_OK;
}

/* Sections of the file are there even when nothing of them is written; what stands inside one is there when it is. */
static cvy_status default_node(const struct filling *f, const struct cvy_key *key, const char *path,
                               const struct cvy_node *place, struct cvy_node **out) {
    struct cvy_listing section;
    if (key->fallback && key->fallback[0]) return cvy_tree_scalar(f->tree, place, key->fallback, out);
    if (strcmp(path, "early_stopping") == 0) return CVY_OK; /* it would begin by being there */
    if (strchr(path, '.') || !cvy_listing_find(cvy_experiment_list, path, &section)) return CVY_OK;
    return cvy_tree_node(f->tree, CVY_NODE_MAP, place, out);
}

static cvy_status fill_entry(const struct filling *f, const struct cvy_key *key, const char *path,
                             struct cvy_node *map) {
    struct cvy_node *value = cvy_node_get(map, key->name);
    if (cvy_node_is_null(value)) {
        value = NULL;
        CVY_TRY(default_node(f, key, path, map, &value));
    }
    if (value == NULL) return CVY_OK;
    CVY_TRY(fill_value(f, path, &value));
    if (value->kind == CVY_NODE_MAP && value->count == 0) return CVY_OK;
    return cvy_node_set(f->tree, map, key->name, value);
}

static cvy_status fill_section(const struct filling *f, const char *section, struct cvy_node *map) {
    const bool root = strcmp(section, "experiment") == 0;
    struct cvy_listing keys;
    if (!cvy_listing_find(cvy_experiment_list, section, &keys)) return CVY_OK;
    for (const struct cvy_key *k = keys.keys; k->name; k++) {
        char path[128];
        snprintf(path, sizeof path, "%.63s%s%.63s", root ? "" : section, root ? "" : ".", k->name);
        CVY_TRY(fill_entry(f, k, path, map));
    }
    return CVY_OK;
}

cvy_status cvy_experiment_fill(const struct cvy_experiment *e, struct cvy_tree *tree, struct cvy_node **out) {
    const struct filling f = {e, tree};
    CVY_TRY(cvy_node_copy(tree, e->root, out));
    return fill_section(&f, "experiment", *out);
}
