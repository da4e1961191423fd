#include "train/state.h"

#include <stdio.h>
#include <string.h>

#include "convoy.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/memory.h"

struct cvy_snapshot {
    const struct cvy_graph *graph;
    const struct cvy_optimizer_kind *kind;
    int slots;
    struct cvy_state state;
    float *vectors;                  /* [1 + slots][stored] as they lie in storage */
    float *logical;                  /* the same in logical order, tensor after tensor */
    struct cvy_ckpt_tensor *tensors; /* into `logical` */
    char (*paths)[192];
};

/* "/param/conv1/weight", "/optim/conv1/weight/momentum". */
static void tensor_path(const struct cvy_param *param, const char *slot, char out[192]) {
    snprintf(out, 192, "/%s/%s%s%s", slot ? "optim" : "param", param->name, slot ? "/" : "", slot ? slot : "");
}

size_t cvy_snapshot_bytes(const struct cvy_graph *graph, int slots) {
    return (size_t)(1 + slots) * (graph->params.stored + (size_t)cvy_params_count(&graph->params)) * sizeof(float);
}

static cvy_status allocate(struct cvy_snapshot *s) {
    size_t vectors = (size_t)(1 + s->slots);
    size_t tensors = vectors * (size_t)s->graph->params.count;
    CVY_TRY(CVY_NEW(&s->vectors, vectors * s->graph->params.stored, checkpoint));
    CVY_TRY(CVY_NEW(&s->logical, vectors * (size_t)cvy_params_count(&s->graph->params), checkpoint));
    CVY_TRY(CVY_NEW(&s->tensors, tensors, checkpoint));
    return CVY_NEW(&s->paths, tensors, checkpoint);
}

static void name_tensors(struct cvy_snapshot *s) {
    static const char *const layouts[] = {"", "n", "in,out", "", "HWIO"};
    float *at = s->logical;
    int t = 0;
    for (int v = 0; v < 1 + s->slots; v++)
        for (int i = 0; i < s->graph->params.count; i++, t++) {
            const struct cvy_param *param = &s->graph->params.items[i];
            tensor_path(param, v ? s->kind->slots[v - 1] : NULL, s->paths[t]);
            s->tensors[t] = (struct cvy_ckpt_tensor){
                .path = s->paths[t], .rank = param->rank, .data = at, .layout = layouts[param->rank]};
            memcpy(s->tensors[t].dims, param->dims, sizeof param->dims);
            at += cvy_param_count(param);
        }
}

cvy_status cvy_snapshot_create(const struct cvy_graph *graph, const struct cvy_optimizer *optimizer,
                               struct cvy_snapshot **out) {
    CVY_TRY(CVY_NEW(out, 1, checkpoint));
    **out = (struct cvy_snapshot){.graph = graph, .kind = optimizer->kind, .slots = optimizer->slots};
    cvy_status status = allocate(*out);
    if (status == CVY_OK)
        name_tensors(*out);
    else
        cvy_snapshot_destroy(out);
    return status;
}

void cvy_snapshot_destroy(struct cvy_snapshot **out) {
    struct cvy_snapshot *s = *out;
    if (s == NULL) return;
    cvy_free(s->vectors);
    cvy_free(s->logical);
    cvy_free(s->tensors);
    cvy_free(s->paths);
    CVY_DELETE(out);
}

void cvy_snapshot_take(struct cvy_snapshot *s, const float *values, const struct cvy_optimizer *optimizer,
                       const struct cvy_state *state) {
    size_t stored = s->graph->params.stored;
    memcpy(s->vectors, values, stored * sizeof *values);
    for (int i = 0; i < s->slots; i++)
        memcpy(s->vectors + (size_t)(1 + i) * stored, optimizer->slot[i], stored * sizeof *values);
    s->state = *state;
}

