/* The reference for users leaves nothing out: every layer and loss of the table is in it, every kind says what it is
 * for, and every setting what it means. */
#include <stdio.h>
#include <string.h>

#include "convoy/reference.h"
#include "core/text.h"
#include "ops/losses/losses.h"
#include "ops/ops.h"
#include "test.h"

static bool told(const char *text) {
    return text && text[0];
}

static void all_is_told(void) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    int topics = 0;
    for (; cvy_reference_topic(topics, &topic); topics++) {
        int k = 0;
        CU_ASSERT(told(topic.name) && told(topic.purpose));
        for (; cvy_reference_kind(topics, k, &kind); k++) {
            bool good = told(kind.name) && told(kind.purpose), short_found = kind.shorthand == NULL;
            if (!good) fprintf(stderr, "\n    %s %s: .purpose is missing", topic.name, kind.name);
            CU_ASSERT(good);
            for (int i = 0; cvy_reference_setting(topics, k, i, &setting); i++) {
                if (!told(setting.help))
                    fprintf(stderr, "\n    %s %s: %s has no help", topic.name, kind.name, setting.name);
                CU_ASSERT(told(setting.help));
                short_found |= kind.shorthand && strcmp(kind.shorthand, setting.name) == 0;
            }
            CU_ASSERT(short_found);
        }
        CU_ASSERT(k > 1);
    }
    CU_ASSERT(topics >= 9);
}

static int count_kinds(const char *name, const char *in) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    int count = 0;
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++)
            count += strcmp(topic.name, in) == 0 && strcmp(kind.name, name) == 0;
    return count;
}

static size_t names_of(const char *in, const char *names[128]) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    size_t count = 0;
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; strcmp(topic.name, in) == 0 && cvy_reference_kind(t, k, &kind); k++) names[count++] = kind.name;
    return count;
}

#define NAME(name) #name,
static void every_op_is_in_it(void) {
    static const char *const layers[] = {CVY_OPS(NAME)}, *const losses[] = {CVY_LOSSES(NAME)};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) CU_ASSERT_EQUAL(count_kinds(layers[i], "layers"), 1);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) CU_ASSERT_EQUAL(count_kinds(losses[i], "losses"), 1);
    CU_ASSERT_EQUAL(count_kinds("huber", "losses"), 1);
    CU_ASSERT_EQUAL(count_kinds("huber", "layers"), 0);
}

