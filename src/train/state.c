#include "train/state.h"

#include <stdio.h>
#include <string.h>

#include "convoy.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/memory.h"

/* One flat vector of the state: where its tensors are in a checkpoint, and where it lives. */
struct part {
    const char *group, *slot; /* "/param/…", "/buffer/…", "/optim/…/slot", "/ema/…" */
    const struct cvy_params *list;
    float *vector;       /* [list.stored] */
    const char *instead; /* the group to read where a checkpoint has none of these, NULL: it must */
};
enum { MAX_PARTS = 4 + CVY_MAX_SLOTS, MEMORY = sizeof(struct cvy_schedule_memory) / sizeof(double) };

static int list_parts(const struct cvy_vectors *v, struct part parts[MAX_PARTS]) {
    const struct cvy_graph *graph = cvy_net_graph(v->net);
    const struct cvy_optimizer *optimizer = v->optimizer;
    int count = 0;
    parts[count++] = (struct part){"param", NULL, &graph->params, cvy_net_parameters(v->net), NULL};
    parts[count++] = (struct part){"buffer", NULL, &graph->buffers, cvy_net_buffers(v->net), NULL};
    for (int i = 0; optimizer && i < optimizer->slots; i++)
        if (!v->slot_kept[i])
            parts[count++] = (struct part){"optim", optimizer->slot_name[i], &graph->params, optimizer->slot[i], NULL};
    if (v->ema == NULL) return count;
    float *buffers = v->ema == cvy_net_parameters(v->net) ? cvy_net_buffers(v->net) : v->ema_buffers;
    parts[count++] = (struct part){"ema", NULL, &graph->params, v->ema, NULL};
    parts[count++] = (struct part){"ema", NULL, &graph->buffers, buffers, "buffer"};
    return count;
}

/* "/param/conv1/weight", "/optim/conv1/weight/momentum". */
static void tensor_path(const struct part *part, const struct cvy_param *param, char out[192]) {
    snprintf(out, 192, "/%s/%s%s%s", part->group, param->name, part->slot ? "/" : "", part->slot ? part->slot : "");
}

/* All tensors, part after part, and what fills them. */
struct contents {
    struct part parts[MAX_PARTS];
    int part_count, tensor_count;
    struct cvy_ckpt_tensor *tensors;
    char (*paths)[192];
};

static void name_tensors(struct contents *c) {
    static const char *const layouts[] = {"", "n", "in,out", "", "HWIO"};
    for (int p = 0, t = 0; p < c->part_count; p++)
        for (int i = 0; i < c->parts[p].list->count; i++, t++) {
            const struct cvy_param *param = &c->parts[p].list->items[i];
            tensor_path(&c->parts[p], param, c->paths[t]);
            c->tensors[t] =
                (struct cvy_ckpt_tensor){.path = c->paths[t], .rank = param->rank, .layout = layouts[param->rank]};
            memcpy(c->tensors[t].dims, param->dims, sizeof param->dims);
        }
}

static cvy_status list_contents(const struct cvy_vectors *vectors, struct contents *out) {
    *out = (struct contents){0};
    out->part_count = list_parts(vectors, out->parts);
    for (int p = 0; p < out->part_count; p++) out->tensor_count += out->parts[p].list->count;
    CVY_TRY(CVY_NEW(&out->tensors, out->tensor_count, checkpoint));
    CVY_TRY(CVY_NEW(&out->paths, out->tensor_count, checkpoint));
    name_tensors(out);
    return CVY_OK;
}

static void fill(void *arg, int tensor, int64_t first, int64_t count, float *out) {
    const struct part *part = ((struct contents *)arg)->parts;
    for (; tensor >= part->list->count; part++) tensor -= part->list->count;
    const struct cvy_param *param = &part->list->items[tensor];
    cvy_param_slices(param, part->vector + param->offset, first, count, out);
}

