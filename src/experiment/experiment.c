#include "experiment/experiment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/reference.h"
#include "comm/reduction.h"
#include "core/memory.h"
#include "core/schema.h"
#include "data/augment.h"
#include "io/file.h"
#include "io/yaml.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "experiment/set.h"
#include "experiment/leaf.h"

/* ---- The tables of keys ---- */

struct root_keys {
    const char *name;
    int64_t seed;
    const struct cvy_node *model, *init, *data, *train, *comm, *checkpoint, *log;
};
#define ROOT(member) offsetof(struct root_keys, member)
static const struct cvy_key root_keys[] = {
    {"name", CVY_KEY_TEXT, ROOT(name), "", CVY_KEY_ANY, NULL, "of the run folder; default: the file's"},
    {"seed", CVY_KEY_INT, ROOT(seed), "1", 0, 9e18, NULL, "of weights, order, augmentation, dropout and noise"},
    {"model", CVY_KEY_NODE, ROOT(model), NULL, CVY_KEY_ANY, NULL, "a model file, or input and layers"},
    {"init", CVY_KEY_NODE, ROOT(init), "", CVY_KEY_ANY, NULL, "a checkpoint to start from"},
    {"data", CVY_KEY_NODE, ROOT(data), "", CVY_KEY_ANY, NULL, "what is trained and tested on"},
    {"train", CVY_KEY_NODE, ROOT(train), "", CVY_KEY_ANY, NULL, "how it is trained"},
    {"comm", CVY_KEY_NODE, ROOT(comm), "", CVY_KEY_ANY, NULL, "how ranks exchange gradients"},
    {"checkpoint", CVY_KEY_NODE, ROOT(checkpoint), "", CVY_KEY_ANY, NULL, "when the state is written"},
    {"log", CVY_KEY_NODE, ROOT(log), "", CVY_KEY_ANY, NULL, "when a line is written"},
    CVY_KEY_END};

#define EXPERIMENT(member) offsetof(struct cvy_experiment, member)
static const struct cvy_key train_keys[] = {
    {"epochs", CVY_KEY_INT, EXPERIMENT(epochs), "1", 1, 1e9, NULL, "passes over the training data"},
    {"batch", CVY_KEY_INT, EXPERIMENT(batch), "32", 1, 1 << 30, NULL,
     "samples of a step, whatever the number of ranks; all samples: full-batch descent"},
    {"leaf", CVY_KEY_INT, EXPERIMENT(leaf), "0", 0, 1 << 30, NULL,
     "samples a gradient leaf; 0: the largest divisor of the batch up to 32"},
    {"last_batch", CVY_KEY_CHOICE, EXPERIMENT(last_batch), "partial", CVY_KEY_ANY, "partial|drop",
     "what becomes of an epoch's remainder"},
    {"precision", CVY_KEY_CHOICE, EXPERIMENT(precision), "fp32", CVY_KEY_ANY, "fp32|bf16",
     "what layers compute in; bf16: feature maps and products, not weights, sums, and what losses read"},
    {"loss", CVY_KEY_NODE, EXPERIMENT(loss), "softmax_cross_entropy", CVY_KEY_ANY, NULL, "see convoy help losses"},
    {"optimizer", CVY_KEY_NODE, EXPERIMENT(optimizer), "sgd", CVY_KEY_ANY, NULL, "see convoy help optimizers"},
    {"learning_rate", CVY_KEY_NODE, EXPERIMENT(learning_rate), "0.01", CVY_KEY_ANY, NULL,
     "a number or a schedule; see convoy help schedules"},
    {"clip", CVY_KEY_NODE, EXPERIMENT(clip), "", CVY_KEY_ANY, NULL, "{value: v} or {norm: v}"},
    {"gradient_noise", CVY_KEY_NODE, EXPERIMENT(noise), "", CVY_KEY_ANY, NULL,
     "{eta: …, gamma: …} (Neelakantan et al. 2015)"},
    {"ema", CVY_KEY_NODE, EXPERIMENT(ema), "", CVY_KEY_ANY, NULL,
     "{decay: …}: a running average of weights and statistics, which is evaluated"},
    {"weight_decay_on", CVY_KEY_CHOICE, EXPERIMENT(decay_on), "all", CVY_KEY_ANY, "all|weights",
     "weights: neither biases nor normalisation"},
    {"lr_scaling", CVY_KEY_CHOICE, EXPERIMENT(lr_scaling), "none", CVY_KEY_ANY, "none|linear|sqrt",
     "how the rate grows with batch / reference_batch"},
    {"reference_batch", CVY_KEY_INT, EXPERIMENT(reference_batch), "256", 1, 1 << 30, NULL,
     "the batch that the rate is meant for"},
    {"winograd", CVY_KEY_BOOL, EXPERIMENT(winograd), "true", CVY_KEY_ANY, NULL,
     "fewer multiplications for 3×3 and 5×5, rounded otherwise: configs/README.md, Algorithms"},
    {"recompute", CVY_KEY_CHOICE, EXPERIMENT(recompute), "auto", CVY_KEY_ANY, "auto|none|all",
     "normalised values and ends of residual blocks are made again in backward; auto: in leaves of 256 MiB and more"},
    CVY_KEY_END};
