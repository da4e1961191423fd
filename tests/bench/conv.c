/* make bench-conv: every distinct convolution of ResNet-50, VGG-16 and AlexNet in its three passes on one core, beside
 * the peak of fused multiply-adds and the time that merely streaming the operands takes (both measured right before the
 * layer), and beside oneDNN where it is there.
 *
 * GFLOP/s count the multiplications of the direct algorithm, whatever ran. "of limit" is the share of what the roofline
 * allows the direct algorithm: its FLOPs at the peak or its bytes streamed, whichever takes longer. A time is the least
 * of several calls, in processor time; ours and the peer's alternate.
 *
 * usage: bench-conv [--batch N] [NAME…]    layers whose name contains one of NAMEs, else all */
#define _POSIX_C_SOURCE 199309L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conv_peer.h"
#include "core/memory.h"
#include "core/param.h"
#include "core/rng.h"
#include "kernels/conv/plan.h"
#include "kernels/simd/table.h"

enum { CALLS = 2, PEAK_DEPTH = 64, PEAK_ROUNDS = 16 /* of one sum */, PEAK_CALLS = 32 };
static const double SECONDS = 0.05; /* a pass and side, at least */

/* Of this process: time that others have the processor does not count. */
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct layer {
    const char *name;
    int h, c, k, r, stride, pad;
};

static const struct layer layers[] = {
    {"resnet 224 3-64 7x7/2", 224, 3, 64, 7, 2, 3},
    {"resnet 56 64-64 1x1", 56, 64, 64, 1, 1, 0},
    {"resnet 56 64-64 3x3", 56, 64, 64, 3, 1, 1},
    {"resnet 56 64-256 1x1", 56, 64, 256, 1, 1, 0},
    {"resnet 56 256-64 1x1", 56, 256, 64, 1, 1, 0},
    {"resnet 56 256-128 1x1", 56, 256, 128, 1, 1, 0},
    {"resnet 56 128-128 3x3/2", 56, 128, 128, 3, 2, 1},
    {"resnet 28 128-512 1x1", 28, 128, 512, 1, 1, 0},
    {"resnet 56 256-512 1x1/2", 56, 256, 512, 1, 2, 0},
    {"resnet 28 512-128 1x1", 28, 512, 128, 1, 1, 0},
    {"resnet 28 128-128 3x3", 28, 128, 128, 3, 1, 1},
    {"resnet 28 512-256 1x1", 28, 512, 256, 1, 1, 0},
    {"resnet 28 256-256 3x3/2", 28, 256, 256, 3, 2, 1},
    {"resnet 14 256-1024 1x1", 14, 256, 1024, 1, 1, 0},
    {"resnet 28 512-1024 1x1/2", 28, 512, 1024, 1, 2, 0},
    {"resnet 14 1024-256 1x1", 14, 1024, 256, 1, 1, 0},
    {"resnet 14 256-256 3x3", 14, 256, 256, 3, 1, 1},
    {"resnet 14 1024-512 1x1", 14, 1024, 512, 1, 1, 0},
    {"resnet 14 512-512 3x3/2", 14, 512, 512, 3, 2, 1},
    {"resnet 7 512-2048 1x1", 7, 512, 2048, 1, 1, 0},
    {"resnet 14 1024-2048 1x1/2", 14, 1024, 2048, 1, 2, 0},
    {"resnet 7 2048-512 1x1", 7, 2048, 512, 1, 1, 0},
    {"resnet 7 512-512 3x3", 7, 512, 512, 3, 1, 1},
    {"vgg 224 3-64 3x3", 224, 3, 64, 3, 1, 1},
    {"vgg 224 64-64 3x3", 224, 64, 64, 3, 1, 1},
    {"vgg 112 64-128 3x3", 112, 64, 128, 3, 1, 1},
    {"vgg 112 128-128 3x3", 112, 128, 128, 3, 1, 1},
    {"vgg 56 128-256 3x3", 56, 128, 256, 3, 1, 1},
    {"vgg 56 256-256 3x3", 56, 256, 256, 3, 1, 1},
    {"vgg 28 256-512 3x3", 28, 256, 512, 3, 1, 1},
    {"vgg 28 512-512 3x3", 28, 512, 512, 3, 1, 1},
    {"vgg 14 512-512 3x3", 14, 512, 512, 3, 1, 1},
    {"alexnet 224 3-64 11x11/4", 224, 3, 64, 11, 4, 2},
    {"alexnet 27 64-192 5x5", 27, 64, 192, 5, 1, 2},
    {"alexnet 13 192-384 3x3", 13, 192, 384, 3, 1, 1},
    {"alexnet 13 384-256 3x3", 13, 384, 256, 3, 1, 1},
    {"alexnet 13 256-256 3x3", 13, 256, 256, 3, 1, 1},
};

