/* Reading: from the resolved tree to the struct. */
#include "experiment/read.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "data/augment.h"
#include "experiment/keys.h"
#include "experiment/leaf.h"
#include "optim/schedule.h"

static bool read_unit(const char *word, enum cvy_unit *unit) {
    static const char *const words[] = {
        [CVY_UNIT_STEPS] = "steps", [CVY_UNIT_EPOCHS] = "epochs", [CVY_UNIT_MINUTES] = "minutes"};
    for (int i = 0; i < 3; i++) {
        const size_t length = strlen(words[i]);
        *unit = (enum cvy_unit)i;
        if (strncmp(word, words[i], length - 1) == 0 && (strcmp(word, words[i]) == 0 || word[length - 1] == '\0'))
            return true;
    }
    return false;
}

/* `timed`: minutes will do. */
static void read_every(const struct cvy_node *node, const char *what, bool timed, struct cvy_every *out,
                       struct cvy_findings *findings) {
    char word[16] = "", rest;
    long long count;
    enum cvy_unit unit;
    if (node == NULL) return;
    if (node->kind == CVY_NODE_SCALAR && sscanf(node->text, "%lld %15[a-z]%c", &count, word, &rest) == 2 && count > 0 &&
        read_unit(word, &unit) && (timed || unit != CVY_UNIT_MINUTES)) {
        *out = (struct cvy_every){count, unit};
        return;
    }
    cvy_find(findings, node, "%s: expected \"20 steps\"%s \"1 epoch\"%s, found \"%s\"", what, timed ? "," : " or",
             timed ? " or \"10 minutes\"" : "", node->text);
}

static void read_set(const struct cvy_node *node, const char *what, struct cvy_dataset_spec *out,
                     struct cvy_findings *findings) {
    struct cvy_set_keys keys = {0};
    if (node == NULL) return;
    if (node->kind == CVY_NODE_SCALAR) {
        out->file = node->text;
        return;
    }
    if (node->kind == CVY_NODE_LIST) {
        cvy_find(findings, node,
                 "%s: is one file; a virtual data set of HDF5 makes one of several (configs/FORMATS.md)", what);
        return;
    }
    cvy_schema_read(cvy_set_keys, node, node, what, &keys, findings);
    *out = (struct cvy_dataset_spec){.file = keys.file,
                                     .x = keys.x && keys.x[0] ? keys.x : NULL,
                                     .y = keys.y && keys.y[0] ? keys.y : NULL,
                                     .layout = keys.layout,
                                     .y_layout = keys.y_layout,
                                     .scale = keys.scale,
                                     .y_scale = keys.y_scale};
}

bool cvy_experiment_share(const char *text, double *percent) {
    char number[32], sign, rest;
    double value;
    const int parts = sscanf(text, "%31[0-9.] %c %c", number, &sign, &rest);
    if (parts < 1 || parts > 2 || !cvy_read_number(number, &value) || (parts == 2 && sign != '%')) return false;
    *percent = parts == 2 ? value : NAN;
    return true;
}

/* A share, or a set. */
static void read_validation(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    double percent;
    if (node == NULL || node->kind != CVY_NODE_SCALAR || !cvy_experiment_share(node->text, &percent)) {
        read_set(node, "data.validation", &e->validation, findings);
        return;
    }
    if (!isfinite(percent))
        cvy_find(findings, node, "data.validation: %s is neither a share nor a file; write a share such as 10%%",
                 node->text);
    else if (percent <= 0 || percent >= 100)
        cvy_find(findings, node, "data.validation: %s; a share is more than 0%% and less than 100%%, such as 10%%",
                 node->text);
    e->validation_share = percent / 100;
}

/* The first that is none of the numbers, or of the one; NULL where all are. */
static const struct cvy_node *no_number(const struct cvy_node *node) {
    double value;
    if (node->kind != CVY_NODE_LIST) return cvy_node_real(node, &value) && isfinite(value) ? NULL : node;
    for (size_t i = 0; i < node->count; i++)
        if (node->items[i]->kind == CVY_NODE_LIST || no_number(node->items[i])) return node->items[i];
    return NULL;
}

static void check_numbers(const struct cvy_node *node, const char *name, struct cvy_findings *findings) {
    const struct cvy_node *odd = no_number(node);
    if (odd && odd->kind == CVY_NODE_SCALAR)
        cvy_find(findings, odd, "data.%s: \"%s\"%s is no number; write one such as 0.5 or 1/255", name, odd->text,
                 odd->quoted ? " in quotes, which is text," : "");
    else if (odd || (node->kind == CVY_NODE_LIST && node->count == 0))
        cvy_find(findings, odd ? odd : node, "data.%s: expected a number, or a list of numbers, one a channel", name);
}

static void check_norm(const struct cvy_experiment *e, struct cvy_findings *findings) {
    if (!e->mean && !e->std) return;
    if (!e->mean || !e->std)
        cvy_find(findings, e->mean ? e->mean : e->std, "data.%s stands alone; give data.mean and data.std, or neither",
                 e->mean ? "mean" : "std");
    if (e->mean) check_numbers(e->mean, "mean", findings);
    if (e->std) check_numbers(e->std, "std", findings);
}

/* Numbers [channels] from a list of them, or from one for all. */
static cvy_status read_numbers(const struct cvy_node *node, const char *name, int channels, double *out) {
    const bool list = node->kind == CVY_NODE_LIST;
    if (list && node->count != (size_t)channels)
        return CVY_FAIL_AT(node, CVY_ERR_USAGE,
                           "data.%s: has %zu %s, the inputs have %d %s; write one number for all, or one a channel",
                           name, node->count, cvy_plural((double)node->count, "number", "numbers"), channels,
                           cvy_plural(channels, "channel", "channels"));
    for (int c = 0; c < channels; c++) cvy_node_real(list ? node->items[c] : node, &out[c]);
    return CVY_OK;
}