static const struct cvy_key ema_keys[] = {{"decay", CVY_KEY_REAL, EXPERIMENT(ema_decay), "0.999", 1e-9, 0.999999999,
                                           NULL,
                                           "the share of the old average; after t steps at most (1 + t)/(10 + t)"},
                                          CVY_KEY_END};
#define REDUCTION_NAME(name, purpose) #name
#define REDUCTION_HELP(name, purpose) #name ": " purpose
static const struct cvy_key comm_keys[] = {
    {"reduction", CVY_KEY_CHOICE, EXPERIMENT(reduction), "exact", CVY_KEY_ANY, CVY_REDUCTIONS(REDUCTION_NAME, "|"),
     CVY_REDUCTIONS(REDUCTION_HELP, "; ")},
    {"bucket_mib", CVY_KEY_REAL, EXPERIMENT(bucket_mib), "4", 1.0 / 1024, 4096, NULL, "the least that travels at once"},
    {"compression", CVY_KEY_CHOICE, EXPERIMENT(compression), "none", CVY_KEY_ANY, "none", "of gradients on their way"},
    CVY_KEY_END};

struct data_keys {
    const struct cvy_node *train, *test, *augment, *mean, *std;
    int target;
    double peak;
};
static const struct cvy_key data_keys[] = {
    {"train", CVY_KEY_NODE, offsetof(struct data_keys, train), "", CVY_KEY_ANY, NULL,
     "a data set, or {file: …, x: …, y: …, layout: …}"},
    {"test", CVY_KEY_NODE, offsetof(struct data_keys, test), "", CVY_KEY_ANY, NULL, "the same, for evaluation"},
    {"augment", CVY_KEY_NODE, offsetof(struct data_keys, augment), "", CVY_KEY_ANY, NULL,
     "a list; see convoy help augmentations"},
    {"mean", CVY_KEY_NODE, offsetof(struct data_keys, mean), "", CVY_KEY_ANY, NULL,
     "inputs become (x - mean) / std: a number, or a list of one a channel, in units of x; default: of the training "
     "data"},
    {"std", CVY_KEY_NODE, offsetof(struct data_keys, std), "", CVY_KEY_ANY, NULL, "likewise; both or neither"},
    {"target", CVY_KEY_CHOICE, offsetof(struct data_keys, target), "y", CVY_KEY_ANY, "y|input",
     "what outputs are compared with: the data set's targets, or the inputs themselves"},
    {"peak", CVY_KEY_REAL, offsetof(struct data_keys, peak), "1", 1e-12, 1e12, NULL,
     "the largest value of a target, for PSNR"},
    CVY_KEY_END};

struct set_keys {
    const char *file, *x, *y;
    int layout, y_layout;
    double scale;
};
static const struct cvy_key set_keys[] = {
    {"file", CVY_KEY_TEXT, offsetof(struct set_keys, file), NULL, CVY_KEY_ANY, NULL, "an HDF5 file"},
    {"x", CVY_KEY_TEXT, offsetof(struct set_keys, x), "", CVY_KEY_ANY, NULL, "where the inputs are in it"},
    {"y", CVY_KEY_TEXT, offsetof(struct set_keys, y), "", CVY_KEY_ANY, NULL, "where the labels are"},
    {"layout", CVY_KEY_CHOICE, offsetof(struct set_keys, layout), "nhwc", CVY_KEY_ANY, "nhwc|nchw",
     "the order of axes of x, and of a y of four axes"},
    {"y_layout", CVY_KEY_CHOICE, offsetof(struct set_keys, y_layout), "as_x", CVY_KEY_ANY, "as_x|nhwc|nchw",
     "the order of axes of y alone"},
    {"scale", CVY_KEY_REAL, offsetof(struct set_keys, scale), "0", 0, 1e18, NULL,
     "data.test: what its inputs are multiplied by to be on the training data's scale; 0: found out"},
    CVY_KEY_END};

