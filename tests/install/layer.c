/* A layer of a program's own, built against the installed library alone: y = x·σ(βx) with a β for each channel, which
 * is learned (Ramachandran et al. 2017, "Searching for activation functions"). Arguments: an experiment, a run folder.
 */
#include <convoy.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { START }; /* the layer's settings */
enum { BETA };  /* its weights */

static void infer(const struct cvy_layer_view *layer, struct cvy_layer_plan *plan) {
    plan->weights[plan->weight_count++] =
        (struct cvy_layer_weight){.name = "beta", .count = plan->out.channels, .start = layer->settings[START]};
}

/* A task is a sample: cut by shape, whoever runs it. */
struct work {
    const struct cvy_layer_call *call;
    int64_t floats; /* of a sample */
    int channels;
};

static struct work work_of(const struct cvy_layer_view *layer, const struct cvy_layer_call *call) {
    const struct cvy_layer_shape *s = &layer->out;
    return (struct work){call, (int64_t)s->height * s->width * s->channels, s->channels};
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

static void forward_sample(void *arg, int sample, int thread) {
    const struct work *w = arg;
    const float *x = w->call->x[0] + sample * w->floats, *beta = w->call->weights[BETA];
    float *y = w->call->y + sample * w->floats;
    (void)thread;
    for (int64_t i = 0; i < w->floats; i++) y[i] = x[i] * sigmoid(beta[i % w->channels] * x[i]);
}

static void forward(const struct cvy_layer_view *layer, const struct cvy_layer_call *call) {
    struct work w = work_of(layer, call);
    cvy_layer_parallel(call, call->samples, forward_sample, &w);
}

/* With s = σ(βx): dy/dx = s + βx·s(1 − s), dy/dβ = x²·s(1 − s). Each sample's dβ goes to a place of its own. */
static void backward_sample(void *arg, int sample, int thread) {
    const struct work *w = arg;
    const float *x = w->call->x[0] + sample * w->floats, *dy = w->call->dy + sample * w->floats;
    const float *beta = w->call->weights[BETA];
    float *dx = w->call->dx[0] ? w->call->dx[0] + sample * w->floats : NULL;
    float *dbeta = (float *)w->call->workspace + (int64_t)sample * w->channels;
    (void)thread;
    memset(dbeta, 0, (size_t)w->channels * sizeof *dbeta);
    for (int64_t i = 0; i < w->floats; i++) {
        const int c = (int)(i % w->channels);
        const float s = sigmoid(beta[c] * x[i]), slope = x[i] * s * (1 - s);
        if (dx) dx[i] += dy[i] * (s + beta[c] * slope);
        dbeta[c] += dy[i] * x[i] * slope;
    }
}

/* The sum over the samples in their order, so that it does not depend on threads. */
static void backward(const struct cvy_layer_view *layer, const struct cvy_layer_call *call) {
    struct work w = work_of(layer, call);
    cvy_layer_parallel(call, call->samples, backward_sample, &w);
    for (int n = 0; n < call->samples; n++)
        for (int c = 0; c < w.channels; c++)
            call->dweights[BETA][c] += ((const float *)call->workspace)[(int64_t)n * w.channels + c];
}

static size_t workspace(const struct cvy_layer_view *layer, int samples, int threads) {
    (void)threads;
    return (size_t)samples * (size_t)layer->out.channels * sizeof(float);
}

static const struct cvy_layer_key keys[] = {{.name = "start", .help = "where every beta starts", .fallback = 1}};

static const struct cvy_layer_kind swish_beta = {.size = sizeof swish_beta,
                                                 .name = "swish_beta",
                                                 .purpose = "x * sigmoid(beta * x), a learned beta a channel",
                                                 .keys = keys,
                                                 .key_count = 1,
                                                 .reads = CVY_LAYER_READS_X,
                                                 .infer = infer,
                                                 .workspace = workspace,
                                                 .forward = forward,
                                                 .backward = backward};

static int fail(const char *what, cvy_status status) {
    fprintf(stderr, "%s: %s\n", what, cvy_error_message());
    return (int)status;
}

int main(int argc, char **argv) {
    struct cvy_context *ctx;
    struct cvy_train_summary summary = cvy_train_summary_default();
    if (argc != 3) return CVY_ERR_USAGE;
    cvy_status status = cvy_register_layer(&swish_beta);
    if (status != CVY_OK) return fail("register", status);
    if (cvy_register_layer(&swish_beta) != CVY_ERR_USAGE || strstr(cvy_error_message(), "is taken") == NULL)
        return fail("registered twice", CVY_ERR_INTERNAL);
    status = cvy_context_create(NULL, &ctx); /* all defaults */
    if (status != CVY_OK) return fail("context", status);
    const struct cvy_train_options options = {
        .size = sizeof options, .experiment = argv[1], .run_folder = argv[2], .has_steps = true, .steps = 9};
    status = cvy_train(ctx, &options, &summary);
    if (status != CVY_OK) return fail("train", status);
    if (cvy_context_rank(ctx) == 0) printf("{\"loss\":%.9g}\n", summary.loss);
    cvy_context_destroy(&ctx);
    return CVY_OK;
}