/* Of all vectors as they are stored, which depends on neither ranks nor threads nor processor. */
static uint64_t digest_of(const struct contents *c, int64_t step) {
    uint64_t digest = (uint64_t)step;
    for (int p = 0; p < c->part_count; p++)
        digest = cvy_hash(c->parts[p].vector, c->parts[p].list->stored * sizeof(float), digest);
    return digest;
}

size_t cvy_state_bytes(const struct cvy_graph *graph, int slots, bool average) {
    enum { OBJECT = 2048, REST = 1 << 17 };
    const size_t params = 1 + (size_t)slots + average, buffers = 1 + (size_t)average;
    size_t floats =
        params * (size_t)cvy_params_count(&graph->params) + buffers * (size_t)cvy_params_count(&graph->buffers);
    size_t objects = params * (size_t)graph->params.count + buffers * (size_t)graph->buffers.count;
    return floats * sizeof(float) + objects * OBJECT + REST;
}

#define INTS(key, pointer)                                                                                             \
    { .name = (key), .count = 1, .ints = (pointer) }
#define TEXTS(key, pointer)                                                                                            \
    { .name = (key), .count = 1, .texts = (pointer) }

enum { STATE_ATTRIBUTES = 22, SINCE = 1 + CVY_VALUES };

/* What /run says, and what its attributes point to. */
struct facts {
    int64_t digest, train_digest, train_sample, ranks, threads, due, target[CVY_AXES], input[CVY_AXES];
    double since[SINCE]; /* samples, sums */
    double best[CVY_STANDING_NUMBERS], early[CVY_STANDING_NUMBERS];
    const char *target_type, *version, *stamp;
    char written[32];
    struct cvy_contract_room room;
    struct cvy_ckpt_attribute attributes[STATE_ATTRIBUTES + CVY_CONTRACT_ATTRIBUTES + 6];
    int count;
};

static void gather(struct facts *f, const struct contents *c, const struct cvy_state *state,
                   const struct cvy_state_labels *labels) {
    *f = (struct facts){.digest = (int64_t)digest_of(c, state->step),
                        .train_digest = (int64_t)labels->train_digest,
                        .train_sample = (int64_t)labels->train_sample,
                        .ranks = labels->ranks,
                        .threads = labels->threads,
                        .due = state->evaluation_due,
                        .target_type = labels->data->target.type == CVY_I32 ? "classes" : "values",
                        .version = cvy_version(),
                        .stamp = f->written};
    cvy_shape_sizes(labels->data->shape, f->input);
    cvy_shape_sizes(labels->data->target.shape, f->target);
    f->since[0] = (double)state->since.samples;
    memcpy(f->since + 1, state->since.sums, sizeof state->since.sums);
    cvy_standing_save(&state->best, f->best);
    cvy_standing_save(&state->early, f->early);
    cvy_clock_stamp(f->written);
}

static void list_standing(struct facts *f, const char *name, const double *numbers, const char *name_of,
                          const char *const *of) {
    if ((*of)[0] == '\0') return;
    f->attributes[f->count++] =
        (struct cvy_ckpt_attribute){.name = name, .count = CVY_STANDING_NUMBERS, .reals = numbers};
    f->attributes[f->count++] = (struct cvy_ckpt_attribute){.name = name_of, .count = 1, .texts = of};
}

