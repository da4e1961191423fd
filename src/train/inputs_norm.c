/* The scale of the inputs: whether all ranks read the same and both sets are alike, and what they are normalised by. */
#include <math.h>
#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "train/alike.h"
#include "train/checkpoints.h"
#include "train/inputs.h"

/* ---- What the ranks read, and its scale ---- */

/* A user's own file, without statistics. */
static bool in_place(const struct cvy_source *source) {
    return source->info.stored[0] && !source->info.packed;
}

static bool says_range(const struct cvy_inputs *in) {
    return in->train->info.range.low <= in->train->info.range.high;
}

static struct cvy_contract contract_of(const struct cvy_inputs *in, const struct cvy_task *t,
                                       const struct cvy_probe *probe) {
    const struct cvy_dataset_info *info = &in->train->info;
    const char *type = info->x_type == CVY_U8 ? "uint8" : "float32";
    const bool apart = t->experiment->target != CVY_TARGET_INPUT; /* from the inputs */
    return (struct cvy_contract){.targets = apart ? cvy_contract_targets_of(info, probe)
                                                  : (struct cvy_contract_targets){.known = false},
                                 .stored = info->stored[0] ? info->stored : type,
                                 .few = probe->range,
                                 .all = says_range(in) ? info->range : probe->range,
                                 .known = true,
                                 .place = t->options->train ? (struct cvy_dataset_spec){0} : t->experiment->train};
}

static cvy_status compare_set(const struct cvy_task *t, struct cvy_source *source, const char *name,
                              struct cvy_probe *probe) {
    struct cvy_comm *comm = t->ctx->comm;
    cvy_status status = cvy_source_probe(source, probe);
    if (status == CVY_OK && t->ranks > 1) status = cvy_source_probe_targets(source, probe);
    CVY_TRY(cvy_comm_agree(comm, status));
    return cvy_alike_source(comm, source, probe, name);
}

struct measuring {
    struct cvy_log_samples told;
    const struct cvy_task *task;
    double begun; /* s since the task began */
    double share; /* that is measured */
};

static void tell_measured(void *measuring, int64_t done, int64_t total) {
    struct measuring *m = measuring;
    m->share = (double)done / (double)total;
    cvy_log_samples(&m->told, done, total);
}

/* With the whole time that a start needs, which the next one would not have either: nothing is kept of a part. */
static cvy_status refuse_limit(const struct measuring *m, const char *set) {
    char limit[CVY_TIME_TEXT], whole[CVY_TIME_TEXT];
    const double now = cvy_clock() - m->task->started, need = m->begun + (now - m->begun) / m->share;
    return CVY_FAIL(CVY_ERR_USAGE,
                    "the time limit of %s came while %s was measured, and the next start would come no further; with "
                    "a limit well above %s there is a first step; convoy data pack measures once for all runs",
                    cvy_time_text(m->task->options->time_limit, limit), set, cvy_time_text(ceil(need), whole));
}

/* Of a file in place: all of it or a part, by which the contract's range becomes wider. */
static cvy_status measure(struct cvy_inputs *in, const struct cvy_task *t, double *mean, double *std) {
    struct cvy_measured found;
    struct measuring m = {{t->ctx->log, "measuring", cvy_clock()}, t, cvy_clock() - t->started, 0};
    const struct cvy_work work = {.progress = tell_measured, .arg = &m};
    cvy_status status = cvy_source_measure(in->train, &work, mean, std, &found);
    if (status == CVY_STOPPED && m.share > 0 && cvy_task_is_late(t)) return refuse_limit(&m, cvy_inputs_train_name(t));
    CVY_TRY(status);
    struct cvy_probe probe = {.targets = found.digest};
    CVY_TRY(cvy_source_probe_targets(in->train, &probe));
    cvy_range_join(&in->contract.all, &found.range);
    in->measured = found.part;
    in->sample = probe.targets;
    return CVY_OK;
}

cvy_status cvy_inputs_look(struct cvy_inputs *in, const struct cvy_task *t) {
    const int channels = in->train->info.shape.c;
    double *stats;
    if (!in_place(in->train) || in->measured > 0) return CVY_OK;
    CVY_TRY(CVY_NEW(&stats, 2 * channels, data));
    cvy_status status = measure(in, t, stats, stats + channels);
    cvy_free(stats);
    return status;
}

