/* train/experiment: what a file amounts to: defaults, --set, the model put in, paths; every key's errors with place and
 * nearest key; that the resolved text reads back as the same; and what may differ when a run is resumed. */
#define _GNU_SOURCE
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "graph/model/graph.h"
#include "io/yaml.h"
#include "test.h"
#include "experiment/experiment.h"
#include "experiment/leaf.h"

#define MODEL "model: {input: [4, 4, 1], layers: [dense: 3]}\n"

static void write_file(const char *folder, const char *name, const char *text) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_write(path, "%s", text);
}

/* Loads `text` as the file e.yaml of a new folder (or of `folder`). */
static cvy_status load_in(const char *folder, const char *text, const char *const *set, int sets,
                          struct cvy_experiment **out) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/e.yaml", folder);
    write_file(folder, "e.yaml", text);
    return cvy_experiment_load(path, set, sets, out);
}
static cvy_status load(const char *text, struct cvy_experiment **out) {
    return load_in(test_folder(), text, NULL, 0, out);
}

/* `want` with every '@' standing for the folder. */
static bool says(const char *got, const char *want, const char *folder) {
    size_t length = strlen(folder);
    for (; *want; want++) {
        if (*want == '@' ? strncmp(got, folder, length) != 0 : *got != *want) return false;
        got += *want == '@' ? length : 1;
    }
    return *got == '\0';
}

static void expect_message(cvy_status status, const char *want, const char *folder, const char *what) {
    bool good = status == CVY_ERR_USAGE && says(cvy_error_message(), want, folder);
    if (!good) fprintf(stderr, "\n    %s gave %d: %s", what, status, status ? cvy_error_message() : "");
    CU_ASSERT(good);
}

/* ---- values ---- */

static void defaults(void) {
    struct cvy_experiment *e;
    TEST_OK(load(MODEL, &e));
    CU_ASSERT_STRING_EQUAL(e->name, "e"); /* the file's */
    CU_ASSERT_EQUAL(e->seed, 1);
    CU_ASSERT_STRING_EQUAL(e->init_from, "");
    CU_ASSERT(e->init_except == NULL && e->train.file == NULL && e->test.file == NULL && e->augment == NULL);
    CU_ASSERT(e->epochs == 1 && e->batch == 32 && e->leaf == 32 && e->last_batch == CVY_LAST_BATCH_PARTIAL &&
              e->precision == CVY_PRECISION_FP32);
    CU_ASSERT_STRING_EQUAL(e->loss->text, "softmax_cross_entropy");
    CU_ASSERT_STRING_EQUAL(e->optimizer->text, "sgd");
    CU_ASSERT_STRING_EQUAL(e->learning_rate->text, "0.01");
    CU_ASSERT(e->lr_scaling == CVY_LR_SCALING_NONE && e->reference_batch == 256 && e->winograd &&
              e->recompute == CVY_RECOMPUTE_AUTO);
    CU_ASSERT(e->reduction == CVY_REDUCTION_EXACT && e->algorithm == 0 && e->bucket_mib == 0);
    CU_ASSERT(e->checkpoint_every.count == 1 && e->checkpoint_every.unit == CVY_UNIT_EPOCHS && e->keep == 3);
    CU_ASSERT(e->eval_every.count == 1 && e->eval_every.unit == CVY_UNIT_EPOCHS);
    CU_ASSERT(e->keep_every.count == 0 && e->best[0] == '\0' && e->early_stopping == NULL);
    CU_ASSERT(e->log_every.count == 20 && e->log_every.unit == CVY_UNIT_STEPS);
    cvy_experiment_destroy(&e);
    TEST_OK(load(MODEL "train: {batch: 8}\n", &e));
    CU_ASSERT(e->batch == 8 && e->leaf == 8); /* min(batch, 32) */
    cvy_experiment_destroy(&e);
    TEST_OK(load(MODEL "train: {batch: 96}\n", &e));
    CU_ASSERT(e->batch == 96 && e->leaf == 32);
    cvy_experiment_destroy(&e);
    CU_ASSERT(e == NULL);
}

/* A key that is null, and a section that is empty, are as if they were not there. */
static void nulls(void) {
    struct cvy_experiment *e;
    TEST_OK(load(MODEL
                 "name:\ninit: {from: null, except: ~}\ndata: {train: null, test: , augment: null}\n"
                 "train: {loss: null, optimizer: ~, learning_rate: }\ncomm:\ncheckpoint: {every: null}\nlog: null\n",
                 &e));
    if (e == NULL) return;
    CU_ASSERT_STRING_EQUAL(e->name, "e");
    CU_ASSERT_STRING_EQUAL(e->init_from, "");
    CU_ASSERT(e->init_except == NULL && e->train.file == NULL && e->test.file == NULL && e->augment == NULL);
    CU_ASSERT_STRING_EQUAL(e->loss->text, "softmax_cross_entropy");
    CU_ASSERT_STRING_EQUAL(e->optimizer->text, "sgd");
    CU_ASSERT_STRING_EQUAL(e->learning_rate->text, "0.01");
    CU_ASSERT(e->checkpoint_every.count == 1 && e->log_every.count == 20);
    cvy_experiment_destroy(&e);
}

static const char everything[] = "name: all\n"
                                 "seed: 12345678901\n" MODEL "init: {from: old/run, except: [dense1]}\n"
                                 "data:\n"
                                 "  train: {file: sub/a.h5, x: /x0, y: /y0, layout: nchw}\n"
                                 "  test: /abs/b.h5\n"
                                 "  augment: [{pad_crop: 2}, flip]\n"
                                 "train:\n"
                                 "  epochs: 7\n"
                                 "  batch: 96\n"
                                 "  leaf: 12\n"
                                 "  last_batch: drop\n"
                                 "  precision: fp32\n"
                                 "  loss: {softmax_cross_entropy: {label_smoothing: 0.1}}\n"
                                 "  optimizer: {sgd: {momentum: 0.9}}\n"
                                 "  learning_rate: {cosine: {peak: 0.1}}\n"
                                 "  lr_scaling: sqrt\n"
                                 "  reference_batch: 64\n"
                                 "  winograd: false\n"
                                 "  recompute: all\n"
                                 "comm: {reduction: fast, bucket_mib: 0.5}\n"
                                 "eval: {every: 30 steps}\n"
                                 "checkpoint: {every: 50 minutes, keep: 1, keep_every: 3 epochs, best: top1}\n"
                                 "early_stopping: {metric: top1, patience: 4, min_delta: 0.25}\n"
                                 "log: {every: 2 epochs}\n";

static void check_everything(const struct cvy_experiment *e, const char *folder) {
    CU_ASSERT_STRING_EQUAL(e->name, "all");
    CU_ASSERT_EQUAL(e->seed, 12345678901);
    CU_ASSERT(says(e->init_from, "@/old/run", folder) && e->init_except->count == 1);
    CU_ASSERT(says(e->train.file, "@/sub/a.h5", folder));
    CU_ASSERT_STRING_EQUAL(e->train.x, "/x0");
    CU_ASSERT_STRING_EQUAL(e->train.y, "/y0");
    CU_ASSERT_EQUAL(e->train.layout, CVY_LAYOUT_NCHW);
    CU_ASSERT_STRING_EQUAL(e->test.file, "/abs/b.h5");
    CU_ASSERT(e->test.x == NULL && e->test.layout == CVY_LAYOUT_NHWC && e->augment->count == 2);
    CU_ASSERT(e->epochs == 7 && e->batch == 96 && e->leaf == 12 && e->last_batch == CVY_LAST_BATCH_DROP);
    CU_ASSERT(cvy_node_get(e->loss, "softmax_cross_entropy") && cvy_node_get(e->optimizer, "sgd"));
    CU_ASSERT(cvy_node_get(e->learning_rate, "cosine") && e->lr_scaling == CVY_LR_SCALING_SQRT &&
              e->reference_batch == 64 && !e->winograd && e->recompute == CVY_RECOMPUTE_ALL);
    CU_ASSERT(e->reduction == CVY_REDUCTION_FAST && e->bucket_mib == 0.5);
    CU_ASSERT(e->checkpoint_every.count == 50 && e->checkpoint_every.unit == CVY_UNIT_MINUTES && e->keep == 1);
    CU_ASSERT(e->keep_every.count == 3 && e->keep_every.unit == CVY_UNIT_EPOCHS);
    CU_ASSERT_STRING_EQUAL(e->best, "top1");
    CU_ASSERT(e->early_stopping && e->patience == 4 && e->min_delta == 0.25);
    CU_ASSERT_STRING_EQUAL(e->early_metric, "top1");
    CU_ASSERT(e->eval_every.count == 30 && e->eval_every.unit == CVY_UNIT_STEPS);
    CU_ASSERT(e->log_every.count == 2 && e->log_every.unit == CVY_UNIT_EPOCHS);
}