/* Other programs' words for what is here, and other ways to write it. */
static void words_of_others(void) {
    static const struct {
        const char *topic, *word, *ours; /* NULL: nothing is near */
    } words[] = {
        {"layers", "linear", "dense"},
        {"layers", "Linear", "dense"},
        {"layers", "fc", "dense"},
        {"layers", "InnerProduct", "dense"},
        {"layers", "ReLU", "relu"},
        {"layers", "RELU", "relu"},
        {"layers", "Conv2d", "conv"},
        {"layers", "Conv2D", "conv"},
        {"layers", "Convolution", "conv"},
        {"layers", "MaxPool2d", "maxpool"},
        {"layers", "maxpool2d", "maxpool"},
        {"layers", "MaxPooling2D", "maxpool"},
        {"layers", "max_pool", "maxpool"},
        {"layers", "AvgPool2d", "avgpool"},
        {"layers", "BatchNorm2d", "batchnorm"},
        {"layers", "BatchNormalization", "batchnorm"},
        {"layers", "batch_norm", "batchnorm"},
        {"layers", "LeakyReLU", "leaky_relu"},
        {"layers", "Dropout2d", "spatial_dropout"},
        {"layers", "AdaptiveAvgPool2d", "adaptive_avgpool"},
        {"layers", "GlobalAveragePooling2D", "global_avgpool"},
        {"layers", "ConvTranspose2d", "conv_transpose"},
        {"layers", "Conv2DTranspose", "conv_transpose"},
        {"layers", "Upsample", "upsample"},
        {"layers", "UpSampling2D", "upsample"},
        {"layers", "Concatenate", "concat"},
        {"layers", "conv", "conv"},
        {"layers", "cnov", "conv"},
        {"layers", "zzzzzzzz", NULL},
        {"losses", "crossentropy", "softmax_cross_entropy"},
        {"losses", "cross_entropy", "softmax_cross_entropy"},
        {"losses", "CrossEntropyLoss", "softmax_cross_entropy"},
        {"losses", "sparse_categorical_crossentropy", "softmax_cross_entropy"},
        {"losses", "BCEWithLogitsLoss", "logistic"},
        {"losses", "binary_crossentropy", "logistic"},
        {"losses", "MSELoss", "mse"},
        {"losses", "L1Loss", "l1"},
        {"losses", "mean_absolute_error", "l1"},
        {"losses", "SmoothL1Loss", "smooth_l1"},
        {"optimizers", "Adam", "adam"},
        {"optimizers", "SGD", "sgd"},
        {"optimizers", "RMSprop", "rmsprop"},
        {"schedules", "StepLR", "step"},
        {"schedules", "CosineAnnealingLR", "cosine"},
        {"schedules", "ReduceLROnPlateau", "plateau"},
        {"schedules", "linear", "polynomial"},
        {"initialisers", "kaiming_normal", "he_normal"},
        {"initialisers", "glorot_uniform", "xavier_uniform"},
        {"augmentations", "RandomHorizontalFlip", "flip"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *names[128];
        const size_t count = names_of(words[i].topic, names);
        const char *near = cvy_nearest(words[i].word, names, count);
        bool good = count && strcmp(near ? near : "none", words[i].ours ? words[i].ours : "none") == 0;
        if (!good) fprintf(stderr, "\n    %s: %s", words[i].word, near ? near : "none");
        CU_ASSERT(good);
    }
}

/* A number has both ends of its range, or none where any will do. */
static void ranges_are_whole(void) {
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    int numbers = 0;
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++)
            for (int i = 0; cvy_reference_setting(t, k, i, &setting); i++) {
                const bool whole = !setting.range[0] || strstr(setting.range, " to ") != NULL;
                if (!whole) fprintf(stderr, "\n    %s.%s: %s", kind.name, setting.name, setting.range);
                CU_ASSERT(whole);
                numbers += setting.range[0] != '\0';
                if (strcmp(kind.name, "cosine") == 0 && strcmp(setting.name, "peak") == 0)
                    CU_ASSERT_STRING_EQUAL(setting.range, "0 to 1e+09");
            }
    CU_ASSERT(numbers > 100);
}

static void whole_names(void) {
    static const struct {
        const char *word, *path;
    } words[] = {{"epochs", "train.epochs"},
                 {"num-epochs", "train.epochs"},
                 {"batch", "train.batch"},
                 {"batch_size", "train.batch"},
                 {"batch-size", "train.batch"},
                 {"lr", "train.learning_rate"},
                 {"learning-rate", "train.learning_rate"},
                 {"seed", "seed"},
                 {"optimizer", "train.optimizer"},
                 {"loss", "train.loss"},
                 {"momentum", "train.optimizer.sgd.momentum"},
                 {"weight-decay", "train.optimizer.sgd.weight_decay"},
                 {"beta1", "train.optimizer.adam.beta1"},
                 {"data", "data.train"},
                 {"val", "data.validation"},
                 {"augment", "data.augment"},
                 {"keep", "checkpoint.keep"},
                 {"pretrained", "init.from"},
                 {"model", "model"},
                 {"trust_coefficient", "train.optimizer.lars.trust_coefficient"},
                 {"frobnicate", NULL}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char path[64] = "none";
        bool good = cvy_reference_path(words[i].word, path) == (words[i].path != NULL);
        good &= strcmp(path, words[i].path ? words[i].path : "none") == 0;
        if (!good) fprintf(stderr, "\n    %s: %s", words[i].word, path);
        CU_ASSERT(good);
    }
}

static void beyond_the_end(void) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    CU_ASSERT_FALSE(cvy_reference_topic(-1, &topic) || cvy_reference_topic(1000, &topic));
    CU_ASSERT_FALSE(cvy_reference_kind(0, 1000, &kind) || cvy_reference_kind(1000, 0, &kind));
    CU_ASSERT_FALSE(cvy_reference_setting(0, 0, 1000, &setting) || cvy_reference_setting(0, 1000, 0, &setting));
}

static const struct test_case cases[] = {
    {"every kind and every setting says what it is", all_is_told},
    {"every layer and loss is in it", every_op_is_in_it},
    {"words of other programs", words_of_others},
    {"ranges are whole", ranges_are_whole},
    {"whole names of settings", whole_names},
    {"nothing beyond the end", beyond_the_end},
    {0},
};
const struct test_suite suite_reference = {"reference", cases, NULL};