static cvy_status look_at_set(struct cvy_inputs *in, const struct cvy_task *t, enum cvy_split split) {
    static const char *const what[] = {"reading validation data", "reading test data"};
    struct cvy_measured found;
    struct measuring m = {{t->ctx->log, what[split], cvy_clock()}, t, 0, 0};
    const struct cvy_work work = {.progress = tell_measured, .arg = &m};
    struct cvy_source *source = in->sets[split].source;
    double *stats;
    if (source == NULL || !in_place(source)) return CVY_OK;
    CVY_TRY(CVY_NEW(&stats, 2 * source->info.shape.c, data));
    cvy_status status = cvy_source_measure(source, &work, stats, stats + source->info.shape.c, &found);
    cvy_free(stats);
    in->partly_known |= found.part < source->info.count;
    return status;
}

cvy_status cvy_inputs_look_at_sets(struct cvy_inputs *in, const struct cvy_task *t) {
    for (enum cvy_split split = 0; split < CVY_SPLITS; split++) CVY_TRY(look_at_set(in, t, split));
    return CVY_OK;
}

/* A set that looks as if on another scale, or like other data, may be of the training's extreme samples, where
 * only a few of these were looked at. Each rank finds the same. */
static cvy_status look_at_all(struct cvy_inputs *in, const struct cvy_task *t, const struct cvy_range *given) {
    double factor;
    const bool certain = cvy_contract_scale(&in->contract, given, &factor);
    return certain && !cvy_contract_is_unlike(&in->contract, given, factor) ? CVY_OK : cvy_inputs_look(in, t);
}

/* What says the scale of a set, in messages. */
static const struct {
    const char *inputs, *targets;
} settings[] = {
    [CVY_VALIDATION] = {"data.validation.scale (--set data.validation.scale=K)",
                        "data.validation.y_scale (--set data.validation.y_scale=K)"},
    [CVY_TEST] = {"data.test.scale (--set data.test.scale=K)", "data.test.y_scale (--set data.test.y_scale=K)"}};

/* It becomes like the training's, or is refused. */
static cvy_status scale_set(struct cvy_inputs *in, const struct cvy_task *t, enum cvy_split split,
                            const struct cvy_probe *probe) {
    const struct cvy_dataset_spec *spec = split == CVY_TEST ? &t->experiment->test : &t->experiment->validation;
    const bool own = split == CVY_TEST && t->options->test;
    const char *name = cvy_inputs_set_name(t, split);
    struct cvy_input_set *set = &in->sets[split];
    struct cvy_data_form form;
    CVY_TRY(CVY_READ(cvy_data_form, t->options->test_form, &form));
    const double scale = own ? form.scale : spec->scale;
    if (scale == 0) CVY_TRY(cvy_comm_agree(t->ctx->comm, look_at_all(in, t, &probe->range)));
    CVY_TRY(cvy_contract_scale_inputs(&in->contract, &probe->range, scale, name,
                                      own ? "the scale of the options' test_form" : settings[split].inputs, t->ctx->log,
                                      &set->factor));
    cvy_source_inputs_rescale(set->source, set->factor, cvy_contract_full(&in->contract));
    return cvy_contract_scale_targets(&in->contract, set->source, probe, spec->y_scale, name, settings[split].targets,
                                      t->ctx->log);
}

/* What was held out of the training data is on their scale. */
static cvy_status compare_with_training(struct cvy_inputs *in, const struct cvy_task *t, enum cvy_split split) {
    struct cvy_probe probe;
    const bool held_out = split == CVY_VALIDATION && t->experiment->validation_share > 0;
    if (in->sets[split].source == NULL || held_out) return CVY_OK;
    CVY_TRY(compare_set(t, in->sets[split].source, cvy_inputs_set_name(t, split), &probe));
    return scale_set(in, t, split, &probe);
}

cvy_status cvy_inputs_compare(struct cvy_inputs *in, const struct cvy_task *t) {
    struct cvy_probe train;
    CVY_TRY(compare_set(t, in->train, cvy_inputs_train_name(t), &train));
    in->contract = contract_of(in, t, &train);
    CVY_TRY(cvy_comm_bcast(t->ctx->comm, &in->contract.all, sizeof in->contract.all)); /* a copy may be without one */
    for (enum cvy_split split = 0; split < CVY_SPLITS; split++) CVY_TRY(compare_with_training(in, t, split));
    return CVY_OK;
}

/* ---- Normalisation ---- */

/* As a checkpoint has it, whose weights were trained with that: on the scale of these inputs, which `factor` takes to
 * its own. False where it has none for so many channels. */
static bool norm_of_weights(struct cvy_inputs *in, const struct cvy_ckpt *ckpt, double factor) {
    const int channels = in->train->info.shape.c;
    const struct cvy_ckpt_attribute *mean = cvy_ckpt_attribute(ckpt, "mean"), *std = cvy_ckpt_attribute(ckpt, "std");
    if (!mean || !std || !mean->reals || !std->reals || mean->count != channels || std->count != channels) return false;
    for (int c = 0; c < channels; c++) {
        in->mean[c] = mean->reals[c] / factor;
        in->std[c] = std->reals[c] / factor;
    }
    return true;
}