/* What is written into run folders and checkpoints reads back as the same, wherever it then lies. */
static void round_trip(void) {
    struct cvy_experiment *e, *again;
    struct cvy_buf text = {0}, text2 = {0};
    const char *folder = strdup(test_folder());
    TEST_OK(load_in(folder, everything, NULL, 0, &e));
    check_everything(e, folder);
    TEST_OK(cvy_experiment_emit(e, &text));
    TEST_OK(cvy_experiment_parse("elsewhere", text.data, text.size, &again));
    check_everything(again, folder);
    TEST_OK(cvy_experiment_emit(again, &text2));
    CU_ASSERT_STRING_EQUAL(text.data, text2.data);
    TEST_OK(cvy_experiment_compare(e, again, true, NULL, 0));
    cvy_buf_destroy(&text);
    cvy_buf_destroy(&text2);
    cvy_experiment_destroy(&e);
    cvy_experiment_destroy(&again);
    free((char *)(uintptr_t)folder);
}

/* ---- the model ---- */

static void model_put_in(void) {
    static const char model[] = "name: m\ninput: [4, 4, 1]\nparameters: {classes: 10, width: 8}\n"
                                "layers: [dense: $width, dense: {units: $classes}]\n";
    struct cvy_experiment *e;
    struct cvy_buf text = {0};
    const char *folder = test_folder();
    write_file(folder, "m.yaml", model);
    TEST_OK(load_in(folder, "model: m.yaml\n", NULL, 0, &e));
    CU_ASSERT_STRING_EQUAL(cvy_node_get(e->model, "name")->text, "m");
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->model, "parameters.width")->text, "8");
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->model, "parameters.classes")->text, "10");
    TEST_OK(cvy_experiment_emit(e, &text));
    CU_ASSERT(strstr(cvy_buf_text(&text), "m.yaml") == NULL);
    cvy_buf_destroy(&text);
    cvy_experiment_destroy(&e);

    folder = test_folder();
    write_file(folder, "m.yaml", model);
    const char *set = "model={file: ../nowhere.yaml}";
    CU_ASSERT_EQUAL(load_in(folder, "model: {file: m.yaml, classes: 7}\n", &set, 1, &e), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "--set model:1:8: model: ") == cvy_error_message() &&
              strstr(cvy_error_message(), "nowhere.yaml"));
    TEST_OK(load_in(folder, "model: {file: m.yaml, classes: 7}\n", NULL, 0, &e));
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->model, "parameters.width")->text, "8");
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->model, "parameters.classes")->text, "7");
    TEST_OK(cvy_experiment_emit(e, &text)); /* as the run folder keeps it */
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_buf_text(&text), "classes: 7"));
    cvy_buf_destroy(&text);
    cvy_experiment_destroy(&e);
    expect_message(load_in(folder, "model: {fiel: m.yaml, classes: 7}\n", NULL, 0, &e),
                   "@/e.yaml:1:9: model: unknown key \"fiel\"; did you mean \"file\"?", folder, "file");
    expect_message(load_in(folder, "model: {file: m.yaml, clases: 7}\n", NULL, 0, &e),
                   "@/e.yaml:1:23: the model has no parameter \"clases\"; did you mean \"classes\"?", folder,
                   "parameter");
}

/* describe and bench take a model file or an experiment. */
static void model_alone(void) {
    struct cvy_experiment *e;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/configs/models/lenet5.yaml", test_root());
    TEST_OK(cvy_experiment_load_any(path, NULL, 0, &e));
    CU_ASSERT(cvy_node_get(e->model, "layers")->count == 11 && e->train.file == NULL && e->batch == 32);
    CU_ASSERT_STRING_EQUAL(e->name, "lenet5");
    cvy_experiment_destroy(&e);
    snprintf(path, sizeof path, "%s/configs/lenet5-fashion.yaml", test_root());
    TEST_OK(cvy_experiment_load_any(path, NULL, 0, &e));
    CU_ASSERT(cvy_node_get(e->model, "layers")->count == 11 && e->batch == 256);
    CU_ASSERT_STRING_EQUAL(e->name, "lenet5-fashion");
    cvy_experiment_destroy(&e);
}

/* ---- --set ---- */

static void settings(void) {
    static const char *const set[] = {
        "seed=9",
        "train.batch=64",
        "train.optimizer={sgd: {momentum: 0.5}}", /* replaces the whole node */
        "train.learning_rate.cosine.peak=0.3",    /* goes into what is there */
        "train.epochs=3",
        "train.epochs=4", /* the last one counts */
        "comm.bucket_mib=1",
        "data.augment=[flip]",
        "data.test=here.h5",
        "name='7'",
        "log.every=5 steps",
    };
    struct cvy_experiment *e;
    char want[PATH_MAX], *folder = strdup(test_folder());
    CU_ASSERT_FATAL(getcwd(want, sizeof want - 16) != NULL);
    strcat(want, "/here.h5"); /* on the command line: relative to the working directory */
    TEST_OK(load_in(
        folder,
        MODEL "data: {test: there.h5, train: t.h5}\n"
              "train:\n  optimizer: {sgd: {weight_decay: 0.1}}\n  learning_rate: {cosine: {peak: 0.1, floor: 0.01}}\n",
        set, sizeof set / sizeof *set, &e));
    CU_ASSERT(e->seed == 9 && e->batch == 64 && e->epochs == 4 && e->bucket_mib == 1 && e->log_every.count == 5);
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->optimizer, "sgd.momentum")->text, "0.5");
    CU_ASSERT(cvy_node_find(e->optimizer, "sgd.weight_decay") == NULL);
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->learning_rate, "cosine.peak")->text, "0.3");
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->learning_rate, "cosine.floor")->text, "0.01");
    CU_ASSERT_EQUAL(e->augment->count, 1);
    CU_ASSERT_STRING_EQUAL(e->test.file, want);
    CU_ASSERT(says(e->train.file, "@/t.h5", folder));
    CU_ASSERT_STRING_EQUAL(e->name, "7");
    cvy_experiment_destroy(&e);
    free(folder);
}