struct every_keys {
    const struct cvy_node *every;
    int64_t keep;
};
static const struct cvy_key checkpoint_keys[] = {
    {"every", CVY_KEY_NODE, offsetof(struct every_keys, every), "1 epoch", CVY_KEY_ANY, NULL, "20 steps or 1 epoch"},
    {"keep", CVY_KEY_INT, offsetof(struct every_keys, keep), "3", 1, 1e9, NULL, "how many of them stay"},
    CVY_KEY_END};
static const struct cvy_key log_keys[] = {
    {"every", CVY_KEY_NODE, offsetof(struct every_keys, every), "20 steps", CVY_KEY_ANY, NULL, "20 steps or 1 epoch"},
    CVY_KEY_END};

struct init_keys {
    const char *from;
    const struct cvy_node *except;
};
static const struct cvy_key init_keys[] = {
    {"from", CVY_KEY_TEXT, offsetof(struct init_keys, from), "", CVY_KEY_ANY, NULL, "a checkpoint or a run"},
    {"except", CVY_KEY_NODE, offsetof(struct init_keys, except), "", CVY_KEY_ANY, NULL,
     "a list of layers that start anew"},
    CVY_KEY_END};

static bool list_root(int index, struct cvy_listing *out) {
    *out = (struct cvy_listing){"experiment", "the whole file", NULL, root_keys};
    return index == 0;
}

static bool list_sections(int index, struct cvy_listing *out) {
    static const struct cvy_listing sections[] = {
        {"init", "weights from a checkpoint", NULL, init_keys},
        {"data", "what is trained and tested on", NULL, data_keys},
        {"data.train", "a data set; data.test alike; one text is its file", NULL, set_keys},
        {"train", "how it is trained", NULL, train_keys},
        {"train.ema", "a running average of weights and statistics, for evaluation", NULL, ema_keys},
        {"comm", "how ranks exchange gradients", NULL, comm_keys},
        {"checkpoint", "when the state is written", NULL, checkpoint_keys},
        {"log", "when a line is written", NULL, log_keys}};
    if (index < 0 || index >= (int)(sizeof sections / sizeof *sections)) return false;
    *out = sections[index];
    return true;
}

bool cvy_experiment_list(int index, struct cvy_listing *out) {
    static cvy_lister *const parts[] = {list_root, cvy_model_list, list_sections, cvy_gradient_list};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (int i = 0; parts[p](i, out); i++)
            if (index-- == 0) return true;
    return false;
}

/* ---- Resolving: --set, the model, paths ---- */

struct resolver {
    struct cvy_experiment *e;
    struct cvy_findings findings;
    cvy_status status;
    const char *path;
    struct cvy_node *anchors; /* of the file, which --set may name */
};

/* A path of the file is seen from its folder, one of the command line from the working folder. */
static cvy_status find_file(const struct resolver *r, const struct cvy_node *place, const char *path,
                            char out[CVY_PATH_MAX]) {
    char plain[CVY_PATH_MAX], found[CVY_PATH_MAX];
    const bool from_command_line = strncmp(place->file, CVY_SET, strlen(CVY_SET)) == 0;
    CVY_TRY(cvy_path_expand(path, plain));
    if (from_command_line) return cvy_path_absolute(plain, out);
    CVY_TRY(cvy_path_meant(r->path, plain, found));
    return cvy_path_absolute(found, out);
}

static const char *absolute(struct resolver *r, const struct cvy_node *place, const char *path) {
    char whole[CVY_PATH_MAX];
    const char *text = path;
    cvy_status status = find_file(r, place, path, whole);
    if (status == CVY_OK)
        status = cvy_tree_text(r->e->tree, whole, strlen(whole), &text);
    else
        cvy_fail_prefix(status, "%s:%d:%d", place->file, place->line, place->column);
    if (status != CVY_OK) r->status = status;
    return text;
}

