/* Convolution in groups, one after the other: an algorithm sees one group's channels, copied out of the whole. */
#include <string.h>

#include "core/memory.h"
#include "kernels/strided.h"
#include "kernels/conv/algorithm.h"
#include "kernels/conv/parts.h"

static int groups_of(const struct cvy_conv *g) {
    return cvy_max(1, g->groups);
}

bool cvy_conv_is_depthwise(const struct cvy_conv *g) {
    return groups_of(g) > 1 && g->groups == g->in.c;
}

int cvy_conv_rounds(const struct cvy_conv *g) {
    return cvy_conv_is_depthwise(g) ? 1 : groups_of(g);
}

struct cvy_conv cvy_conv_one_group(const struct cvy_conv *g) {
    const int rounds = cvy_conv_rounds(g);
    struct cvy_conv one = *g;
    if (rounds == 1) return one;
    one.in.c /= rounds;
    one.out.c /= rounds;
    one.groups = 1;
    return one;
}

/* ---- channels out and in ---- */

/* Group i's channels of images of all groups, between them and an array of `part` each. */
static struct cvy_view group_view(const struct cvy_pass_call *whole, const void *images, struct cvy_shape part, int i) {
    const struct cvy_shape all = {part.h, part.w, part.c * groups_of(whole->g)};
    return cvy_view_of(images, CVY_F32, all, (ptrdiff_t)i * part.c);
}
static void channels_out(const struct cvy_pass_call *whole, const void *images, struct cvy_shape part, int i,
                         float *own) {
    cvy_strided_copy(whole->compute, CVY_F32, whole->g->n, part, group_view(whole, images, part, i),
                     cvy_view_of(own, CVY_F32, part, 0), false);
}
/* As the call wants it: backward-data may add. */
static void channels_in(const struct cvy_pass_call *whole, const float *own, struct cvy_shape part, int i) {
    cvy_strided_copy(whole->compute, CVY_F32, whole->g->n, part, cvy_view_of(own, CVY_F32, part, 0),
                     group_view(whole, whole->to, part, i), whole->accumulate);
}

/* A group's columns between the whole panels [⌈k/16⌉][rows][16] and panels of its own. */
static void columns_out(const struct cvy_conv *one, int group, const float *w, float *own) {
    const ptrdiff_t rows = (ptrdiff_t)one->r * one->s * one->in.c;
    memset(own, 0, (size_t)(cvy_panels(one->out.c) * rows * CVY_PANEL) * sizeof *own);
    for (int j = 0; j < one->out.c; j++) {
        const int k = group * one->out.c + j;
        const float *from = w + k / CVY_PANEL * rows * CVY_PANEL + k % CVY_PANEL;
        float *to = own + j / CVY_PANEL * rows * CVY_PANEL + j % CVY_PANEL;
        for (ptrdiff_t i = 0; i < rows; i++) to[i * CVY_PANEL] = from[i * CVY_PANEL];
    }
}
static void columns_in(const struct cvy_conv *one, int group, const float *own, float *w) {
    const ptrdiff_t rows = (ptrdiff_t)one->r * one->s * one->in.c;
    for (int j = 0; j < one->out.c; j++) {
        const int k = group * one->out.c + j;
        float *to = w + k / CVY_PANEL * rows * CVY_PANEL + k % CVY_PANEL;
        const float *from = own + j / CVY_PANEL * rows * CVY_PANEL + j % CVY_PANEL;
        for (ptrdiff_t i = 0; i < rows; i++) to[i * CVY_PANEL] = from[i * CVY_PANEL];
    }
}

/* ---- the workspace of one group: x, y, weights, bias, and what the dense pass wants ---- */

struct scratch {
    float *x, *y, *w, *bias;
    float *dense;
    size_t bytes;
};

static size_t panel_floats(const struct cvy_conv *one) {
    return (size_t)one->r * one->s * one->in.c * cvy_panels(one->out.c) * CVY_PANEL;
}

static float *take(struct scratch *s, unsigned char *ws, size_t floats) {
    float *at = ws ? (float *)(ws + s->bytes) : NULL;
    s->bytes += cvy_align_up(floats * sizeof(float));
    return at;
}

static struct scratch layout(const struct cvy_conv *one, void *ws) {
    struct scratch s = {0};
    s.x = take(&s, ws, (size_t)one->n * (size_t)cvy_shape_count(one->in));
    s.y = take(&s, ws, (size_t)one->n * (size_t)cvy_shape_count(one->out));
    s.w = take(&s, ws, panel_floats(one));
    s.bias = take(&s, ws, (size_t)cvy_panels(one->out.c) * CVY_PANEL);
    s.dense = take(&s, ws, 0);
    return s;
}