/* A short form becomes a map; what is not written becomes one. */
static void settings_in_short_forms(void) {
    static const struct {
        const char *text, *set, *path, *want; /* path: from the root; want: its text */
    } cases[] = {
        {"train: {optimizer: adam}\n", "train.optimizer.adam.beta1=0.8", "train.optimizer.adam.beta1", "0.8"},
        {"train: {optimizer: adam}\n", "train.optimizer.adam={beta1: 0.8}", "train.optimizer.adam.beta1", "0.8"},
        {"train: {optimizer: {adam: null}}\n", "train.optimizer.adam.beta1=0.8", "train.optimizer.adam.beta1", "0.8"},
        {"train: {optimizer: {adam: {eps: 1e-7}}}\n", "train.optimizer.adam.beta1=0.8", "train.optimizer.adam.eps",
         "1e-7"},
        {"", "train.optimizer.adam.beta1=0.8", "train.optimizer.adam.beta1", "0.8"},
        {"", "train.optimizer.sgd.momentum=0.8", "train.optimizer.sgd.momentum", "0.8"},
        {"train: {learning_rate: 0.2}\n", "train.learning_rate.constant.warmup_epochs=1",
         "train.learning_rate.constant.value", "0.2"},
        {"train: {learning_rate: 0.2}\n", "train.learning_rate.constant.value=0.3",
         "train.learning_rate.constant.value", "0.3"},
        {"", "train.learning_rate.cosine.peak=0.3", "train.learning_rate.cosine.peak", "0.3"},
        {"train: {loss: softmax_cross_entropy}\n", "train.loss.softmax_cross_entropy.label_smoothing=0.1",
         "train.loss.softmax_cross_entropy.label_smoothing", "0.1"},
        {"", "train.loss.softmax_cross_entropy.label_smoothing=0.1", "train.loss.softmax_cross_entropy.label_smoothing",
         "0.1"},
        {"", "train.ema.decay=0.9", "train.ema.decay", "0.9"},
        {"", "train.clip.norm=2", "train.clip.norm", "2"},
        {"data: {train: /t.h5}\n", "data.train.x=/images", "data.train.file", "/t.h5"},
        {"data: {train: /t.h5}\n", "data.train.x=/images", "data.train.x", "/images"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cvy_experiment *e;
        char text[512];
        snprintf(text, sizeof text, MODEL "%s", cases[i].text);
        cvy_status status = load_in(test_folder(), text, &cases[i].set, 1, &e);
        const struct cvy_node *found = status == CVY_OK ? cvy_node_find(e->root, cases[i].path) : NULL;
        bool good = found && strcmp(found->text, cases[i].want) == 0;
        if (!good) fprintf(stderr, "\n    %s: %s", cases[i].set, status ? cvy_error_message() : "not there");
        CU_ASSERT(good);
        cvy_experiment_destroy(&e);
    }
}

/* What the file's anchors name, its own x- keys included, a value of --set may name; paths in it stay the file's. */
static void settings_name_anchors(void) {
    static const char *const set[] = {"train={<<: *quick, batch: 8}", "train.optimizer=*momentum", "data.train=*set"};
    struct cvy_experiment *e;
    char *folder = strdup(test_folder());
    TEST_OK(load_in(folder,
                    "x-quick: &quick {epochs: 2, batch: 4}\nx-m: &momentum {sgd: {momentum: 0.7}}\n"
                    "x-set: &set near.h5\n" MODEL "data: {train: far.h5}\n",
                    set, 3, &e));
    CU_ASSERT_FATAL(e != NULL);
    CU_ASSERT(e->epochs == 2 && e->batch == 8);
    CU_ASSERT_STRING_EQUAL(cvy_node_find(e->optimizer, "sgd.momentum")->text, "0.7");
    CU_ASSERT(says(e->train.file, "@/near.h5", folder));
    cvy_experiment_destroy(&e);
    free(folder);
}

/* `model: file.yaml` with a parameter set: the file stays relative to the experiment. */
static void setting_of_a_model_file(void) {
    const char *set = "model.units=7", *folder = test_folder();
    struct cvy_experiment *e;
    write_file(folder, "m.yaml", "parameters: {units: 3}\ninput: [4, 4, 1]\nlayers: [dense: $units]\n");
    TEST_OK(load_in(folder, "model: m.yaml\n", &set, 1, &e));
    if (e) CU_ASSERT_STRING_EQUAL(cvy_node_find(e->model, "parameters.units")->text, "7");
    cvy_experiment_destroy(&e);
}

static const struct {
    const char *set, *message;
} bad_sets[] = {
    {"train.batch", "--set a.b=v:1:1: expected key=value, found \"train.batch\""},
    {"=3", "--set a.b=v:1:1: expected key=value, found \"=3\""},
    {"train=*quick", "--set train:1:1: *quick: there is no &quick above"},
    {"train.batch=many", "--set train.batch:1:1: batch: expected a whole number, found \"many\""},
    {"train.bacth=3", "--set train.bacth:1:1: train: unknown key \"bacth\"; did you mean \"batch\"?"},
    {"trian.batch=3", "--set trian.batch:1:1: an experiment has no \"trian\"; did you mean --set train.batch=3?"},
    {"seed.x=3", "--set seed.x:1:1: seed is \"1\", which has no settings of its own"},
    {"epochs=3", "--set epochs:1:1: an experiment has no \"epochs\"; did you mean --set train.epochs=3?"},
    {"run=x", "--set run:1:1: an experiment has no \"run\"; did you mean --run x, an option of convoy train?"},
    {"resume=true",
     "--set resume:1:1: an experiment has no \"resume\"; did you mean --resume, an option of convoy train?"},
    {"log-level=debug", "--set log-level:1:1: an experiment has no \"log-level\"; did you mean --log-level debug, an "
                        "option of convoy train?"},
    {"max_steps=7",
     "--set max_steps:1:1: an experiment has no \"max_steps\"; did you mean --steps 7, an option of convoy train?"},
    {"train.steps=7",
     "--set train.steps:1:1: train: unknown key \"steps\"; did you mean --steps N, an option of convoy train?"},
    {"ranks=4", "--set ranks:1:1: an experiment has no \"ranks\"; did you mean -n 4, an option of mpirun, which starts "
                "convoy?"},
    {"lr=0.1", "--set lr:1:1: an experiment has no \"lr\"; did you mean --set train.learning_rate=0.1?"},
    {"loss=mse", "--set loss:1:1: an experiment has no \"loss\"; did you mean --set train.loss=mse?"},
    {"optimizer.adam.beta1=0.8",
     "--set optimizer.adam.beta1:1:1: an experiment has no \"optimizer\"; did you mean --set "
     "train.optimizer.adam.beta1=0.8?"},
    {"momentum=0.9", "--set momentum:1:1: an experiment has no \"momentum\"; did you mean --set "
                     "train.optimizer.sgd.momentum=0.9?"},
    {"train:epochs=3",
     "--set train:epochs:1:1: an experiment has no \"train:epochs\"; sections and settings are joined by "
     "points: --set train.epochs=3"},
    {"frobnicate=1",
     "--set frobnicate:1:1: an experiment has no \"frobnicate\"; convoy help experiment lists what it has"},
    {"train.optimizer.sgd.momentum=0.9",
     "--set train.optimizer.sgd.momentum:1:1: train.optimizer is adam; choose sgd first: --set train.optimizer=sgd, "
     "then --set train.optimizer.sgd.momentum=0.9"},
    {"train.optimizer.beta1=0.8",
     "--set train.optimizer.beta1:1:1: train.optimizer is adam; write --set train.optimizer.adam.beta1=0.8"},
    {"train.optimizer.adma.beta1=0.8", "--set train.optimizer.adma.beta1:1:1: train.optimizer is adam, which has no "
                                       "\"adma\"; convoy help adam lists its settings"},
    {"train.loss.label_smoothing=0.1",
     "--set train.loss.label_smoothing:1:1: train.loss is softmax_cross_entropy; write --set "
     "train.loss.softmax_cross_entropy.label_smoothing=0.1"},
    {"model.layers.0=relu", "--set model.layers.0:1:1: model.layers is a list; replace all of it: --set "
                            "model.layers=[…]"},
    {"train=3", "--set train:1:1: train: expected a map of settings: {epochs: …, batch: …, leaf: …}"},
};

static void bad_settings(void) {
    for (size_t i = 0; i < sizeof bad_sets / sizeof *bad_sets; i++) {
        struct cvy_experiment *e;
        const char *folder = test_folder();
        expect_message(load_in(folder, MODEL "seed: 1\ntrain: {optimizer: adam}\n", &bad_sets[i].set, 1, &e),
                       bad_sets[i].message, folder, bad_sets[i].set);
        CU_ASSERT(e == NULL);
    }
    struct cvy_experiment *e;
    const char *broken = "train.batch=[1";
    CU_ASSERT_EQUAL(load_in(test_folder(), MODEL, &broken, 1, &e), CVY_ERR_USAGE);
    CU_ASSERT(strncmp(cvy_error_message(), "--set ", 6) == 0 && strstr(cvy_error_message(), "not YAML"));
}

/* ---- findings ---- */

static const struct {
    const char *text, *message; /* of the file after the model's line */
} bad[] = {
    {"sed: 3\n", "@/e.yaml:2:1: experiment: unknown key \"sed\"; did you mean \"seed\"?"},
    {"optimizer: adam\n", "@/e.yaml:2:1: experiment: unknown key \"optimizer\"; did you mean train.optimizer?"},
    {"epochs: 3\n", "@/e.yaml:2:1: experiment: unknown key \"epochs\"; did you mean train.epochs?"},
    {"data: {batch_size: 3}\n", "@/e.yaml:2:8: data: unknown key \"batch_size\"; did you mean train.batch?"},
    {"train: {lr: 0.1}\n", "@/e.yaml:2:9: train: unknown key \"lr\"; did you mean \"learning_rate\"?"},
    {"train: {weight_decay: 0.1}\n",
     "@/e.yaml:2:9: train: unknown key \"weight_decay\"; did you mean train.optimizer.sgd.weight_decay?"},
    {"train: {optimizer: {adam: {lr: 0.1}}}\n",
     "@/e.yaml:2:28: adam: unknown key \"lr\"; did you mean train.learning_rate?"},
    {"checkpoint: 1 epoch\n",
     "@/e.yaml:2:13: checkpoint: expected a map of settings: {every: …, keep: …, keep_every: …}"},
    {"train: {ema: 0.99}\n", "@/e.yaml:2:14: ema: expected a map of settings: {decay: …}"},
    {"seed: x\n", "@/e.yaml:2:7: seed: expected a whole number, found \"x\""},
    {"seed: -1\n", "@/e.yaml:2:7: seed: -1 is out of range; at least 0"},
    {"seed: 1.5\n", "@/e.yaml:2:7: seed: expected a whole number, found \"1.5\""},
    {"name: [a]\n", "@/e.yaml:2:7: name: expected text, found a list of 1"},
    {"train: {precision: BF16}\n",
     "@/e.yaml:2:20: precision: expected one of fp32|bf16, found \"BF16\"; did you mean \"bf16\"?"},
    {"train: {seed: 3}\n",
     "@/e.yaml:2:9: train: unknown key \"seed\"; did you mean seed at the top of the experiment?"},
    {"train: {epochs: }\n", "@/e.yaml:2:17: epochs: expected a whole number, found nothing"},
    {"train: {learning_rate: -0.1}\n", "@/e.yaml:2:24: learning_rate: -0.1 is out of range; at least 0"},
    {"train: {learning_rate: 0,01}\n",
     "@/e.yaml:2:26: train: unknown key \"01\"; numbers are written with a point, 0.01, and a comma ends one"},
    {"train: {learning_rate: fast}\n",
     "@/e.yaml:2:24: learning_rate: expected a number or a schedule, found \"fast\"; convoy help schedules lists them"},
    {"train: [1]\n", "@/e.yaml:2:8: train: expected a map of settings: {epochs: …, batch: …, leaf: …}"},
    {"train: {epochs: 0}\n", "@/e.yaml:2:17: epochs: 0 is out of range; at least 1"},
    {"train: {epochs: ten}\n", "@/e.yaml:2:17: epochs: expected a whole number, found \"ten\""},
    {"train: {batch: 0}\n", "@/e.yaml:2:16: batch: 0 is out of range; at least 1"},
    {"train: {batch: '32'}\n", "@/e.yaml:2:16: batch: expected a whole number, found \"32\" in quotes, which is text"},
    {"train: {leaf: -1}\n", "@/e.yaml:2:15: leaf: -1 is out of range; at least 0"},
    {"train: {batch: 16, leaf: 32}\n",
     "@/e.yaml:2:26: train.batch 16 is smaller than train.leaf 32; raise the batch to that, or lower "
     "the leaf to 16"},
    {"train: {batch: 48, leaf: 32}\n",
     "@/e.yaml:2:26: train.batch 48 is not a multiple of train.leaf 32; take a leaf of "
     "24 or 16, or a batch of 32 or 64"},
    {"train: {batch: 97, leaf: 20}\n", "@/e.yaml:2:26: train.batch 97 is not a multiple of train.leaf 20; take a "
                                       "batch of 80 or 100"},
    {"train: {last_batch: keep}\n", "@/e.yaml:2:21: last_batch: expected one of partial|drop, found \"keep\""},
    {"train: {precision: fp16}\n", "@/e.yaml:2:20: precision: expected one of fp32|bf16, found \"fp16\""},
    {"train: {lr_scaling: log}\n", "@/e.yaml:2:21: lr_scaling: expected one of none|linear|sqrt, found \"log\""},
    {"train: {reference_batch: 0}\n", "@/e.yaml:2:26: reference_batch: 0 is out of range; at least 1"},
    {"train: {optimiser: sgd}\n", "@/e.yaml:2:9: train: unknown key \"optimiser\"; did you mean \"optimizer\"?"},
    {"train: {optimizer: sdg}\n", "@/e.yaml:2:20: unknown optimizer \"sdg\"; did you mean \"sgd\"?"},
    {"train: {learning_rate: {step: {value: 1}}}\n",
     "@/e.yaml:2:25: step: \"every_epochs\" is missing: epochs from one to the next"},
    {"comm: {reduction: fast, algorithm: bruck}\n",
     "@/e.yaml:2:36: comm.algorithm: bruck is one of exact's; leave it out with fast"},
    {"comm: {reduction: slow}\n", "@/e.yaml:2:19: reduction: expected one of exact|fast, found \"slow\""},
    {"comm: {bucket_mib: -1}\n", "@/e.yaml:2:20: bucket_mib: -1 is out of range; from 0 to 4096"},
    {"comm: {bucket_mib: 0.0001}\n",
     "@/e.yaml:2:20: comm.bucket_mib: 0.0001 is less than a KiB (0.001); write 0 to have it chosen"},
    {"comm: {compression: none}\n",
     "@/e.yaml:2:21: comm.compression: is no setting any more, nothing is lost without it; leave it out"},
    {"comm: {compression: zip}\n",
     "@/e.yaml:2:21: comm.compression: is no setting any more, nothing is lost without it; leave it out"},
    {"checkpoint: {every: 10}\n",
     "@/e.yaml:2:21: checkpoint.every: expected \"20 steps\", \"1 epoch\" or \"10 minutes\", found \"10\""},
    {"checkpoint: {every: 0 steps}\n",
     "@/e.yaml:2:21: checkpoint.every: expected \"20 steps\", \"1 epoch\" or \"10 minutes\", found \"0 steps\""},
    {"checkpoint: {every: 2 epoch s}\n",
     "@/e.yaml:2:21: checkpoint.every: expected \"20 steps\", \"1 epoch\" or \"10 minutes\", found \"2 epoch s\""},
    {"checkpoint: {keep: 0}\n", "@/e.yaml:2:20: keep: 0 is out of range; at least 1"},
    {"log: {every: 3 hours}\n", "@/e.yaml:2:14: log.every: expected \"20 steps\" or \"1 epoch\", found \"3 hours\""},
    {"log: {evry: 3 steps}\n", "@/e.yaml:2:7: log: unknown key \"evry\"; did you mean \"every\"?"},
    {"init: runs/x\n", "@/e.yaml:2:7: init: expected a map of settings: {from: runs/x, except: …}"},
    {"init: {path: x}\n", "@/e.yaml:2:8: init: unknown key \"path\"; did you mean \"from\"?"},
    {"init: {from: x, skip: [y]}\n", "@/e.yaml:2:17: init: unknown key \"skip\"; did you mean \"except\"?"},
    {"init: {from: x, freeze: [y]}\n", "@/e.yaml:2:17: init: unknown key \"freeze\"; did you mean frozen beside a "
                                       "layer of the model: - {dense: …, frozen: "
                                       "…}?"},
    {"init.except: [y]\n",
     "@/e.yaml:2:1: experiment: unknown key \"init.except\"; in a file a dot is a level: init: {except: …}"},
    {"train.optimizer.sgd: 1\n", "@/e.yaml:2:1: experiment: unknown key \"train.optimizer.sgd\"; in a file a dot is a "
                                 "level: train: {optimizer: {sgd: …}}"},
    {"pretrained: x\n", "@/e.yaml:2:1: experiment: unknown key \"pretrained\"; did you mean init.from?"},
    {"weights: x\n", "@/e.yaml:2:1: experiment: unknown key \"weights\"; did you mean init.from?"},
    {"checkpoint: runs/x\n",
     "@/e.yaml:2:13: checkpoint: it says when the state is written, {every: …, keep: …}; what weights start from is "
     "init: {from: runs/x}"},
    {"resume: true\n",
     "@/e.yaml:2:1: experiment: unknown key \"resume\"; did you mean --resume, an option of convoy train?"},
    {"log: {level: debug}\n",
     "@/e.yaml:2:7: log: unknown key \"level\"; did you mean --log-level LEVEL, an option of convoy train?"},
    {"init: {form: x}\n", "@/e.yaml:2:8: init: unknown key \"form\"; did you mean \"from\"?"},
    {"init: {from: x, except: fc}\n", "@/e.yaml:2:25: init.except: expected a list of layers, such as [fc]"},
    {"data: {tests: x}\n", "@/e.yaml:2:8: data: unknown key \"tests\"; did you mean \"test\"?"},
    {"data: {train: {quux: /x}}\n",
     "@/e.yaml:2:16: data.train: unknown key \"quux\"; it needs \"file\" (an HDF5 file)"},
    {"data: {train: {x: /x}}\n", "@/e.yaml:2:15: data.train: \"file\" is missing: an HDF5 file"},
    {"data: {train: {file: a, layout: hwcn}}\n", "@/e.yaml:2:33: layout: expected one of nhwc|nchw, found \"hwcn\""},
    {"data: {train: [a.h5, b.h5]}\n",
     "@/e.yaml:2:15: data.train: is one file; a virtual data set of HDF5 makes one of several (configs/FORMATS.md)"},
    {"data: {mean: abc, std: 1}\n", "@/e.yaml:2:14: data.mean: \"abc\" is no number; write one such as 0.5 or 1/255"},
    {"data: {mean: [1/2, x], std: 1}\n",
     "@/e.yaml:2:20: data.mean: \"x\" is no number; write one such as 0.5 or 1/255"},
    {"data: {mean: 0, std: ['2']}\n",
     "@/e.yaml:2:23: data.std: \"2\" in quotes, which is text, is no number; write one such as 0.5 or 1/255"},
    {"data: {mean: [[1]], std: []}\n",
     "@/e.yaml:2:15: data.mean: expected a number, or a list of numbers, one a channel\n"
     "@/e.yaml:2:26: data.std: expected a number, or a list of numbers, one a channel"},
    {"data: {augment: [filp]}\n", "@/e.yaml:2:18: augment: unknown \"filp\"; did you mean \"flip\"?"},
    /* All in one go. */
    {"train: {epochs: 0, batch: x}\ncheckpoint: {kep: 1}\nlogs: {}\n",
     "@/e.yaml:4:1: experiment: unknown key \"logs\"; did you mean \"log\"?\n"
     "@/e.yaml:2:17: epochs: 0 is out of range; at least 1\n"
     "@/e.yaml:2:27: batch: expected a whole number, found \"x\"\n"
     "@/e.yaml:3:14: checkpoint: unknown key \"kep\"; did you mean \"keep\"?"},
};

static void findings(void) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cvy_experiment *e;
        char text[512];
        const char *folder = test_folder();
        snprintf(text, sizeof text, "%s%s", MODEL, bad[i].text);
        expect_message(load_in(folder, text, NULL, 0, &e), bad[i].message, folder, bad[i].text);
        CU_ASSERT(e == NULL);
        cvy_experiment_destroy(&e);
    }
}