/* Whether first layers know such inputs: on their scale, where a dark or bright picture stays what it is, and numbers
 * of a clearly other range may be something else. */
static bool known_to(const struct cvy_contract *before, const struct cvy_range *given, double *factor) {
    return cvy_contract_scale(before, given, factor) &&
           (cvy_scale_is_pictures(&before->few, given) || !cvy_contract_is_unlike(before, given, *factor));
}

/* Of init.from: its first layers know inputs as they were. */
static cvy_status norm_of_init(struct cvy_inputs *in, const struct cvy_task *t, bool *taken) {
    char path[CVY_PATH_MAX];
    struct cvy_ckpt *ckpt;
    struct cvy_contract before;
    double factor;
    CVY_TRY(cvy_checkpoint_find(t->experiment->init_from, NULL, path));
    CVY_TRY(cvy_ckpt_open(path, &ckpt));
    cvy_status status = cvy_contract_load(ckpt, &t->experiment->train, &before);
    if (status == CVY_OK && before.known)
        *taken = known_to(&before, &in->contract.few, &factor) && norm_of_weights(in, ckpt, factor);
    cvy_ckpt_close(&ckpt);
    if (status == CVY_OK && before.known)
        cvy_info(t->ctx->log,
                 *taken ? "inputs are normalised as those of %s were; data.mean and data.std say otherwise"
                        : "inputs are normalised by their own statistics: those of %s had another scale, a clearly "
                          "other range, or other channels; data.mean and data.std say otherwise",
                 path);
    return status;
}

/* A set of ours brings its statistics, a program says what it wants, and anybody else's samples are measured, as
 * packing them would. */
static cvy_status norm_of_samples(struct cvy_inputs *in, const struct cvy_task *t) {
    const struct cvy_dataset_info *info = &in->train->info;
    const size_t bytes = (size_t)info->shape.c * sizeof *in->mean;
    if (in_place(in->train)) return measure(in, t, in->mean, in->std);
    memcpy(in->mean, info->mean, bytes);
    memcpy(in->std, info->std, bytes);
    return CVY_OK;
}

static cvy_status norm_of_run(struct cvy_inputs *in, const struct cvy_ckpt *resumed) {
    const int channels = in->train->info.shape.c;
    CVY_CHECK(norm_of_weights(in, resumed, 1), CVY_ERR_CHECKPOINT,
              "%s: /run has no mean and std of %d %s; it is of other data", cvy_ckpt_path(resumed), channels,
              cvy_plural(channels, "channel", "channels"));
    return CVY_OK;
}

/* A run that goes on knows its inputs' range as it did before: perhaps of all samples, where now a few were looked at.
 */
static cvy_status keep_range(struct cvy_inputs *in, const struct cvy_ckpt *resumed) {
    struct cvy_contract before;
    CVY_TRY(cvy_contract_load(resumed, &in->contract.place, &before));
    if (before.known) cvy_range_join(&in->contract.all, &before.all);
    return CVY_OK;
}

static void say_part(const struct cvy_inputs *in, const struct cvy_task *t) {
    const int64_t count = in->train->info.count, part = in->measured;
    if (part == 0 || part == count) return;
    cvy_info(t->ctx->log, "%s: mean and std are of %lld %s out of %lld; convoy data pack takes all",
             cvy_inputs_train_name(t), (long long)part, cvy_plural((double)part, "sample", "samples"),
             (long long)count);
}

/* A channel whose every value is one has that as its mean, and a std of 1 instead of 0 (io/dataset/dataset_tally.h):
 * what the first sample holds is compared with that. */
static bool is_constant(const struct cvy_inputs *in, const void *x, int channel) {
    const struct cvy_shape s = in->train->info.shape;
    const bool bytes = in->train->info.x_type == CVY_U8;
    bool same = in->std[channel] == 1;
    for (int64_t i = channel; same && i < cvy_shape_count(s); i += s.c)
        same = (bytes ? ((const unsigned char *)x)[i] : ((const float *)x)[i]) == (float)in->mean[channel];
    return same;
}

/* "1 (7), 2 (0.5)": channels and what they hold. Gives how many they are. */
static int list_constant(const struct cvy_inputs *in, const void *x, struct cvy_buf *out) {
    enum { LISTED = 8 };
    int count = 0;
    for (int c = 0; c < in->train->info.shape.c; c++) {
        if (!is_constant(in, x, c)) continue;
        if (count < LISTED) cvy_buf_printf(out, "%s%d (%g)", count ? ", " : "", c, in->mean[c]);
        if (count++ == LISTED) cvy_buf_printf(out, ", …");
    }
    return count;
}

