/* Softmax and cross-entropy: a task is some samples; exponentials in single precision, sums and losses in double. */
#include "kernels/softmax.h"

#include "core/ints.h"

#include <math.h>

#include "kernels/simd/table.h"

enum { BLOCK = 256 /* exponentials at a time, on the stack */, TASK_FLOATS = 1 << 13 };

struct outcome {
    double loss;
    int rank; /* classes before the true one */
};

struct softmax {
    void (*sample)(const struct softmax *s, int n);
    const struct cvy_compute *compute;
    int n, classes, samples; /* samples a task */
    const float *logits;
    const int32_t *labels;
    float smoothing;
    float *out; /* probabilities or gradient; may be NULL */
    struct outcome *outcomes;
    const float *y, *dy; /* backward through probabilities */
    bool accumulate;
};

float cvy_class_most(const float *x, int count) {
    float most = x[0];
    for (int i = 1; i < count; i++)
        if (!(x[i] <= most)) most = x[i];
    return most;
}

double cvy_class_exp_sum(const struct cvy_compute *compute, const float *x, float shift, int count, float *out) {
    float block[BLOCK];
    double sum = 0;
    for (int i = 0; i < count; i += BLOCK) {
        const int size = count - i < BLOCK ? count - i : BLOCK;
        float *y = out ? out + i : block;
        compute->table->exp_minus(x + i, shift, y, size);
        for (int j = 0; j < size; j++) sum += y[j];
    }
    return sum;
}

/* Written so that a logit that is not a number comes before every other. */
int cvy_class_rank(const float *x, int count, int label) {
    int before = 0;
    for (int i = 0; i < label; i++) before += !(x[i] < x[label]);
    for (int i = label + 1; i < count; i++) before += !(x[i] <= x[label]);
    return before;
}

/* −Σ target_i log p_i with −log p_i = log_sum − x_i, less its log_sum: all that needs the logits. */
static double targets_dot(const float *x, int count, int label, double smoothing) {
    double dot = (1 - smoothing) * x[label], sum = 0;
    if (smoothing == 0) return dot;
    for (int i = 0; i < count; i++) sum += x[i];
    return dot + smoothing / count * sum;
}

static void sample_xent(const struct softmax *s, int n) {
    const int count = s->classes, label = s->labels[n];
    CVY_ASSERT(label >= 0 && label < count);
    const float *x = s->logits + (int64_t)n * count;
    float *dx = s->out ? s->out + (int64_t)n * count : NULL;
    const float shift = cvy_class_most(x, count);
    const double dot = targets_dot(x, count, label, s->smoothing);
    s->outcomes[n].rank = cvy_class_rank(x, count, label);
    const double sum =
        cvy_class_exp_sum(s->compute, x, shift, count, dx); /* dx may take the logits' place from here on */
    s->outcomes[n].loss = log(sum) + shift - dot;
    if (dx == NULL) return;
    s->compute->table->scale(dx, (float)(1 / sum), count);
    if (s->smoothing != 0)
        for (int i = 0; i < count; i++) dx[i] -= s->smoothing / (float)count;
    dx[label] -= 1 - s->smoothing;
}

static void sample_softmax(const struct softmax *s, int n) {
    const float *x = s->logits + (int64_t)n * s->classes;
    float *y = s->out + (int64_t)n * s->classes;
    const double sum = cvy_class_exp_sum(s->compute, x, cvy_class_most(x, s->classes), s->classes, y);
    s->compute->table->scale(y, (float)(1 / sum), s->classes);
}

static void sample_backward(const struct softmax *s, int n) {
    const int64_t at = (int64_t)n * s->classes;
    const float *y = s->y + at, *dy = s->dy + at;
    float *dx = s->out + at;
    double dot = 0;
    for (int i = 0; i < s->classes; i++) dot += (double)y[i] * dy[i];
    for (int i = 0; i < s->classes; i++) {
        const float d = (float)(y[i] * (dy[i] - dot));
        dx[i] = s->accumulate ? dx[i] + d : d;
    }
}