/* `model: {path: file.yaml}`: which word was meant for `file`, NULL: none. */
static const struct cvy_node *misspelt_file(const struct cvy_node *model) {
    static const char *const words[] = {"file", "name", "input", "layers", "parameters", "blocks"};
    if (cvy_node_get(model, "file") || cvy_node_get(model, "layers")) return NULL;
    for (size_t i = 0; model->kind == CVY_NODE_MAP && i < model->count; i++) {
        const char *near = cvy_nearest(model->keys[i]->text, words, sizeof words / sizeof *words);
        if (near == words[0]) return model->keys[i];
    }
    return NULL;
}

/* `model: file.yaml` or {file: …, parameters…} becomes the file's content; parameters are put in. */
static void resolve_model(struct resolver *r) {
    struct cvy_node *model = cvy_node_get(r->e->root, "model"), *given = NULL;
    if (model == NULL) return;
    const struct cvy_node *meant = misspelt_file(model);
    if (meant)
        r->status = CVY_FAIL_AT(meant, CVY_ERR_USAGE, "model: unknown key \"%s\"; did you mean \"file\"?", meant->text);
    if (meant) return;
    struct cvy_node *file = model->kind == CVY_NODE_SCALAR ? model : cvy_node_get(model, "file");
    if (file && !cvy_node_is_null(file)) {
        if (model->kind == CVY_NODE_MAP) {
            r->status = cvy_node_copy(r->e->tree, model, &given);
            for (size_t i = 0; given && i < given->count; i++)
                if (strcmp(given->keys[i]->text, "file") == 0) {
                    given->count--;
                    given->keys[i] = given->keys[given->count];
                    given->items[i] = given->items[given->count];
                    break;
                }
        }
        const char *path = absolute(r, file, file->text);
        if (r->status != CVY_OK) return;
        r->status = cvy_yaml_load(r->e->tree, path, &model);
        if (r->status != CVY_OK) {
            cvy_fail_prefix(r->status, "%s:%d:%d: model", file->file, file->line, file->column);
            return;
        }
        r->status = cvy_node_set(r->e->tree, r->e->root, "model", model);
    }
    cvy_graph_give(model, given, &r->findings);
}

static void resolve_path(struct resolver *r, struct cvy_node *node) {
    if (cvy_node_is_null(node) || node->kind != CVY_NODE_SCALAR) return;
    node->text = absolute(r, node, node->text);
}

static void resolve_paths(struct resolver *r) {
    static const char *const paths[] = {"data.train", "data.test", "data.train.file", "data.test.file", "init.from"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) resolve_path(r, cvy_node_find(r->e->root, paths[i]));
}

/* ---- Reading: from the resolved tree to the struct ---- */

static void read_every(const struct cvy_node *node, const char *what, struct cvy_every fallback, struct cvy_every *out,
                       struct cvy_findings *findings) {
    char unit[16] = "", rest;
    long long count;
    *out = fallback;
    if (node == NULL) return;
    if (node->kind == CVY_NODE_SCALAR && sscanf(node->text, "%lld %15[a-z]%c", &count, unit, &rest) == 2 && count > 0) {
        out->count = count;
        out->unit = strncmp(unit, "epoch", 5) == 0 ? CVY_UNIT_EPOCHS : CVY_UNIT_STEPS;
        if (strcmp(unit, "epoch") == 0 || strcmp(unit, "epochs") == 0 || strcmp(unit, "step") == 0 ||
            strcmp(unit, "steps") == 0)
            return;
    }
    cvy_find(findings, node, "%s: expected \"20 steps\" or \"1 epoch\", found \"%s\"", what, node->text);
}

static void read_set(const struct cvy_node *node, const char *what, struct cvy_dataset_spec *out,
                     struct cvy_findings *findings) {
    struct set_keys keys = {0};
    if (node == NULL) return;
    if (node->kind == CVY_NODE_SCALAR) {
        out->file = node->text;
        return;
    }
    cvy_schema_read(set_keys, node, node, what, &keys, findings);
    *out = (struct cvy_dataset_spec){.file = keys.file,
                                     .x = keys.x && keys.x[0] ? keys.x : NULL,
                                     .y = keys.y && keys.y[0] ? keys.y : NULL,
                                     .layout = keys.layout ? CVY_LAYOUT_NCHW : CVY_LAYOUT_NHWC,
                                     .y_layout = (enum cvy_y_layout)keys.y_layout,
                                     .scale = keys.scale};
}