/* ---- Mean and standard deviation ---- */

static void fractions_of_the_data(void) {
    struct cvy_experiment *e;
    double mean[2], std[2];
    TEST_OK(load(MODEL "data: {mean: [1/2, 2], std: 1/255}\n", &e));
    if (e == NULL) return;
    TEST_OK(cvy_experiment_norm(e, 2, mean, std));
    CU_ASSERT(mean[0] == 0.5 && mean[1] == 2 && std[0] == 1.0 / 255 && std[1] == std[0]);
    CU_ASSERT_EQUAL(cvy_experiment_norm(e, 1, mean, std), CVY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(cvy_error_message(), "data.mean: has 2 numbers, the inputs have 1 channel; write one number for all"));
    cvy_experiment_destroy(&e);
}

/* ---- A leaf where none is written ---- */

static void default_leaves(void) {
    static const struct {
        int64_t batch, leaf;
    } known[] = {
        {1, 1},     {7, 7},      {10, 10},   {31, 31},  {32, 32},  {33, 11},   {48, 24},   {50, 25},
        {64, 32},   {97, 97},    {74, 37},   {100, 25}, {128, 32}, {200, 25},  {254, 127}, {262, 2},
        {1000, 25}, {60000, 32}, {127, 127}, {131, 1},  {211, 1},  {1024, 32}, {10007, 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CU_ASSERT_EQUAL(cvy_leaf_default(known[i].batch), known[i].leaf);
    struct cvy_experiment *e;
    TEST_OK(load_in(test_folder(), MODEL "train: {batch: 100}\n", NULL, 0, &e));
    CU_ASSERT(e->leaf == 25 && e->leaf_chosen);
    cvy_experiment_destroy(&e);
    TEST_OK(load_in(test_folder(), MODEL "train: {batch: 100, leaf: 50}\n", NULL, 0, &e));
    CU_ASSERT(e->leaf == 50 && !e->leaf_chosen);
    cvy_experiment_destroy(&e);
}

static void whole_file_wrong(void) {
    struct cvy_experiment *e;
    const char *folder = test_folder();
    expect_message(load_in(folder, "seed: 1\n", NULL, 0, &e),
                   "@/e.yaml:1:1: experiment: \"model\" is missing: a model file, or input and layers", folder,
                   "no model");
    expect_message(load_in(folder, "[1]\n", NULL, 0, &e),
                   "@/e.yaml:1:1: expected an experiment: a map of name, model, data, train …", folder, "a list");
    CU_ASSERT_EQUAL(cvy_experiment_load("/nowhere/e.yaml", NULL, 0, &e), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "/nowhere/e.yaml") != NULL && e == NULL);
    CU_ASSERT_EQUAL(load_in(folder, "model: none.yaml\n", NULL, 0, &e), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "e.yaml:1:8: model: ") && strstr(cvy_error_message(), "none.yaml"));
}