static void sample_log(const struct softmax *s, int n) {
    const float *x = s->logits + (int64_t)n * s->classes;
    float *y = s->out + (int64_t)n * s->classes;
    const float shift = cvy_class_most(x, s->classes);
    const double all = shift + log(cvy_class_exp_sum(s->compute, x, shift, s->classes, NULL));
    for (int i = 0; i < s->classes; i++) y[i] = (float)(x[i] - all);
}

static void sample_log_backward(const struct softmax *s, int n) {
    const int64_t at = (int64_t)n * s->classes;
    float p[BLOCK];
    double sum = 0;
    for (int i = 0; i < s->classes; i++) sum += s->dy[at + i];
    for (int first = 0; first < s->classes; first += BLOCK) {
        const int size = s->classes - first < BLOCK ? s->classes - first : BLOCK;
        s->compute->table->exp_minus(s->y + at + first, 0, p, size);
        for (int i = 0; i < size; i++) {
            const float d = (float)(s->dy[at + first + i] - p[i] * sum);
            float *dx = s->out + at + first + i;
            *dx = s->accumulate ? *dx + d : d;
        }
    }
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct softmax *s = arg;
    for (int n = t * s->samples; n < s->n && n < (t + 1) * s->samples; n++) s->sample(s, n);
}

static void run(const struct cvy_compute *compute, struct softmax *s) {
    s->compute = compute;
    s->samples = TASK_FLOATS / s->classes + 1;
    cvy_parallel(compute->pool, cvy_ceil_div(s->n, s->samples), task, s);
}

size_t cvy_softmax_xent_workspace(int n, int classes) {
    (void)classes;
    return (size_t)n * sizeof(struct outcome);
}

void cvy_softmax_xent(const struct cvy_compute *compute, const struct cvy_softmax_xent *of, struct cvy_loss_result *sum,
                      float *dlogits, void *ws) {
    struct softmax s = {.sample = sample_xent,
                        .n = of->n,
                        .classes = of->classes,
                        .logits = of->logits,
                        .labels = of->labels,
                        .smoothing = of->smoothing,
                        .out = dlogits,
                        .outcomes = ws};
    run(compute, &s);
    *sum = (struct cvy_loss_result){0};
    for (int i = 0; i < of->n; i++) {
        sum->loss += s.outcomes[i].loss;
        sum->top1 += s.outcomes[i].rank < 1;
        sum->top5 += s.outcomes[i].rank < 5;
    }
}

void cvy_softmax(const struct cvy_compute *compute, int n, int classes, const float *logits, float *probs) {
    run(compute,
        &(struct softmax){.sample = sample_softmax, .n = n, .classes = classes, .logits = logits, .out = probs});
}

static struct softmax backward_of(int n, int classes, const float *y, const float *dy, float *dx, bool accumulate) {
    return (struct softmax){.n = n, .classes = classes, .y = y, .dy = dy, .out = dx, .accumulate = accumulate};
}

void cvy_softmax_backward(const struct cvy_compute *compute, int n, int classes, const float *y, const float *dy,
                          float *dx, bool accumulate) {
    struct softmax s = backward_of(n, classes, y, dy, dx, accumulate);
    s.sample = sample_backward;
    run(compute, &s);
}

void cvy_log_softmax(const struct cvy_compute *compute, int n, int classes, const float *x, float *y) {
    run(compute, &(struct softmax){.sample = sample_log, .n = n, .classes = classes, .logits = x, .out = y});
}

void cvy_log_softmax_backward(const struct cvy_compute *compute, int n, int classes, const float *y, const float *dy,
                              float *dx, bool accumulate) {
    struct softmax s = backward_of(n, classes, y, dy, dx, accumulate);
    s.sample = sample_log_backward;
    run(compute, &s);
}