static void list_attributes(struct facts *f, const struct cvy_state *state, const struct cvy_state_labels *labels) {
    const struct cvy_dataset_info *data = labels->data;
    const struct cvy_ckpt_attribute own[STATE_ATTRIBUTES] = {
        INTS("step", &state->step),
        INTS("epoch", &state->epoch),
        INTS("position", &state->position),
        INTS("evaluation_due", &f->due),
        INTS("seed", &labels->seed),
        INTS("ranks", &f->ranks),
        INTS("threads", &f->threads),
        INTS("digest", &f->digest),
        INTS("train_digest", &f->train_digest),
        {.name = "input", .count = 3, .ints = f->input},
        {.name = "target", .count = 3, .ints = f->target},
        {.name = "wall_seconds", .count = 1, .reals = &state->wall_seconds},
        {.name = "schedule", .count = MEMORY, .reals = (const double *)&state->schedule},
        {.name = "since_evaluation", .count = SINCE, .reals = f->since},
        {.name = "mean", .count = data->shape.c, .reals = labels->mean},
        {.name = "std", .count = data->shape.c, .reals = labels->std},
        {.name = "classes", .count = data->classes, .texts = data->class_names},
        TEXTS("target_type", &f->target_type),
        TEXTS("name", &labels->name),
        TEXTS("isa", &labels->isa),
        TEXTS("version", &f->version),
        TEXTS("written", &f->stamp),
    };
    memcpy(f->attributes, own, sizeof own);
    f->count = STATE_ATTRIBUTES + cvy_contract_save(labels->contract, &f->room, f->attributes + STATE_ATTRIBUTES);
    list_standing(f, "best", f->best, "best_of", &labels->best_of);
    list_standing(f, "early_stopping", f->early, "early_stopping_of", &labels->early_of);
    if (f->train_sample != 0)
        f->attributes[f->count++] = (struct cvy_ckpt_attribute)INTS("train_sample", &f->train_sample);
    if (state->slots_from != 0)
        f->attributes[f->count++] = (struct cvy_ckpt_attribute)INTS("slots_from", &state->slots_from);
}

static cvy_status save(struct contents *c, const struct cvy_state *state, const struct cvy_state_labels *labels,
                       struct cvy_ckpt_image **out) {
    const struct cvy_ckpt_blob blobs[] = {{"experiment", labels->experiment, strlen(labels->experiment)},
                                          {"metrics", labels->metrics, labels->metrics_size}};
    struct facts facts;
    gather(&facts, c, state, labels);
    list_attributes(&facts, state, labels);
    return cvy_ckpt_image_create(&(struct cvy_ckpt_contents){.tensors = c->tensors,
                                                             .tensor_count = c->tensor_count,
                                                             .fill = fill,
                                                             .arg = c,
                                                             .attributes = facts.attributes,
                                                             .attribute_count = facts.count,
                                                             .blobs = blobs,
                                                             .blob_count = 2},
                                 out);
}

cvy_status cvy_state_save(const struct cvy_vectors *vectors, const struct cvy_state *state,
                          const struct cvy_state_labels *labels, struct cvy_ckpt_image **out) {
    struct contents contents;
    cvy_status status = list_contents(vectors, &contents);
    if (status == CVY_OK) status = save(&contents, state, labels, out);
    cvy_free(contents.tensors);
    cvy_free(contents.paths);
    return status;
}

/* ---- Restoring ---- */

static cvy_status restore_tensor(struct cvy_ckpt *ckpt, const struct part *part, const struct cvy_param *param,
                                 float *logical) {
    char path[192];
    tensor_path(part, param, path);
    if (part->instead && cvy_ckpt_find(ckpt, path) == NULL)
        tensor_path(&(struct part){.group = part->instead}, param, path);
    CVY_TRY(cvy_ckpt_read(ckpt, path, cvy_param_count(param), logical));
    cvy_param_from_logical(param, logical, part->vector + param->offset);
    return CVY_OK;
}

static cvy_status restore_part(struct cvy_ckpt *ckpt, const struct part *part, const struct cvy_graph *graph,
                               const struct cvy_node *except) {
    float *logical;
    size_t largest = 0;
    for (int i = 0; i < part->list->count; i++)
        if (part->list->items[i].stored > largest) largest = part->list->items[i].stored;
    CVY_TRY(CVY_NEW(&logical, largest, checkpoint));
    cvy_status status = CVY_OK;
    for (int i = 0; i < part->list->count && status == CVY_OK; i++)
        if (!cvy_state_listed(graph, except, part->list->items[i].name))
            status = restore_tensor(ckpt, part, &part->list->items[i], logical);
    cvy_free(logical);
    return status;
}