static void to_logical(struct cvy_snapshot *s) {
    const struct cvy_params *params = &s->graph->params;
    for (int v = 0, t = 0; v < 1 + s->slots; v++)
        for (int i = 0; i < params->count; i++, t++) {
            const struct cvy_param *param = &params->items[i];
            cvy_param_to_logical(param, s->vectors + (size_t)v * params->stored + param->offset,
                                 (float *)(uintptr_t)s->tensors[t].data);
        }
}

#define INTS(key, pointer)                                                                                             \
    { .name = (key), .count = 1, .ints = (pointer) }
#define TEXTS(key, pointer)                                                                                            \
    { .name = (key), .count = 1, .texts = (pointer) }

cvy_status cvy_snapshot_write(struct cvy_snapshot *s, const struct cvy_state_labels *labels, const char *path,
                              int64_t *bytes) {
    const struct cvy_dataset_info *data = labels->data;
    int tensors = (1 + s->slots) * s->graph->params.count;
    char written[32];
    const char *stamp = written, *version = cvy_version();
    to_logical(s);
    cvy_clock_stamp(written);
    int64_t digest = (int64_t)cvy_hash(
        s->logical, (size_t)(1 + s->slots) * (size_t)cvy_params_count(&s->graph->params) * sizeof(float),
        (uint64_t)s->state.step);
    const int64_t ranks = labels->ranks, threads = labels->threads, due = s->state.evaluation_due;
    const int64_t train_digest = (int64_t)labels->train_digest;
    const int64_t input[3] = {data->shape.h, data->shape.w, data->shape.c};
    const struct cvy_ckpt_value values[] = {
        INTS("step", &s->state.step),
        INTS("epoch", &s->state.epoch),
        INTS("position", &s->state.position),
        INTS("evaluation_due", &due),
        INTS("seed", &labels->seed),
        INTS("ranks", &ranks),
        INTS("threads", &threads),
        INTS("digest", &digest),
        INTS("train_digest", &train_digest),
        {.name = "input", .count = 3, .ints = input},
        {.name = "wall_seconds", .count = 1, .reals = &s->state.wall_seconds},
        {.name = "mean", .count = data->shape.c, .reals = data->mean},
        {.name = "std", .count = data->shape.c, .reals = data->std},
        {.name = "classes", .count = data->classes, .texts = data->class_names},
        TEXTS("name", &labels->name),
        TEXTS("isa", &labels->isa),
        TEXTS("version", &version),
        TEXTS("written", &stamp),
    };
    const struct cvy_ckpt_blob blobs[] = {{"experiment", labels->experiment, strlen(labels->experiment)},
                                          {"metrics", labels->metrics, labels->metrics_size}};
    return cvy_ckpt_write(path,
                          &(struct cvy_ckpt_contents){.tensors = s->tensors,
                                                      .tensor_count = tensors,
                                                      .values = values,
                                                      .value_count = sizeof values / sizeof *values,
                                                      .blobs = blobs,
                                                      .blob_count = 2},
                          bytes);
}

/* ---- Restoring ---- */

static void shape_text(const int64_t *dims, int rank, char out[96]) {
    size_t used = 0;
    out[0] = '\0';
    for (int d = 0; d < rank; d++)
        used += (size_t)snprintf(out + used, 96 - used, "%s%lld", d ? "×" : "", (long long)dims[d]);
}

/* That the checkpoint holds this tensor, of this shape. */
static cvy_status check_tensor(struct cvy_ckpt *ckpt, const struct cvy_param *param, const char *path) {
    char there[96], here[96];
    const struct cvy_ckpt_tensor *tensor = cvy_ckpt_find(ckpt, path);
    shape_text(param->dims, param->rank, here);
    CVY_CHECK(tensor != NULL, CVY_ERR_CHECKPOINT,
              "%s is of another network: it has no %s (%s here); use the model it was trained with",
              cvy_ckpt_path(ckpt), path, here);
    shape_text(tensor->dims, tensor->rank, there);
    CVY_CHECK(tensor->rank == param->rank && memcmp(tensor->dims, param->dims, (size_t)param->rank * 8) == 0,
              CVY_ERR_CHECKPOINT,
              "%s is of another network: %s is %s there and %s here; use the model it was trained with",
              cvy_ckpt_path(ckpt), path, there, here);
    return CVY_OK;
}