size_t cvy_groups_panel_floats(const struct cvy_conv *g) {
    const struct cvy_conv one = cvy_conv_one_group(g);
    return cvy_conv_rounds(g) > 1 ? panel_floats(&one) : 0;
}

size_t cvy_groups_workspace(const struct cvy_conv *g) {
    const struct cvy_conv one = cvy_conv_one_group(g);
    return cvy_conv_rounds(g) > 1 ? layout(&one, NULL).bytes / sizeof(float) : 0;
}

void cvy_groups_copy(const struct cvy_compute *compute, const struct cvy_weights_copy *copy, const struct cvy_conv *g,
                     const float *w, float *out, float *own) {
    const int rounds = cvy_conv_rounds(g);
    const struct cvy_conv one = cvy_conv_one_group(g);
    for (int i = 0; i < rounds; i++, out += copy->floats(&one)) {
        if (rounds > 1) columns_out(&one, i, w, own);
        copy->make(compute, &one, rounds > 1 ? own : w, out);
    }
}

/* ---- the passes of one group ---- */

/* The weights that the algorithm reads for group i. */
static const float *weights_of(const struct cvy_algorithm *algorithm, const struct cvy_conv *one, int i, const float *w,
                               float *own) {
    if (algorithm->copy) return w + (size_t)i * algorithm->copy->floats(one);
    columns_out(one, i, w, own);
    return own;
}

static void forward(const struct cvy_algorithm *algorithm, const struct cvy_pass_call *whole,
                    const struct cvy_conv *one, int i, const struct scratch *s) {
    struct cvy_epilogue epilogue;
    CVY_ASSERT(whole->epilogue == NULL || whole->epilogue->residual == NULL);
    if (whole->epilogue) epilogue = cvy_epilogue_at(whole->epilogue, i * one->out.c, 0, CVY_F32);
    channels_out(whole, whole->from, one->in, i, s->x);
    algorithm->run(&(struct cvy_pass_call){.compute = whole->compute,
                                           .g = one,
                                           .tiling = whole->tiling,
                                           .from = s->x,
                                           .with = weights_of(algorithm, one, i, whole->with, s->w),
                                           .epilogue = whole->epilogue ? &epilogue : NULL,
                                           .to = s->y,
                                           .ws = s->dense});
    channels_in(whole, s->y, one->out, i);
}

static void data(const struct cvy_algorithm *algorithm, const struct cvy_pass_call *whole, const struct cvy_conv *one,
                 int i, const struct scratch *s) {
    channels_out(whole, whole->from, one->out, i, s->y);
    algorithm->run(&(struct cvy_pass_call){.compute = whole->compute,
                                           .g = one,
                                           .tiling = whole->tiling,
                                           .from = s->y,
                                           .with = weights_of(algorithm, one, i, whole->with, s->w),
                                           .to = s->x,
                                           .ws = s->dense});
    channels_in(whole, s->x, one->in, i);
}

/* The first group clears the lanes that no group has. */
static void gradient(const struct cvy_algorithm *algorithm, const struct cvy_pass_call *whole,
                     const struct cvy_conv *one, int i, const struct scratch *s) {
    const size_t lanes = (size_t)cvy_panels(whole->g->out.c) * CVY_PANEL;
    if (i == 0) memset(whole->to, 0, (size_t)one->r * one->s * one->in.c * lanes * sizeof(float));
    if (i == 0 && whole->dbias) memset(whole->dbias, 0, lanes * sizeof(float));
    channels_out(whole, whole->from, one->in, i, s->x);
    channels_out(whole, whole->with, one->out, i, s->y);
    algorithm->run(&(struct cvy_pass_call){.compute = whole->compute,
                                           .g = one,
                                           .tiling = whole->tiling,
                                           .from = s->x,
                                           .with = s->y,
                                           .dbias = whole->dbias ? s->bias : NULL,
                                           .to = s->w,
                                           .ws = s->dense});
    columns_in(one, i, s->w, whole->to);
    if (whole->dbias) memcpy(whole->dbias + i * one->out.c, s->bias, (size_t)one->out.c * sizeof(float));
}

typedef void group_pass(const struct cvy_algorithm *algorithm, const struct cvy_pass_call *whole,
                        const struct cvy_conv *one, int i, const struct scratch *s);
static group_pass *const passes[] = {forward, data, gradient};

void cvy_groups_run(const struct cvy_algorithm *algorithm, enum cvy_pass pass, const struct cvy_pass_call *whole) {
    const int rounds = cvy_conv_rounds(whole->g);
    if (rounds == 1) {
        algorithm->run(whole);
        return;
    }
    const struct cvy_conv one = cvy_conv_one_group(whole->g);
    const struct scratch s = layout(&one, whole->ws);
    for (int i = 0; i < rounds; i++) passes[pass](algorithm, whole, &one, i, &s);
}