/* ---- resuming ---- */

static const struct {
    const char *before, *now; /* after the model */
    const char *allow;        /* --allow-change, or NULL */
    const char *message;      /* NULL: they may differ so */
} resumed[] = {
    {"seed: 1\n", "seed: 1\n", NULL, NULL},
    {"name: a\n", "name: b\n", NULL, NULL},
    {"log: {every: 1 steps}\n", "log: {every: 2 steps}\n", NULL, NULL},
    {"log: {every: 1 steps}\n", "", NULL, NULL},
    {"", "checkpoint: {every: 2 epochs, keep: 9}\n", NULL, NULL},
    {"comm: {bucket_mib: 4}\n", "comm: {bucket_mib: 8}\n", NULL, NULL},
    {"", "comm: {bucket_mib: 8}\n", NULL, NULL}, /* a section that was not there before */
    {"comm: {bucket_mib: 8}\n", "", NULL, NULL},
    {"train: {epochs: 1}\n", "train: {epochs: 1, recompute: all}\n", NULL, NULL},         /* the same bits */
    {"data: {train: a.h5}\n", "data: {train: {file: b.h5, layout: nhwc}}\n", NULL, NULL}, /* identity is by digest */
    {"init: {from: /a/x}\n", "init: {from: /b/x}\n", NULL, NULL},                         /* all of it was moved */
    {"init: {from: /a/x/checkpoints/1.h5}\n", "init: {from: /b/x/checkpoints/1.h5}\n", NULL, NULL},
    {"init: {from: /a/x/checkpoints/1.h5}\n", "init: {from: /a/y/checkpoints/1.h5}\n", NULL,
     "@/e.yaml:2:14: init.from is /a/y/checkpoints/1.h5, and was /a/x/checkpoints/1.h5 in the run"},
    {"init: {from: /a/x}\n", "init: {from: /a/y}\n", NULL, "@/e.yaml:2:14: init.from is /a/y, and was /a/x in the run"},
    {"init: {from: /a/x}\n", "init: {from: /a/y}\n", "init", NULL},
    {"", "init: {from: /a/y}\n", NULL, "@/e.yaml:2:14: init.from is /a/y, and was not set in the run"},
    {"init: {from: /a/y}\n", "", NULL, "the run:5:9: init.from is not set, and was /a/y in the run"},
    {"init: {from: /a/x}\n", "init: {from: /a/x, except: [dense1]}\n", NULL,
     "@/e.yaml:2:28: init.except is a list of 1, and was not set in the run"},
    {"init: {from: /a/x, except: [dense1]}\n", "init: {from: /a/x, except: [dense2]}\n", NULL,
     "@/e.yaml:2:29: init.except.0 is dense2, and was dense1 in the run"},
    {"train: {epochs: 2}\n", "train: {epochs: 3}\n", NULL, NULL}, /* a constant rate knows no end */
    {"train: {epochs: 2, learning_rate: {step: {value: 1, every_epochs: 1}}}\n",
     "train: {epochs: 3, learning_rate: {step: {value: 1, every_epochs: 1}}}\n", NULL, NULL},
    {"train: {epochs: 2, learning_rate: {cosine: {peak: 1}}}\n",
     "train: {epochs: 3, learning_rate: {cosine: {peak: 1}}}\n", NULL,
     "@/e.yaml:2:17: train.epochs is 3, and was 2 in the run"},
    {"train: {epochs: 2, learning_rate: {cosine: {peak: 1}}}\n",
     "train: {epochs: 3, learning_rate: {cosine: {peak: 1}}}\n", "train.epochs", NULL},
    {"seed: 1\n", "seed: 2\n", NULL, "@/e.yaml:2:7: seed is 2, and was 1 in the run"},
    {"seed: 1\n", "seed: 2\n", "seed", NULL},
    {"seed: 1\n", "seed: 2\n", "train", "@/e.yaml:2:7: seed is 2, and was 1 in the run"},
    {"", "train: {batch: 64}\n", NULL, "@/e.yaml:2:16: train.batch is 64, and was 32 in the run"},
    {"", "train: {batch: 64}\n", "train.batch", NULL},
    {"train: {batch: 64}\n", "", "train", NULL},
    {"train: {batch: 64}\n", "", NULL, "@/e.yaml:1:1: train.batch is 32, and was 64 in the run"},
    {"train: {batch: 64, leaf: 8}\n", "train: {batch: 64, leaf: 16}\n", NULL,
     "@/e.yaml:2:26: train.leaf is 16, and was 8 in the run"},
    {"train: {optimizer: sgd}\n", "train: {optimizer: {sgd: {momentum: 0.9}}}\n", NULL,
     "@/e.yaml:2:37: train.optimizer.sgd.momentum is 0.9, and was 0 in the run"},
    {"train: {optimizer: sgd}\n", "train: {optimizer: adam}\n", NULL,
     "@/e.yaml:2:20: train.optimizer is adam, and was sgd in the run"},
    {"train: {optimizer: sgd}\n", "train: {optimizer: {adam: {beta1: 0.8}}}\n", NULL,
     "@/e.yaml:2:20: train.optimizer is adam, and was sgd in the run"},
    {"train: {learning_rate: 0.1}\n", "train: {learning_rate: {cosine: {peak: 0.1}}}\n", NULL,
     "@/e.yaml:2:24: train.learning_rate is cosine, and was constant in the run"},
    {"train: {learning_rate: 0.1}\n", "train: {learning_rate: 0.2}\n", NULL,
     "@/e.yaml:2:24: train.learning_rate.constant.value is 0.2, and was 0.1 in the run"},
    {"train: {learning_rate: 0.1}\n", "train: {learning_rate: 0.2}\n", "train.learning_rate", NULL},
    /* A default may be written, or left out. */
    {"", "train: {batch: 32, leaf: 32, winograd: true}\nseed: 1\n", NULL, NULL},
    {"train: {optimizer: sgd}\n", "", NULL, NULL},
    {"train: {optimizer: {sgd: {momentum: 0, nesterov: false}}}\n", "train: {optimizer: sgd}\n", NULL, NULL},
    {"train: {optimizer: adam}\n", "train: {optimizer: {adam: {beta1: 0.9, eps: 1e-8}}}\n", NULL, NULL},
    {"train: {learning_rate: 0.01}\n", "train: {learning_rate: {constant: {value: 0.01}}}\n", NULL, NULL},
    {"", "train: {loss: {softmax_cross_entropy: {label_smoothing: 0}}}\ndata: {target: y}\n", NULL, NULL},
    {"", "comm: {algorithm: direct}\n", NULL, NULL},
    {"", "comm: {reduction: exact}\ncheckpoint: {keep: 3}\n", NULL, NULL},
    {"data: {augment: [{pad_crop: 2}]}\n", "data: {augment: [{pad_crop: {pad: 2}}]}\n", NULL, NULL},
    {"train: {ema: {}}\n", "train: {ema: {decay: 0.999}}\n", NULL, NULL},
    {"train: {clip: {norm: 1}}\n", "train: {clip: {norm: 1, value: 0}}\n", NULL, NULL},
    /* The leaf that follows from a batch goes with it. */
    {"", "train: {batch: 16}\n", "train.batch", NULL},
    {"", "train: {batch: 16, leaf: 8}\n", "train.batch", "@/e.yaml:2:26: train.leaf is 8, and was 32 in the run"},
    {"train: {optimizer: {sgd: {momentum: 0.8}}}\n", "train: {optimizer: {adam: {beta1: 0.8}}}\n", NULL,
     "@/e.yaml:2:20: train.optimizer is adam, and was sgd in the run"}, /* and nothing of their settings */
    {"train: {optimizer: {sgd: {momentum: 0.8}}}\n", "train: {optimizer: {adam: {beta1: 0.8}}}\n", "train.optimizer",
     NULL},
    {"", "train: {optimizer: {adam: }}\n", NULL, "@/e.yaml:2:20: train.optimizer is adam, and was sgd in the run"},
    {"", "train: {ema: {decay: 0.9}}\n", NULL, "@/e.yaml:2:22: train.ema.decay is 0.9, and was not set in the run"},
    {"", "train: {ema: {decay: 0.9}}\n", "train.ema.decay", NULL},
    {"train: {optimizer: {sgd: {momentum: 0.8}}}\n", "train: {optimizer: {sgd: {momentum: 0.9}}}\n", NULL,
     "@/e.yaml:2:37: train.optimizer.sgd.momentum is 0.9, and was 0.8 in the run"},
    {"train: {optimizer: {sgd: {momentum: 0.8}}}\n", "train: {optimizer: {sgd: {momentum: 0.9}}}\n",
     "train.optimizer.sgd.nesterov", "@/e.yaml:2:37: train.optimizer.sgd.momentum is 0.9, and was 0.8 in the run"},
    {"comm: {reduction: exact}\n", "comm: {reduction: fast}\n", NULL,
     "@/e.yaml:2:19: comm.reduction is fast, and was exact in the run"},
    {"data: {augment: [flip]}\n", "data: {augment: [flip, {pad_crop: 1}]}\n", NULL,
     "@/e.yaml:2:17: data.augment is a list of 2, and was a list of 1 in the run"},
    {"data: {augment: [{pad_crop: 2}]}\n", "data: {augment: [{pad_crop: 1}]}\n", NULL,
     "@/e.yaml:2:29: data.augment.0.pad_crop.pad is 1, and was 2 in the run"},
};

