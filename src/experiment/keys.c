/* The tables of keys: every setting of an experiment file, with its default, its range and its line of help. */
#include "experiment/keys.h"

#include "comm/reduction.h"

#include "experiment/experiment.h"

/* The schema writes the number of a word as an int. */
_Static_assert(sizeof(enum cvy_last_batch) == sizeof(int), "an enum is as wide as an int");
#define CHECK_PLACE(name, word) name##_place,
#define CHECK_EQUAL(name, word) _Static_assert((int)name == (int)name##_place, "the word " word " stands elsewhere");
#define CHECK(LIST)                                                                                                    \
    enum { LIST(CHECK_PLACE) };                                                                                        \
    LIST(CHECK_EQUAL)
CHECK(CVY_DECAY_ON_CHOICES)
CHECK(CVY_RECOMPUTE_CHOICES)
CHECK(CVY_LAYOUT_CHOICES)
CHECK(CVY_Y_LAYOUT_CHOICES)

#define ROOT(member) offsetof(struct cvy_root_keys, member)
const struct cvy_key cvy_root_keys[] = {
    {"name", CVY_KEY_TEXT, ROOT(name), "", CVY_KEY_ANY, NULL, "of the run folder; default: the file's"},
    {"seed", CVY_KEY_INT, ROOT(seed), "1", 0, 9e18, NULL, "of weights, order, augmentation, dropout and noise"},
    {"model", CVY_KEY_NODE, ROOT(model), NULL, CVY_KEY_ANY, NULL, "a model file, or input and layers"},
    {"init", CVY_KEY_NODE, ROOT(init), "", CVY_KEY_ANY, NULL, "a checkpoint to start from"},
    {"data", CVY_KEY_NODE, ROOT(data), "", CVY_KEY_ANY, NULL, "what is trained and tested on"},
    {"train", CVY_KEY_NODE, ROOT(train), "", CVY_KEY_ANY, NULL, "how it is trained"},
    {"eval", CVY_KEY_NODE, ROOT(eval), "", CVY_KEY_ANY, NULL, "when it is evaluated"},
    {"early_stopping", CVY_KEY_NODE, ROOT(early_stopping), "", CVY_KEY_ANY, NULL, "when it ends before its epochs do"},
    {"comm", CVY_KEY_NODE, ROOT(comm), "", CVY_KEY_ANY, NULL, "how ranks exchange gradients"},
    {"checkpoint", CVY_KEY_NODE, ROOT(checkpoint), "", CVY_KEY_ANY, NULL, "when the state is written"},
    {"log", CVY_KEY_NODE, ROOT(log), "", CVY_KEY_ANY, NULL, "when a line is written"},
    CVY_KEY_END};