static void say_constant(const struct cvy_inputs *in, const struct cvy_task *t, int count, const char *list) {
    const struct cvy_range *all = &in->contract.all;
    const char *name = cvy_inputs_train_name(t);
    const int channels = in->train->info.shape.c;
    if (all->low == all->high)
        cvy_warn(
            t->ctx->log,
            "%s: every input that was looked at is %g, so nothing can be learned from them; is it the right array?",
            name, all->low);
    else if (count > 0)
        cvy_warn(t->ctx->log,
                 "%s: %d of the %d channels of its inputs, 0 to %d, %s no samples apart, holding one value wherever it "
                 "was looked at: %s; is it the right array?",
                 name, count, channels, channels - 1, cvy_plural(count, "tells", "tell"), list);
}

/* Of files; a program knows what it gives. */
static cvy_status warn_of_constant(const struct cvy_inputs *in, const struct cvy_task *t) {
    struct cvy_buf list = {0};
    void *x;
    if (in->train->info.stored[0] == '\0') return CVY_OK;
    CVY_TRY(cvy_alloc(cvy_dataset_sample_bytes(&in->train->info), CVY_TAG_data, &x));
    cvy_status status = in->train->kind->read(in->train, &(int64_t){0}, 1, x, NULL);
    const int count = status == CVY_OK ? list_constant(in, x, &list) : 0;
    if (status == CVY_OK) say_constant(in, t, count, cvy_buf_text(&list));
    cvy_buf_destroy(&list);
    cvy_free(x);
    return status;
}

/* Rank 0. What the experiment says goes first; weights that are there stay with what they were trained on. All samples
 * of a new run are looked at in any case, for their range. */
static cvy_status choose_norm(struct cvy_inputs *in, const struct cvy_task *t, const struct cvy_ckpt *resumed) {
    const bool given = t->experiment->mean && t->experiment->std;
    bool taken = false;
    CVY_TRY(resumed ? keep_range(in, resumed) : norm_of_samples(in, t));
    if (resumed == NULL) CVY_TRY(warn_of_constant(in, t));
    in->partly_known = !says_range(in) && in->measured < in->train->info.count;
    if (given) return cvy_experiment_norm(t->experiment, in->train->info.shape.c, in->mean, in->std);
    if (resumed) return norm_of_run(in, resumed);
    if (t->experiment->init_from[0]) CVY_TRY(norm_of_init(in, t, &taken));
    if (!taken) say_part(in, t);
    return CVY_OK;
}

cvy_status cvy_inputs_normalize(struct cvy_inputs *in, const struct cvy_task *t, const struct cvy_ckpt *resumed) {
    struct cvy_comm *comm = t->ctx->comm;
    const int channels = in->train->info.shape.c;
    cvy_status status = CVY_NEW(&in->mean, channels, data);
    if (status == CVY_OK) status = CVY_NEW(&in->std, channels, data);
    CVY_TRY(cvy_comm_agree(comm, status));
    CVY_TRY(cvy_comm_follow(comm, t->rank == 0 ? choose_norm(in, t, resumed) : CVY_OK));
    CVY_TRY(cvy_comm_bcast(comm, in->mean, (size_t)channels * sizeof *in->mean));
    CVY_TRY(cvy_comm_bcast(comm, in->std, (size_t)channels * sizeof *in->std));
    CVY_TRY(cvy_comm_bcast(comm, &in->partly_known, sizeof in->partly_known));
    CVY_TRY(cvy_comm_bcast(comm, &in->contract.all, sizeof in->contract.all));
    return cvy_comm_agree(comm, cvy_inputs_augment(in, t, in->mean, in->std));
}

/* ---- What is seen on the way ---- */

void cvy_inputs_saw(struct cvy_inputs *in, const struct cvy_batch *batch) {
    cvy_range_join(&in->contract.all, &batch->range);
}

cvy_status cvy_inputs_share_range(struct cvy_inputs *in, const struct cvy_task *t) {
    struct cvy_comm *comm = t->ctx->comm;
    struct cvy_range *ranges;
    if (!in->partly_known || t->ranks == 1) return CVY_OK;
    CVY_TRY(cvy_comm_agree(comm, CVY_NEW(&ranges, t->ranks, general)));
    cvy_status status = cvy_comm_allgather(comm, &in->contract.all, sizeof in->contract.all, ranges);
    for (int r = 0; r < t->ranks && status == CVY_OK; r++) cvy_range_join(&in->contract.all, &ranges[r]);
    cvy_free(ranges);
    return status;
}