/* Numbers [channels] from a list of them, or from one for all; false where it is neither. */
static bool read_numbers(const struct cvy_node *node, int channels, double *out) {
    const bool list = node->kind == CVY_NODE_LIST;
    if (node->kind == CVY_NODE_MAP || (list && channels > 0 && node->count != (size_t)channels)) return false;
    const size_t count = list ? node->count : (size_t)(channels > 0 ? channels : 1);
    for (size_t i = 0; i < count; i++) {
        const struct cvy_node *item = list ? node->items[i] : node;
        char *end = NULL;
        const double value = item->kind == CVY_NODE_SCALAR ? strtod(item->text, &end) : 0;
        if (end == NULL || end == item->text || *end || !isfinite(value)) return false;
        if (channels > 0) out[i] = value;
    }
    return count > 0;
}

static void check_norm(const struct cvy_experiment *e, struct cvy_findings *findings) {
    if (!e->mean && !e->std) return;
    if (!e->mean || !e->std)
        cvy_find(findings, e->mean ? e->mean : e->std, "data.%s stands alone; give data.mean and data.std, or neither",
                 e->mean ? "mean" : "std");
    const struct cvy_node *const both[2] = {e->mean, e->std};
    for (int i = 0; i < 2; i++)
        if (both[i] && !read_numbers(both[i], 0, NULL))
            cvy_find(findings, both[i], "data.%s: expected a number, or a list of one a channel", i ? "std" : "mean");
}

cvy_status cvy_experiment_norm(const struct cvy_experiment *e, int channels, double *mean, double *std) {
    bool positive = true;
    if (!read_numbers(e->mean, channels, mean))
        return CVY_FAIL_AT(e->mean, CVY_ERR_USAGE, "data.mean: expected a number, or a list of %d, one a channel",
                           channels);
    if (!read_numbers(e->std, channels, std))
        return CVY_FAIL_AT(e->std, CVY_ERR_USAGE, "data.std: expected a number, or a list of %d, one a channel",
                           channels);
    for (int c = 0; c < channels; c++) positive &= std[c] > 0;
    if (!positive) return CVY_FAIL_AT(e->std, CVY_ERR_USAGE, "data.std: all must be greater than 0");
    return CVY_OK;
}

static void read_data(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    struct data_keys keys = {0};
    cvy_schema_read(data_keys, node, node ? node : e->root, "data", &keys, findings);
    read_set(keys.train, "data.train", &e->train, findings);
    read_set(keys.test, "data.test", &e->test, findings);
    e->augment = keys.augment;
    e->target = keys.target;
    e->peak = keys.peak;
    e->mean = keys.mean;
    e->std = keys.std;
    check_norm(e, findings);
    if (e->train.scale != 0)
        cvy_find(findings, cvy_node_get(keys.train, "scale"),
                 "data.train.scale: the training data make the scale; give it to data.test");
    cvy_augment_check(e->augment, findings);
}

static void check_batch(struct cvy_experiment *e, const struct cvy_node *train, struct cvy_findings *findings) {
    const struct cvy_node *place = cvy_node_get(train, "leaf");
    if (place == NULL) place = cvy_node_get(train, "batch");
    if (place == NULL) place = train ? train : e->root;
    char advice[CVY_LEAF_TEXT];
    e->leaf_chosen = e->leaf == 0;
    if (e->leaf_chosen) e->leaf = cvy_leaf_default(e->batch);
    if (e->batch < e->leaf)
        cvy_find(findings, place, "train.batch %lld is smaller than train.leaf %lld; raise the batch or lower the leaf",
                 (long long)e->batch, (long long)e->leaf);
    else if (e->batch % e->leaf)
        cvy_find(findings, place, "train.batch %lld is not a multiple of train.leaf %lld; %s", (long long)e->batch,
                 (long long)e->leaf, cvy_leaf_advice(e->batch, e->leaf, advice));
}

