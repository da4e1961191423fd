/* A predictor: a trained network, and reading one input for it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/model.h"
#include "core/memory.h"
#include "io/image.h"
#include "kernels/eltwise.h"
#include "kernels/softmax.h"
#include "train/trained.h"

struct cvy_predictor {
    struct cvy_context *ctx;
    struct cvy_trained model;
    float *x;             /* [leaf][h][w][c], normalised */
    unsigned char *bytes; /* one image */
    char room[16];
    struct cvy_dataset *samples; /* the data set that the last sample came from, NULL: none yet */
    char samples_file[CVY_PATH_MAX];
};

cvy_status cvy_predictor_create(struct cvy_context *ctx, const char *from, struct cvy_predictor **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_predictor *p = *out;
    p->ctx = ctx;
    cvy_status status = cvy_trained_load(ctx, from, true, &p->model);
    if (status == CVY_OK) {
        int64_t floats = cvy_shape_count(p->model.graph->input);
        status = CVY_NEW(&p->x, floats * p->model.leaf, data);
        if (status == CVY_OK) status = CVY_NEW(&p->bytes, floats, data);
    }
    if (status != CVY_OK) cvy_predictor_destroy(out);
    return status;
}

void cvy_predictor_destroy(struct cvy_predictor **out) {
    struct cvy_predictor *p = *out;
    if (p == NULL) return;
    cvy_trained_destroy(&p->model);
    cvy_dataset_close(&p->samples);
    cvy_free(p->x);
    cvy_free(p->bytes);
    CVY_DELETE(out);
}

/* One output that says yes or no is shown as two classes. */
static bool binary(const struct cvy_predictor *p) {
    return p->model.classes == 1 && cvy_graph_loss(p->model.graph)->measure == CVY_MEASURE_CLASSES &&
           cvy_graph_loss(p->model.graph)->classes == 2;
}

void cvy_predictor_describe(const struct cvy_predictor *p, struct cvy_predictor_facts *out) {
    static const enum cvy_prediction kinds[] = {[CVY_MEASURE_CLASSES] = CVY_PREDICTS_CLASSES,
                                                [CVY_MEASURE_LABELS] = CVY_PREDICTS_LABELS,
                                                [CVY_MEASURE_VALUES] = CVY_PREDICTS_VALUES};
    const struct cvy_shape in = p->model.graph->input, y = cvy_graph_output_shape(p->model.graph);
    const struct cvy_op *loss = cvy_graph_loss(p->model.graph);
    const bool scores = loss->measure == CVY_MEASURE_CLASSES && !loss->likelihood;
    *out = (struct cvy_predictor_facts){.input = {in.h, in.w, in.c},
                                        .output = {y.h, y.w, binary(p) ? 2 : y.c},
                                        .kind = scores ? CVY_PREDICTS_SCORES : kinds[loss->measure]};
}

const char *cvy_predictor_class(const struct cvy_predictor *p, int index) {
    return cvy_trained_class(&p->model, index, ((struct cvy_predictor *)(uintptr_t)p)->room);
}

static void normalize(struct cvy_predictor *p, const float *x, int n) {
    struct cvy_shape in = p->model.graph->input;
    for (int64_t i = 0; i < cvy_shape_count(in) * n; i++) {
        int c = (int)(i % in.c);
        p->x[i] = (float)(((double)x[i] - p->model.mean[c]) / p->model.std[c]);
    }
}

/* The second class's score s, and −s for the first: or their probabilities. out: [rows][2] */
static void show_both(int rows, const float *scores, bool likelihood, float *out) {
    for (int i = 0; i < rows; i++) {
        out[2 * i + 1] = likelihood ? (float)(1 / (1 + exp(-(double)scores[i]))) : scores[i];
        out[2 * i] = likelihood ? 1 - out[2 * i + 1] : -scores[i];
    }
}

/* From scores [rows][c] to what people read. */
static void finish(struct cvy_predictor *p, int rows, const float *scores, float *out) {
    const struct cvy_act sigmoid = {.kind = CVY_ACT_SIGMOID};
    const struct cvy_op *loss = cvy_graph_loss(p->model.graph);
    const int channels = p->model.classes;
    const int64_t count = (int64_t)rows * channels;
    if (binary(p))
        show_both(rows, scores, loss->likelihood, out);
    else if (!loss->likelihood)
        memcpy(out, scores, (size_t)count * sizeof *out);
    else if (loss->measure == CVY_MEASURE_LABELS)
        cvy_act_forward(p->ctx->compute, CVY_F32, sigmoid, scores, out, count);
    else
        cvy_softmax(p->ctx->compute, rows, channels, scores, out);
}