#define EXPERIMENT(member) offsetof(struct cvy_experiment, member)
const struct cvy_key cvy_train_keys[] = {
    {"epochs", CVY_KEY_INT, EXPERIMENT(epochs), "1", 1, 1e9, NULL, "passes over the training data"},
    {"batch", CVY_KEY_INT, EXPERIMENT(batch), "32", 1, 1 << 30, NULL,
     "samples of a step, whatever the number of ranks; all samples: full-batch descent"},
    {"leaf", CVY_KEY_INT, EXPERIMENT(leaf), "0", 0, 1 << 30, NULL,
     "samples a gradient leaf; 0: the largest divisor of the batch up to 32, or where that is below 8 the smallest "
     "from "
     "33 to 128, if there is one"},
    {"last_batch", CVY_KEY_CHOICE, EXPERIMENT(last_batch), "partial", CVY_KEY_ANY,
     CVY_CHOICE_WORDS(CVY_LAST_BATCH_CHOICES), "what becomes of an epoch's remainder"},
    {"precision", CVY_KEY_CHOICE, EXPERIMENT(precision), "fp32", CVY_KEY_ANY, CVY_CHOICE_WORDS(CVY_PRECISION_CHOICES),
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
    {"weight_decay_on", CVY_KEY_CHOICE, EXPERIMENT(decay_on), "all", CVY_KEY_ANY,
     CVY_CHOICE_WORDS(CVY_DECAY_ON_CHOICES), "weights: neither biases nor normalisation"},
    {"lr_scaling", CVY_KEY_CHOICE, EXPERIMENT(lr_scaling), "none", CVY_KEY_ANY,
     CVY_CHOICE_WORDS(CVY_LR_SCALING_CHOICES), "how the rate grows with batch / reference_batch"},
    {"reference_batch", CVY_KEY_INT, EXPERIMENT(reference_batch), "256", 1, 1 << 30, NULL,
     "the batch that the rate is meant for"},
    {"winograd", CVY_KEY_BOOL, EXPERIMENT(winograd), "true", CVY_KEY_ANY, NULL,
     "fewer multiplications for 3×3 and 5×5, rounded otherwise: configs/README.md, Algorithms"},
    {"recompute", CVY_KEY_CHOICE, EXPERIMENT(recompute), "auto", CVY_KEY_ANY, CVY_CHOICE_WORDS(CVY_RECOMPUTE_CHOICES),
     "normalised values and ends of residual blocks are made again in backward; auto: in leaves of 256 MiB and more"},
    CVY_KEY_END};
const struct cvy_key cvy_ema_keys[] = {{"decay", CVY_KEY_REAL, EXPERIMENT(ema_decay), "0.999", 1e-9, 0.999999999, NULL,
                                        "the share of the old average; after t steps at most (1 + t)/(10 + t)"},
                                       CVY_KEY_END};
#define ALGORITHM_NAME(name, purpose) "|" #name
#define ALGORITHM_HELP(name, purpose) "; " #name ": " purpose
const struct cvy_key cvy_early_keys[] = {
    {"metric", CVY_KEY_TEXT, EXPERIMENT(early_metric), "loss", CVY_KEY_ANY, NULL,
     "loss, top1, …: what has to get better"},
    {"patience", CVY_KEY_INT, EXPERIMENT(patience), "10", 1, 1e9, NULL, "evaluations without that, upon which it ends"},
    {"min_delta", CVY_KEY_REAL, EXPERIMENT(min_delta), "0", 0, 1e9, NULL, "better by more than this"},
    CVY_KEY_END};
const struct cvy_key cvy_comm_keys[] = {
    {"reduction", CVY_KEY_CHOICE, EXPERIMENT(reduction), "exact", CVY_KEY_ANY, CVY_CHOICE_WORDS(CVY_REDUCTION_CHOICES),
     "exact: the same bits for every number of ranks; fast: MPI's own"},
    {"algorithm", CVY_KEY_CHOICE, EXPERIMENT(algorithm), "auto", CVY_KEY_ANY, "auto" CVY_REDUCTIONS(ALGORITHM_NAME, ),
     "of exact, all with the same bits" CVY_REDUCTIONS(ALGORITHM_HELP, )},
    {"bucket_mib", CVY_KEY_REAL, EXPERIMENT(bucket_mib), "0", 0, 4096, NULL,
     "the least that travels at once; 0: chosen by what messages cost and when layers are ready"},
    {"progress", CVY_KEY_CHOICE, EXPERIMENT(progress), "auto", CVY_KEY_ANY, CVY_CHOICE_WORDS(CVY_PROGRESS_CHOICES),
     "who moves messages during a step: polls between layers, or a thread; auto: that between hosts, if a processor is "
     "free"},
    CVY_KEY_END};

const struct cvy_key cvy_data_keys[] = {
    {"train", CVY_KEY_NODE, offsetof(struct cvy_data_keys, train), "", CVY_KEY_ANY, NULL,
     "a data set, or {file: …, x: …, y: …, layout: …}"},
    {"validation", CVY_KEY_NODE, offsetof(struct cvy_data_keys, validation), "", CVY_KEY_ANY, NULL,
     "10%: a share of the training data that is held out of them, the same of each class; or the same as train"},
    {"test", CVY_KEY_NODE, offsetof(struct cvy_data_keys, test), "", CVY_KEY_ANY, NULL, "the same, for evaluation"},
    {"augment", CVY_KEY_NODE, offsetof(struct cvy_data_keys, augment), "", CVY_KEY_ANY, NULL,
     "a list; see convoy help augmentations"},
    {"mean", CVY_KEY_NODE, offsetof(struct cvy_data_keys, mean), "", CVY_KEY_ANY, NULL,
     "inputs become (x - mean) / std: a number, or a list of one a channel, in units of x; default: of the training "
     "data"},
    {"std", CVY_KEY_NODE, offsetof(struct cvy_data_keys, std), "", CVY_KEY_ANY, NULL, "likewise; both or neither"},
    {"target", CVY_KEY_CHOICE, offsetof(struct cvy_data_keys, target), "y", CVY_KEY_ANY,
     CVY_CHOICE_WORDS(CVY_TARGET_CHOICES),
     "what outputs are compared with: the data set's targets, or the inputs themselves"},
    {"peak", CVY_KEY_REAL, offsetof(struct cvy_data_keys, peak), "1", 1e-12, 1e12, NULL,
     "the largest value of a target, for PSNR"},
    CVY_KEY_END};

const struct cvy_key cvy_set_keys[] = {
    {"file", CVY_KEY_TEXT, offsetof(struct cvy_set_keys, file), NULL, CVY_KEY_ANY, NULL, "an HDF5 file"},
    {"x", CVY_KEY_TEXT, offsetof(struct cvy_set_keys, x), "", CVY_KEY_ANY, NULL, "where the inputs are in it"},
    {"y", CVY_KEY_TEXT, offsetof(struct cvy_set_keys, y), "", CVY_KEY_ANY, NULL, "where the labels are"},
    {"layout", CVY_KEY_CHOICE, offsetof(struct cvy_set_keys, layout), "nhwc", CVY_KEY_ANY,
     CVY_CHOICE_WORDS(CVY_LAYOUT_CHOICES), "the order of axes of x, and of a y of four axes"},
    {"y_layout", CVY_KEY_CHOICE, offsetof(struct cvy_set_keys, y_layout), "as_x", CVY_KEY_ANY,
     CVY_CHOICE_WORDS(CVY_Y_LAYOUT_CHOICES), "the order of axes of y alone"},
    {"scale", CVY_KEY_REAL, offsetof(struct cvy_set_keys, scale), "0", 0, 1e18, NULL,
     "data.validation, data.test: what its inputs are multiplied by to be on the training data's scale; 0: found out"},
    {"y_scale", CVY_KEY_REAL, offsetof(struct cvy_set_keys, y_scale), "0", 0, 1e18, NULL,
     "data.validation, data.test: the same of its targets, where they are values"},
    CVY_KEY_END};

const struct cvy_key cvy_eval_keys[] = {{"every", CVY_KEY_NODE, offsetof(struct cvy_every_keys, every), "1 epoch",
                                         CVY_KEY_ANY, NULL, "20 steps or 1 epoch; and at the end, in any case"},
                                        CVY_KEY_END};
const struct cvy_key cvy_checkpoint_keys[] = {
    {"every", CVY_KEY_NODE, offsetof(struct cvy_every_keys, every), "1 epoch", CVY_KEY_ANY, NULL,
     "20 steps, 1 epoch or 10 minutes"},
    {"keep", CVY_KEY_INT, offsetof(struct cvy_every_keys, keep), "3", 1, 1e9, NULL, "how many of them stay"},
    {"keep_every", CVY_KEY_NODE, offsetof(struct cvy_every_keys, keep_every), "", CVY_KEY_ANY, NULL,
     "1000 steps or 10 epochs: those of these places stay, too, however old"},
    {"best", CVY_KEY_TEXT, offsetof(struct cvy_every_keys, best), "", CVY_KEY_ANY, NULL,
     "loss, top1, …: that with the best evaluation stays, too, as best.h5"},
    CVY_KEY_END};
const struct cvy_key cvy_log_keys[] = {{"every", CVY_KEY_NODE, offsetof(struct cvy_every_keys, every), "20 steps",
                                        CVY_KEY_ANY, NULL, "20 steps or 1 epoch"},
                                       CVY_KEY_END};

const struct cvy_key cvy_init_keys[] = {
    {"from", CVY_KEY_TEXT, offsetof(struct cvy_init_keys, from), "", CVY_KEY_ANY, NULL, "a checkpoint or a run"},
    {"except", CVY_KEY_NODE, offsetof(struct cvy_init_keys, except), "", CVY_KEY_ANY, NULL,
     "a list of layers that start anew"},
    CVY_KEY_END};

static bool list_root(int index, struct cvy_listing *out) {
    *out = (struct cvy_listing){"experiment", "the whole file", NULL, cvy_root_keys};
    return index == 0;
}

static bool list_sections(int index, struct cvy_listing *out) {
    static const struct cvy_listing sections[] = {
        {"init", "weights from a checkpoint", NULL, cvy_init_keys},
        {"data", "what is trained and tested on", NULL, cvy_data_keys},
        {"data.train", "a data set; data.validation and data.test alike; one text is its file", NULL, cvy_set_keys},
        {"train", "how it is trained", NULL, cvy_train_keys},
        {"train.ema", "a running average of weights and statistics, for evaluation", NULL, cvy_ema_keys},
        {"eval", "when it is evaluated", NULL, cvy_eval_keys},
        {"early_stopping", "when it ends before its epochs do: evaluations get no better", NULL, cvy_early_keys},
        {"comm", "how ranks exchange gradients", NULL, cvy_comm_keys},
        {"checkpoint", "when the state is written", NULL, cvy_checkpoint_keys},
        {"log", "when a line is written", NULL, cvy_log_keys}};
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