struct bench {
    struct cvy_compute *compute;
    struct cvy_conv g;
    struct cvy_conv_plan plan;
    size_t x_floats, y_floats, w_floats;
    float *x, *y, *w, *copies, *bias;
    void *ws;
    double peak; /* GFLOP/s */
};

static struct cvy_conv geometry(const struct layer *l, int n) {
    const int out = (l->h + 2 * l->pad - l->r) / l->stride + 1;
    return (struct cvy_conv){.n = n,
                             .in = {l->h, l->h, l->c},
                             .out = {out, out, l->k},
                             .r = l->r,
                             .s = l->r,
                             .stride_h = l->stride,
                             .stride_w = l->stride,
                             .pad_top = l->pad,
                             .pad_left = l->pad,
                             .dilation_h = 1,
                             .dilation_w = 1};
}

static float *block(size_t floats) {
    void *out;
    if (cvy_alloc(floats * sizeof(float), CVY_TAG_general, &out) != CVY_OK) abort();
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(1, "bench"), 0, 0);
    for (size_t i = 0; i < floats; i++)
        ((float *)out)[i] = i < 4096 ? 2 * cvy_rng_uniform(&rng) - 1 : ((float *)out)[i % 4096];
    return out;
}

static void bench_open(struct bench *b, const struct layer *l, int n) {
    const size_t panels = ((size_t)l->k + CVY_PANEL - 1) / CVY_PANEL;
    b->g = geometry(l, n);
    b->x_floats = (size_t)(n * cvy_shape_count(b->g.in));
    b->y_floats = (size_t)(n * cvy_shape_count(b->g.out));
    b->w_floats = (size_t)l->r * l->r * l->c * panels * CVY_PANEL;
    b->x = block(b->x_floats);
    b->y = block(b->y_floats);
    b->w = block(b->w_floats);
    b->bias = block(panels * CVY_PANEL);
    const struct cvy_conv_setting all = {.passes = {true, true, true}};
    cvy_conv_plan_make(b->compute, &b->g, &all, &b->plan);
    b->copies = block(b->plan.copy_floats);
    b->ws = block(b->plan.workspace / sizeof(float));
}

static void bench_close(struct bench *b) {
    cvy_free(b->x), cvy_free(b->y), cvy_free(b->w), cvy_free(b->copies), cvy_free(b->bias), cvy_free(b->ws);
}

static void run_ours(struct bench *b, enum pass pass) {
    const struct cvy_epilogue bias = {.bias = b->bias};
    const struct cvy_conv_weights w = {b->w, b->copies};
    const int n = b->g.n;
    if (pass == PASS_FORWARD) cvy_conv_forward(&b->plan, n, b->x, w, &bias, b->y, b->ws);
    if (pass == PASS_DATA) cvy_conv_backward_data(&b->plan, n, b->y, w, b->x, false, b->ws);
    if (pass == PASS_WEIGHTS) cvy_conv_backward_weights(&b->plan, n, b->x, b->y, b->w, b->bias, b->ws);
}

/* ---- what the machine gives at this moment ---- */