cvy_status cvy_experiment_norm(const struct cvy_experiment *e, int channels, double *mean, double *std) {
    bool positive = true;
    CVY_TRY(read_numbers(e->mean, "mean", channels, mean));
    CVY_TRY(read_numbers(e->std, "std", channels, std));
    for (int c = 0; c < channels; c++) positive &= std[c] > 0;
    if (!positive) return CVY_FAIL_AT(e->std, CVY_ERR_USAGE, "data.std: all must be greater than 0");
    return CVY_OK;
}

static void read_data(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    struct cvy_data_keys keys = {0};
    cvy_schema_read(cvy_data_keys, node, node ? node : e->root, "data", &keys, findings);
    read_set(keys.train, "data.train", &e->train, findings);
    read_validation(e, keys.validation, findings);
    read_set(keys.test, "data.test", &e->test, findings);
    e->augment = keys.augment;
    e->target = keys.target;
    e->peak = keys.peak;
    e->mean = keys.mean;
    e->std = keys.std;
    check_norm(e, findings);
    const char *scale = e->train.scale != 0 ? "scale" : e->train.y_scale != 0 ? "y_scale" : NULL;
    if (scale)
        cvy_find(findings, cvy_node_get(keys.train, scale),
                 "data.train.%s: the training data make the scale; give it to data.test", scale);
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
        cvy_find(findings, place,
                 "train.batch %lld is smaller than train.leaf %lld; raise the batch to that, or lower the leaf to %lld",
                 (long long)e->batch, (long long)e->leaf, (long long)e->batch);
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
    cvy_schema_read(cvy_train_keys, node, node ? node : e->root, "train", e, findings);
    if (e->loss == NULL) e->loss = default_loss(e, node);
    if (e->optimizer == NULL) e->optimizer = &sgd;
    if (e->learning_rate == NULL) e->learning_rate = &rate;
    if (findings->count == before) check_batch(e, node, findings);
    cvy_gradient_read(e->clip, e->noise, &e->gradient, findings);
    if (e->ema) cvy_schema_read(cvy_ema_keys, e->ema, e->ema, "ema", e, findings);
    cvy_optimizer_check(e->optimizer, findings);
    cvy_schedule_check(e->learning_rate, findings);
}

static void read_init(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    struct cvy_init_keys keys = {.from = ""};
    cvy_schema_read(cvy_init_keys, node, node ? node : e->root, "init", &keys, findings);
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

static void read_comm(struct cvy_experiment *e, const struct cvy_node *node, struct cvy_findings *findings) {
    cvy_schema_read(cvy_comm_keys, node, e->root, "comm", e, findings);
    const struct cvy_node *bucket = node ? cvy_node_get(node, "bucket_mib") : NULL;
    if (e->bucket_mib > 0 && e->bucket_mib < 1.0 / 1024)
        cvy_find(findings, bucket, "comm.bucket_mib: %s is less than a KiB (0.001); write 0 to have it chosen",
                 bucket->text);
    const struct cvy_node *algorithm = node ? cvy_node_get(node, "algorithm") : NULL;
    if (e->reduction == CVY_REDUCTION_FAST && e->algorithm > 0)
        cvy_find(findings, algorithm, "comm.algorithm: %s is one of exact's; leave it out with fast", algorithm->text);
}

/* Weights to start from are another section's. */
static void read_checkpoint(const struct cvy_node *node, const struct cvy_node *place, struct cvy_every_keys *out,
                            struct cvy_findings *findings) {
    const bool path = node && node->kind == CVY_NODE_SCALAR && !isdigit((unsigned char)node->text[0]);
    if (path)
        cvy_find(findings, node,
                 "checkpoint: it says when the state is written, {every: …, keep: …}; what weights start from is init: "
                 "{from: %s}",
                 node->text);
    else
        cvy_schema_read(cvy_checkpoint_keys, node, place, "checkpoint", out, findings);
}

/* What comes again and again. */
static void read_rhythms(struct cvy_experiment *e, const struct cvy_root_keys *root, struct cvy_findings *findings) {
    struct cvy_every_keys eval = {0}, checkpoint = {.keep = 3, .best = ""}, log = {0};
    read_checkpoint(root->checkpoint, e->root, &checkpoint, findings);
    cvy_schema_read(cvy_eval_keys, root->eval, e->root, "eval", &eval, findings);
    cvy_schema_read(cvy_log_keys, root->log, e->root, "log", &log, findings);
    e->keep = checkpoint.keep;
    e->best = checkpoint.best;
    e->eval_every = e->checkpoint_every = (struct cvy_every){1, CVY_UNIT_EPOCHS};
    e->log_every = (struct cvy_every){20, CVY_UNIT_STEPS};
    read_every(eval.every, "eval.every", false, &e->eval_every, findings);
    read_every(checkpoint.every, "checkpoint.every", true, &e->checkpoint_every, findings);
    read_every(checkpoint.keep_every, "checkpoint.keep_every", false, &e->keep_every, findings);
    read_every(log.every, "log.every", false, &e->log_every, findings);
}

void cvy_experiment_read(struct cvy_experiment *e, struct cvy_findings *findings) {
    struct cvy_root_keys root = {.name = ""};
    cvy_schema_read(cvy_root_keys, e->root, e->root, "experiment", &root, findings);
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
    read_comm(e, root.comm, findings);
    read_rhythms(e, &root, findings);
    e->early_stopping = root.early_stopping;
    if (e->early_stopping)
        cvy_schema_read(cvy_early_keys, e->early_stopping, e->early_stopping, "early_stopping", e, findings);
}
