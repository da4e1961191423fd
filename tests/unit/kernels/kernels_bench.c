/* `convoy-tests --bench kernels`: GFLOP/s of layers in their three passes, beside the peak of fused multiply-adds that
 * the same moment and machine give; and the time of a whole LeNet-5 step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kernels/elementwise.h"
#include "kernels/softmax.h"
#include "kernels/conv/plan.h"
#include "kernels/simd/table.h"
#include "kernels/pool.h"
#include "unit/kernels/kernels_help.h"

enum { REPEATS = 3, PEAK_REPEATS = 40 };

static float *random_block(size_t count) {
    float *p = aligned_alloc(CVY_ALIGN, cvy_align_up(count * sizeof *p + CVY_ALIGN));
    if (p == NULL) abort();
    floats_random(p, count, 1);
    return p;
}

/* ---- the peak: products whose operands stay in the first-level cache ---- */

struct peak {
    const struct cvy_compute *compute;
    float *a, *b;
};
enum { PEAK_DEPTH = 64, PEAK_CALLS = 400 };

static void peak_task(void *arg, int t, int thread) {
    (void)thread;
    const struct peak *p = arg;
    float c[6 * 64];
    for (int i = 0; i < PEAK_CALLS; i++)
        p->compute->table->product(&(struct cvy_product){.rows = 6,
                                                         .columns = 64,
                                                         .depth = PEAK_DEPTH,
                                                         .outer = 1,
                                                         .inner = 1,
                                                         .a = p->a + t,
                                                         .a_row = 1,
                                                         .a_step = 6,
                                                         .b = p->b,
                                                         .b_panel = (ptrdiff_t)16 * PEAK_DEPTH,
                                                         .b_step = 16,
                                                         .c = c,
                                                         .c_row = 64,
                                                         .c_panel = 16});
}

static double measure_peak(const struct cvy_compute *compute) {
    struct peak p = {compute, random_block((PEAK_DEPTH + 64) * 6), random_block((size_t)PEAK_DEPTH * 64)};
    double best = 1e30;
    for (int i = 0; i < PEAK_REPEATS; i++) {
        double start = cvy_clock();
        cvy_parallel(compute->pool, compute->threads, peak_task, &p);
        double time = cvy_clock() - start;
        if (time < best) best = time;
    }
    free(p.a), free(p.b);
    return 2.0 * 6 * 64 * PEAK_DEPTH * PEAK_CALLS * compute->threads / best * 1e-9;
}

/* ---- layers ---- */

struct layer {
    const char *name;
    struct cvy_conv g;
    struct cvy_conv_plan plan;
    float *x, *y, *w, *copies, *dw, *db;
    void *ws;
};

#define CONV(n, h, c, k, r, stride, pad)                                                                               \
    {                                                                                                                  \
        n, {h, h, c}, {((h) + 2 * (pad) - (r)) / (stride) + 1, ((h) + 2 * (pad) - (r)) / (stride) + 1, k}, r, r,       \
            stride, stride, pad, pad, 1, 1                                                                             \
    }