/* The message without its advice, a line each. */
static bool tells(const char *want, const char *folder) {
    char got[1024];
    snprintf(got, sizeof got, "%s", cvy_error_message());
    char *advice = strstr(got, "; restore it, start a new run, or allow it with --allow-change ");
    if (advice == NULL || strchr(got, '\n')) return false;
    *advice = '\0';
    return says(got, want, folder);
}

static void check_resumed(size_t i) {
    struct cvy_experiment *before, *run, *now;
    struct cvy_buf resolved = {0};
    char text[512];
    const char *folder = test_folder();
    snprintf(text, sizeof text, "%s%s", MODEL, resumed[i].before);
    TEST_OK(load_in(folder, text, NULL, 0, &run));
    TEST_OK(cvy_experiment_emit(run, &resolved));
    TEST_OK(cvy_experiment_parse("the run", resolved.data, resolved.size, &before));
    snprintf(text, sizeof text, "%s%s", MODEL, resumed[i].now);
    TEST_OK(load_in(folder, text, NULL, 0, &now));
    cvy_status status = cvy_experiment_compare(before, now, true, &resumed[i].allow, resumed[i].allow != NULL);
    bool good = resumed[i].message ? status == CVY_ERR_USAGE && tells(resumed[i].message, folder) : status == CVY_OK;
    if (!good)
        fprintf(stderr, "\n    from %s    to %s    gave %d: %s", resumed[i].before, resumed[i].now, status,
                status ? cvy_error_message() : "");
    CU_ASSERT(good);
    cvy_buf_destroy(&resolved);
    cvy_experiment_destroy(&run);
    cvy_experiment_destroy(&before);
    cvy_experiment_destroy(&now);
}

