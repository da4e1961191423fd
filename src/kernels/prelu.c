/* A task is a stretch of pixels; each sums the slopes' gradients in double, and these sums are added in their order. */
#include "kernels/prelu.h"

#include <string.h>

enum { TASK_FLOATS = 1 << 14, MOST_TASKS = 64 };

struct prelu {
    struct cvy_prelu of;
    int tasks;
    const float *dy;
    float *y, *dx;
    bool accumulate;
    double *sums; /* [tasks][channels] */
};

static int task_count(int64_t pixels, int channels) {
    const int64_t wanted = pixels * channels / TASK_FLOATS + 1, most = pixels < MOST_TASKS ? pixels : MOST_TASKS;
    return (int)(wanted < most ? wanted : most);
}

static int64_t begin_of(const struct prelu *p, int t) {
    return p->of.pixels * t / p->tasks;
}

static void forward_task(void *arg, int t, int thread) {
    (void)thread;
    const struct prelu *p = arg;
    for (int64_t pixel = begin_of(p, t); pixel < begin_of(p, t + 1); pixel++) {
        const float *x = p->of.x + pixel * p->of.channels;
        float *y = p->y + pixel * p->of.channels;
        for (int c = 0; c < p->of.channels; c++) y[c] = x[c] > 0 ? x[c] : x[c] * p->of.slope[c];
    }
}

static void backward_task(void *arg, int t, int thread) {
    (void)thread;
    const struct prelu *p = arg;
    double *sums = p->sums + (ptrdiff_t)t * p->of.channels;
    memset(sums, 0, (size_t)p->of.channels * sizeof *sums);
    for (int64_t pixel = begin_of(p, t); pixel < begin_of(p, t + 1); pixel++) {
        const float *x = p->of.x + pixel * p->of.channels, *dy = p->dy + pixel * p->of.channels;
        float *dx = p->dx ? p->dx + pixel * p->of.channels : NULL;
        for (int c = 0; c < p->of.channels; c++) {
            const bool open = x[c] > 0;
            const float d = open ? dy[c] : dy[c] * p->of.slope[c];
            sums[c] += open ? 0 : (double)dy[c] * x[c];
            if (dx) dx[c] = p->accumulate ? dx[c] + d : d;
        }
    }
}

void cvy_prelu_forward(const struct cvy_compute *compute, const struct cvy_prelu *of, float *y) {
    struct prelu p = {.of = *of, .tasks = task_count(of->pixels, of->channels), .y = y};
    cvy_parallel(compute->pool, p.tasks, forward_task, &p);
}

size_t cvy_prelu_workspace(int64_t pixels, int channels) {
    return (size_t)task_count(pixels, channels) * (size_t)channels * sizeof(double);
}

void cvy_prelu_backward(const struct cvy_compute *compute, const struct cvy_prelu *of, const float *dy, float *dx,
                        float *dslope, bool accumulate, void *ws) {
    struct prelu p = {.of = *of,
                      .tasks = task_count(of->pixels, of->channels),
                      .dy = dy,
                      .dx = dx,
                      .accumulate = accumulate,
                      .sums = ws};
    cvy_parallel(compute->pool, p.tasks, backward_task, &p);
    for (int c = 0; c < of->channels; c++) {
        double sum = 0;
        for (int t = 0; t < p.tasks; t++) sum += p.sums[(ptrdiff_t)t * of->channels + c];
        dslope[c] = (float)sum;
    }
}