/* Where one would be written. */
static const struct cvy_node *default_loss(struct cvy_experiment *e, const struct cvy_node *train) {
    struct cvy_node *loss = &e->default_loss;
    *loss = train ? *train : *e->root;
    loss->kind = CVY_NODE_SCALAR;
    loss->text = "softmax_cross_entropy";
    loss->count = 0;
    return loss;
}

static void read_train(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    static const struct cvy_node sgd = {
        .kind = CVY_NODE_SCALAR, .file = "default", .line = 1, .column = 1, .text = "sgd"};
    static const struct cvy_node rate = {
        .kind = CVY_NODE_SCALAR, .file = "default", .line = 1, .column = 1, .text = "0.01"};
    int before = findings->count;
    cvy_schema_read(train_keys, node, node ? node : e->root, "train", e, findings);
    if (e->loss == NULL) e->loss = default_loss(e, node);
    if (e->optimizer == NULL) e->optimizer = &sgd;
    if (e->learning_rate == NULL) e->learning_rate = &rate;
    if (findings->count == before) check_batch(e, node, findings);
    cvy_gradient_read(e->clip, e->noise, &e->gradient, findings);
    if (e->ema) cvy_schema_read(ema_keys, e->ema, e->ema, "ema", e, findings);
    cvy_optimizer_check(e->optimizer, findings);
    cvy_schedule_check(e->learning_rate, findings);
}

static void read_init(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    struct init_keys keys = {.from = ""};
    cvy_schema_read(init_keys, node, node ? node : e->root, "init", &keys, findings);
    e->init_from = strcmp(keys.from, "null") == 0 || strcmp(keys.from, "~") == 0 ? "" : keys.from;
    e->init_except = keys.except;
    if (keys.except && keys.except->kind != CVY_NODE_LIST)
        cvy_find(findings, keys.except, "init.except: expected a list of layers, such as [%s]",
                 keys.except->kind == CVY_NODE_SCALAR ? keys.except->text : "dense1");
    for (size_t i = 0; keys.except && keys.except->kind == CVY_NODE_LIST && i < keys.except->count; i++)
        if (keys.except->items[i]->kind != CVY_NODE_SCALAR)
            cvy_find(findings, keys.except->items[i], "init.except: expected the name of a layer");
    if (keys.except && !e->init_from[0])
        cvy_find(findings, keys.except, "init.except says what does not come from init.from, which is missing");
}

static void read_experiment(struct cvy_experiment *e, struct cvy_findings *findings) {
    struct root_keys root = {.name = ""};
    struct every_keys checkpoint = {.keep = 3}, log = {0};
    cvy_schema_read(root_keys, e->root, e->root, "experiment", &root, findings);
    e->name = root.name;
    const struct cvy_node *name = cvy_node_get(e->root, "name");
    if (name && name->kind == CVY_NODE_SCALAR && (!root.name[0] || strchr(root.name, '/') || root.name[0] == '.'))
        cvy_find(findings, name, "name: \"%s\" cannot name a folder under runs/; use letters, digits, - and _",
                 root.name);
    e->seed = root.seed;
    e->model = cvy_node_get(e->root, "model");
    read_init(e, root.init, findings);
    read_data(e, root.data, findings);
    read_train(e, root.train, findings);
    cvy_schema_read(comm_keys, root.comm, e->root, "comm", e, findings);
    cvy_schema_read(checkpoint_keys, root.checkpoint, e->root, "checkpoint", &checkpoint, findings);
    cvy_schema_read(log_keys, root.log, e->root, "log", &log, findings);
    e->keep = checkpoint.keep;
    read_every(checkpoint.every, "checkpoint.every", (struct cvy_every){1, CVY_UNIT_EPOCHS}, &e->checkpoint_every,
               findings);
    read_every(log.every, "log.every", (struct cvy_every){20, CVY_UNIT_STEPS}, &e->log_every, findings);
}

/* A run needs a name; the file's serves. */
static void default_name(struct resolver *r) {
    if (!cvy_node_is_null(cvy_node_get(r->e->root, "name"))) return;
    char name[128];
    struct cvy_node *node;
    const char *file = cvy_path_name(r->path), *dot = strrchr(file, '.');
    snprintf(name, sizeof name, "%.*s", dot ? (int)(dot - file) : (int)strlen(file), file);
    r->status = cvy_tree_scalar(r->e->tree, r->e->root, name, &node);
    if (r->status == CVY_OK) r->status = cvy_node_set(r->e->tree, r->e->root, "name", node);
}