/* A setting that is gone stands in the checkpoints of runs from when it was there: they go on without it. */
static void settings_that_are_gone(void) {
    static const char then[] = MODEL "comm: {reduction: fast, compression: none, bucket_mib: 2}\n";
    struct cvy_experiment *before, *now;
    TEST_OK(cvy_experiment_parse("the run", then, strlen(then), &before));
    CU_ASSERT(before->reduction == 1 && before->bucket_mib == 2);
    TEST_OK(load_in(test_folder(), MODEL "comm: {reduction: fast, bucket_mib: 2}\n", NULL, 0, &now));
    TEST_OK(cvy_experiment_compare(before, now, true, NULL, 0));
    cvy_experiment_destroy(&before);
    cvy_experiment_destroy(&now);
}

/* Allowing what is no setting allows nothing, and is said. */
static void allowing_nothing(void) {
    static const char *const names[][2] = {{"train.opt", "no such setting; each difference"},
                                           {"momentum", "momentum: no such setting; did you mean train.optimizer.sgd."},
                                           {"learning_rate", "did you mean train.learning_rate?"},
                                           {"train.batsh", "did you mean train.batch?"},
                                           {"train.emma", "did you mean train.ema?"},
                                           {"train.ema.dekay", "did you mean train.ema.decay?"},
                                           {"train.optimizer.adem", "did you mean train.optimizer.adam?"},
                                           {"model.layer", "did you mean model.layers?"},
                                           {"train.", "no such setting"},
                                           {"train.batch.x", "no such setting"},
                                           {"all", "--allow-change all: no such setting"}};
    struct cvy_experiment *run, *now;
    const char *folder = test_folder();
    TEST_OK(load_in(folder, MODEL "train: {optimizer: {sgd: {momentum: 0.8}}}\n", NULL, 0, &run));
    TEST_OK(load_in(folder, MODEL "train: {optimizer: {sgd: {momentum: 0.9}}}\n", NULL, 0, &now));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CU_ASSERT_EQUAL(cvy_experiment_compare(run, now, true, &names[i][0], 1), CVY_ERR_USAGE);
        const bool told = strstr(cvy_error_message(), names[i][1]) != NULL;
        if (!told) fprintf(stderr, "\n    %s, not: %s", names[i][1], cvy_error_message());
        CU_ASSERT(told && strstr(cvy_error_message(), "train.optimizer.sgd.momentum is 0.9"));
    }
    cvy_experiment_destroy(&run);
    cvy_experiment_destroy(&now);
}

/* A job's one text serves every later job: what was allowed may be allowed when it differs no more, or is gone. */
static void allowing_what_does_not_differ(void) {
    static const char *const names[] = {
        "train.ema",         "train.ema.decay",  "train.clip", "train.gradient_noise.eta",      "data.augment",
        "data.augment.0",    "data.mean",        "seed",       "train.optimizer.adam.beta1",    "train.loss.mse",
        "data.test.y_scale", "model.parameters", "init.from",  "model.layers.7.dropout.rate",   "data.augment.0.pad",
        "comm.reduction",    "train.batch",      "train",      "train.learning_rate.step.value"};
    struct cvy_experiment *run, *now;
    const char *folder = test_folder();
    TEST_OK(load_in(folder, MODEL, NULL, 0, &run));
    TEST_OK(load_in(folder, MODEL, NULL, 0, &now));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const bool good = cvy_experiment_compare(run, now, true, &names[i], 1) == CVY_OK;
        if (!good) fprintf(stderr, "\n    %s", cvy_error_message());
        CU_ASSERT(good);
    }
    cvy_experiment_destroy(&run);
    cvy_experiment_destroy(&now);
}

static void resuming(void) {
    for (size_t i = 0; i < sizeof resumed / sizeof *resumed; i++) check_resumed(i);
}

/* Another network is named by its layer. */
static void resuming_another_network(void) {
    struct cvy_experiment *before, *now;
    TEST_OK(load("model: {input: [4, 4, 1], layers: [dense: 8, relu, dense: 3]}\n", &before));
    TEST_OK(load("model: {input: [4, 4, 1], layers: [dense: 9, tanh, dense: 3]}\n", &now));
    CU_ASSERT_EQUAL(cvy_experiment_compare(before, now, true, NULL, 0), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "model.layers.0.dense.units is 9, and was 8") != NULL);
    CU_ASSERT(strstr(cvy_error_message(), "model.layers.1 is tanh, and was relu") != NULL);
    /* Where its parameters do not fit, no --allow-change is offered or taken. */
    CU_ASSERT_EQUAL(cvy_experiment_compare(before, now, true, (const char *[]){"model"}, 1), CVY_OK);
    CU_ASSERT_EQUAL(cvy_experiment_compare(before, now, false, (const char *[]){"model"}, 1), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "--allow-change") == NULL && strstr(cvy_error_message(), "init.from"));
    cvy_experiment_destroy(&before);
    cvy_experiment_destroy(&now);
}

/* ---- every default written out ---- */