static struct layer layers[] = {
    {.name = "LeNet conv1 28² 1→6 5×5", .g = CONV(64, 28, 1, 6, 5, 1, 2)},
    {.name = "LeNet conv2 14² 6→16 5×5", .g = CONV(64, 14, 6, 16, 5, 1, 0)},
    {.name = "LeNet dense 400→120", .g = CONV(64, 1, 400, 120, 1, 1, 0)},
    {.name = "LeNet dense 120→84", .g = CONV(64, 1, 120, 84, 1, 1, 0)},
    {.name = "LeNet dense 84→10", .g = CONV(64, 1, 84, 10, 1, 1, 0)},
    {.name = "ResNet-20 32² 16→16 3×3", .g = CONV(16, 32, 16, 16, 3, 1, 1)},
    {.name = "ResNet-20 16² 32→32 3×3", .g = CONV(16, 16, 32, 32, 3, 1, 1)},
    {.name = "ResNet-20 8² 64→64 3×3", .g = CONV(16, 8, 64, 64, 3, 1, 1)},
    {.name = "ResNet-50 224² 3→64 7×7/2", .g = CONV(2, 224, 3, 64, 7, 2, 3)},
    {.name = "ResNet-50 56² 64→64 3×3", .g = CONV(4, 56, 64, 64, 3, 1, 1)},
    {.name = "ResNet-50 28² 128→128 3×3", .g = CONV(4, 28, 128, 128, 3, 1, 1)},
    {.name = "ResNet-50 56² 128→128 3×3/2", .g = CONV(4, 56, 128, 128, 3, 2, 1)},
    {.name = "ResNet-50 14² 256→256 3×3", .g = CONV(4, 14, 256, 256, 3, 1, 1)},
    {.name = "ResNet-50 7² 512→512 3×3", .g = CONV(8, 7, 512, 512, 3, 1, 1)},
    {.name = "ResNet-50 56² 64→256 1×1", .g = CONV(4, 56, 64, 256, 1, 1, 0)},
    {.name = "ResNet-50 14² 1024→256 1×1", .g = CONV(4, 14, 1024, 256, 1, 1, 0)},
    {.name = "dense 4096→4096", .g = CONV(32, 1, 4096, 4096, 1, 1, 0)},
};

static void layer_open(struct layer *l, const struct cvy_compute *compute) {
    const struct cvy_conv_setting all = {.passes = {true, true, true}};
    const struct cvy_conv *g = &l->g;
    const size_t panels = ((size_t)g->out.c + 15) / 16;
    l->x = random_block((size_t)(g->n * cvy_shape_count(g->in)));
    l->y = random_block((size_t)(g->n * cvy_shape_count(g->out)));
    l->w = random_block((size_t)g->r * g->s * g->in.c * panels * 16);
    l->dw = random_block((size_t)g->r * g->s * g->in.c * panels * 16);
    cvy_conv_plan_make(compute, g, &all, &l->plan);
    l->copies = random_block(l->plan.copy_floats);
    l->db = random_block(panels * 16);
    l->ws = aligned_alloc(CVY_ALIGN, l->plan.workspace + CVY_ALIGN);
}

static void layer_close(struct layer *l) {
    free(l->x), free(l->y), free(l->w), free(l->dw), free(l->copies), free(l->db), free(l->ws);
}

static struct cvy_conv_weights weights_of(const struct layer *l) {
    return (struct cvy_conv_weights){l->w, l->copies};
}
static void run_forward(const struct layer *l) {
    const struct cvy_epilogue e = {.bias = l->db, .activation = CVY_FUSED_RELU};
    cvy_conv_forward(&l->plan, l->g.n, l->x, weights_of(l), &e, l->y, l->ws);
}
static void run_copies(const struct layer *l) {
    cvy_conv_prepare(&l->plan, l->w, l->copies);
}
static void run_data(const struct layer *l) {
    cvy_conv_backward_data(&l->plan, l->g.n, l->y, weights_of(l), l->x, false, l->ws);
}
static void run_weights(const struct layer *l) {
    cvy_conv_backward_weights(&l->plan, l->g.n, l->x, l->y, l->dw, l->db, l->ws);
}

/* Seconds a call: the best of the calls of some 30 ms, at least three. */
static double time_of(const struct layer *l, void (*pass)(const struct layer *)) {
    const double end = cvy_clock() + 0.03;
    double best = 1e30;
    for (int calls = 0; calls < REPEATS || cvy_clock() < end; calls++) {
        const double start = cvy_clock();
        pass(l);
        const double time = cvy_clock() - start;
        if (time < best) best = time;
    }
    return best;
}

static void print_layer(const struct cvy_compute *compute, struct layer *l, double peak) {
    const struct cvy_conv *g = &l->g;
    const double flops = 2.0 * g->n * g->out.h * g->out.w * g->out.c * g->r * g->s * g->in.c * 1e-9;
    layer_open(l, compute);
    const double forward = time_of(l, run_forward), copies = time_of(l, run_copies);
    const double data = time_of(l, run_data), weights = time_of(l, run_weights);
    printf("  %-30s %7.1f %3.0f%%  %7.1f %3.0f%%  %7.1f %3.0f%%   %8.1f %8.1f %8.1f %8.1f\n", l->name, flops / forward,
           100 * flops / forward / peak, flops / data, 100 * flops / data / peak, flops / weights,
           100 * flops / weights / peak, forward * 1e6, data * 1e6, weights * 1e6, copies * 1e6);
    layer_close(l);
}