static void resolve(struct resolver *r, const char *const *set, int set_count) {
    for (int i = 0; i < set_count && r->status == CVY_OK; i++)
        r->status = cvy_experiment_set(r->e->tree, r->e->root, set[i], &r->anchors, &r->findings);
    if (r->status == CVY_OK) default_name(r);
    if (r->status == CVY_OK) resolve_model(r);
    if (r->status == CVY_OK) resolve_paths(r);
}

static cvy_status finish(struct resolver *r, struct cvy_experiment **out) {
    if (r->status == CVY_OK) read_experiment(r->e, &r->findings);
    if (r->status == CVY_OK) r->status = cvy_findings_raise(&r->findings, CVY_ERR_USAGE);
    *out = r->e;
    if (r->status != CVY_OK) cvy_experiment_destroy(out);
    return r->status;
}

static cvy_status begin(struct resolver *r, const char *path) {
    *r = (struct resolver){.path = path, .findings.elsewhere = cvy_reference_path};
    CVY_TRY(CVY_NEW(&r->e, 1, general));
    r->status = cvy_tree_create(&r->e->tree);
    return r->status;
}

static void require_map(struct resolver *r) {
    if (r->status == CVY_OK && r->e->root->kind != CVY_NODE_MAP)
        r->status =
            CVY_FAIL_AT(r->e->root, CVY_ERR_USAGE, "expected an experiment: a map of name, model, data, train …");
}

cvy_status cvy_experiment_load(const char *path, const char *const *set, int set_count, struct cvy_experiment **out) {
    struct resolver r;
    if (begin(&r, path) == CVY_OK) r.status = cvy_yaml_load_more(r.e->tree, path, &r.anchors, &r.e->root);
    require_map(&r);
    if (r.status == CVY_OK) resolve(&r, set, set_count);
    return finish(&r, out);
}

cvy_status cvy_experiment_load_any(const char *path, const char *const *set, int set_count,
                                   struct cvy_experiment **out) {
    struct resolver r;
    struct cvy_node *root;
    if (begin(&r, path) == CVY_OK) r.status = cvy_yaml_load_more(r.e->tree, path, &r.anchors, &r.e->root);
    require_map(&r);
    if (r.status == CVY_OK && cvy_node_get(r.e->root, "layers")) { /* a model alone */
        r.status = cvy_tree_node(r.e->tree, CVY_NODE_MAP, r.e->root, &root);
        if (r.status == CVY_OK) r.status = cvy_node_set(r.e->tree, root, "model", r.e->root);
        r.e->root = root;
    }
    if (r.status == CVY_OK) resolve(&r, set, set_count);
    return finish(&r, out);
}

cvy_status cvy_experiment_parse(const char *name, const char *text, size_t size, struct cvy_experiment **out) {
    struct resolver r;
    if (begin(&r, name) == CVY_OK) r.status = cvy_yaml_parse(r.e->tree, name, text, size, &r.e->root);
    require_map(&r);
    return finish(&r, out);
}

cvy_status cvy_experiment_graph(const struct cvy_experiment *e, const struct cvy_node *loss, struct cvy_graph **out) {
    CVY_TRY(cvy_graph_create(e->model, loss, out));
    cvy_graph_set_precision(*out, e->precision == 1 ? CVY_BF16 : CVY_F32);
    cvy_graph_set_winograd(*out, e->winograd);
    return CVY_OK;
}

void cvy_experiment_destroy(struct cvy_experiment **experiment) {
    if (*experiment == NULL) return;
    cvy_tree_destroy(&(*experiment)->tree);
    CVY_DELETE(experiment);
}

cvy_status cvy_experiment_emit(const struct cvy_experiment *experiment, struct cvy_buf *out) {
    return cvy_yaml_emit(experiment->root, out);
}

cvy_status cvy_experiment_emit_whole(const struct cvy_experiment *experiment, struct cvy_buf *out) {
    struct cvy_tree *tree;
    struct cvy_node *whole;
    CVY_TRY(cvy_tree_create(&tree));
    cvy_status status = cvy_experiment_fill(experiment, tree, &whole);
    if (status == CVY_OK) status = cvy_yaml_emit(whole, out);
    cvy_tree_destroy(&tree);
    return status;
}