static void peak_task(void *arg, int t, int thread) {
    (void)t, (void)thread;
    const struct cvy_compute *compute = arg;
    static const float a[PEAK_DEPTH * 6], b[PEAK_DEPTH * 64];
    float c[6 * 64];
    for (int i = 0; i < PEAK_CALLS; i++)
        compute->table->product(&(struct cvy_product){.rows = 6,
                                                      .columns = 64,
                                                      .depth = PEAK_DEPTH,
                                                      .outer = PEAK_ROUNDS,
                                                      .inner = 1,
                                                      .a = a,
                                                      .a_row = 1,
                                                      .a_step = 6,
                                                      .b = b,
                                                      .b_panel = (ptrdiff_t)16 * PEAK_DEPTH,
                                                      .b_step = 16,
                                                      .c = c,
                                                      .c_row = 64,
                                                      .c_panel = 16});
}

static double measure_peak(struct cvy_compute *compute) {
    double best = 1e30;
    for (int i = 0; i < 20; i++) {
        const double start = seconds();
        peak_task(compute, 0, 0);
        best = fmin(best, seconds() - start);
    }
    return 2.0 * 6 * 64 * PEAK_DEPTH * PEAK_ROUNDS * PEAK_CALLS / best * 1e-9;
}

/* Seconds of reading `from` and writing `to` and no more. */
struct stream {
    const struct cvy_compute *compute;
    const float *from;
    float *to;
    size_t read, write; /* floats */
};
enum { STREAM_TASKS = 32 };

static void stream_task(void *arg, int t, int thread) {
    (void)thread;
    const struct stream *s = arg;
    const size_t from = s->read / STREAM_TASKS * (size_t)t, to = s->write / STREAM_TASKS * (size_t)t;
    s->compute->table->scale(s->to + to, 0, (int64_t)(s->write / STREAM_TASKS));
    static const ptrdiff_t at[4];
    static const float share[4];
    float sink[256];
    for (size_t i = 0; i + 256 <= s->read / STREAM_TASKS; i += 256)
        s->compute->table->mix(s->from + from + i, at, share, sink, 256);
}

static double measure_stream(const struct bench *b, enum pass pass) {
    struct stream s = {b->compute, b->x, b->y, b->x_floats, b->y_floats};
    if (pass == PASS_DATA) s = (struct stream){b->compute, b->y, b->x, b->y_floats, b->x_floats};
    if (pass == PASS_WEIGHTS) s = (struct stream){b->compute, b->x, b->w, b->x_floats, b->w_floats};
    const struct stream other = {b->compute, pass == PASS_WEIGHTS ? b->y : b->w, b->w,
                                 pass == PASS_WEIGHTS ? b->y_floats : b->w_floats, 0};
    double best = 1e30;
    for (int i = 0; i < 3; i++) {
        const double start = seconds();
        cvy_parallel(b->compute->pool, STREAM_TASKS, stream_task, &s);
        cvy_parallel(b->compute->pool, STREAM_TASKS, stream_task, (void *)(uintptr_t)&other);
        best = fmin(best, seconds() - start);
    }
    return best;
}

/* ---- measuring ---- */

struct times {
    double ours, theirs; /* seconds; theirs 0 without a peer */
    char algorithm[32];
};

static double timed(struct bench *b, enum pass pass, struct peer *peer) {
    const double start = seconds();
    if (peer)
        peer_run(peer);
    else
        run_ours(b, pass);
    return seconds() - start;
}

/* The faster of the peer's own choice and its direct algorithm. */
static struct peer *best_peer(struct bench *b, enum pass pass) {
    struct peer *chosen = peer_create(&b->g, pass, false), *direct = peer_create(&b->g, pass, true);
    if (chosen && direct && strcmp(peer_algorithm(chosen), peer_algorithm(direct)) != 0) {
        timed(b, pass, chosen), timed(b, pass, direct);
        if (timed(b, pass, direct) < timed(b, pass, chosen)) {
            peer_destroy(chosen);
            return direct;
        }
    }
    peer_destroy(direct);
    return chosen;
}