static uint64_t hash_of(const struct cvy_experiment *e) {
    struct cvy_graph *graph;
    TEST_OK(cvy_graph_create(e->model, e->loss, &graph));
    const uint64_t hash = graph ? graph->hash : 0;
    cvy_graph_destroy(&graph);
    return hash;
}

/* What is written out loads again, to the same network and to the same text, and nothing differs from what it was made
 * of. */
static void check_whole(struct cvy_experiment *e, const char *what) {
    struct cvy_buf text = {0}, again = {0};
    struct cvy_experiment *back = NULL;
    TEST_OK(cvy_experiment_emit_whole(e, &text));
    cvy_status status = cvy_experiment_parse("whole", cvy_buf_text(&text), text.size, &back);
    if (status == CVY_OK) status = cvy_experiment_compare(e, back, true, NULL, 0);
    if (status == CVY_OK) status = cvy_experiment_compare(back, e, true, NULL, 0);
    if (status != CVY_OK) fprintf(stderr, "\n    %s: %s", what, cvy_error_message());
    TEST_OK(status);
    if (back) TEST_OK(cvy_experiment_emit_whole(back, &again));
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&text), cvy_buf_text(&again));
    if (back) CU_ASSERT_EQUAL(hash_of(back), hash_of(e));
    cvy_experiment_destroy(&back);
    cvy_buf_destroy(&text);
    cvy_buf_destroy(&again);
}

static void whole_configurations(void) {
    glob_t files;
    char pattern[PATH_MAX];
    snprintf(pattern, sizeof pattern, "%s/configs/{,models/}*.yaml", test_root());
    CU_ASSERT_EQUAL_FATAL(glob(pattern, GLOB_BRACE, NULL, &files), 0);
    CU_ASSERT(files.gl_pathc > 30);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct cvy_experiment *e;
        TEST_OK(cvy_experiment_load_any(files.gl_pathv[i], NULL, 0, &e));
        if (e) check_whole(e, files.gl_pathv[i]);
        cvy_experiment_destroy(&e);
    }
    globfree(&files);
}

static void whole_settings(void) {
    static const char *const texts[] = {
        "",
        "train: {optimizer: adam, learning_rate: {cosine: {peak: 0.1}}, clip: {norm: 2}, ema: {}}\n",
        "train: {optimizer: {sgd: {momentum: 0.9, nesterov: true}}, gradient_noise: {eta: 0.1}, batch: 8}\n",
        "train: {loss: {softmax_cross_entropy: {class_weights: [1, 2, 3], ignore_label: 255}}, batch: 96, leaf: 12}\n",
        "train: {loss: nll, learning_rate: {multi_step: {value: 0.1, milestones: [1, 2]}}, lr_scaling: linear}\n",
        "data: {train: /a.h5, test: {file: /b.h5, x: /x, layout: nchw}, augment: [flip, {pad_crop: 2}]}\n",
        "init: {from: /runs/a, except: [dense1]}\ncheckpoint: {every: 7 steps}\nlog: {every: 1 epoch}\n",
    };
    static const char *const layers[] = {
        "{conv: {filters: 4, kernel: 3, init: {normal: {std: 0.1}}, bias_init: one}}, batchnorm, relu, maxpool: 2",
        "conv: {filters: 4, kernel: 3, weights: sobel_x}, {avgpool: {kernel: 2, ceil_mode: true}}",
        "conv_transpose: {filters: 2, kernel: 3, stride: 2}, pad: 1, crop: 1, {crop: {size: 4}}, upsample: 2",
        "upsample: {size: 9, mode: bilinear}, leaky_relu, prelu, elu, softplus, hard_tanh, gelu, step, sign",
        "dropout: 0.1, spatial_dropout: 0.1, gaussian_noise: 0.1, lrn, groupnorm: 1, layernorm, flatten, softmax",
        "slice: {height: [0, 4]}, reshape: [2, 24, 1], adaptive_avgpool: 2, global_maxpool",
        "{relu: , name: a}, residual: {layers: [tanh, {conv: {filters: 1, kernel: 1}}], after: relu}, {tanh: , when: "
        "true}",
        "branch: {paths: [[{conv: {filters: 2, kernel: 1}}], [leaky_relu], []]}, repeat: {times: 2, layers: [elu]}",
        "{conv: {filters: 2, kernel: 1}, lr_factor: 0.5}, {aux: {weight: 0.3, layers: [global_avgpool, dense: 3]}}",
    };
    struct cvy_experiment *e;
    char text[1024];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(text, sizeof text, "%s%s", MODEL, texts[i]);
        TEST_OK(load(text, &e));
        if (e) check_whole(e, texts[i]);
        cvy_experiment_destroy(&e);
    }
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        snprintf(text, sizeof text, "model: {input: [12, 12, 1], layers: [%s, dense: 3]}\n", layers[i]);
        TEST_OK(load(text, &e));
        if (e) check_whole(e, layers[i]);
        cvy_experiment_destroy(&e);
    }
}

/* Which they are. */
static void whole_values(void) {
    static const char *const values[][2] = {
        {"seed", "1"},
        {"train.epochs", "1"},
        {"train.leaf", "8"},
        {"train.winograd", "true"},
        {"train.optimizer.sgd.momentum", "0"},
        {"train.learning_rate.constant.value", "0.01"},
        {"train.loss.softmax_cross_entropy.label_smoothing", "0"},
        {"data.target", "y"},
        {"comm.reduction", "exact"},
        {"eval.every", "1 epoch"},
        {"checkpoint.every", "1 epoch"},
        {"checkpoint.keep", "3"},
        {"log.every", "20 steps"},
    };
    struct cvy_experiment *e;
    struct cvy_tree *tree;
    struct cvy_node *whole;
    TEST_OK(load(MODEL "train: {batch: 8}\n", &e));
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_experiment_fill(e, tree, &whole));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct cvy_node *found = cvy_node_find(whole, values[i][0]);
        CU_ASSERT_STRING_EQUAL(found ? found->text : "none", values[i][1]);
    }
    const struct cvy_node *dense = cvy_node_get(cvy_node_find(whole, "model.layers")->items[0], "dense");
    CU_ASSERT_STRING_EQUAL(cvy_node_get(dense, "init")->keys[0]->text, "he_normal");
    CU_ASSERT_STRING_EQUAL(cvy_node_get(dense, "bias")->text, "true");
    CU_ASSERT(cvy_node_find(whole, "train.ema") == NULL && cvy_node_find(whole, "init") == NULL);
    CU_ASSERT(cvy_node_find(whole, "early_stopping") == NULL && cvy_node_find(whole, "checkpoint.best") == NULL);
    cvy_tree_destroy(&tree);
    cvy_experiment_destroy(&e);
}

static const struct test_case cases[] = {
    {"defaults", defaults},
    {"null is as if it were not there", nulls},
    {"every value, resolved, written and read again", round_trip},
    {"the model put in, with its parameters", model_put_in},
    {"a model alone", model_alone},
    {"--set", settings},
    {"--set in short forms", settings_in_short_forms},
    {"--set names what the file's anchors name", settings_name_anchors},
    {"--set of a model file's parameter", setting_of_a_model_file},
    {"--set that cannot be", bad_settings},
    {"mean and std may be fractions", fractions_of_the_data},
    {"a leaf where none is written", default_leaves},
    {"findings: place, words, all in one go", findings},
    {"a file that is no experiment", whole_file_wrong},
    {"what may differ on resuming", resuming},
    {"allowing what is no setting", allowing_nothing},
    {"allowing what does not differ", allowing_what_does_not_differ},
    {"resuming with another network", resuming_another_network},
    {"every default written out: the same experiment, of every configuration", whole_configurations},
    {"every default written out: the same experiment, of every setting", whole_settings},
    {"every default written out: which they are", whole_values},
    {"settings that are gone", settings_that_are_gone},
    {0},
};
const struct test_suite suite_experiment = {"experiment", cases, NULL};
