/* A predictor: a trained network, and reading one input for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/model.h"
#include "core/memory.h"
#include "io/image.h"
#include "kernels/softmax.h"
#include "train/trained.h"

struct cvy_predictor {
    struct cvy_context *ctx;
    struct cvy_trained model;
    float *x;             /* [leaf][h][w][c], normalised */
    unsigned char *bytes; /* one image */
    char room[16];
};

cvy_status cvy_predictor_create(struct cvy_context *ctx, const char *from, struct cvy_predictor **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_predictor *p = *out;
    p->ctx = ctx;
    cvy_status status = cvy_trained_load(ctx, from, false, &p->model);
    if (status == CVY_OK) {
        int64_t floats = cvy_shape_count(p->model.graph->input);
        status = CVY_NEW(&p->x, floats * p->model.experiment->leaf, data);
        if (status == CVY_OK) status = CVY_NEW(&p->bytes, floats, data);
    }
    if (status != CVY_OK) cvy_predictor_destroy(out);
    return status;
}

void cvy_predictor_destroy(struct cvy_predictor **out) {
    struct cvy_predictor *p = *out;
    if (p == NULL) return;
    cvy_trained_destroy(&p->model);
    cvy_free(p->x);
    cvy_free(p->bytes);
    CVY_DELETE(out);
}

void cvy_predictor_shape(const struct cvy_predictor *p, int input[3], int *classes) {
    struct cvy_shape in = p->model.graph->input;
    input[0] = in.h;
    input[1] = in.w;
    input[2] = in.c;
    *classes = p->model.classes;
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

static cvy_status run_leaf(struct cvy_predictor *p, const float *x, int n, float *probabilities) {
    const int64_t none = 0;
    normalize(p, x, n);
    const struct cvy_net_batch batch = {.x = p->x, .ids = &none, .leaves = 1, .sizes = &n};
    CVY_TRY(cvy_net_run(p->model.net, &batch, NULL, NULL));
    cvy_softmax(p->ctx->compute, n, p->model.classes, cvy_net_output(p->model.net), probabilities);
    return CVY_OK;
}

cvy_status cvy_predictor_run(struct cvy_predictor *p, const float *x, int n, float *probabilities) {
    int leaf = (int)p->model.experiment->leaf;
    int64_t floats = cvy_shape_count(p->model.graph->input);
    for (int first = 0; first < n; first += leaf) {
        int count = n - first < leaf ? n - first : leaf;
        CVY_TRY(run_leaf(p, x + first * floats, count, probabilities + (int64_t)first * p->model.classes));
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
    int32_t y;
    CVY_CHECK(cvy_shape_equal(info->shape, in), CVY_ERR_DATA, "%s: has samples of %d×%d×%d, the network takes %d×%d×%d",
              file, info->shape.h, info->shape.w, info->shape.c, in.h, in.w, in.c);
    CVY_CHECK(index >= 0 && index < info->count, CVY_ERR_DATA, "%s: no sample %lld; it has 0 to %lld", file,
              (long long)index, (long long)info->count - 1);
    CVY_TRY(cvy_dataset_read(ds, index, 1, info->x_type == CVY_U8 ? (void *)p->bytes : x, &y));
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

cvy_status cvy_predictor_read(const struct cvy_predictor *p, const char *input, float *x, int *label) {
    char file[CVY_PATH_MAX];
    int64_t index;
    struct cvy_dataset *ds;
    *label = -1;
    if (cvy_file_exists(input) || !split_sample(input, file, &index)) return read_image(p, input, x);
    CVY_TRY(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    cvy_status status = read_from(p, ds, file, index, x, label);
    cvy_dataset_close(&ds);
    return status;
}