static cvy_status run_leaf(struct cvy_predictor *p, const float *x, int n, float *outputs) {
    const int64_t none = 0;
    const struct cvy_shape y = cvy_graph_output_shape(p->model.graph);
    normalize(p, x, n);
    const struct cvy_net_batch batch = {.x = p->x, .ids = &none, .leaves = 1, .sizes = &n};
    CVY_TRY(cvy_net_run(p->model.net, &batch, NULL, NULL));
    finish(p, n * y.h * y.w, cvy_net_output(p->model.net), outputs);
    return CVY_OK;
}

cvy_status cvy_predictor_run(struct cvy_predictor *p, const float *x, int n, float *outputs) {
    int leaf = p->model.leaf;
    struct cvy_predictor_facts facts;
    cvy_predictor_describe(p, &facts);
    int64_t floats = cvy_shape_count(p->model.graph->input);
    int64_t each = (int64_t)facts.output[0] * facts.output[1] * facts.output[2];
    for (int first = 0; first < n; first += leaf) {
        int count = n - first < leaf ? n - first : leaf;
        CVY_TRY(run_leaf(p, x + first * floats, count, outputs + first * each));
    }
    return CVY_OK;
}

/* ---- Reading an input ---- */

static cvy_status read_image(const struct cvy_predictor *p, const char *path, float *x) {
    struct cvy_shape in = p->model.graph->input;
    CVY_TRY(cvy_image_load(path, in, p->bytes));
    for (int64_t i = 0; i < cvy_shape_count(in); i++) x[i] = p->bytes[i];
    return CVY_OK;
}

static cvy_status read_from(const struct cvy_predictor *p, struct cvy_dataset *ds, const char *file, int64_t index,
                            float *x, int *label) {
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    struct cvy_shape in = p->model.graph->input;
    const bool class = cvy_dataset_labels(ds) != NULL;
    int32_t y = -1;
    CVY_CHECK(cvy_shape_equal(info->shape, in), CVY_ERR_DATA, "%s: has samples of %d×%d×%d, the network takes %d×%d×%d",
              file, info->shape.h, info->shape.w, info->shape.c, in.h, in.w, in.c);
    CVY_CHECK(index >= 0 && index < info->count, CVY_ERR_DATA, "%s: no sample %lld; it has 0 to %lld", file,
              (long long)index, (long long)info->count - 1);
    CVY_TRY(cvy_dataset_read(ds, index, 1, info->x_type == CVY_U8 ? (void *)p->bytes : x, class ? &y : NULL));
    for (int64_t i = 0; info->x_type == CVY_U8 && i < cvy_shape_count(in); i++) x[i] = p->bytes[i];
    *label = y;
    return CVY_OK;
}

/* "file.h5:12"; false when it is not of that form. */
static bool split_sample(const char *input, char file[CVY_PATH_MAX], int64_t *index) {
    const char *colon = strrchr(input, ':');
    char *end;
    if (colon == NULL || colon[1] == '\0' || (size_t)(colon - input) >= CVY_PATH_MAX) return false;
    errno = 0;
    *index = strtoll(colon + 1, &end, 10);
    if (*end != '\0' || errno) return false;
    memcpy(file, input, (size_t)(colon - input));
    file[colon - input] = '\0';
    return true;
}

/* Leaves the data set open: its next sample is likely to be asked for next. */
static cvy_status open_samples(struct cvy_predictor *p, const char *file) {
    /* Only a class is shown beside the prediction: a file need not have other targets. */
    const struct cvy_dataset_spec spec = {.file = file, .bare = !cvy_target_is_class(p->model.target)};
    if (p->samples && strcmp(p->samples_file, file) == 0) return CVY_OK;
    cvy_dataset_close(&p->samples);
    CVY_TRY(cvy_dataset_open(&spec, &p->samples));
    strcpy(p->samples_file, file);
    return CVY_OK;
}

cvy_status cvy_predictor_read(struct cvy_predictor *p, const char *input, float *x, int *label) {
    char file[CVY_PATH_MAX];
    int64_t index;
    *label = -1;
    if (cvy_file_exists(input) || !split_sample(input, file, &index)) return read_image(p, input, x);
    CVY_TRY(open_samples(p, file));
    return read_from(p, p->samples, file, index, x, label);
}