cvy_status cvy_state_restore(struct cvy_ckpt *ckpt, const struct cvy_node *except, const struct cvy_vectors *vectors) {
    struct part parts[MAX_PARTS];
    int count = list_parts(vectors, parts);
    for (int p = 0; p < count; p++) CVY_TRY(restore_part(ckpt, &parts[p], cvy_net_graph(vectors->net), except));
    return CVY_OK;
}

/* What older checkpoints do not have stays as it is. */
static cvy_status read_schedule(const struct cvy_ckpt *ckpt, struct cvy_schedule_memory *out) {
    const struct cvy_ckpt_attribute *memory = cvy_ckpt_attribute(ckpt, "schedule");
    if (memory == NULL) return CVY_OK;
    CVY_CHECK(memory->reals && memory->count == MEMORY, CVY_ERR_CHECKPOINT, "%s: /run has no schedule of %d numbers",
              cvy_ckpt_path(ckpt), (int)MEMORY);
    memcpy(out, memory->reals, sizeof *out);
    return CVY_OK;
}

/* Older checkpoints have none. */
static cvy_status read_since(const struct cvy_ckpt *ckpt, struct cvy_metric_totals *out) {
    const struct cvy_ckpt_attribute *since = cvy_ckpt_attribute(ckpt, "since_evaluation");
    if (since == NULL) return CVY_OK;
    CVY_CHECK(since->reals && since->count == SINCE && since->reals[0] >= 0 && since->reals[0] < 1e18,
              CVY_ERR_CHECKPOINT, "%s: /run: since_evaluation is not samples and %d sums", cvy_ckpt_path(ckpt),
              (int)CVY_VALUES);
    out->samples = (int64_t)since->reals[0];
    memcpy(out->sums, since->reals + 1, sizeof out->sums);
    return CVY_OK;
}

static cvy_status read_standing(const struct cvy_ckpt *ckpt, const char *name, struct cvy_standing *out) {
    const struct cvy_ckpt_attribute *numbers = cvy_ckpt_attribute(ckpt, name);
    if (numbers == NULL) return CVY_OK;
    CVY_CHECK(numbers->reals && numbers->count == CVY_STANDING_NUMBERS && cvy_standing_load(numbers->reals, out),
              CVY_ERR_CHECKPOINT, "%s: /run: %s is not a value, its step, evaluations and those since",
              cvy_ckpt_path(ckpt), name);
    return CVY_OK;
}

cvy_status cvy_state_read(const struct cvy_ckpt *ckpt, struct cvy_state *state) {
    int64_t due;
    *state = (struct cvy_state){0};
    CVY_TRY(cvy_ckpt_int(ckpt, "step", &state->step));
    CVY_TRY(cvy_ckpt_int(ckpt, "epoch", &state->epoch));
    CVY_TRY(cvy_ckpt_int(ckpt, "position", &state->position));
    CVY_TRY(cvy_ckpt_int(ckpt, "evaluation_due", &due));
    if (cvy_ckpt_attribute(ckpt, "slots_from")) CVY_TRY(cvy_ckpt_int(ckpt, "slots_from", &state->slots_from));
    CVY_CHECK(state->step >= 0 && state->epoch >= 0 && state->epoch <= UINT32_MAX && state->position >= 0 &&
                  state->slots_from >= 0 && state->slots_from <= state->step,
              CVY_ERR_CHECKPOINT,
              "%s: step %lld, epoch %lld, position %lld, slots from step %lld: no training is there",
              cvy_ckpt_path(ckpt), (long long)state->step, (long long)state->epoch, (long long)state->position,
              (long long)state->slots_from);
    state->evaluation_due = due != 0;
    CVY_TRY(read_schedule(ckpt, &state->schedule));
    CVY_TRY(read_since(ckpt, &state->since));
    CVY_TRY(read_standing(ckpt, "best", &state->best));
    CVY_TRY(read_standing(ckpt, "early_stopping", &state->early));
    return cvy_ckpt_real(ckpt, "wall_seconds", &state->wall_seconds);
}