static cvy_status restore_tensor(struct cvy_ckpt *ckpt, const struct cvy_param *param, const char *slot, float *logical,
                                 float *vector) {
    char path[192];
    tensor_path(param, slot, path);
    CVY_TRY(check_tensor(ckpt, param, path));
    CVY_TRY(cvy_ckpt_read(ckpt, path, cvy_param_count(param), logical));
    cvy_param_from_logical(param, logical, vector + param->offset);
    return CVY_OK;
}

static bool listed(const struct cvy_node *except, const struct cvy_param *param) {
    for (size_t i = 0; except && i < except->count; i++) {
        size_t length = strlen(except->items[i]->text);
        if (strncmp(param->name, except->items[i]->text, length) == 0 && param->name[length] == '/') return true;
    }
    return false;
}

/* A tensor in the checkpoint that the network has no place for. */
static cvy_status check_extra(struct cvy_ckpt *ckpt, const struct cvy_graph *graph) {
    for (int t = 0; t < cvy_ckpt_tensor_count(ckpt); t++) {
        const char *path = cvy_ckpt_tensor(ckpt, t)->path;
        bool known = strncmp(path, "/param/", 7) != 0;
        for (int i = 0; i < graph->params.count && !known; i++)
            known = strcmp(path + 7, graph->params.items[i].name) == 0;
        CVY_CHECK(known, CVY_ERR_CHECKPOINT,
                  "%s is of another network: it has %s, which is not here; use the model it was trained with",
                  cvy_ckpt_path(ckpt), path);
    }
    return CVY_OK;
}

static cvy_status restore_tensors(struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const struct cvy_node *except,
                                  float *values, struct cvy_optimizer *optimizer, float *logical) {
    for (int i = 0; i < graph->params.count; i++) {
        const struct cvy_param *param = &graph->params.items[i];
        if (listed(except, param)) continue;
        CVY_TRY(restore_tensor(ckpt, param, NULL, logical, values));
        for (int s = 0; optimizer && s < optimizer->slots; s++)
            CVY_TRY(restore_tensor(ckpt, param, optimizer->kind->slots[s], logical, optimizer->slot[s]));
    }
    return CVY_OK;
}

static cvy_status read_state(struct cvy_ckpt *ckpt, struct cvy_state *state) {
    int64_t due;
    CVY_TRY(cvy_ckpt_int(ckpt, "step", &state->step));
    CVY_TRY(cvy_ckpt_int(ckpt, "epoch", &state->epoch));
    CVY_TRY(cvy_ckpt_int(ckpt, "position", &state->position));
    CVY_TRY(cvy_ckpt_int(ckpt, "evaluation_due", &due));
    state->evaluation_due = due != 0;
    return cvy_ckpt_real(ckpt, "wall_seconds", &state->wall_seconds);
}

cvy_status cvy_state_restore(struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const struct cvy_node *except,
                             float *values, struct cvy_optimizer *optimizer, struct cvy_state *state) {
    float *logical;
    size_t largest = 0;
    for (int i = 0; i < graph->params.count; i++)
        if (graph->params.items[i].stored > largest) largest = graph->params.items[i].stored;
    if (except == NULL) CVY_TRY(check_extra(ckpt, graph));
    CVY_TRY(CVY_NEW(&logical, largest, checkpoint));
    cvy_status status = restore_tensors(ckpt, graph, except, values, optimizer, logical);
    cvy_free(logical);
    if (status == CVY_OK && state) status = read_state(ckpt, state);
    return status;
}