static struct times measure(struct bench *b, enum pass pass) {
    struct times t = {1e30, 1e30, ""};
    struct peer *peer = best_peer(b, pass);
    if (peer) snprintf(t.algorithm, sizeof t.algorithm, "%.31s", peer_algorithm(peer));
    const double end = seconds() + SECONDS * (peer ? 2 : 1);
    for (int calls = 0; calls < CALLS || seconds() < end; calls++) {
        t.ours = fmin(t.ours, timed(b, pass, NULL));
        if (peer) t.theirs = fmin(t.theirs, timed(b, pass, peer));
    }
    if (!peer) t.theirs = 0;
    peer_destroy(peer);
    return t;
}

static double multiplications(const struct cvy_conv *g) {
    return (double)g->n * (double)cvy_shape_count(g->out) * g->r * g->s * g->in.c;
}

struct means {
    double limit, ratio, worst; /* sums of logarithms; the least ratio */
    int layers;
};

static void print_pass(struct bench *b, const char *name, enum pass pass, struct means *means) {
    static const char *const names[PASSES] = {"forward", "data", "weights"};
    const double flops = 2e-9 * multiplications(&b->g), stream = measure_stream(b, pass);
    const struct times t = measure(b, pass);
    const double limit = fmax(flops / b->peak, stream), ratio = t.theirs / t.ours;
    printf("%-26s %-8s %8.2f %7.1f %5.0f%% %5.0f%%", name, names[pass], 1e3 * t.ours, flops / t.ours,
           100 * flops / t.ours / b->peak, 100 * limit / t.ours);
    if (t.theirs > 0) printf("  %8.2f %7.1f %6.2f  %s", 1e3 * t.theirs, flops / t.theirs, ratio, t.algorithm);
    printf("\n");
    fflush(stdout);
    means[pass].limit += log(limit / t.ours);
    means[pass].ratio += t.theirs > 0 ? log(ratio) : 0;
    if (means[pass].layers++ == 0 || ratio < means[pass].worst) means[pass].worst = ratio;
}

static void print_means(const struct means *means) {
    static const char *const names[PASSES] = {"forward", "backward-data", "backward-weights"};
    for (int p = 0; p < PASSES; p++) {
        if (means[p].layers == 0) continue;
        printf("%-16s geometric means over %d layers: %.1f %% of the limit", names[p], means[p].layers,
               100 * exp(means[p].limit / means[p].layers));
        if (means[p].ratio != 0)
            printf(", %.2f × the peer (least %.2f)", exp(means[p].ratio / means[p].layers), means[p].worst);
        printf("\n");
    }
}

static bool wanted(const char *name, int count, char **names) {
    bool found = count == 0;
    for (int i = 0; i < count; i++) found |= strstr(name, names[i]) != NULL;
    return found;
}

int main(int argc, char **argv) {
    int batch = 8, at = 1;
    if (argc > 2 && strcmp(argv[1], "--batch") == 0) {
        batch = atoi(argv[2]);
        at = 3;
    }
    struct bench b = {0};
    struct means means[PASSES] = {0};
    if (batch < 1 || cvy_compute_create(1, cvy_isa_detect(), &b.compute) != CVY_OK) return 1;
    printf("batch %d, one core, %s%s%s\n", batch, cvy_isa_name(b.compute->isa), peer_name() ? ", beside " : "",
           peer_name() ? peer_name() : "");
    printf("%-26s %-8s %8s %7s %6s %6s  %8s %7s %6s\n", "layer", "pass", "ms", "GFLOP/s", "peak", "limit", "peer ms",
           "GFLOP/s", "ratio");
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        if (!wanted(layers[i].name, argc - at, argv + at)) continue;
        bench_open(&b, &layers[i], batch);
        b.peak = measure_peak(b.compute);
        for (int p = 0; p < PASSES; p++)
            if (p != PASS_DATA || layers[i].c > 3) print_pass(&b, layers[i].name, p, means);
        bench_close(&b);
    }
    print_means(means);
    cvy_compute_destroy(&b.compute);
    return 0;
}
