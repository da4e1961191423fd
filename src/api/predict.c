/* A predictor: a trained network that says what it makes of inputs. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/sized.h"
#include "kernels/elementwise.h"
#include "kernels/softmax.h"
#include "api/predictor.h"
#include "api/unfinite.h"

cvy_status cvy_predictor_make_room(struct cvy_predictor *p) {
    cvy_free(p->x);
    p->x = NULL;
    return CVY_NEW(&p->x, cvy_shape_count(p->model.graph->input) * p->model.leaf, data);
}

cvy_status cvy_predictor_create(struct cvy_context *ctx, const char *from, struct cvy_predictor **out) {
    CVY_ENTER(ctx);
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_predictor *p = *out;
    p->ctx = ctx;
    cvy_status status = cvy_trained_load(ctx, from, true, &p->model);
    if (status == CVY_OK) status = cvy_predictor_make_room(p);
    if (status != CVY_OK) cvy_predictor_destroy(out);
    return status;
}

void cvy_predictor_destroy(struct cvy_predictor **out) {
    struct cvy_predictor *p = *out;
    if (p == NULL) return;
    cvy_trained_destroy(&p->model);
    cvy_free(p->x);
    CVY_DELETE(out);
}

void cvy_predictor_background(struct cvy_predictor *p, const unsigned char rgb[3]) {
    memcpy(p->background, rgb, sizeof p->background);
}

/* One output that says yes or no is shown as two classes. */
static bool binary(const struct cvy_predictor *p) {
    return p->model.classes == 1 && cvy_graph_loss(p->model.graph)->measure == CVY_MEASURE_CLASSES &&
           cvy_graph_loss(p->model.graph)->classes == 2;
}

cvy_status cvy_predictor_describe(const struct cvy_predictor *p, struct cvy_predictor_facts *out) {
    CVY_INSIDE();
    struct cvy_predictor_facts own;
    static const enum cvy_prediction kinds[] = {[CVY_MEASURE_CLASSES] = CVY_PREDICTS_CLASSES,
                                                [CVY_MEASURE_LABELS] = CVY_PREDICTS_LABELS,
                                                [CVY_MEASURE_VALUES] = CVY_PREDICTS_VALUES};
    const struct cvy_shape in = p->model.graph->input, y = cvy_graph_output_shape(p->model.graph);
    const struct cvy_loss *loss = cvy_graph_loss(p->model.graph);
    const bool scores = loss->measure == CVY_MEASURE_CLASSES && !loss->kind->likelihood;
    CVY_TRY(CVY_BEGIN(cvy_predictor_facts, out, &own));
    own = CVY_INIT(cvy_predictor_facts, .input = {in.h, in.w, in.c}, .output = {y.h, y.w, binary(p) ? 2 : y.c},
                   .checkpoint = p->model.path, .kind = scores ? CVY_PREDICTS_SCORES : kinds[loss->measure]);
    return cvy_sized_give(CVY_OK, &own, out);
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
    const struct cvy_loss *loss = cvy_graph_loss(p->model.graph);
    const int channels = p->model.classes;
    const int64_t count = (int64_t)rows * channels;
    if (binary(p))
        show_both(rows, scores, loss->kind->likelihood, out);
    else if (!loss->kind->likelihood)
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
    CVY_TRY(cvy_unfinite_refuse_batch(p->model.net, &batch, n * cvy_shape_count(y)));
    finish(p, n * y.h * y.w, cvy_net_output(p->model.net), outputs);
    return CVY_OK;
}

cvy_status cvy_predictor_run(struct cvy_predictor *p, const float *x, int n, float *outputs) {
    CVY_ENTER(p->ctx);
    int leaf = p->model.leaf;
    struct cvy_predictor_facts facts = cvy_predictor_facts_default();
    CVY_TRY(cvy_predictor_describe(p, &facts));
    int64_t floats = cvy_shape_count(p->model.graph->input);
    int64_t each = (int64_t)facts.output[0] * facts.output[1] * facts.output[2];
    for (int first = 0; first < n; first += leaf) {
        int count = n - first < leaf ? n - first : leaf;
        CVY_TRY(run_leaf(p, x + first * floats, count, outputs + first * each));
    }
    return CVY_OK;
}