/* ---- a LeNet-5 step: all kernels that a training step of batch 64 calls ---- */

struct lenet {
    struct layer convs[5];
    struct cvy_pooling pools[2];
    float *pooled[2], *logits, *v;
    uint8_t *argmax[2];
    int32_t labels[64];
};

static void lenet_step(const struct cvy_compute *compute, struct lenet *net) {
    static const int parameters = 62000;
    struct cvy_loss_result sum;
    for (int i = 0; i < 5; i++) {
        run_forward(&net->convs[i]);
        if (i < 2) cvy_maxpool_forward(compute, &net->pools[i], net->convs[i].y, net->pooled[i], net->argmax[i]);
    }
    cvy_softmax_xent(compute, &(struct cvy_softmax_xent){64, 10, net->convs[4].y, net->labels, 0}, &sum,
                     net->convs[4].y, net->convs[0].ws);
    for (int i = 4; i >= 0; i--) {
        struct layer *l = &net->convs[i];
        const int64_t count = 64 * cvy_shape_count(l->g.out);
        if (i < 2) cvy_maxpool_backward(compute, &net->pools[i], net->pooled[i], net->argmax[i], l->y, false);
        if (i < 4)
            cvy_act_backward(compute, CVY_F32, (struct cvy_act){.kind = CVY_ACT_RELU}, l->y, l->y, l->y, count, false);
        run_weights(l);
        if (i == 0) continue;
        run_copies(l);
        run_data(l);
    }
    const struct cvy_sgd how = {0.1f, 0.9f, 5e-4f, 1 / 64.0f, true};
    cvy_sgd_update(compute, &how, net->v, net->v + parameters, net->v + 2 * (ptrdiff_t)parameters, parameters);
}

static void bench_lenet(const struct cvy_compute *compute) {
    struct lenet net = {.pools = {{64, {28, 28, 6}, {14, 14, 6}, 2, 2, 2, 2, 0, 0, false},
                                  {64, {10, 10, 16}, {5, 5, 16}, 2, 2, 2, 2, 0, 0, false}}};
    memcpy(net.convs, layers, sizeof net.convs);
    for (int i = 0; i < 5; i++) layer_open(&net.convs[i], compute);
    for (int i = 0; i < 2; i++) {
        const size_t count = (size_t)(64 * cvy_shape_count(net.pools[i].out));
        net.pooled[i] = random_block(count);
        net.argmax[i] = malloc(count);
    }
    net.v = random_block((size_t)3 * 62000);
    double best = 1e30;
    for (int i = 0; i < 300; i++) {
        const double start = cvy_clock();
        lenet_step(compute, &net);
        const double time = cvy_clock() - start;
        if (time < best) best = time;
    }
    printf("  LeNet-5, batch 64, a training step: %.3f ms, %.0f samples/s\n", best * 1e3, 64 / best);
    for (int i = 0; i < 5; i++) layer_close(&net.convs[i]);
    for (int i = 0; i < 2; i++) free(net.pooled[i]), free(net.argmax[i]);
    free(net.v);
}

void kernels_bench(void) {
    const int most = cvy_processors();
    for (int threads = 1; threads <= most; threads += most > 1 ? most - 1 : 1) {
        struct cvy_compute *compute;
        if (cvy_compute_create(threads, cvy_isa_detect(), &compute) != CVY_OK) return;
        const double peak = measure_peak(compute);
        printf("%s, %d threads, fused multiply-add peak %.1f GFLOP/s\n", cvy_isa_name(compute->isa), threads, peak);
        printf("  %-30s %12s  %12s  %12s   %35s\n", "GFLOP/s and share of the peak", "forward", "data", "weights",
               "µs: forward data weights copies");
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) print_layer(compute, &layers[i], peak);
        bench_lenet(compute);
        cvy_compute_destroy(&compute);
    }
}
